package lint

import (
	"regexp"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

// TestFiles holds which routes are taken for routes of files.
func TestFiles(t *testing.T) {
	for _, test := range []struct {
		hosts, paths string // blanks part them
		want         bool
	}{
		{"", "*.css", true},
		{"", "/favicon.ico /static/*", true},
		{"", "/en/assets/app.*", true},
		{"", "/shop/**/*.JPG", true},
		{"", "/_next/static/*", true},
		{"static.example.com img2.example.com", "", true},
		{"static.example.com", "/*", true},
		{"www.example.com", "*.pdf", true},

		{"", "/*", false},
		{"", "*.css /about", false},
		{"", "*.html", false},
		{"", "/images", false}, // a page that is called so
		{"", "/orders/export.csv", false},
		{"", "/feed.xml", false},
		{"www.example.com", "", false},
		{"static.example.com www.example.com", "", false},
		{"*.example.com", "/*", false},
		{"statistics.example.com", "", false},
	} {
		m := policies.Match{Hosts: strings.Fields(test.hosts), Paths: strings.Fields(test.paths)}
		if got := servesFiles(m); got != test.want {
			t.Errorf("hosts %q, paths %q: %v", test.hosts, test.paths, got)
		}
	}
}

// TestPagesOf holds what messages call the pages of a route.
func TestPagesOf(t *testing.T) {
	for _, test := range []struct{ hosts, paths, want string }{
		{"", "*.css /about", "`/about`"},
		{"www.example.com", "/*", "`www.example.com`"},
		{"www.example.com", "*.css /*", "`www.example.com`"},
		{"", "/img/* *.png", "`/img/*`"},
		{"", "/*", "this site"},
	} {
		m := policies.Match{Hosts: strings.Fields(test.hosts), Paths: strings.Fields(test.paths)}
		if got := pagesOf(m); got != test.want {
			t.Errorf("hosts %q, paths %q: %s, want %s", test.hosts, test.paths, got, test.want)
		}
	}
}

// TestPagesOfFreshnessAndDownstream holds that what these pages say triggers a rule
// does, what they say does not does not, and that their suppression suppresses it.
func TestPagesOfFreshnessAndDownstream(t *testing.T) {
	fence := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	field := regexp.MustCompile(`(?m)^    [a-z_]+:`)
	for _, r := range Rules() {
		if r.Family() != "freshness" && r.Family() != "downstream" {
			continue
		}
		t.Run(r.ID, func(t *testing.T) {
			blocks := fence.FindAllStringSubmatch(r.Page(), -1)
			if len(blocks) != 3 {
				t.Fatalf("the page has %d examples, want one that triggers it, one that does not, and a suppression", len(blocks))
			}
			bad, good, suppression := blocks[0][1], blocks[1][1], blocks[2][1]
			if len(judge(t, loadText(t, "page.yaml", bad), r)) != 1 {
				t.Errorf("not one finding in\n%s", bad)
			}
			noFindingsOf(t, r.ID, good)
			// The suppressed line takes the place of the same field in the bad example.
			key := regexp.QuoteMeta(field.FindString(suppression))
			line := regexp.MustCompile(`(?m)^` + key + `.*\n`)
			if key == "" || !line.MatchString(bad) {
				t.Fatalf("the bad example has no field %q", key)
			}
			suppressed := strings.Replace(bad, line.FindString(bad), suppression, 1)
			noFindingsOf(t, r.ID, suppressed)
			u := loadText(t, "page.yaml", suppressed)
			for _, f := range Suppress(u, Run(u, nil), today, true) {
				if f.Rule == r.ID && f.Suppressed != nil {
					return
				}
			}
			t.Errorf("nothing is suppressed in\n%s", suppressed)
		})
	}
}

// noFindingsOf holds that neither the rule nor those about suppressions find anything.
func noFindingsOf(t *testing.T, rule, text string) {
	t.Helper()
	u := loadText(t, "page.yaml", text)
	for _, f := range Suppress(u, Run(u, nil), today, true) {
		if f.Suppressed == nil && (f.Rule == rule || strings.HasPrefix(f.Rule, "CW00")) {
			t.Errorf("%s: %s in\n%s", f.Rule, f.Message, text)
		}
	}
}
