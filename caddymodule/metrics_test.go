package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheward/cacheward/caddymodule/control"
)

// gathered reads Caddy's registry, as its metrics endpoint does: the values by
// "name{label=value,…}", and all label values.
func gathered(t *testing.T) (values map[string]float64, labels []string) {
	t.Helper()
	ctx := caddy.ActiveContext()
	return valuesOf(t, ctx.GetMetricsRegistry())
}

// valuesOf reads a registry: its values, of histograms how many were observed, and all
// label values.
func valuesOf(t testing.TB, registry prometheus.Gatherer) (values map[string]float64, labels []string) {
	t.Helper()
	families, err := registry.Gather()
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
			v := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
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
		"caddy_cacheward_store_expirations_total{store=watched:metrics}":  0,
		"caddy_cacheward_remembered_refusals{store=watched:metrics}":      1,
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

// TestLiveMetrics: what is read when it is asked for: trips, the audit log's queue and
// the policy in force. What was written is not forgotten at a reload.
func TestLiveMetrics(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("page")) })
	e := start(t, corroboratedPage, origin)
	e.ok("/")
	settled(t)
	const written, tripped = "caddy_cacheward_audit_records_total{result=written}", "caddy_cacheward_tripped{route=page}"
	var live map[string]float64
	policy := func() (found string) {
		for name, v := range live {
			if strings.HasPrefix(name, "caddy_cacheward_policy_info{handler=handler 1 of the Caddyfile,policy=") && v == 1 {
				found = name
			}
		}
		return found
	}
	eventually(t, "records", func() bool {
		live, _ = gathered(t)
		return live[written] > 0 && live["caddy_cacheward_audit_queue{}"] == 0
	})
	before, first := live[written], policy()
	if _, ok := live[tripped]; ok || first == "" || live["caddy_cacheward_audit_queue_room{}"] == 0 {
		t.Errorf("%v", live)
	}
	var b *breaker
	breakers.Range(func(_, v any) bool {
		b = v.(*breaker)
		return false
	})
	b.trip(control.Tripped{Route: "page", Why: "a test"})
	defer b.reset(func(control.Tripped) bool { return true })
	if live, _ = gathered(t); live[tripped] != 1 {
		t.Errorf("the trip shows as %v", live[tripped])
	}
	if err := e.load(strings.ReplaceAll(fmt.Sprintf(corroboratedPage, "", origin), "5m", "6m")); err != nil {
		t.Fatal(err)
	}
	live, _ = gathered(t)
	if live[written] < before || live[tripped] != 1 {
		t.Errorf("after a reload %v records were written, of %v before; tripped is %v", live[written], before, live[tripped])
	}
	if second := policy(); second == first || second == "" {
		t.Errorf("another policy shows as %q", second)
	}
}
