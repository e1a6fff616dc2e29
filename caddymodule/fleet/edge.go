package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store"
)

// ErrClosed is what an edge returns once it is closed.
var ErrClosed = errors.New("edge is closed")

// Options of an edge.
type Options struct {
	// Name of this edge, unique in the fleet.
	Name string
	// Lease is for how long an answer of the log is good. 0: [DefaultLease]. At least
	// [MinLease]. It is the same for all edges of a fleet.
	Lease time.Duration
	// Apply is told of each event, in order, one at a time, this edge's own included. It
	// must not call the edge.
	Apply func(Event)
	// Lost is told when everything stored is to be dropped and what holds instead: see
	// [Heard]. So it is at the first contact. It is never called while Apply is, and must
	// not call the edge.
	Lost func(Heard)
	// Changed, if given, is told when trust begins or ends, and why: a problem, or "". It
	// must neither close the edge nor publish.
	Changed func(trusted bool, problem string)
}

// Edge asks the log for what is new, has it applied, and says whether what is stored can be
// trusted. It is safe for concurrent use.
type Edge struct {
	Options
	link  Link
	lease leased
	known known
	// applied is the generation of the last event that was applied.
	applied atomic.Uint64

	ctx   context.Context // ends when the edge is closed
	end   context.CancelFunc
	ended chan struct{} // closed when nothing is asked any more
	wake  chan struct{}
	joins bool // of the asking goroutine: the log is to say what holds, not what is new

	mu sync.Mutex
	// told are what the log said the last time, but for its events, and when.
	told  Heard
	clock reading
	heard bool // ever
	// news is closed, and replaced, when the log has answered.
	news    chan struct{}
	problem string
	// unsent is what could not be published yet, the oldest first.
	unsent []*unsent
	// waiting is how many wait for confirmation, and pause for how long the log is not
	// asked meanwhile.
	waiting int
	pause   time.Duration

	changes changes
}

// NewEdge returns an edge that asks the log which link leads to, in a goroutine of its own,
// until it is closed. The log need not be there yet.
func NewEdge(link Link, o Options) (*Edge, error) {
	if o.Lease == 0 {
		o.Lease = DefaultLease
	}
	switch {
	case o.Name == "":
		return nil, errors.New("edge has no name")
	case o.Lease < MinLease:
		return nil, fmt.Errorf("lease is %s; at least %s was expected", o.Lease, MinLease)
	case o.Apply == nil || o.Lost == nil:
		return nil, errors.New("edge has nobody to tell of events and of what was lost")
	}
	e := &Edge{
		Options: o,
		link:    link,
		lease:   leased{length: o.Lease},
		ended:   make(chan struct{}),
		wake:    make(chan struct{}, 1),
		joins:   true,
		news:    make(chan struct{}),
		problem: "the log has not been heard yet",
	}
	e.ctx, e.end = context.WithCancel(context.Background())
	e.changes.timer = time.AfterFunc(time.Hour, e.tell)
	e.changes.timer.Stop()
	go e.run()
	return e, nil
}

// Trusted reports whether what is stored may be served at now, which has a monotonic
// reading: whether all that was in the log a lease ago, at the most, is applied. It takes
// no lock.
func (e *Edge) Trusted(now time.Time) bool { return e.lease.holds(now) }

// Generation is that of the last event that is applied. It takes no lock.
func (e *Edge) Generation() uint64 { return e.applied.Load() }

// Known reports whether an object from elsewhere may be served, for all that this edge
// knows: whether no purge or invalidation after the object's generation selects it. A soft
// purge counts as a hard one. Invalidations from before this edge joined are not known,
// and of later ones not more than the last tens of thousands: who keeps objects elsewhere
// keeps the generations of tags with them.
func (e *Edge) Known(o *store.Object) bool { return e.known.servable(o) }

// Clock bounds the log's clock at the local time now, which has a monotonic reading, and
// says whether it is known at all.
func (e *Edge) Clock(now time.Time) (earliest, latest time.Time, known bool) {
	e.mu.Lock()
	r, known := e.clock, e.heard
	e.mu.Unlock()
	if !known {
		return time.Time{}, time.Time{}, false
	}
	earliest, latest = r.at(momentOf(now))
	return earliest, latest, true
}

// Wake has the log asked now: the link has learnt that there is news. It does not block.
func (e *Edge) Wake() {
	select {
	case e.wake <- struct{}{}:
	default: // somebody else did
	}
}

// Status describes the edge at this moment.
func (e *Edge) Status() Status {
	now := time.Now()
	e.mu.Lock()
	s := Status{
		Edge:       e.Name,
		Trusted:    e.Trusted(now),
		Heard:      -1,
		Lease:      e.Lease,
		Applied:    e.Generation(),
		Generation: e.told.Generation,
		Unsent:     len(e.unsent),
		Members:    e.members(now),
		Problem:    e.problem,
	}
	if e.heard {
		_, s.Heard = momentOf(now).since(e.clock.received)
	}
	e.mu.Unlock()
	s.Lapses, s.Partitioned = e.changes.count(now)
	return s
}

