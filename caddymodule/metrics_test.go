package caddymodule

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// gathered reads Caddy's registry, as its metrics endpoint does: the values by
// "name{label=value,…}", and all label values.
func gathered(t *testing.T) (values map[string]float64, labels []string) {
	t.Helper()
	ctx := caddy.ActiveContext()
	families, err := ctx.GetMetricsRegistry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	values = make(map[string]float64)
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "caddy_cacheward_") {
			continue
		}
		for _, m := range family.GetMetric() {
			var pairs []string
			for _, l := range m.GetLabel() {
				pairs = append(pairs, l.GetName()+"="+l.GetValue())
				labels = append(labels, l.GetValue())
			}
			v := m.GetCounter().GetValue() + m.GetGauge().GetValue()
			values[family.GetName()+"{"+strings.Join(pairs, ",")+"}"] = v
		}
	}
	return values, labels
}

// TestMetrics: what happens is counted, goes on being counted after a reload, and
// no label is of a visitor's choosing.
func TestMetrics(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/cookie") {
			w.Header().Set("Set-Cookie", "sid=1")
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("page"))
	})
	site := func(store string) string {
		return "cacheward {\nidentity {\ncookie session\n}\nroute metered {\npath /*\ncache 5m\nparam key ref\n}\nstore watched " + store + " {\nname metrics\n}\n}\nreverse_proxy " + origin
	}
	e := startEdge(t, site("64MiB"))
	before, _ := gathered(t)
	visits := func() {
		t.Helper()
		e.ok("/page?ref=chosen-by-a-visitor")
		settled(t)
		e.ok("/page?ref=chosen-by-a-visitor")
		e.ok("/page", "Cookie", "session=1")
		e.ok("/cookie-page")
		settled(t)
	}
	visits()
	after, labels := gathered(t)
	for name, want := range map[string]float64{
		"caddy_cacheward_requests_total{outcome=fill,route=metered}":      2,
		"caddy_cacheward_requests_total{outcome=hit,route=metered}":       1,
		"caddy_cacheward_requests_total{outcome=bypass,route=metered}":    1,
		"caddy_cacheward_refusals_total{reason=identity,route=metered}":   1,
		"caddy_cacheward_refusals_total{reason=set-cookie,route=metered}": 1,
		"caddy_cacheward_fills_total{route=metered}":                      2,
		"caddy_cacheward_store_objects{store=watched:metrics}":            1,
		"caddy_cacheward_store_evictions_total{store=watched:metrics}":    0,
		"caddy_cacheward_requests_total{outcome=fault,route=metered}":     0,
	} {
		if got := after[name] - before[name]; got != want {
			t.Errorf("%s went up by %v, want %v", name, got, want)
		}
	}
	if after["caddy_cacheward_store_bytes{store=watched:metrics}"] < 100 {
		t.Errorf("the store's bytes are %v", after["caddy_cacheward_store_bytes{store=watched:metrics}"])
	}
	for _, label := range labels {
		if strings.Contains(label, "chosen") || strings.Contains(label, "/") {
			t.Errorf("label %q is of a visitor's choosing", label)
		}
	}

	if err := e.load(site("65MiB")); err != nil {
		t.Fatal(err)
	}
	e.ok("/page?ref=chosen-by-a-visitor")
	reloaded, _ := gathered(t)
	hits := "caddy_cacheward_requests_total{outcome=hit,route=metered}"
	if reloaded[hits] != after[hits]+1 {
		t.Errorf("after the reload %s is %v, was %v", hits, reloaded[hits], after[hits])
	}

	if err := theShared(t).store.Close(); err != nil {
		t.Fatal(err)
	}
	e.ok("/page?ref=chosen-by-a-visitor")
	faulty, _ := gathered(t)
	if fault := "caddy_cacheward_faults_total{reason=store-fault}"; faulty[fault] != reloaded[fault]+1 {
		t.Errorf("a failing store is not counted: %s is %v", fault, faulty[fault])
	}
	lastWatched.Load().reopen(t)
}
