package fleet

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/store"
)

const lease = 300 * time.Millisecond

// fault is what a link does with a call.
type fault int

const (
	faultNone   fault = iota
	faultError        // an error at once, without effect
	faultHang         // no answer until the context ends, without effect
	faultDelay        // the answer comes late
	faultUnsaid       // it takes effect, and the answer is lost
)

var errFault = errors.New("cut")

// faulty is a link to a log, with faults.
type faulty struct {
	mu     sync.Mutex
	log    Link
	fault  fault
	delay  time.Duration
	asked  int
	change func(*Heard) // what the log says, before the edge hears it
}

func newFaulty(log Link) *faulty { return &faulty{log: log} }

func (f *faulty) set(x fault, delay time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.delay = x, delay
}

func (f *faulty) lead(log Link) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = log
}

// alter has change applied to what the log says.
func (f *faulty) alter(change func(*Heard)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.change = change
}

func (f *faulty) state() (Link, fault, time.Duration, func(*Heard)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return f.log, f.fault, f.delay, f.change
}

func call[T any](ctx context.Context, fault fault, delay time.Duration, do func() (T, error)) (T, error) {
	var none T
	switch fault {
	case faultError:
		return none, errFault
	case faultHang:
		<-ctx.Done()
		return none, ctx.Err()
	}
	answer, err := do()
	if err != nil {
		return none, err
	}
	switch fault {
	case faultUnsaid:
		return none, errFault
	case faultDelay:
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return none, ctx.Err()
		}
	}
	return answer, nil
}

func (f *faulty) Ask(ctx context.Context, edge string, applied uint64, joins bool) (Heard, error) {
	log, fault, delay, change := f.state()
	return call(ctx, fault, delay, func() (Heard, error) {
		h, err := log.Ask(ctx, edge, applied, joins)
		if change != nil {
			change(&h)
		}
		return h, err
	})
}

func (f *faulty) Publish(ctx context.Context, e Event) (uint64, error) {
	log, fault, delay, _ := f.state()
	return call(ctx, fault, delay, func() (uint64, error) { return log.Publish(ctx, e) })
}

// member is an edge under test, and what it was told.
type member struct {
	*Edge
	link *faulty

	mu      sync.Mutex
	applied []Event
	lost    []Heard
	changed []bool
	why     []string
}

// join starts an edge. It is to be closed in the bubble in which it was started.
func join(t testing.TB, name string, log Link) *member {
	t.Helper()
	m := &member{link: newFaulty(log)}
	e, err := NewEdge(m.link, m.options(name))
	if err != nil {
		t.Fatal(err)
	}
	m.Edge = e
	return m
}

func (m *member) options(name string) Options {
	return Options{
		Name:  name,
		Lease: lease,
		Apply: func(e Event) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.applied = append(m.applied, e)
		},
		Lost: func(h Heard) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.lost = append(m.lost, h)
		},
		Changed: func(trusted bool, problem string) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.changed, m.why = append(m.changed, trusted), append(m.why, problem)
		},
	}
}

func (m *member) events() []Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Event(nil), m.applied...)
}

func (m *member) losses() []Heard {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Heard(nil), m.lost...)
}

func purgeRoute(route string) Event {
	return Event{Kind: KindPurge, Selection: store.Selection{Route: route}}
}

func purgeAll() Event { return Event{Kind: KindPurge, Selection: store.Selection{All: true}} }

func tripped(route string) Event {
	return Event{Kind: KindTrip, Trip: control.Tripped{Route: route}}
}

func resetOf(route string) Event {
	return Event{Kind: KindReset, Trip: control.Tripped{Route: route}}
}

// readOnly is a log that takes no events while it refuses.
type readOnly struct {
	*Log
	refuse atomic.Bool
}

func (r *readOnly) Publish(ctx context.Context, e Event) (uint64, error) {
	if r.refuse.Load() {
		return 0, errFault
	}
	return r.Log.Publish(ctx, e)
}
