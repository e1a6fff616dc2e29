package caddymodule

import (
	"sync"
	"sync/atomic"

	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// flight is the judging of one key: one fill, or a fill and what it is compared
// with. Others that want the key wait for its verdict, never for its bytes.
type flight struct {
	key     store.Key
	lone    bool // not in the table; guarded by the table's lock
	done    chan struct{}
	once    sync.Once
	waiters atomic.Int64
	// over, if given before anything is judged, is told of the verdict: other edges wait for
	// it. It must not block.
	over func(*store.Object)

	// Set before done is closed, read after.
	object  *store.Object     // admitted; nil for a refusal
	reasons []policies.Reason // why not
}

// land publishes the verdict, the first one given. Everyone who waits goes on at
// once.
func (f *flight) land(o *store.Object, reasons ...policies.Reason) {
	f.once.Do(func() {
		f.object, f.reasons = o, reasons
		close(f.done)
		if f.over != nil {
			f.over(o)
		}
	})
}

// landed says whether there is a verdict.
func (f *flight) landed() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// flights is the table of keys that are being judged. It is asked on misses only.
type flights struct {
	mu    sync.Mutex
	byKey map[store.Key]*flight
	lone  int          // flights that are not in the table
	max   atomic.Int64 // flights at most
}

func newFlights() *flights {
	return &flights{byKey: make(map[store.Key]*flight)}
}

// join returns the key's flight and whether the caller is to lead it. It returns
// nil when there is none and no room for another. Whoever leads must call leave.
func (t *flights) join(key store.Key) (f *flight, leader bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f = t.byKey[key]; f != nil {
		return f, false
	}
	if t.full() {
		return nil, false
	}
	f = &flight{key: key, done: make(chan struct{})}
	t.byKey[key] = f
	return f, true
}

// alone returns a flight that nobody can join, if there is room for one. Whoever
// leads must call leave.
func (t *flights) alone(key store.Key) (f *flight, leader bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.full() {
		return nil, false
	}
	t.lone++
	return &flight{key: key, lone: true, done: make(chan struct{})}, true
}

// full is asked with the lock held.
func (t *flights) full() bool { return int64(len(t.byKey)+t.lone) >= t.max.Load() }

// leave ends a flight. One that nobody landed is a fill that came to nothing.
func (t *flights) leave(f *flight) {
	t.mu.Lock()
	switch {
	case t.byKey[f.key] == f:
		delete(t.byKey, f.key)
	case f.lone:
		f.lone = false
		t.lone--
	}
	t.mu.Unlock()
	f.land(nil, policies.ReasonFillAborted)
}
