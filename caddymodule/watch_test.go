package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/probe"
)

// TestOptions reads the global option.
func TestOptions(t *testing.T) {
	a := new(App)
	err := a.UnmarshalCaddyfile(caddyfile.NewTestDispenser(`cacheward {
		probe {
			secret {env.SECRET}
		}
		watch https://a.example/lp https://b.example/lp?x=1 {
			interval 30s
			on_leak warn
			clear_after 3
			param ref source
			cookie visitor
			header X-Site
			resolve 203.0.113.7:443
			timeout 5s
		}
		watch https://c.example/
	}`))
	if err != nil {
		t.Fatal(err)
	}
	if a.Probe.Secret != "{env.SECRET}" || len(a.Watch) != 2 {
		t.Fatalf("%+v", a)
	}
	w := a.Watch[0]
	if !slices.Equal(w.URLs, []string{"https://a.example/lp", "https://b.example/lp?x=1"}) || time.Duration(w.Interval) != 30*time.Second ||
		w.OnLeak != "warn" || w.ClearAfter != 3 || !slices.Equal(w.Params, []string{"ref", "source"}) || !slices.Equal(w.Cookies, []string{"visitor"}) ||
		!slices.Equal(w.Headers, []string{"X-Site"}) || w.Resolve != "203.0.113.7:443" || time.Duration(w.Timeout) != 5*time.Second {
		t.Errorf("%+v", w)
	}
	if d := a.Watch[1]; time.Duration(d.Interval) != time.Minute || d.OnLeak != "trip" || d.ClearAfter != 10 {
		t.Errorf("the defaults are %+v", d)
	}
}

