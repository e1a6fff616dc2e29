package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/attribution"
	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/policies"
)

// counted is what the process has counted for the routes with a name.
func counted(f *routeFamily, route, value string) uint64 {
	counts := *f.counts(processMetrics.route(route))
	return counts[slices.Index(f.values, value)].Load()
}

// collected is what a new process's figures show: values by "name{label=value,…}".
func collected(t testing.TB, m *metrics) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	for _, c := range []prometheus.Collector{m.faults, m.purges, m.trips, m.probes, m.origin, m.hits, m.build, m} {
		if err := registry.Register(c); err != nil {
			t.Fatal(err)
		}
	}
	values, _ := valuesOf(t, registry)
	return values
}

// ruledBy is a handler that has these routes and nothing else.
func ruledBy(t testing.TB, routes ...string) *Handler {
	t.Helper()
	p := new(policies.Policy)
	for _, name := range routes {
		p.Routes = append(p.Routes, policies.Route{
			Name: name, Match: policies.Match{Paths: []string{"/" + name}}, Cache: policies.Cache{Kind: policies.CacheOrigin},
		})
	}
	compiled, err := policies.Compile(p, "")
	if err != nil {
		t.Fatal(err)
	}
	return &Handler{policy: compiled}
}

// TestFamiliesHoldTheCatalogues: whatever is counted has a label.
func TestFamiliesHoldTheCatalogues(t *testing.T) {
	m := newMetrics()
	r := m.route("page")
	for _, o := range allOutcomes {
		r.request(o, time.Millisecond)
	}
	for _, reason := range policies.AllReasons() {
		r.refusal(reason)
	}
	for _, c := range policies.AllClasses() {
		r.divergence(c.Class)
	}
	for _, id := range policies.DetectorIDs() {
		r.marker(id)
	}
	for _, result := range []string{recheckSame, recheckChanged, recheckWithdrawn, recheckFailed} {
		r.recheck(result)
	}
	for _, result := range []string{waitServed, waitVariant, waitRefused, waitTimeout, waitFull} {
		waitersFamily.count(r, result)
	}
	for _, carried := range []string{"cookie", "beacon", "both"} {
		(&exchange{attributed: audit.Attribution{Carried: carried}}).countAttribution(r)
	}
	for _, p := range []attribution.Problem{
		attribution.Unchanged, attribution.NotCountedPrefetch, attribution.NotCountedCrawler, attribution.NotCountedProbe, attribution.NoConsent,
		attribution.NotAnswered, attribution.Bounds, attribution.Malformed, attribution.NoKeys,
	} {
		(&exchange{attributed: audit.Attribution{LeftOut: string(p)}}).countAttribution(r)
	}
	(&exchange{attributed: audit.Attribution{Delivered: "a"}}).countAttribution(r)
	for _, p := range []attribution.Problem{
		attribution.Forged, attribution.Expired, attribution.Foreign, attribution.Malformed, attribution.Ambiguous, attribution.NoKeys,
	} {
		(&exchange{attributed: audit.Attribution{Dropped: string(p)}}).countAttribution(r)
	}
	got := collected(t, m)
	for _, f := range routeFamilies {
		counts := *f.counts(r)
		for i, value := range f.values {
			if f == refusalsFamily && i == int(policies.ReasonNone) {
				continue
			}
			if n := counts[i].Load(); n != 1 {
				t.Errorf("%s, %s: %d", f.desc, value, n)
			}
		}
	}
	for _, name := range []string{
		"caddy_cacheward_requests_total{outcome=collapsed,route=page}", "caddy_cacheward_refusals_total{reason=tripped,route=page}",
		"caddy_cacheward_divergences_total{class=token,route=page}", "caddy_cacheward_rechecks_total{result=withdrawn,route=page}",
		"caddy_cacheward_waiters_total{result=served,route=page}",
	} {
		if got[name] != 1 {
			t.Errorf("%s is %v", name, got[name])
		}
	}
	// A word from nowhere is no label, and no panic.
	r.request("new", 0)
	r.refusal(policies.Reason(250))
	r.marker("of-a-visitor's-choosing")
	r.divergence("new")
	if after := collected(t, m); len(after) != len(got) {
		t.Errorf("%d series were %d", len(after), len(got))
	}
}

