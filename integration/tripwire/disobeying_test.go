package tripwire

import (
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/integration/cdn"
	"github.com/cacheward/cacheward/integration/edge"
)

// fiveMinutes is what the operator of 2017 told the CDN: this page for five minutes,
// whatever the app says.
const fiveMinutes = `sub vcl_backend_response {
	if (bereq.url ~ "^/register/lp") { set beresp.ttl = 5m; set beresp.uncacheable = false; return (deliver); }
}`

// TestVarnishIsMisconfigured is the founding incident with the watch on: at some moment
// Varnish is told to keep the landing page whatever its headers say. The next probes find
// out, the route is tripped, and everything that ops need is in the records.
func TestVarnishIsMisconfigured(t *testing.T) {
	t.Parallel()
	_, s := newSite(t, "generic")
	v := cdn.StartVarnish(t, s.Address, "")
	const path = "/register/lp"
	s.watch(v.Address, "", path, "/news")
	if w := s.probed(path, 3); w.State != control.WatchClean || w.Leaks > 0 {
		t.Fatalf("Varnish obeys, and it is %s: %+v", w.State, w)
	}

	v.Reload(t, fiveMinutes)
	t0, before := time.Now(), s.watched(path)
	edge.Eventually(t, "a trip of the route", func() bool { return len(s.state().Tripped) > 0 })
	after := s.watched(path)
	leaks, trips := s.records("leak"), s.records("trip")
	if len(leaks) != 1 || len(trips) != 1 || trips[0].Route != "landing" || trips[0].By != "watch" {
		t.Fatalf("records of leaks %+v, of trips %+v", leaks, trips)
	}
	t.Logf("detection: leak recorded %s after Varnish was misconfigured, tripped %s after it; interval 1s",
		leaks[0].at().Sub(t0).Round(time.Millisecond), trips[0].at().Sub(t0).Round(time.Millisecond))
	// Said in probes, and not in time that a busy machine may take: one that found nothing
	// may have been under way, and had asked already.
	if n := (after.Probes - after.Leaks) - (before.Probes - before.Leaks); n > 1 {
		t.Errorf("%d probes found nothing", n)
	}
	leak := leaks[0]
	if leak.Evidence.Kind == "" || leak.Evidence.Sentence == "" || leak.Route != "landing" {
		t.Errorf("the evidence is %+v", leak)
	}
	from, err1 := time.Parse(time.RFC3339, leak.From)
	until, err2 := time.Parse(time.RFC3339, leak.Until)
	if err1 != nil || err2 != nil || !from.Before(until) || until.Before(t0.Add(-time.Second)) {
		t.Errorf("the window is %q to %q, misconfigured at %s", leak.From, leak.Until, t0)
	}
	t.Logf("evidence: %s", leak.Evidence.Sentence)

	// It is in force: nothing that the edge sends may be kept by anybody.
	a := visit(t, s.Address, path+"?ref=B")
	if !strings.Contains(a.header.Get("Cache-Status"), "detail=tripped") || !strings.Contains(a.header.Get("Cache-Control"), "no-store") {
		t.Errorf("the edge says %v", a.header)
	}
	// Other routes go on.
	if tripped := s.state().Tripped; len(tripped) != 1 || tripped[0].Route != "landing" {
		t.Errorf("tripped: %+v", tripped)
	}
	text, code := s.Run(t, "status")
	if code != 1 || !strings.Contains(text, "CACHING IS STOPPED: route landing") || !strings.Contains(text, "A CACHE LEAKS: http://"+host+path) {
		t.Errorf("status: exit %d\n%s", code, text)
	}

	// Mended, purged, reset: it is over after as many clean probes as were asked for.
	// What it was fetching under the old rules is kept as they say, and must be purged too.
	v.Reload(t, "")
	s.probed(path, 2)
	v.Ban(t)
	if out, code := s.Run(t, "reset", "--route", "landing", "--reason", "mended"); code != 0 {
		t.Fatal(out)
	}
	edge.Eventually(t, "the end of the leak", func() bool { return s.watched(path).State == control.WatchClean })
	if clears := s.records("clear"); len(clears) != 1 || clears[0].Route != "landing" {
		t.Errorf("records of the end: %+v", clears)
	}
	if w := s.watched("/news"); w.Leaks > 0 {
		t.Errorf("the news leak: %+v", w)
	}
}

