package fleet

import (
	"sync/atomic"
	"time"
)

const (
	// DefaultLease is the lease of an edge that is given none.
	DefaultLease = 3 * time.Second
	// MinLease is the shortest that an edge takes.
	MinLease = 300 * time.Millisecond

	// drift is how much a local clock may be too fast or too slow: one part in that many.
	drift = 1000
)

// moment is a time by both local clocks: the monotonic one, which stands still while the
// machine is suspended, and the wall clock, which someone may set.
type moment struct {
	mono time.Duration // since began
	wall int64         // nanoseconds of Unix time
}

var began = time.Now()

func momentOf(t time.Time) moment { return moment{t.Sub(began), t.UnixNano()} }

// since returns how long ago that was at least and at most, for the clocks may disagree.
func (m moment) since(earlier moment) (least, most time.Duration) {
	mono, wall := m.mono-earlier.mono, time.Duration(m.wall-earlier.wall)
	return max(0, min(mono, wall)), max(0, mono, wall)
}

// leased is for how long an edge may trust what is stored. It is safe for concurrent use,
// and costs who asks one atomic load.
type leased struct {
	length time.Duration
	// sent is when the question was sent whose answer was the last to grant it. Nil: it is
	// not granted.
	sent atomic.Pointer[moment]
}

// holds reports whether the lease is granted at that time, by both clocks. A wall clock
// that went back leaves it unclear, so then it is not.
func (l *leased) holds(now time.Time) bool {
	sent := l.sent.Load()
	return sent != nil && l.left(*sent, momentOf(now)) > 0
}

func (l *leased) left(sent, now moment) time.Duration {
	if now.wall < sent.wall {
		return 0
	}
	_, most := now.since(sent)
	return l.length - most - most/drift
}

func (l *leased) grant(sent moment) { l.sent.Store(&sent) }

func (l *leased) revoke() { l.sent.Store(nil) }

// reading is the log's clock as it was heard.
type reading struct {
	log            time.Time
	sent, received moment
}

// at bounds the log's clock at a local moment.
func (r *reading) at(now moment) (earliest, latest time.Time) {
	least, _ := now.since(r.received)
	_, most := now.since(r.sent)
	return r.log.Add(least - least/drift), r.log.Add(most + most/drift)
}
