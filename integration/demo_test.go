package integration

import (
	"encoding/json"
	"strings"
	"testing"
)

// The demo is the founding incident, happening and not happening.
func TestDemo(t *testing.T) {
	const visitors = 600
	stdout, stderr, code := command(t, "demo", "--visitors", "600", "--format", "json")
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
	if len(result.Scenarios) != 4 {
		t.Fatalf("%d scenarios, want 4", len(result.Scenarios))
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
		}
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
