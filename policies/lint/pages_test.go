package lint

import (
	"regexp"
	"strings"
	"testing"
)

// TestPagesOfAttributionAndState holds that what these pages say triggers a rule does,
// what they say does not does not, and that the comment that they recommend suppresses
// it.
func TestPagesOfAttributionAndState(t *testing.T) {
	fence := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	for _, r := range Rules() {
		if r.Family() != "attribution" && r.Family() != "state" {
			continue
		}
		t.Run(r.ID, func(t *testing.T) {
			blocks := fence.FindAllStringSubmatch(r.Page(), -1)
			if len(blocks) != 3 {
				t.Fatalf("the page has %d examples in YAML, want one that triggers it, one that does not, and a suppression", len(blocks))
			}
			bad, good, comment := blocks[0][1], blocks[1][1], blocks[2][1]
			if len(judge(t, loadText(t, "page.yaml", bad), r)) == 0 {
				t.Errorf("no finding in\n%s", bad)
			}
			for _, f := range judge(t, loadText(t, "page.yaml", good), r) {
				t.Errorf("%v: %s in\n%s", f.Pos, f.Message, good)
			}
			if !strings.Contains(comment, "# cacheward:ignore "+r.ID+" -- ") {
				t.Errorf("no suppression with a reason in\n%s", comment)
			}
			suppressed := withSuppression(bad, comment)
			u := loadText(t, "page.yaml", suppressed)
			if len(u.Faults) > 0 {
				t.Fatalf("%v in\n%s", u.Faults, suppressed)
			}
			worked := false
			for _, f := range Suppress(u, Run(u, nil), today, true) {
				worked = worked || f.Rule == r.ID && f.Suppressed != nil
				if f.Rule == r.ID && f.Suppressed == nil || strings.HasPrefix(f.Rule, "CW00") {
					t.Errorf("%s: %s in\n%s", f.Rule, f.Message, suppressed)
				}
			}
			if !worked {
				t.Errorf("nothing was suppressed in\n%s", suppressed)
			}
		})
	}
}

// withSuppression is a policy with the lines of the comment in the first route of the
// example.
func withSuppression(example, comment string) string {
	text := "routes:\n  - name: page\n"
	for _, field := range []string{"match", "cache"} {
		if !strings.Contains(comment, "    "+field+":") {
			text += regexp.MustCompile(`(?m)^    ` + field + `: .*\n`).FindString(example)
		}
	}
	return text + comment
}
