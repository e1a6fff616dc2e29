package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/cmd/cacheward/demo"
)

// The demo is the founding incident, happening and not happening.
func TestDemo(t *testing.T) {
	const visitors = 2000
	stdout, stderr, code := command(t, "demo", "--visitors", strconv.Itoa(visitors), "--format", "json")
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	var result struct {
		Scenarios []struct {
			Name            string         `json:"name"`
			Visitors        int            `json:"visitors"`
			Misattributed   int            `json:"misattributed"`
			OriginRenders   int            `json:"origin_renders"`
			ServedFromCache float64        `json:"served_from_cache"`
			Refusals        map[string]int `json:"refusals"`
		} `json:"scenarios"`
	}
	if err := json.Unmarshal([]byte(stdout), &result); err != nil {
		t.Fatalf("%v in\n%s", err, stdout)
	}
	if len(result.Scenarios) != 5 {
		t.Fatalf("%d scenarios, want 5", len(result.Scenarios))
	}
	for _, s := range result.Scenarios {
		if s.Visitors != visitors {
			t.Errorf("%s: %d visitors", s.Name, s.Visitors)
		}
		switch s.Name {
		case "naive-cdn":
			if s.Misattributed < visitors*9/10 {
				t.Errorf("the incident did not happen: %d of %d attributed wrongly", s.Misattributed, visitors)
			}
		default:
			if s.Misattributed != 0 {
				t.Errorf("%s: %d attributed wrongly", s.Name, s.Misattributed)
			}
		}
		switch s.Name {
		case "cacheward-mistaken-rule":
			if s.OriginRenders < visitors || s.Refusals["divergent"] == 0 {
				t.Errorf("%s: %d renders, refusals %v", s.Name, s.OriginRenders, s.Refusals)
			}
		case "cacheward-right-policy":
			if s.ServedFromCache < 0.9 {
				t.Errorf("%s: %.1f %% served from cache, want 90 %%", s.Name, 100*s.ServedFromCache)
			}
		case "cacheward-attribution":
			if s.ServedFromCache < 0.99 || len(s.Refusals) > 0 {
				t.Errorf("%s: %.1f %% of the landings served from cache, refusals %v; want 99 %% and none", s.Name, 100*s.ServedFromCache, s.Refusals)
			}
		}
	}
}

// The demo's policy for attributions is one to copy: lint has nothing to say of it, nor of
// the one in the README, at most of what is silenced with a reason.
func TestAttributionsToCopy(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, _ := strings.Cut(string(readme), "<!-- attribution -->\n```caddyfile\n")
	block, _, found := strings.Cut(chapter, "```")
	if !found {
		t.Fatal("the README has no block of an attribution")
	}
	for name, policy := range map[string]string{"demo": demo.AttributionPolicy, "README": block} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "Caddyfile")
			text := "http://:8080 {\n\tcacheward {\n" + policy + "\t}\n\treverse_proxy 127.0.0.1:3000\n}\n"
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if stdout, stderr, code := command(t, "lint", "--fail-on", "info", file); code != 0 {
				t.Errorf("exit %d\n%s%s", code, stdout, stderr)
			}
		})
	}
}

func TestDemoUsage(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"unknown flag", []string{"demo", "--visitorz", "3"}, "unknown flag"},
		{"argument", []string{"demo", "now"}, `unexpected argument "now"`},
		{"no visitors", []string{"demo", "--visitors", "0"}, "a positive number was expected"},
		{"format", []string{"demo", "--format", "xml"}, "text or json was expected"},
		{"serve's flags alone", []string{"demo", "--listen", "127.0.0.1:1"}, "need --serve"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stdout, stderr, code := command(t, tt.args...)
			if code != 2 || stdout != "" || !strings.Contains(stderr, tt.want) || !strings.Contains(stderr, "--help") {
				t.Errorf("exit %d, stdout %q, stderr %q; want 2 and %q", code, stdout, stderr, tt.want)
			}
		})
	}
	stdout, _, code := command(t, "demo", "--help")
	for _, flag := range []string{"--visitors", "--seed", "--format", "--serve", "--listen", "--app"} {
		if !strings.Contains(stdout, flag) {
			t.Errorf("--help (exit %d) does not name %s", code, flag)
		}
	}
}