// TestNginxIsMisconfigured: the same with nginx, whose key leaves the query out besides.
func TestNginxIsMisconfigured(t *testing.T) {
	t.Parallel()
	_, s := newSite(t, "generic")
	c := cdn.NginxConfig{Origin: s.Address}
	n := cdn.StartNginx(t, c)
	s.watch(n.Address, "", "/register/lp", "/news?lang=ja")
	s.probed("/register/lp", 2)
	c.Rules = `
		proxy_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Expires;
		proxy_cache_valid any 5m;
		proxy_cache_key $scheme$http_host$uri;`
	n.Reload(t, c)
	edge.Eventually(t, "a trip of both routes", func() bool { return len(s.state().Tripped) == 2 })
	for _, leak := range s.records("leak") {
		t.Logf("%s: %s", leak.Route, leak.Evidence.Sentence)
	}
}

// TestTrafficServerIsMisconfigured: the same with Apache Traffic Server, from the beginning.
func TestTrafficServerIsMisconfigured(t *testing.T) {
	t.Parallel()
	_, s := newSite(t, "generic")
	ats := cdn.StartTrafficServer(t, s.Address, []string{"proxy.config.http.cache.ignore_server_no_cache INT 1"}, []string{"url_regex=.* ttl-in-cache=5m"})
	s.watch(ats.Address, "", "/register/lp")
	edge.Eventually(t, "a trip of the route", func() bool { return len(s.state().Tripped) == 1 })
	t.Logf("%s", s.records("leak")[0].Evidence.Sentence)
}

// TestFilledByVisitors: what the cache in front keeps was filled by somebody who is no
// probe, long before the watch began.
func TestFilledByVisitors(t *testing.T) {
	t.Parallel()
	_, s := newSite(t, "generic")
	v := cdn.StartVarnish(t, s.Address, fiveMinutes)
	const path = "/register/lp"
	first := visit(t, v.Address, path)
	if second := visit(t, v.Address, path); second.body != first.body {
		t.Fatal("Varnish does not keep it: this test would be none")
	}
	s.watch(v.Address, "", path)
	edge.Eventually(t, "a trip of the route", func() bool { return len(s.state().Tripped) == 1 })
	leak := s.records("leak")[0]
	t.Logf("%s: %s", leak.Evidence.Kind, leak.Evidence.Sentence)
}

// TestWarns: with on_leak warn, nothing is stopped.
func TestWarns(t *testing.T) {
	t.Parallel()
	_, s := newSite(t, "generic")
	v := cdn.StartVarnish(t, s.Address, fiveMinutes)
	s.watch(v.Address, "\t\t\ton_leak warn", "/register/lp")
	edge.Eventually(t, "a leak", func() bool { return s.watched("/register/lp").State == control.WatchLeaking })
	s.probed("/register/lp", 2)
	if state := s.state(); len(state.Tripped) != 0 || len(s.records("leak")) != 1 {
		t.Errorf("tripped %+v, %d records", state.Tripped, len(s.records("leak")))
	}
}

// TestDeadCDN: a cache in front that is gone is no leak, and is said to tell nothing.
func TestDeadCDN(t *testing.T) {
	t.Parallel()
	_, s := newSite(t, "generic")
	gone := edge.FreeAddresses(t, 1)[0]
	s.watch(gone, "", "/register/lp")
	w := s.probed("/register/lp", 2)
	if w.State != control.WatchUnknown || w.Problem == "" || len(s.state().Tripped) != 0 {
		t.Errorf("%+v", w)
	}
}
