package integration

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTripUnderLoad: caching stops while many ask, and stays stopped over a reload and a
// restart, until someone resets it; then nothing from before comes back.
func TestTripUnderLoad(t *testing.T) {
	g := newGenerations(t)
	p := startProxy(t, proxySetup{origin: g.address(), policy: pagesPolicy})
	url := p.url("/lp")
	l := startLoad(t, 32, false, always(url))
	l.more(t, &l.hits, 2000)

	started := time.Now()
	stdout := p.must(t, "trip", "--route", "landing", "--reason", "customers see other customers", "--by", "ops")
	returned := time.Now()
	if !strings.Contains(stdout, "CACHING IS STOPPED: route landing") || !strings.Contains(stdout, "customers see other customers") {
		t.Errorf("trip says\n%s", stdout)
	}
	l.more(t, &l.asked, 500)
	answers := l.end()
	last, late := time.Duration(0), 0
	for _, a := range answers {
		if !a.hit {
			continue
		}
		last = max(last, a.began.Sub(started))
		if a.began.After(returned) {
			late++
		}
		if a.asked.After(returned) {
			t.Fatalf("a hit was given to a request that was made %s after trip had returned", a.asked.Sub(returned))
		}
	}
	t.Logf("of %d answers, the last hit was seen %s after cacheward trip was started, which returned after %s; %d hits were read after that, of those that were on their way",
		len(answers), last, returned.Sub(started), late)
	if last > 10*time.Second {
		t.Errorf("the last hit was %s after cacheward trip was started", last)
	}
	if l.asked.Load() == l.hits.Load() {
		t.Error("no answer came after the trip")
	}

	tripped := func(when string) {
		t.Helper()
		status, code := p.status(t)
		if code != 1 || len(status.Tripped) != 1 || status.Tripped[0].Route != "landing" || status.Tripped[0].Why != "customers see other customers" {
			t.Errorf("%s: exit %d, tripped %+v", when, code, status.Tripped)
		}
		if text, _, code := p.run(t, "status"); code != 1 || !strings.HasPrefix(strings.TrimSpace(text), "CACHING IS STOPPED: route landing") {
			t.Errorf("%s: exit %d, status begins with\n%s", when, code, text)
		}
		for range 3 {
			a := visit(t, url, p.site)
			if !strings.Contains(a.cacheward(), "fwd=") || a.Header.Get("Cache-Control") != "private, no-store" {
				t.Errorf("%s: Cache-Status %q, Cache-Control %q", when, a.cacheward(), a.Header.Get("Cache-Control"))
			}
		}
		p.untilHit(t, "/other")
	}
	tripped("after the trip")
	p.end(syscall.SIGTERM)
	p.start()
	tripped("after a restart")
	p.reload(t)
	tripped("after a reload")

	g.now.Add(1)
	if stdout := p.must(t, "reset", "--route", "landing", "--reason", "mended", "--by", "ops"); !strings.Contains(stdout, "caching goes on") {
		t.Errorf("reset says\n%s", stdout)
	}
	p.untilHit(t, "/lp")
	if a := visit(t, url, p.site); a.body != "1" {
		t.Errorf("after the reset, %q is served, the page is %q now", a.body, "1")
	}
	if _, code := p.status(t); code != 0 {
		t.Errorf("status after the reset: exit %d", code)
	}
	p.settled(t)
	for _, want := range []operation{
		{Event: "trip", Why: "customers see other customers"},
		{Event: "reset", Why: "mended"},
	} {
		o := p.waitForOperation(t, want.Event, func(o operation) bool { return o.Event == want.Event })
		if o.Scope != "route landing" || o.Why != want.Why || !strings.HasPrefix(o.By, "ops via ") {
			t.Errorf("the record of the %s is %+v", want.Event, o)
		}
	}
}

// TestResetAfterTrip: what was stored before a trip does not come back with the reset,
// and does with --keep.
func TestResetAfterTrip(t *testing.T) {
	g := newGenerations(t)
	p := startProxy(t, proxySetup{origin: g.address(), policy: pagesPolicy})
	for _, keep := range []bool{false, true} {
		before := g.now.Load()
		p.untilHit(t, "/lp")
		p.untilHit(t, "/other")
		p.must(t, "trip", "--reason", "to see")
		for _, path := range []string{"/lp", "/other"} {
			if a := visit(t, p.url(path), p.site); !strings.Contains(a.cacheward(), "fwd=") {
				t.Errorf("%s: Cache-Status %q while everything is tripped", path, a.cacheward())
			}
		}
		g.now.Add(1)
		args := []string{"--reason", "seen"}
		want := before + 1
		if keep {
			args, want = append(args, "--keep"), before
		}
		p.must(t, "reset", args...)
		p.untilHit(t, "/lp")
		if a := visit(t, p.url("/lp"), p.site); a.body != strconv.FormatInt(want, 10) {
			t.Errorf("keep %t: %q is served, %d was expected", keep, a.body, want)
		}
	}
}
