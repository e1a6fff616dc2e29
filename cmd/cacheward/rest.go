package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What a rush leaves behind stays with the process for minutes: what is garbage when the
// requests cease is not collected before others come, and of what was collected the
// runtime keeps a tenth of the heap and more. So once it is quiet, it is collected and
// given back, for then it costs nobody anything.
const (
	restEvery = time.Second
	// busyBytes is how much is allocated between two looks where it is not quiet: about a
	// thousand misses or three thousand hits.
	busyBytes = 4 << 20
	// restBytes is how much there must be to give back, and restShare which part of what
	// lives: a collection looks at all of it.
	restBytes = 32 << 20
	restShare = 16
)

// heap is what the runtime says of its memory, in bytes.
type heap struct {
	allocated uint64 // since the start
	live      uint64 // after the last collection
	objects   uint64 // live, and garbage since
	free      uint64 // and not given back
}

// rests says whether it is time to give memory back: hardly anything was allocated since
// the last look, and there is something worth it.
func (h heap) rests(last heap) bool {
	if h.allocated-last.allocated >= busyBytes {
		return false
	}
	spare := h.free
	if h.objects > h.live {
		spare += h.objects - h.live
	}
	return spare >= max(restBytes, h.live/restShare)
}

// sampler reads the runtime's metrics. One goroutine uses it.
type sampler []metrics.Sample

func newSampler() sampler {
	return sampler{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
}

func (s sampler) read() heap {
	metrics.Read(s)
	return heap{s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64(), s[3].Value.Uint64()}
}

// restWhenQuiet gives memory back when there are few requests, from now on. Where GOGC is
// in the environment nothing is done: whoever sets it has a mind of their own about when to
// collect.
func restWhenQuiet() {
	if os.Getenv("GOGC") != "" {
		return
	}
	go func() {
		s := newSampler()
		last := s.read()
		for range time.Tick(restEvery) {
			now := s.read()
			if now.rests(last) {
				debug.FreeOSMemory()
				now = s.read()
			}
			last = now
		}
	}()
}
