package command_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/command"
	"github.com/cacheward/cacheward/policies/lint"
)

var want = regexp.MustCompile(`[ \t]*# want (CW\d{3})$`)

// TestSiteRules: the rules on whole Caddy configurations find each line that is marked
// in their examples, at a column, and no other; and nothing in the good ones.
func TestSiteRules(t *testing.T) {
	for _, rule := range lint.Rules() {
		if rule.Family() != "caddy" {
			continue
		}
		only := func(r lint.Rule) bool { return r.ID == rule.ID }
		for _, kind := range []string{"bad", "good"} {
			files, err := filepath.Glob("../../policies/lint/testdata/" + rule.ID + "/" + kind + "-*.Caddyfile")
			if err != nil || len(files) == 0 {
				t.Fatalf("%s has no %s examples (%v)", rule.ID, kind, err)
			}
			for _, file := range files {
				t.Run(rule.ID+"/"+filepath.Base(file), func(t *testing.T) {
					var wanted, got []int
					data, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					for i, line := range strings.Split(string(data), "\n") {
						if want.MatchString(line) {
							wanted = append(wanted, i+1)
						}
					}
					if (kind == "bad") != (len(wanted) > 0) {
						t.Fatal("bad examples have marks, good ones have none")
					}
					u := command.Load(file)
					if len(u.Faults) > 0 {
						t.Fatalf("it is not valid: %v", u.Faults)
					}
					for _, f := range lint.Run(u, only) {
						got = append(got, f.Pos.Line)
						if f.Pos.Column == 0 || f.Suggestion == "" || f.Message == "" {
							t.Errorf("a finding without a column, message or suggestion: %+v", f)
						}
						t.Logf("%v: %s; %s", f.Pos, f.Message, f.Suggestion)
					}
					if !slices.Equal(got, wanted) {
						t.Errorf("findings at lines %v, want %v", got, wanted)
					}
				})
			}
		}
	}
}

// TestSitePages: of the examples on a rule's page the first triggers it and the second
// does not, and the third is a suppression with a reason.
func TestSitePages(t *testing.T) {
	fence := regexp.MustCompile("(?s)```caddyfile\n(.*?)```")
	for _, rule := range lint.Rules() {
		if rule.Family() != "caddy" {
			continue
		}
		t.Run(rule.ID, func(t *testing.T) {
			only := func(r lint.Rule) bool { return r.ID == rule.ID }
			examples := fence.FindAllStringSubmatch(rule.Page(), -1)
			if len(examples) != 3 {
				t.Fatalf("the page has %d examples", len(examples))
			}
			for i, triggers := range []bool{true, false} {
				u := command.LoadData("Caddyfile", []byte(examples[i][1]))
				if found := lint.Run(u, only); (len(found) > 0) != triggers || len(u.Faults) > 0 {
					t.Errorf("example %d: %v, %v", i+1, found, u.Faults)
				}
			}
			if !strings.Contains(examples[2][1], "# cacheward:ignore "+rule.ID+" -- ") {
				t.Errorf("no suppression with a reason in\n%s", examples[2][1])
			}
		})
	}
}
