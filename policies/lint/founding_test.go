package lint

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestFoundingIncident: the configuration of December 2017 must not pass, and say in words
// that need no knowledge of this program why; the fixed one must have no findings at
// all, suppressed ones included.
func TestFoundingIncident(t *testing.T) {
	for _, spelling := range []string{"yaml", "Caddyfile"} {
		t.Run(spelling, func(t *testing.T) {
			found := founding(t, "mistake."+spelling)
			var rules []string
			for _, f := range found {
				t.Logf("%v: %s %s: %s; %s", f.Pos, f.Severity, f.Rule, f.Message, f.Suggestion)
				for _, r := range f.Counterexample {
					t.Logf("\t%s %s %v  (%s)", r.Method, r.URL, r.Header, r.Note)
				}
				if f.Severity != Error {
					continue
				}
				if rules = append(rules, f.Rule); len(f.Counterexample) != 2 {
					t.Errorf("%s has no counterexample", f.Rule)
				}
			}
			for _, want := range []string{"CW102", "CW103", "CW201"} {
				if !slices.Contains(rules, want) {
					t.Errorf("%s is missing among the errors %v", want, rules)
				}
			}
			if text := messages(found); !strings.Contains(text, "referral") || !strings.Contains(text, "5m") {
				t.Errorf("no message says what is lost, and for how long:\n%s", text)
			}
			for _, f := range founding(t, "fixed."+spelling) {
				t.Errorf("fixed: %v: %s: %s", f.Pos, f.Rule, f.Message)
			}
		})
	}
}

func founding(t *testing.T, name string) []Finding {
	t.Helper()
	file := "testdata/founding/" + name
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	u := loadText(t, file, string(data))
	return Suppress(u, Run(u, nil), today, true)
}

func messages(found []Finding) string {
	var b strings.Builder
	for _, f := range found {
		b.WriteString(f.Message + "\n")
	}
	return b.String()
}

// TestFoundingIncidentIsTheDemos holds that lint and the demo speak of one mistake.
func TestFoundingIncidentIsTheDemos(t *testing.T) {
	demo, err := os.ReadFile("../../cmd/cacheward/demo/scenarios.go")
	if err != nil {
		t.Fatal(err)
	}
	mistake, err := os.ReadFile("testdata/founding/mistake.Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	_, policy, _ := strings.Cut(string(mistake), "referrer.\n") // behind the comment
	if policy == "" || !strings.Contains(string(demo), "const MistakenPolicy = `"+policy+"`") {
		t.Errorf("the demo's mistaken policy is another one than\n%s", policy)
	}
}
