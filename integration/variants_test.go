package integration

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// The founding incident in all its variants: it happens with the CDN alone, does not
// happen behind Cacheward, and the audit log says why, for each host and each way in
// which visitors come.
func TestDemoVariants(t *testing.T) {
	stdout, stderr, code := command(t, "demo", "--variants", "--visitors", "4", "--format", "json")
	if code != 0 {
		t.Fatalf("exit %d\n%s\n%s", code, stderr, stdout)
	}
	var result struct {
		Variants []struct {
			Carrier      string `json:"carrier"`
			Input        string `json:"input"`
			CacheControl string `json:"cache_control"`
			Visitors     int    `json:"visitors"`
			FromCache    int    `json:"from_cache"`
			Wrong        int    `json:"misattributed"`
			WrongWithout int    `json:"misattributed_without_cacheward"`
			Waited       int    `json:"waited"`
			Why          *struct {
				Reasons    []string `json:"reasons"`
				Divergence *struct {
					Near  string `json:"near"`
					Shape string `json:"shape"`
				} `json:"divergence"`
			} `json:"why"`
		} `json:"variants"`
		Visitors int `json:"visitors"`
		Wrong    int `json:"misattributed"`
	}
	if err := json.Unmarshal([]byte(stdout), &result); err != nil {
		t.Fatalf("%v in\n%s", err, stdout)
	}
	if len(result.Variants) != 36 || result.Visitors != 36*16 || result.Wrong != 0 {
		t.Errorf("%d variants, %d visitors, %d misattributed; want 36, %d, 0", len(result.Variants), result.Visitors, result.Wrong, 36*16)
	}
	near := map[string]string{"hidden input": "input lead", "link": "a href", "script JSON": "lead"}
	waited := 0
	for _, v := range result.Variants {
		name := strings.Join([]string{v.Carrier, v.Input, v.CacheControl}, "/")
		waited += v.Waited
		if v.Visitors != 16 || v.FromCache != 0 || v.Wrong != 0 || v.WrongWithout != 12 {
			t.Errorf("%s: %+v; want 16 visitors, none from a cache, 12 misattributed without Cacheward and 0 with it", name, v)
		}
		if v.Why == nil {
			t.Errorf("%s: no explaining record", name)
			continue
		}
		want := "divergent"
		switch {
		case v.Carrier == "Set-Cookie":
			want = "set-cookie"
		case v.CacheControl == "private":
			want = "private"
		}
		if !slices.Contains(v.Why.Reasons, want) {
			t.Errorf("%s: reasons %v, want %s", name, v.Why.Reasons, want)
		}
		d := v.Why.Divergence
		switch {
		case (d != nil) != (want == "divergent"):
			t.Errorf("%s: %s with the divergence %+v", name, want, d)
		case d != nil && (d.Near != near[v.Carrier] || d.Shape != "hex-24"):
			t.Errorf("%s: %s near %q, want hex-24 near %q", name, d.Shape, d.Near, near[v.Carrier])
		}
	}
	if waited == 0 {
		t.Error("nobody came while another visitor's answer was under way: the visits at once were not at once")
	}
}

func TestDemoVariantsUsage(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"and serve", []string{"demo", "--variants", "--serve"}, "exclude each other"},
		{"too few visitors", []string{"demo", "--variants", "--visitors", "1"}, "2 to 50 were expected"},
		{"too many visitors", []string{"demo", "--variants", "--visitors", "51"}, "2 to 50 were expected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stdout, stderr, code := command(t, tt.args...)
			if code != 2 || stdout != "" || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit %d, stdout %q, stderr %q; want 2 and %q", code, stdout, stderr, tt.want)
			}
		})
	}
	if stdout, _, _ := command(t, "demo", "--help"); !strings.Contains(stdout, "--variants") {
		t.Errorf("--help does not name --variants:\n%s", stdout)
	}
}