// TestRoutesThatAreGone: the figures of a route live as long as some handler has a route
// of that name, and no longer. They go on over a reload.
func TestRoutesThatAreGone(t *testing.T) {
	m := newMetrics()
	series := func() (names []string) {
		for name := range collected(t, m) {
			if strings.Contains(name, "route=landing") {
				names = append(names, name)
			}
		}
		return names
	}
	visit := func(h *Handler) {
		h.metrics = m
		r := h.meter(h.policy.Rules()[0]) // landing, where there is one
		r.request(OutcomeHit, time.Millisecond)
		r.fills.Add(1)
		r.answered(time.Second)
	}
	before, after, without := ruledBy(t, "landing"), ruledBy(t, "landing", "shop"), ruledBy(t, "shop")
	m.enter(before)
	if len(series()) != 0 {
		t.Errorf("nobody has come, and there is %v", series())
	}
	visit(before)
	m.enter(after)
	m.enter(after) // twice is once
	m.leave(before)
	m.leave(before)
	visit(after)
	m.trips.WithLabelValues("landing").Add(2)
	got := collected(t, m)
	for _, name := range []string{
		"caddy_cacheward_trips_total{route=landing}", "caddy_cacheward_requests_total{outcome=hit,route=landing}", "caddy_cacheward_fills_total{route=landing}",
		"caddy_cacheward_hit_seconds{route=landing}", "caddy_cacheward_origin_seconds{route=landing}",
	} {
		if got[name] != 2 {
			t.Errorf("after a reload %s is %v", name, got[name])
		}
	}
	m.enter(without)
	m.leave(after)
	visit(after) // a request that was still under way
	if left := series(); left != nil {
		t.Errorf("the route is gone, and there is still %v", left)
	}
	if _, ok := m.routes["landing"]; ok {
		t.Error("it is remembered")
	}
	m.leave(ruledBy(t, "landing")) // never entered
	m.enter(before)
	visit(before)
	if got := collected(t, m)["caddy_cacheward_requests_total{outcome=hit,route=landing}"]; got != 1 {
		t.Errorf("a route that came again has %v hits", got)
	}
	m.leave(before)
	quiet := ruledBy(t, "landing")
	m.enter(quiet)
	m.leave(quiet)
	visit(quiet) // the first request that it ever had
	if left := series(); left != nil {
		t.Errorf("the route was gone before anybody came, and there is %v", left)
	}
}

// TestRoutesByReloads: whatever handlers come and go, there are figures for the routes
// of those that are there, and of no others.
func TestRoutesByReloads(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	rapid.Check(t, func(rt *rapid.T) {
		m := newMetrics()
		var live []*Handler
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			if len(live) > 0 && rapid.Bool().Draw(rt, "leave") {
				i := rapid.IntRange(0, len(live)-1).Draw(rt, "which")
				m.leave(live[i])
				live = slices.Delete(live, i, i+1)
			} else {
				h := ruledBy(t, rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 4, rapid.ID[string]).Draw(rt, "routes")...)
				h.metrics = m
				m.enter(h)
				live = append(live, h)
			}
			want := make(map[string]bool)
			for _, h := range live {
				for _, rule := range h.policy.Rules() {
					want[rule.Name] = true
					h.meter(rule).request(OutcomeHit, time.Millisecond)
				}
			}
			if len(m.routes) != len(want) {
				rt.Fatalf("figures for %d routes, want %d", len(m.routes), len(want))
			}
			for name := range want {
				if m.routes[name] == nil {
					rt.Fatalf("no figures for %q", name)
				}
			}
		}
	})
}

// TestFigures: the admin endpoint's figures are those of the metrics.
func TestFigures(t *testing.T) {
	m := newMetrics()
	r := m.route("page")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				r.request(OutcomeHit, time.Microsecond)
				r.request(OutcomePass, time.Microsecond)
				r.refusal(policies.ReasonSetCookie)
				r.divergence(policies.ClassToken)
				r.divergence(policies.ClassClock)
				r.fills.Add(1)
				r.answered(time.Millisecond)
			}
		})
	}
	wg.Wait()
	r.withdrawn.Add(3)
	requests, outcomes, fills, refusals, diverged, withdrawn := m.figures("page")
	got := fmt.Sprint(requests, outcomes, fills, refusals, diverged, withdrawn)
	if want := "1600 map[hit:800 pass:800] 800 map[set-cookie:800] 1600 3"; got != want {
		t.Errorf("figures %s, want %s", got, want)
	}
	if got := collected(t, m)["caddy_cacheward_origin_seconds{route=page}"]; got != 800 {
		t.Errorf("%v answers of the origin were timed", got)
	}
	requests, outcomes, fills, refusals, diverged, withdrawn = m.figures("nowhere")
	if got := fmt.Sprint(requests, outcomes, fills, refusals, diverged, withdrawn); got != "0 map[] 0 map[] 0 0" {
		t.Errorf("figures of no route: %s", got)
	}
}

