package caddymodule

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/probe"
)

// TestLookout holds the state of a watched URL against what the probes found, said plainly:
// a leak begins with the first probe that finds one; it is over after so many clean ones in
// a row, none of them while the route was tripped; its window begins with the last clean
// probe before it; and what finds out nothing changes nothing.
func TestLookout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		enough := rapid.IntRange(1, 4).Draw(t, "clear_after")
		var l lookout
		now := time.Unix(1_800_000_000, 0)
		var leaking bool
		var lastClean, firstLeak time.Time
		row := 0
		for range rapid.IntRange(1, 40).Draw(t, "probes") {
			now = now.Add(time.Duration(rapid.IntRange(1, 5000).Draw(t, "ms")) * time.Millisecond)
			v := rapid.SampledFrom([]probe.Verdict{probe.Isolated, probe.Shared, probe.Unknown, probe.Leak}).Draw(t, "verdict")
			tripped := rapid.Bool().Draw(t, "tripped")
			want := changeNone
			switch v {
			case probe.Leak:
				row = 0
				want = changeWorse
				if !leaking {
					leaking, firstLeak, want = true, now, changeLeak
				}
			case probe.Isolated, probe.Shared:
				switch {
				case !leaking:
					lastClean = now
				case !tripped:
					if row++; row == enough {
						leaking, lastClean, row, want = false, now, 0, changeClear
					}
				}
			}
			got, state := l.saw(v, now, nil, tripped, enough)
			if got != want {
				t.Fatalf("%s (tripped %t): change %d, want %d", v, tripped, got, want)
			}
			after := l.state()
			if after.leaking != leaking || !after.lastClean.Equal(lastClean) || leaking && !after.firstLeak.Equal(firstLeak) {
				t.Fatalf("%+v; want leaking %t, last clean %v, first leak %v", after, leaking, lastClean, firstLeak)
			}
			switch got {
			case changeLeak:
				if !state.lastClean.Equal(lastClean) || !state.firstLeak.Equal(now) {
					t.Fatalf("the window is %v to %v", state.lastClean, state.firstLeak)
				}
			case changeClear:
				if !state.firstLeak.Equal(firstLeak) || state.cleanSince.IsZero() || state.cleanSince.Before(firstLeak) {
					t.Fatalf("the time of the leak is %v to %v", state.firstLeak, state.cleanSince)
				}
			}
		}
	})
}
