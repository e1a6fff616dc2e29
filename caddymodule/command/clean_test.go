package command_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/command"
	"github.com/cacheward/cacheward/policies/lint"
)

// TestCleanSites holds that sensible Caddyfiles get no finding of any rule, those on
// the whole configuration included. policies/lint/testdata/clean has the policies.
func TestCleanSites(t *testing.T) {
	files, err := filepath.Glob("testdata/clean/*.Caddyfile")
	if err != nil || len(files) == 0 {
		t.Fatal("no Caddyfiles", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			u := command.Load(file)
			if u.Site == nil || len(u.Scopes) == 0 {
				t.Fatalf("the site was not read: %v", u.Faults)
			}
			for _, f := range lint.Suppress(u, lint.Run(u, nil), time.Now(), true) {
				t.Errorf("%v: %s: %s: %s; %s", f.Pos, f.Severity, f.Rule, f.Message, f.Suggestion)
			}
		})
	}
}
