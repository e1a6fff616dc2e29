package lint

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

// TestLandingCounterexample holds that where a CDN would give one visitor another's
// page, because the parameter is not even in our key, two requests show it; and that
// none are shown where the engine tells them apart.
func TestLandingCounterexample(t *testing.T) {
	const route = "routes:\n  - name: lp\n    match: {hosts: [hapitas.example], paths: [/register/lp]}\n    cache: 5m\n    downstream: 60s\n    params: "
	for params, shares := range map[string]bool{
		"{strip: [ref]}":   true,
		"{others: strip}":  true,
		"{key: [ref]}":     false,
		"{others: bypass}": false,
	} {
		t.Run(params, func(t *testing.T) {
			found := judge(t, loadText(t, "policy.yaml", route+params+"\n"), mustFind(t, "CW603"))
			if len(found) != 1 {
				t.Fatalf("%d findings", len(found))
			}
			got := found[0].Counterexample
			if (len(got) == 2) != shares {
				t.Fatalf("counterexample %+v", got)
			}
			if shares && (got[0].URL != "https://hapitas.example/register/lp?ref=A1" || got[1].URL != "https://hapitas.example/register/lp?ref=B2") {
				t.Errorf("counterexample %+v", got)
			}
		})
	}
}

// TestBlindToQueryOnce holds that a CDN's setting is asked about once, with a few of the
// other routes that depend on it.
func TestBlindToQueryOnce(t *testing.T) {
	var text strings.Builder
	text.WriteString("routes:\n")
	for i := range 20 {
		fmt.Fprintf(&text, "  - {name: r%d, match: {paths: [/r%d]}, cache: 5m, params: {key: [page]}, downstream: 60s}\n", i, i)
	}
	found := judge(t, loadText(t, "policy.yaml", text.String()), mustFind(t, "CW601"))
	if len(found) != 1 || found[0].Route != "r0" || len(found[0].Related) != 1+moreRoutes {
		t.Errorf("found %+v", found)
	}
}

func mustFind(t *testing.T, id string) Rule {
	t.Helper()
	r, ok := Find(id)
	if !ok {
		t.Fatalf("there is no rule %s", id)
	}
	return r
}

func BenchmarkFreshnessAndDownstream10000(b *testing.B) {
	var p policies.Policy
	for i := range 10_000 {
		p.Routes = append(p.Routes, policies.Route{
			Name:       fmt.Sprintf("r%d", i),
			Match:      policies.Match{Hosts: []string{"example.com"}, Paths: []string{fmt.Sprintf("/p%d/*", i), fmt.Sprintf("/lp/%d", i)}},
			Cache:      policies.Cache{Kind: policies.CacheTTL, TTL: 2 * day, Statuses: map[int]policies.Duration{404: hour, 301: 2 * day}},
			Params:     &policies.Inputs{Key: []string{"page", "sort"}, Strip: []string{"ref", "aff_*"}},
			Headers:    &policies.HeaderInputs{Key: []policies.HeaderKey{{Name: "X-Plan"}}},
			Downstream: &policies.Downstream{TTL: hour, Browser: 2 * hour},
		})
	}
	compiled, err := policies.Compile(&p, "bench")
	if err != nil {
		b.Fatal(err)
	}
	u := &Unit{Scopes: []Scope{{Policy: &p, Compiled: compiled}}}
	mine := func(r Rule) bool { return slices.Contains([]string{"freshness", "downstream"}, r.Family()) }
	for b.Loop() {
		if found := Run(u, mine); len(found) < 10_000 {
			b.Fatalf("%d findings", len(found))
		}
	}
}
