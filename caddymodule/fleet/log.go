package fleet

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/store"
)

const (
	// MaxAnswer is how many events a [Log] gives in one answer.
	MaxAnswer = 512

	// maxResets is how many resets are remembered. An edge that was away when a trip was
	// ended, and longer ago than these, has it in force once more when it comes back.
	maxResets = 1024

	// memberLeases is for how many leases a member is remembered that no longer asks.
	memberLeases = 10
)

// Log is a [Link] to a log in this process's memory. Of the events it keeps the last
// ones, for edges that are behind; of the purges [store.MaxPurges], for those that join;
// of trips all that are in force. Who is further behind than what is kept is told that it
// has lost.
//
// It is safe for concurrent use.
type Log struct {
	keep  int
	lease time.Duration

	mu sync.Mutex
	// last is the generation of the last event; events are the last ones up to it,
	// without gaps.
	last   uint64
	events []Event
	// purges are those after floor.
	floor   uint64
	purges  []Event
	trips   []control.Tripped
	resets  []Event // the last of each route, the oldest first
	members map[string]*asked
	watched map[int]func()
	watches int
}

// asked is what a member has told.
type asked struct {
	applied uint64
	at      time.Time
}

// LogOption changes what [NewLog] makes.
type LogOption func(*Log)

// LogLease is the lease of those that ask: who has not asked for ten of them is no longer
// a member. It is [DefaultLease] if not given.
func LogLease(lease time.Duration) LogOption { return func(l *Log) { l.lease = lease } }

// LogFrom has the first event get the generation after from. A log that takes the place
// of another, and does not have what was in it, has to begin after everything that the
// other may have given: else an edge would take an event for one that it has applied.
func LogFrom(from uint64) LogOption {
	return func(l *Log) { l.last, l.floor = from, from }
}

// NewLog returns an empty log that keeps that many events, one at least.
func NewLog(keep int, options ...LogOption) *Log {
	l := &Log{
		keep:    max(1, keep),
		lease:   DefaultLease,
		members: make(map[string]*asked),
		watched: make(map[int]func()),
	}
	for _, o := range options {
		o(l)
	}
	return l
}

// Watch has wake called whenever an event was appended, until stop is. It must not block.
func (l *Log) Watch(wake func()) (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := l.watches
	l.watches++
	l.watched[id] = wake
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.watched, id)
	}
}

// Generation is that of the last event.
func (l *Log) Generation() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Ask implements [Link].
func (l *Log) Ask(ctx context.Context, edge string, applied uint64, joins bool) (Heard, error) {
	if err := ctx.Err(); err != nil {
		return Heard{}, err
	}
	h, wake := l.ask(edge, applied, joins)
	for _, wake := range wake {
		wake()
	}
	return h, nil
}

func (l *Log) ask(edge string, applied uint64, joins bool) (h Heard, wake []func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !joins && applied > l.last {
		// What the edge has applied is not known here, so neither is what it may be that
		// others have not.
		l.forget(applied)
		l.append(Event{Edge: edge, Kind: KindPurge, Selection: store.Selection{All: true}, Afresh: true})
		wake = l.wakes()
	}
	if joins {
		applied = 0 // it has confirmed nothing until it asks again
	}
	l.members[edge] = &asked{applied, now}
	h = Heard{Generation: l.last, Members: l.list(now), Now: now}
	if behind := l.last - applied; joins || behind > uint64(len(l.events)) {
		h.Lost, h.Floor = true, l.floor
		h.Purges, h.Trips, h.Resets = slices.Clone(l.purges), slices.Clone(l.trips), slices.Clone(l.resets)
	} else {
		after := l.events[len(l.events)-int(behind):]
		h.Events = slices.Clone(after[:min(len(after), MaxAnswer)])
	}
	return h, wake
}

// forget has the log go on after another's generation, as if it had lost all before.
func (l *Log) forget(last uint64) {
	l.last, l.floor = last, last
	l.events, l.purges = nil, nil
}

// Publish implements [Link].
func (l *Log) Publish(ctx context.Context, e Event) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	l.mu.Lock()
	generation := l.append(e)
	wake := l.wakes()
	l.mu.Unlock()
	for _, wake := range wake {
		wake()
	}
	return generation, nil
}

// append and those below are called with mu held.
func (l *Log) append(e Event) uint64 {
	l.last++
	e.Generation = l.last
	if e.Kind == KindTrip {
		e.Trip.Generation = l.last
	}
	if l.events = append(l.events, e); len(l.events) > l.keep {
		l.events = slices.Delete(l.events, 0, len(l.events)-l.keep)
	}
	switch e.Kind {
	case KindPurge:
		l.purge(e)
	case KindTrip:
		l.reset(func(t control.Tripped) bool { return t.Route == e.Trip.Route })
		l.trips = append(l.trips, e.Trip)
	case KindReset:
		l.reset(e.Ends)
		l.resets = slices.DeleteFunc(l.resets, func(r Event) bool { return r.Trip.Route == e.Trip.Route })
		if len(l.resets) == maxResets {
			l.resets = slices.Delete(l.resets, 0, 1)
		}
		l.resets = append(l.resets, e)
	}
	return l.last
}

func (l *Log) purge(e Event) {
	if e.Selection.All {
		// It says of every object what all before it say of some.
		l.floor, l.purges = e.Generation, nil
		return
	}
	if len(l.purges) >= store.MaxPurges {
		l.floor = l.purges[0].Generation
		l.purges = slices.Delete(l.purges, 0, 1)
	}
	l.purges = append(l.purges, e)
}

func (l *Log) reset(match func(control.Tripped) bool) { l.trips = slices.DeleteFunc(l.trips, match) }

func (l *Log) wakes() []func() {
	wake := make([]func(), 0, len(l.watched))
	for _, w := range l.watched {
		wake = append(wake, w)
	}
	return wake
}

// list returns the members by name, and forgets those that are gone.
func (l *Log) list(now time.Time) []Member {
	members := make([]Member, 0, len(l.members))
	for edge, m := range l.members {
		silent := now.Sub(m.at)
		if silent >= memberLeases*l.lease {
			delete(l.members, edge)
			continue
		}
		members = append(members, Member{edge, m.applied, silent})
	}
	slices.SortFunc(members, func(x, y Member) int { return cmp.Compare(x.Edge, y.Edge) })
	return members
}

var _ Link = (*Log)(nil)