// TestAlertsSeeTheFirst: what alerts watch is zero before it is one.
func TestAlertsSeeTheFirst(t *testing.T) {
	m := newMetrics()
	m.route("page").request(OutcomeHit, time.Millisecond)
	got := collected(t, m)
	for _, name := range []string{
		"caddy_cacheward_withdrawn_total{route=page}", "caddy_cacheward_fills_total{route=page}",
		"caddy_cacheward_faults_total{reason=store-fault}", "caddy_cacheward_faults_total{reason=internal-fault}",
		"caddy_cacheward_trips_total{route=}", "caddy_cacheward_purges_total{scope=everything}",
	} {
		if v, ok := got[name]; !ok || v != 0 {
			t.Errorf("%s is %v, %t", name, v, ok)
		}
	}
}

func TestPurgesAreCounted(t *testing.T) {
	m := newMetrics()
	for _, scope := range []string{"route landing", "url https://example.com/?a=b c", "everything"} {
		m.purged(scope)
	}
	got := collected(t, m)
	for scope, want := range map[string]float64{"route": 1, "url": 1, "everything": 1, "key": 0} {
		if v := got["caddy_cacheward_purges_total{scope="+scope+"}"]; v != want {
			t.Errorf("%s: %v, want %v", scope, v, want)
		}
	}
}

// TestWaitersAreCounted: those who waited for another's fill, by what came of it, and
// while they wait.
func TestWaitersAreCounted(t *testing.T) {
	for _, tt := range []struct{ name, header, result string }{
		{"admitted", "public, max-age=60", waitServed},
		{"private", "private", waitRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHold(t)
			origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
				h.wait(r.Context())
				w.Header().Set("Cache-Control", tt.header)
				_, _ = w.Write([]byte("page"))
			})
			e := start(t, oncePage, origin)
			before := counted(waitersFamily, "page", tt.result)
			first := e.asyncGet("/")
			s := theShared(t)
			eventually(t, "a fill", func() bool { return s.inFlight() == 1 })
			second, third := e.asyncGet("/"), e.asyncGet("/")
			eventually(t, "two who wait", func() bool { return s.waiting() == 2 })
			live, _ := gathered(t)
			if n := live["caddy_cacheward_waiters{store=memory:default}"]; n != 2 {
				t.Errorf("%v wait", n)
			}
			if n := live["caddy_cacheward_fills_in_flight{store=memory:default}"]; n != 1 {
				t.Errorf("%v fills are in flight", n)
			}
			h.release()
			for _, ch := range []<-chan answer{first, second, third} {
				await(t, "an answer", ch)
			}
			eventually(t, "both to be counted", func() bool { return counted(waitersFamily, "page", tt.result) == before+2 })
			settled(t)
			live, _ = gathered(t)
			if n := live["caddy_cacheward_waiters{store=memory:default}"]; n != 0 {
				t.Errorf("%v wait still", n)
			}
		})
	}
}

// TestOriginAndHitTimes: each answer of the origin and each hit is timed once.
func TestOriginAndHitTimes(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("page"))
	})
	e := start(t, corroboratedPage, origin)
	before, _ := gathered(t)
	e.ok("/") // own and fill
	settled(t)
	e.ok("/")
	e.ok("/")
	e.ok("/", "Authorization", "Basic eA==")
	eventually(t, "the last to be counted", func() bool {
		after, _ := gathered(t)
		return after["caddy_cacheward_requests_total{outcome=bypass,route=page}"] == before["caddy_cacheward_requests_total{outcome=bypass,route=page}"]+1
	})
	after, _ := gathered(t)
	for name, want := range map[string]float64{
		"caddy_cacheward_origin_seconds{route=page}": 3,
		"caddy_cacheward_hit_seconds{route=page}":    2,
	} {
		if got := after[name] - before[name]; got != want {
			t.Errorf("%s went up by %v, want %v", name, got, want)
		}
	}
}
