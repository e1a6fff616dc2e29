package redis

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/store"
)

// Store is an edge's memory, and Redis behind it. What [store.Store] demands, the memory
// does; Get, Purge, Invalidate and the like neither ask nor tell anybody else. For that
// there are [Store.Fetch] and [Store.Publish]. It is safe for concurrent use.
type Store struct {
	*store.Memory

	options Options
	link    *link
	objects *connection
	edge    *fleet.Edge
	writing *writing
	leading leading
	counts  counts

	mu sync.Mutex // held while events are told
	// holds is what holds now, told again to who begins to follow. Nil: nobody knows.
	holds *fleet.Heard
	apply func(fleet.Event)
	lost  func(fleet.Heard)

	closed atomic.Bool
}

// Open returns a store that joins its fleet as soon as it reaches Redis, which need not be
// there yet. An error means that the options are wrong.
func Open(o Options) (*Store, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	memory, err := store.NewMemory(o.Memory)
	if err != nil {
		return nil, err
	}
	s := &Store{Memory: memory, options: o, leading: newLeading()}
	// The link may have news before there is an edge to tell; that asks at once anyway.
	var edge atomic.Pointer[fleet.Edge]
	s.link = newLink(&s.options, func() {
		if e := edge.Load(); e != nil {
			e.Wake()
		}
	})
	option := o.clientOption()
	option.DisableCache = true
	// Bodies go over connections of their own, so that the log's questions never wait for
	// one.
	option.PipelineMultiplex = 1
	s.objects = connect(option, func() {})
	s.edge, err = fleet.NewEdge(s.link, fleet.Options{
		Name: o.Edge, Lease: o.Lease, Apply: s.applied, Lost: s.begin, Changed: o.Changed,
	})
	if err != nil {
		s.link.close()
		s.objects.close()
		return nil, errors.Join(err, memory.Close())
	}
	edge.Store(s.edge)
	s.writing = startWriting(s)
	return s, nil
}

// Put implements [store.Store]. What carries a generation is written to Redis as well,
// later, if Redis keeps up.
func (s *Store) Put(o *store.Object) error {
	if err := s.Memory.Put(o); err != nil {
		return err
	}
	if s.closed.Load() {
		return nil
	}
	now := time.Now()
	switch {
	case !now.Before(o.UsableUntil()):
		s.writing.add(write{key: o.Key})
	case o.Generation == 0, len(o.Tags) > maxTags, !s.edge.Trusted(now):
		// Not known since when it holds, or who has purged it.
	default:
		s.writing.add(write{key: o.Key, object: o})
	}
	return nil
}

// Delete implements [store.Store]. It is deleted from Redis as well, later.
func (s *Store) Delete(key store.Key) error {
	if err := s.Memory.Delete(key); err != nil {
		return err
	}
	if !s.closed.Load() {
		s.writing.add(write{key: key})
	}
	return nil
}

// Trusted reports whether what is stored may be served at now, which has a monotonic
// reading: whether this edge has heard from Redis within its lease, or serves alone. It
// takes no lock.
func (s *Store) Trusted(now time.Time) bool { return s.options.ServeAlone || s.edge.Trusted(now) }

// SetCredentials changes what connections show to the server that are made from now on;
// those that there are have been let in. Sentinels are shown the first ones.
func (s *Store) SetCredentials(username, password string) {
	s.options.credentials.Store(&rueidis.AuthCredentials{Username: username, Password: password})
}

// OnPartition says what is done while nothing is heard from Redis, as the admin endpoint
// has it.
func (s *Store) OnPartition() string {
	if s.options.ServeAlone {
		return control.OnPartitionServe
	}
	return control.OnPartitionBypass
}

// Generation is that of the last event that is applied: what an object is to carry whose
// origin is asked now. It takes no lock.
func (s *Store) Generation() uint64 { return s.edge.Generation() }

// Publish tells all edges of the event, this one too. See [fleet.Edge.Publish].
func (s *Store) Publish(ctx context.Context, e fleet.Event, wait bool) (fleet.Delivery, error) {
	return s.edge.Publish(ctx, e, wait)
}

// Fleet describes this edge in its fleet.
func (s *Store) Fleet() fleet.Status { return s.edge.Status() }

// Follow has the functions told of events, and of what holds when events were lost, after
// the memory was dealt with; they take the place of those before. What holds is told at
// once, if it is known: so nothing is missed between those before and these. They are
// called one at a time and must not call Follow. Nil is nobody.
func (s *Store) Follow(apply func(fleet.Event), lost func(fleet.Heard)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apply, s.lost = apply, lost
	if s.holds != nil && lost != nil {
		lost(*s.holds)
	}
}

// applied does what the event says to the memory. What was purged may be in Redis still;
// it is refused there by its generation.
func (s *Store) applied(e fleet.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.ApplyTo(s.Memory)
	if e.Afresh {
		s.leading.afresh.Store(e.Generation)
	}
	if s.holds != nil {
		next := s.holds.After(e)
		s.holds = &next
	}
	if s.apply != nil {
		s.apply(e)
	}
}

// begin drops everything.
func (s *Store) begin(h fleet.Heard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.Memory.Purge(store.Selection{All: true}, false)
	s.leading.afresh.Store(h.Generation)
	held := h
	held.Events, held.Purges, held.Members = nil, nil, nil
	s.holds = &held
	if s.lost != nil {
		s.lost(h)
	}
}

// Close implements [store.Store]. The edge leaves the fleet; what waits for being written
// is dropped.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return store.ErrClosed
	}
	s.edge.Close()
	s.writing.close()
	s.link.leave(s.options.Edge)
	s.link.close()
	s.objects.close()
	return s.Memory.Close()
}

var _ store.Store = (*Store)(nil)
