package lint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestClean holds that sensible policies get no finding of any rule. They are the
// corpus against false alarms: who changes a rule so that one of them is found fault
// with has to say to an operator of such a site what is wrong with it.
func TestClean(t *testing.T) {
	files, err := filepath.Glob("testdata/clean/*")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Errorf("there are %d policies", len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(data), "cacheward:ignore") {
				t.Error("it suppresses something")
			}
			noFindings(t, loadText(t, file, string(data)))
		})
	}
}

func noFindings(t *testing.T, u *Unit) {
	t.Helper()
	for _, f := range Suppress(u, Run(u, nil), today, true) {
		if f.Suppressed == nil {
			t.Errorf("%v: %s: %s: %s; %s", f.Pos, f.Severity, f.Rule, f.Message, f.Suggestion)
		}
	}
}
