package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestRests(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name      string
		last, now heap
		want      bool
	}{
		{"nothing to give back", heap{}, heap{live: 100 * mib, objects: 110 * mib, free: 10 * mib}, false},
		{"garbage", heap{}, heap{live: 100 * mib, objects: 140 * mib}, true},
		{"free memory", heap{}, heap{live: 100 * mib, objects: 100 * mib, free: 40 * mib}, true},
		{"both together", heap{}, heap{live: 100 * mib, objects: 120 * mib, free: 20 * mib}, true},
		{"requests come", heap{allocated: 50 * mib}, heap{allocated: 60 * mib, live: 100 * mib, objects: 140 * mib}, false},
		{"a few come", heap{allocated: 50 * mib}, heap{allocated: 51 * mib, live: 100 * mib, objects: 140 * mib}, true},
		{"little of a large heap", heap{}, heap{live: 4096 * mib, objects: 4196 * mib}, false},
		{"much of a large heap", heap{}, heap{live: 4096 * mib, objects: 4396 * mib}, true},
		{"a collection under way", heap{}, heap{live: 100 * mib, objects: 90 * mib}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.now.rests(c.last); got != c.want {
				t.Errorf("rests is %t, want %t", got, c.want)
			}
		})
	}
}

// TestRestGivesBack has a rush of the real runtime's leave garbage behind, and looks what
// is left of it: once it rests there is nothing more to give back, so that it does not
// collect again and again.
func TestRestGivesBack(t *testing.T) {
	before := debug.SetGCPercent(-1)
	defer debug.SetGCPercent(before)
	runtime.GC()
	s := newSampler()
	for range 64 {
		rush = make([]byte, 1<<20)
	}
	rush = nil
	now := s.read()
	if !now.rests(now) {
		t.Fatalf("with 64 MiB of garbage it does not rest: %+v", now)
	}
	debug.FreeOSMemory()
	after := s.read()
	if after.rests(after) {
		t.Errorf("it would rest again at once: %+v", after)
	}
	if left := after.objects + after.free; left > now.objects+now.free-48<<20 {
		t.Errorf("%d MiB of %d are left", left>>20, (now.objects+now.free)>>20)
	}
}

var rush []byte