// TestBadOptions: each mistake has its message and its line.
func TestBadOptions(t *testing.T) {
	for text, want := range map[string]string{
		"cacheward x": "wrong argument count",
		"cacheward {\n wach https://a.example/\n}":                           `unrecognized option "wach"; probe or watch was expected`,
		"cacheward {\n watch\n}":                                             "no URL is given",
		"cacheward {\n watch a.example/lp\n}":                                "a whole public URL was expected",
		"cacheward {\n watch ftp://a.example/\n}":                            "a whole public URL was expected",
		"cacheward {\n watch https://u:p@a.example/\n}":                      "a whole public URL was expected",
		"cacheward {\n watch https://a/ {\n interval 1ms\n}\n}":              "less than 1s",
		"cacheward {\n watch https://a/ {\n interval soon\n}\n}":             "parsing interval",
		"cacheward {\n watch https://a/ {\n interval 5s\n interval 6s\n}\n}": "interval is given twice",
		"cacheward {\n watch https://a/ {\n on_leak shout\n}\n}":             "trip or warn was expected",
		"cacheward {\n watch https://a/ {\n clear_after 0\n}\n}":             "a positive number",
		"cacheward {\n watch https://a/ {\n param\n}\n}":                     "wrong argument count",
		"cacheward {\n watch https://a/ {\n resolve here\n}\n}":              "an address was expected",
		"cacheward {\n watch https://a/ {\n header Range\n}\n}":              "header Range cannot be probed",
		"cacheward {\n watch https://a/ {\n colour red\n}\n}":                "unrecognized option",
		"cacheward {\n probe {\n}\n}":                                        "a secret was expected",
		"cacheward {\n probe {\n secret a b\n}\n}":                           "wrong argument count",
		"cacheward {\n probe {\n secret a\n}\n probe {\n secret a\n}\n}":     "probe is given twice",
	} {
		err := new(App).UnmarshalCaddyfile(caddyfile.NewTestDispenser(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
}

// TestOptionsAtStart: what only a start can tell.
func TestOptionsAtStart(t *testing.T) {
	e := start(t, corroboratedPage, "127.0.0.1:1")
	site := fmt.Sprintf(corroboratedPage, "", "127.0.0.1:1")
	for _, tt := range []struct{ globals, site, want string }{
		{"cacheward {\n probe {\n secret short\n }\n}", site, "has 5 bytes; at least 16"},
		{"cacheward {\n probe {\n secret {env.NOT_SET_ANYWHERE}\n }\n}", site, "secret"},
		{"cacheward {\n watch https://a.example/ https://a.example/\n}", site, "is given twice"},
		{"cacheward {\n watch https://a.example/\n}", "respond ok", "no site has a cacheward handler"},
	} {
		e.globals = tt.globals
		if err := e.load(tt.site); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %q", tt.globals, err, tt.want)
		}
	}
	lookouts.Range(func(key, _ any) bool {
		t.Errorf("%v is still watched after a refused start", key)
		return true
	})
}

// script is what the probes of a test find, one after the other.
type script struct {
	verdicts []probe.Verdict
	at       atomic.Int64
	asked    []probe.Options
	who      atomic.Value // string
	// elsewhere: it is another edge's turn.
	elsewhere atomic.Bool
	// meanwhile, if there is one, happens while a probe is under way.
	meanwhile atomic.Pointer[func()]
}

func (s *script) probe(_ context.Context, o probe.Options) (*probe.Report, error) {
	s.asked = append(s.asked, o)
	i := int(s.at.Add(1)) - 1
	v := s.verdicts[min(i, len(s.verdicts)-1)]
	if meanwhile := s.meanwhile.Swap(nil); meanwhile != nil {
		time.Sleep(time.Millisecond)
		(*meanwhile)()
	}
	if v == "" {
		return nil, errors.New("nobody answers")
	}
	r := &probe.Report{Verdict: v, URLs: []probe.URLReport{{URL: o.URLs[0], Verdict: v, Routes: []string{"page"}}}}
	if v == probe.Leak {
		who, _ := s.who.Load().(string)
		r.URLs[0].Leaks = []probe.Evidence{{
			Kind: "receipt", Who: who, Giver: "X", Receiver: "Y", Phase: "at once", Received: time.Now(),
			Sentence: "Y was given the answer to X", Headers: map[string]string{"X-Cache": "HIT"},
		}}
	}
	return r, nil
}

// watching runs f with a handler whose page is watched once a second.
func watching(t *testing.T, onLeak string, verdicts []probe.Verdict, f func(t *testing.T, c *ruled, s *script, w *watcher)) {
	t.Helper()
	withRoute(t, "cache: 5m\nparams: {key: [site], strip: [ref]}", func(t *testing.T, c *ruled) {
		c.others.all = []*Handler{c.Handler}
		s := &script{verdicts: verdicts}
		w := &watcher{
			Watch: &Watch{Interval: caddy.Duration(time.Second), OnLeak: onLeak, ClearAfter: 2}, url: "https://example.com/lp", look: new(lookout),
			probe: s.probe, mine: func() bool { return !s.elsewhere.Load() }, handlers: c.others, logger: c.logger,
			options: probe.Options{URLs: []string{"https://example.com/lp"}, Quick: true},
		}
		ws := &watchers{all: []*watcher{w}}
		c.others.watchers = ws
		ws.start(func(_ *watcher, v any) { t.Errorf("panic: %v", v) })
		defer ws.stop()
		f(t, c, s, w)
	})
}

// of returns the records of an event.
func (c *auditCore) of(event string) (records []map[string]any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.records {
		if r["event"] == event {
			records = append(records, r)
		}
	}
	return records
}

// pass lets so many probes be made.
func pass(n int) {
	time.Sleep(time.Duration(n)*time.Second + time.Millisecond)
	synctest.Wait()
}

// TestWatchTrips: the first probe that finds a leak has the route tripped, with a record
// that says since when; it is over after a reset and as many clean probes as were asked for.
func TestWatchTrips(t *testing.T) {
	verdicts := []probe.Verdict{probe.Isolated, probe.Shared, probe.Leak, probe.Leak, probe.Isolated}
	watching(t, onLeakTrip, verdicts, func(t *testing.T, c *ruled, s *script, w *watcher) {
		began := time.Now()
		pass(2)
		if state := w.status(); state.State != control.WatchClean || state.Probes != 2 || c.breaker.tripped("page") {
			t.Fatalf("%+v", state)
		}
		pass(1)
		if !c.breaker.tripped("page") {
			t.Fatal("a leak does not trip the route")
		}
		state := w.status()
		if state.State != control.WatchLeaking || state.Evidence == "" || state.LastClean.Sub(began).Round(time.Second) != 2*time.Second {
			t.Errorf("%+v", state)
		}
		leaks := c.log.of("leak")
		if len(leaks) != 1 {
			t.Fatalf("%d records of the leak", len(leaks))
		}
		leak := leaks[0]
		if leak["route"] != "page" || leak["by"] != "watch" || leak["scope"] != "url https://example.com/lp" ||
			leak["from"] == nil || leak["until"] == nil || leak["evidence"].(map[string]any)["kind"] != "receipt" {
			t.Errorf("the record is %v", leak)
		}
		if trips := c.log.of("trip"); len(trips) != 1 || trips[0]["by"] != "watch" || !strings.Contains(trips[0]["why"].(string), "Y was given the answer to X") {
			t.Errorf("the trip's records are %v", trips)
		}
		pass(4) // one leak more, then clean ones, which do not count while it is tripped
		if state := w.status(); state.State != control.WatchLeaking || state.Clean != 0 {
			t.Errorf("while it is tripped: %+v", state)
		}
		if n := len(c.log.of("leak")); n != 1 {
			t.Errorf("%d records of one leak", n)
		}
		if _, err := reset([]*Handler{c.Handler}, control.Reset{Route: "page", Keep: true, Why: "mended"}); err != nil {
			t.Fatal(err)
		}
		pass(1)
		if state := w.status(); state.State != control.WatchLeaking || state.Clean != 1 {
			t.Errorf("after one clean probe: %+v", state)
		}
		pass(1)
		if state := w.status(); state.State != control.WatchClean || len(c.log.of("clear")) != 1 {
			t.Errorf("after two: %+v", state)
		}
		names := func(o probe.Options) (names []string) {
			for _, i := range o.Inputs {
				names = append(names, i.String()+" "+i.Policy)
			}
			return names
		}
		if got := names(s.asked[0]); !slices.Equal(got, []string{"param site key", "param ref strip"}) {
			t.Errorf("visitors differ in %q", got)
		}
	})
}

// TestWatchTripsAgain: a reset while it leaks still does not last.
func TestWatchTripsAgain(t *testing.T) {
	watching(t, onLeakTrip, []probe.Verdict{probe.Isolated, probe.Leak}, func(t *testing.T, c *ruled, _ *script, _ *watcher) {
		pass(3)
		if _, err := reset([]*Handler{c.Handler}, control.Reset{Route: "page", Why: "it will be all right"}); err != nil {
			t.Fatal(err)
		}
		if c.breaker.tripped("page") {
			t.Fatal("the reset did nothing")
		}
		pass(1)
		if !c.breaker.tripped("page") {
			t.Error("it leaks and is not tripped")
		}
	})
}

// TestWatchDuringReset: what a probe was given before the reset does not undo it.
func TestWatchDuringReset(t *testing.T) {
	watching(t, onLeakTrip, []probe.Verdict{probe.Isolated, probe.Leak, probe.Leak, probe.Isolated}, func(t *testing.T, c *ruled, s *script, w *watcher) {
		pass(2)
		if !c.breaker.tripped("page") {
			t.Fatal("it leaks and is not tripped")
		}
		resetting := func() {
			if _, err := reset([]*Handler{c.Handler}, control.Reset{Route: "page", Why: "mended"}); err != nil {
				t.Error(err)
			}
		}
		s.meanwhile.Store(&resetting)
		pass(1)
		if state := w.status(); c.breaker.tripped("page") || state.Clean != 0 {
			t.Errorf("tripped again by a probe that began before the reset: %+v", state)
		}
		pass(2)
		if state := w.status(); state.State != control.WatchClean {
			t.Errorf("%+v", state)
		}
	})
}

// TestWatchWarns: with on_leak warn it is recorded, and nothing stops.
func TestWatchWarns(t *testing.T) {
	verdicts := []probe.Verdict{probe.Leak, probe.Leak, "", probe.Shared, probe.Shared, probe.Leak}
	watching(t, onLeakWarn, verdicts, func(t *testing.T, c *ruled, _ *script, w *watcher) {
		pass(3)
		if c.breaker.tripped("page") || len(c.log.of("leak")) != 1 {
			t.Errorf("tripped %t, %d records", c.breaker.tripped("page"), len(c.log.of("leak")))
		}
		if state := w.status(); state.Problem != "nobody answers" || state.State != control.WatchLeaking {
			t.Errorf("%+v", state)
		}
		pass(2)
		if state := w.status(); state.State != control.WatchClean || len(c.log.of("clear")) != 1 {
			t.Errorf("%+v", state)
		}
		pass(1)
		if len(c.log.of("leak")) != 2 {
			t.Error("the second leak has no record of its own")
		}
	})
}

// TestWatchOfTheApp: an app that shows visitors what others have sent is told of, and
// stops no caching: no cache has a part in it.
func TestWatchOfTheApp(t *testing.T) {
	watching(t, onLeakTrip, []probe.Verdict{probe.Leak}, func(t *testing.T, c *ruled, s *script, _ *watcher) {
		s.who.Store(probe.WhoApp)
		pass(2)
		if c.breaker.tripped("page") || len(c.log.of("leak")) != 1 {
			t.Errorf("tripped %t, %d records", c.breaker.tripped("page"), len(c.log.of("leak")))
		}
		s.who.Store(probe.WhoCDN)
		pass(1)
		if !c.breaker.tripped("page") {
			t.Error("a cache in front leaks too now, and nothing is tripped")
		}
	})
}

// TestWatchElsewhere: where it is another edge's turn, nothing is asked.
func TestWatchElsewhere(t *testing.T) {
	watching(t, onLeakTrip, []probe.Verdict{probe.Leak}, func(t *testing.T, _ *ruled, s *script, _ *watcher) {
		s.elsewhere.Store(true)
		pass(5)
		if s.at.Load() != 0 {
			t.Errorf("%d probes", s.at.Load())
		}
	})
}
