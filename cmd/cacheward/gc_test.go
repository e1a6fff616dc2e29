package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestGCPercent(t *testing.T) {
	const mib = 1 << 20
	const none = math.MaxInt64 // as the runtime has it
	for _, c := range []struct {
		name        string
		live, limit uint64
		want        int
	}{
		{"nothing yet", 0, none, 800},
		{"a small store", 10 * mib, none, 800},
		{"the headroom is the heap", 128 * mib, none, 100},
		{"100,000 objects of 4 KiB", 480 * mib, none, 27},
		{"a large store", 20 << 30, none, 5},
		{"the limit leaves twice the headroom", 512 * mib, 768 * mib, 25},
		{"the limit leaves half of that", 512 * mib, 640 * mib, 13},
		{"the limit is near", 512 * mib, 520 * mib, 5},
		{"at the limit", 160 * mib, 160 * mib, 10},
		{"beyond the limit", 160 * mib, 100 * mib, 10},
		{"no limit at all was given", 160 * mib, 0, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := gcPercent(c.live, c.limit); got != c.want {
				t.Errorf("gcPercent(%d MiB, %d MiB) = %d, want %d", c.live/mib, c.limit/mib, got, c.want)
			}
		})
	}
}

// TestGCPercentBounds: whatever is live and whatever the limit, the percentage stays in
// its bounds, and so does what it lets gather where these leave it free. A nearer limit
// never lets more gather.
func TestGCPercentBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		live := rapid.Uint64Range(0, 1<<42).Draw(t, "live")
		limit := rapid.Uint64Range(0, math.MaxInt64).Draw(t, "limit")
		percent := gcPercent(live, limit)
		if percent < minPercent || percent > maxPercent {
			t.Fatalf("%d is not between %d and %d", percent, minPercent, maxPercent)
		}
		gathers, rounding := float64(percent)/100*float64(live), float64(live)/200
		if percent > minPercent && gathers > maxHeadroom+rounding {
			t.Fatalf("%d %% lets %.0f bytes gather, more than %d", percent, gathers, maxHeadroom)
		}
		if percent < maxPercent && gathers < minHeadroom-rounding {
			t.Fatalf("%d %% lets only %.0f bytes gather, less than %d", percent, gathers, minHeadroom)
		}
		if nearer := rapid.Uint64Range(0, limit).Draw(t, "nearer"); gcPercent(live, nearer) > percent {
			t.Fatalf("with the limit at %d and not %d the percentage is higher", nearer, limit)
		}
	})
}

func TestTuningLeavesSmallChangesAlone(t *testing.T) {
	var set []int
	tuned := tuning{set: func(percent int) { set = append(set, percent) }}
	for _, live := range []uint64{0, 128 << 20, 132 << 20, 125 << 20, 256 << 20} {
		tuned.follow(live, math.MaxInt64)
	}
	if want := []int{800, 100, 50}; len(set) != len(want) || set[0] != want[0] || set[1] != want[1] || set[2] != want[2] {
		t.Errorf("the percentage was set to %v, want %v", set, want)
	}
}

// TestCollectorIsTuned lets the heap grow and shrink, and looks what the runtime is told.
func TestCollectorIsTuned(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)

	t.Run("not where GOGC is given", func(t *testing.T) {
		t.Setenv("GOGC", "100")
		if tuneCollector() {
			t.Fatal("GOGC does not win")
		}
	})

	t.Setenv("GOGC", "")
	told := make(chan int, 100)
	tuned := &tuning{set: func(percent int) {
		debug.SetGCPercent(percent)
		told <- percent
	}}
	tuned.afterCollection(sentinel{})
	defer tuned.stopped.Store(true)
	await := func(what string, wanted func(percent int) bool) {
		t.Helper()
		for end := time.After(time.Minute); ; {
			runtime.GC()
			select {
			case percent := <-told:
				if wanted(percent) {
					return
				}
			case <-time.After(time.Millisecond):
			case <-end:
				t.Fatalf("%s: the percentage did not follow", what)
			}
		}
	}
	await("a small heap", func(percent int) bool { return percent > 400 })
	large := make([]byte, 256<<20)
	await("a large heap", func(percent int) bool { return percent <= 50 })
	runtime.KeepAlive(large)
	await("a small heap again", func(percent int) bool { return percent > 400 })
}
