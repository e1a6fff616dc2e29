package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/store"
)

// MaxUnsent is how many events an edge keeps that it could not publish yet. When there are
// more, one purge of everything takes the place of all purges and invalidations.
const MaxUnsent = 256

// ErrUnsent is why an event is not in force elsewhere: the log could not be reached. It is
// sent as soon as it can be, and until then this edge trusts nothing that is stored. The
// other edges may, for they have heard nothing of it.
var ErrUnsent = errors.New("not in the log yet")

var errOverflow = errors.New("too many events wait to be sent: everything is purged instead")

// unsent is an event that could not be published yet.
type unsent struct {
	Event
	// done is closed when it is out or given up; then the others are set.
	done       chan struct{}
	generation uint64
	err        error
}

// Publish appends the event to the log, which makes it known to all edges. They apply it
// when they hear of it, this one too, which is within a lease, or trust nothing then.
//
// If the log cannot be reached, the error is [ErrUnsent]: see there. What is published
// after that is sent after it. Other errors mean that the event is wrong, or the edge
// closed, and nothing was done.
//
// With wait it returns when each edge has confirmed that it has applied the event, or has
// been silent for as long as its lease, or when a lease is over or the context ends: the
// delivery says what was known then. That somebody has not confirmed is no error.
func (e *Edge) Publish(ctx context.Context, event Event, wait bool) (Delivery, error) {
	start := time.Now()
	if err := event.check(); err != nil {
		return Delivery{}, err
	}
	event.Edge, event.Generation = e.Name, 0
	generation, err := e.send(ctx, event)
	if err != nil {
		return Delivery{Took: milliseconds(time.Since(start))}, err
	}
	d := e.await(ctx, generation, wait)
	d.Took = milliseconds(time.Since(start))
	return d, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// check returns an error unless every edge will understand the event.
func (e Event) check() error {
	switch e.Kind {
	case KindPurge:
		return e.Selection.Check()
	case KindInvalidate:
		if e.Selection.Tag == nil {
			return fmt.Errorf("invalidation of %s; one of a tag was expected", e.Selection)
		}
		return e.Selection.Check()
	case KindTrip, KindReset:
		return nil
	}
	return fmt.Errorf("event of kind %q is not known", e.Kind)
}

// send publishes the event, after those that wait to be sent.
func (e *Edge) send(ctx context.Context, event Event) (uint64, error) {
	if e.ctx.Err() != nil {
		return 0, ErrClosed
	}
	ctx, cancel := context.WithTimeout(ctx, e.Lease/2)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	e.mu.Lock()
	behind := len(e.unsent) > 0
	e.mu.Unlock()
	if !behind {
		generation, err := e.link.Publish(ctx, event)
		if err == nil {
			return generation, nil
		}
		e.queue(event)
		e.fail(fmt.Errorf("publishing to the log: %w", err))
		e.Wake()
		return 0, fmt.Errorf("%w: %w", ErrUnsent, err)
	}
	u := e.queue(event)
	e.Wake()
	select {
	case <-u.done:
		return u.generation, u.err
	case <-ctx.Done():
		e.mu.Lock()
		defer e.mu.Unlock()
		return 0, fmt.Errorf("%w: %s", ErrUnsent, e.problem)
	}
}

// queue has the event sent later, and nothing trusted until it is.
func (e *Edge) queue(event Event) *unsent {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lease.revoke()
	if len(e.unsent) >= MaxUnsent {
		e.overflow()
	}
	u := &unsent{Event: event, done: make(chan struct{})}
	e.unsent = append(e.unsent, u)
	return u
}

// overflow makes room: one purge takes the place of all, and of what was done to one route
// only the last counts. Where that is not enough, everything is tripped: better than that
// a trip is forgotten. The caller holds mu.
func (e *Edge) overflow() {
	last := make(map[string]*unsent)
	for _, u := range e.unsent {
		if u.Kind == KindTrip || u.Kind == KindReset {
			last[u.Trip.Route] = u
		}
	}
	purge := Event{Edge: e.Name, Kind: KindPurge, Selection: store.Selection{All: true}, Afresh: true}
	kept := []*unsent{{Event: purge, done: make(chan struct{})}}
	crowded := len(last) > MaxUnsent/2
	if crowded {
		trip := Event{Edge: e.Name, Kind: KindTrip, Trip: control.Tripped{
			Since: time.Now(), By: e.Name, Why: "too many trips wait to be told to the other edges",
		}}
		kept = append(kept, &unsent{Event: trip, done: make(chan struct{})})
	}
	for _, u := range e.unsent {
		if !crowded && last[u.Trip.Route] == u {
			kept = append(kept, u)
			continue
		}
		u.err = fmt.Errorf("%w: %w", ErrUnsent, errOverflow)
		close(u.done)
	}
	e.unsent = kept
}

// flush publishes what is unsent, in its order.
func (e *Edge) flush() error {
	for {
		e.mu.Lock()
		if len(e.unsent) == 0 {
			e.mu.Unlock()
			return nil
		}
		u, left := e.unsent[0], len(e.unsent)
		e.mu.Unlock()

		ctx, cancel := context.WithTimeout(e.ctx, e.Lease/2)
		generation, err := e.link.Publish(ctx, u.Event)
		cancel()
		if err != nil {
			return fmt.Errorf("publishing to the log, which %d events wait for: %w", left, err)
		}

		e.mu.Lock()
		// It may have been given up meanwhile, and then is not the first any more.
		if i := slices.Index(e.unsent, u); i >= 0 {
			e.unsent = slices.Delete(e.unsent, i, i+1)
			u.generation = generation
			close(u.done)
		}
		e.mu.Unlock()
	}
}

// await returns how far the event has come, with wait when that is as far as it gets.
func (e *Edge) await(ctx context.Context, generation uint64, wait bool) Delivery {
	over := time.NewTimer(e.Lease)
	defer over.Stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	if wait {
		e.waiting++
		e.pause = time.Millisecond
		defer func() { e.waiting-- }()
	}
	e.Wake()
	for {
		d, settled := e.delivery(generation)
		if !wait || settled {
			return d
		}
		news := e.news
		e.mu.Unlock()
		ended := false
		select {
		case <-news:
		case <-over.C:
			ended = true
		case <-ctx.Done():
			ended = true
		case <-e.ctx.Done():
			ended = true
		}
		e.mu.Lock()
		if ended {
			d, _ = e.delivery(generation)
			return d
		}
	}
}

// delivery says how far the event has come, and whether that will not change. The caller
// holds mu.
func (e *Edge) delivery(generation uint64) (d Delivery, settled bool) {
	d.Generation = generation
	// Members that were told of before the event was there say nothing of it.
	settled = e.told.Generation >= generation
	for _, m := range e.members(time.Now()) {
		d.Edges++
		if m.Applied >= generation {
			d.Confirmed++
			continue
		}
		d.Missing = append(d.Missing, m.Edge)
		if m.Silent >= e.Lease {
			d.Silent = append(d.Silent, m.Edge)
		} else {
			settled = false
		}
	}
	return d, settled
}
