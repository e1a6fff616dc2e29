package fleet

import (
	"sync"
	"time"
)

// changes keeps account of when an edge was trusted.
type changes struct {
	mu     sync.Mutex // held while somebody is told, so that what they hear is in order
	timer  *time.Timer
	closed bool

	counts  sync.Mutex // of those below, and a leaf
	trusted bool
	since   time.Time // of the last change; zero: there was none
	lapses  uint64
	lapsed  time.Duration // altogether, but for the last time
}

// tell looks whether trust has begun or ended, and tells who wants to know. It is called
// when it may have, and by a timer when a lease ends that was not granted again.
func (e *Edge) tell() {
	c := &e.changes
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	now := time.Now()
	e.mu.Lock()
	trusted, problem := e.Trusted(now), e.problem
	if sent := e.lease.sent.Load(); trusted && sent != nil {
		c.timer.Reset(e.lease.left(*sent, momentOf(now)) + time.Millisecond)
	}
	e.mu.Unlock()
	if !c.set(trusted, now) {
		return
	}
	if trusted {
		problem = ""
	} else if problem == "" {
		problem = "the log has not answered for as long as the lease"
	}
	if e.Changed != nil {
		e.Changed(trusted, problem)
	}
}

// set notes whether there is trust, and reports whether that is new.
func (c *changes) set(trusted bool, now time.Time) bool {
	c.counts.Lock()
	defer c.counts.Unlock()
	if trusted == c.trusted {
		return false
	}
	if !trusted {
		c.lapses++
	} else if !c.since.IsZero() {
		c.lapsed += now.Sub(c.since)
	}
	c.trusted, c.since = trusted, now
	return true
}

func (c *changes) count(now time.Time) (lapses uint64, lapsed time.Duration) {
	c.counts.Lock()
	defer c.counts.Unlock()
	lapsed = c.lapsed
	if !c.trusted && !c.since.IsZero() {
		lapsed += now.Sub(c.since)
	}
	return c.lapses, lapsed
}

func (c *changes) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.timer.Stop()
}
