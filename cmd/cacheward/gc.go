package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// How much garbage may gather before it is collected. What is stored lives long and has
// few pointers, so that a collection costs little, and what requests leave behind is of
// the same size whatever is stored: a share of the heap, which is what Go's GC percent
// means, is too little for a small store and gigabytes for a large one.
const (
	maxHeadroom = 128 << 20
	minHeadroom = 16 << 20 // below it, collections follow each other too closely

	minPercent = 5
	maxPercent = 800
)

// gcPercent is the GC percent with which the heap grows by the headroom before the next
// collection: live is what the last one left, limit the process's memory limit, both in
// bytes. Within sight of the limit the headroom is half of what is left. The result is
// 5 to 800.
func gcPercent(live, limit uint64) int {
	var left uint64
	if limit > live {
		left = limit - live
	}
	headroom := min(max(left/2, minHeadroom), maxHeadroom)
	percent := float64(headroom) / float64(max(live, 1)) * 100
	return int(math.Round(min(max(percent, minPercent), maxPercent)))
}

// moved says whether two percentages differ by more than a tenth of the first: less is
// not worth stopping the world for.
func moved(from, to int) bool { return 10*max(from-to, to-from) > from }

// tuneCollector keeps the GC percent at what [gcPercent] says, from now on. The limit is
// read each time: Caddy sets it later, from the memory that the system or the container
// has. Where GOGC is in the environment it wins, nothing is done, and the result is false.
func tuneCollector() bool {
	if os.Getenv("GOGC") != "" {
		return false
	}
	t := &tuning{set: func(percent int) { debug.SetGCPercent(percent) }}
	t.afterCollection(sentinel{})
	return true
}

// tuning keeps the GC percent up to date. One goroutine at a time uses it, but for
// stopped.
type tuning struct {
	percent int // as it was set last
	set     func(percent int)
	stopped atomic.Bool
}

// follow sets the percentage if it has moved.
func (t *tuning) follow(live, limit uint64) {
	if to := gcPercent(live, limit); moved(t.percent, to) {
		t.percent = to
		t.set(to)
	}
}

// sentinel is garbage as soon as it is made, so that its cleanup tells of a collection.
// Smaller objects without pointers share their memory with others, and live as long.
type sentinel [16]byte

// afterCollection sets the percentage, and comes back when there was a collection.
func (t *tuning) afterCollection(sentinel) {
	if t.stopped.Load() {
		return
	}
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	t.follow(sample[0].Value.Uint64(), uint64(debug.SetMemoryLimit(-1)))
	runtime.AddCleanup(new(sentinel), t.afterCollection, sentinel{})
}
