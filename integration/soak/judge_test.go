package soak

import (
	"fmt"
	"strings"
	"testing"
)

// What may grow from the first time that nothing was asked for to any later one.
const (
	// moreGoroutines and moreFiles are for what comes and goes by itself: a timer that is
	// just running, a connection of whoever scrapes.
	moreGoroutines, moreFiles = 3, 3
	// moreHeap is for what is remembered beside the store, all of which is bounded, and
	// for what an object takes beyond what is counted.
	moreHeap = 24 << 20
	// moreResident is for what the runtime has not given back to the system yet.
	moreResident = 160 << 20
	// moreStored is for objects that are being put at the very moment of a sample, and
	// moreFilling for bytes that are being asked for, which then are refused.
	moreStored, moreFilling = 4 * maxObject, 8 * maxObject
)

// judge says what is wrong with the samples of a run. The first that was taken while
// nothing was asked for is what the later ones of these are compared with.
func judge(samples []sample) (wrong []string) {
	say := func(s sample, format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("after %.0f s: ", s.at.Seconds())+fmt.Sprintf(format, args...))
	}
	var first *sample
	for _, s := range samples {
		if bytes, limit := s.of("store_bytes"), s.of("store_limit"); bytes > limit+moreStored {
			say(s, "%.0f bytes are stored, %.0f may be", bytes, limit)
		}
		if bytes, limit := s.of("fill_memory"), s.of("fill_memory_limit"); bytes > limit+moreFilling {
			say(s, "%.0f bytes are held by fills, %.0f may be", bytes, limit)
		}
		for _, name := range []string{"faults", "audit_dropped", "beacons_lost"} {
			if n := s.of(name); n != 0 {
				say(s, "%s is %.0f", name, n)
			}
		}
		if !s.drained {
			continue
		}
		for _, name := range []string{"fills", "waiters", "fill_memory", "audit_queue", "beacons_waiting", "tripped"} {
			if n := s.of(name); n != 0 {
				say(s, "nothing is asked for, and %s is %.0f", name, n)
			}
		}
		if bytes, limit := s.of("store_bytes"), s.of("store_limit"); bytes > limit {
			say(s, "nothing is asked for, %.0f bytes are stored, and %.0f may be", bytes, limit)
		}
		if first == nil {
			first = &s
			continue
		}
		for _, grown := range []struct {
			what           string
			was, is, slack float64
		}{
			{"goroutines", first.of("goroutines"), s.of("goroutines"), moreGoroutines},
			{"file descriptors", first.of("fds"), s.of("fds"), moreFiles},
			{"bytes of live heap beside the store", first.besideStore(), s.besideStore(), moreHeap},
			{"bytes of resident memory", first.of("rss"), s.of("rss"), moreResident},
		} {
			if grown.is > grown.was+grown.slack {
				say(s, "%.0f %s, after %.0f in the beginning", grown.is, grown.what, grown.was)
			}
		}
	}
	return wrong
}

// TestJudge: each kind of growth is found.
func TestJudge(t *testing.T) {
	good := func() []sample {
		var all []sample
		for i := range 3 {
			all = append(all, sample{drained: i != 1, liveHeap: 40 << 20, figures: map[string]float64{
				"go_goroutines": 60, "process_open_fds": 20, "process_resident_memory_bytes": 100 << 20,
				"caddy_cacheward_store_bytes": 20 << 20, "caddy_cacheward_store_limit_bytes": 24 << 20,
				"caddy_cacheward_fill_memory_limit_bytes": 16 << 20,
			}})
		}
		return all
	}
	for name, test := range map[string]struct {
		change func([]sample)
		want   string
	}{
		"good": {func([]sample) {}, ""},
		"under load": {func(s []sample) {
			s[1].figures["go_goroutines"] = 600
			s[1].figures["caddy_cacheward_fills_in_flight"] = 9
		}, ""},
		"goroutines":          {func(s []sample) { s[2].figures["go_goroutines"] = 70 }, "70 goroutines, after 60"},
		"files":               {func(s []sample) { s[2].figures["process_open_fds"] = 30 }, "30 file descriptors"},
		"heap":                {func(s []sample) { s[2].liveHeap = 80 << 20 }, "live heap"},
		"more that is stored": {func(s []sample) { s[2].liveHeap += 4 << 20; s[2].figures["caddy_cacheward_store_bytes"] += 4 << 20 }, ""},
		"resident":            {func(s []sample) { s[2].figures["process_resident_memory_bytes"] = 300 << 20 }, "resident"},
		"store":               {func(s []sample) { s[1].figures["caddy_cacheward_store_bytes"] = 30 << 20 }, "are stored"},
		"store, in the end":   {func(s []sample) { s[2].figures["caddy_cacheward_store_bytes"] = 24<<20 + 1 }, "nothing is asked for"},
		"budget":              {func(s []sample) { s[1].figures["caddy_cacheward_fill_memory_bytes"] = 20 << 20 }, "held by fills"},
		"budget, in the end":  {func(s []sample) { s[2].figures["caddy_cacheward_fill_memory_bytes"] = 1 }, "fill_memory is 1"},
		"fills":               {func(s []sample) { s[2].figures["caddy_cacheward_fills_in_flight"] = 1 }, "fills is 1"},
		"waiters":             {func(s []sample) { s[2].figures["caddy_cacheward_waiters"] = 1 }, "waiters is 1"},
		"a fault":             {func(s []sample) { s[1].figures["caddy_cacheward_faults_total"] = 1 }, "faults is 1"},
		"a lost record":       {func(s []sample) { s[1].figures[`caddy_cacheward_audit_records_total{result="dropped"}`] = 1 }, "audit_dropped is 1"},
		"a trip":              {func(s []sample) { s[2].figures["caddy_cacheward_tripped"] = 1 }, "tripped is 1"},
	} {
		samples := good()
		test.change(samples)
		got := strings.Join(judge(samples), "\n")
		if test.want == "" && got != "" || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