// Close ends the asking, and with it all trust. Events that could not be sent are lost: an
// edge that starts again joins anew, and the others never knew of them.
func (e *Edge) Close() {
	e.end()
	<-e.ended
	e.mu.Lock()
	e.lease.revoke()
	e.mu.Unlock()
	e.changes.close()
}

// run asks until the edge is closed: four times a lease, at once when it is woken, and
// sooner where the last answer is missing or someone waits for confirmation.
func (e *Edge) run() {
	defer close(e.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-e.wake:
		case <-timer.C:
		}
		start := time.Now()
		err := e.catchUp()
		if e.ctx.Err() != nil {
			return
		}
		next := e.Lease / 16
		if err != nil {
			e.fail(err)
		} else {
			next = e.next() - time.Since(start)
		}
		timer.Reset(max(0, next))
	}
}

// next says for how long the log is not asked.
func (e *Edge) next() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waiting == 0 {
		return e.Lease / 4
	}
	pause := e.pause
	e.pause = min(2*e.pause, e.Lease/16)
	return pause
}

// fail notes why trust is not granted.
func (e *Edge) fail(err error) {
	e.mu.Lock()
	e.problem = err.Error()
	e.mu.Unlock()
	e.tell()
}

// catchUp sends what is unsent, and asks until there is nothing more to apply. The last
// question also tells the log what was applied.
func (e *Edge) catchUp() error {
	for {
		sending := e.flush()
		more, err := e.ask()
		if err = errors.Join(err, sending); err != nil {
			return err
		}
		if !more {
			return nil
		}
	}
}

// ask asks once, and reports whether it is to be asked again at once.
func (e *Edge) ask() (more bool, err error) {
	ctx, cancel := context.WithTimeout(e.ctx, e.Lease/2)
	defer cancel()
	sent := momentOf(time.Now())
	h, err := e.link.Ask(ctx, e.Name, e.applied.Load(), e.joins)
	if err != nil {
		return false, fmt.Errorf("asking the log: %w", err)
	}
	r := reading{log: h.Now, sent: sent, received: momentOf(time.Now())}
	if more, err = e.apply(h); err != nil {
		// Something has happened that cannot be made out.
		e.joins = true
		e.distrust()
		return false, err
	}
	e.grant(h, r)
	return more, nil
}

// apply has applied what the log said. An error means that it makes no sense.
func (e *Edge) apply(h Heard) (more bool, err error) {
	if h.Lost {
		e.distrust()
		e.known.begin(h)
		e.Lost(h)
		e.applied.Store(h.Generation)
		e.joins = false
		return true, nil
	}
	if e.joins {
		return false, errors.New("the log does not say what holds")
	}
	applied := e.applied.Load()
	for _, event := range h.Events {
		if event.Generation <= applied {
			continue
		}
		if event.Generation != applied+1 {
			return false, fmt.Errorf("the log goes on from event %d to %d", applied, event.Generation)
		}
		if e.ctx.Err() != nil {
			return false, ErrClosed
		}
		// An object is refused before the event is applied, and not trusted to have been
		// fetched after it until it is.
		e.known.note(event)
		e.Apply(event)
		applied = event.Generation
		e.applied.Store(applied)
		more = true
	}
	switch {
	case applied > h.Generation:
		// What has the log forgotten that other edges were never told?
		e.queue(Event{Edge: e.Name, Kind: KindPurge, Selection: store.Selection{All: true}, Afresh: true})
		return false, fmt.Errorf("the log has %d events, and had %d", h.Generation, applied)
	case applied < h.Generation && !more:
		return false, fmt.Errorf("the log has %d events, and tells of none after %d", h.Generation, applied)
	}
	return more, nil
}

// grant takes in what the log said beside its events and, if all is applied and out,
// grants the lease, from the moment at which the question was sent.
func (e *Edge) grant(h Heard, r reading) {
	e.mu.Lock()
	h.Events, h.Purges, h.Trips = nil, nil, nil // not to be kept in memory
	e.told, e.clock, e.heard = h, r, true
	switch {
	case h.Settling:
		e.problem = "the log is new, and waits for what other edges know"
	case len(e.unsent) == 0 && e.applied.Load() == h.Generation && e.ctx.Err() == nil:
		e.lease.grant(r.sent)
		e.problem = ""
	}
	close(e.news)
	e.news = make(chan struct{})
	e.mu.Unlock()
	e.tell()
}

func (e *Edge) distrust() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lease.revoke()
}

// members returns the members as they are at now, as far as is known: this edge is among
// them. The caller holds mu.
func (e *Edge) members(now time.Time) []Member {
	if !e.heard {
		return nil
	}
	since, _ := momentOf(now).since(e.clock.received)
	members := make([]Member, 0, len(e.told.Members)+1)
	self := false
	for _, m := range e.told.Members {
		if m.Edge == e.Name {
			m.Applied, self = e.applied.Load(), true
		}
		m.Silent += since
		members = append(members, m)
	}
	if !self {
		members = append(members, Member{Edge: e.Name, Applied: e.applied.Load(), Silent: since})
	}
	return members
}
