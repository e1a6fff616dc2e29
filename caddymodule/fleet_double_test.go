package caddymodule

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/store"
)

func init() { caddy.RegisterModule(AllyStore{}) }

// AllyStore is the memory store of an edge that has others beside it: they meet in a
// [meeting] of the test.
type AllyStore struct{ Memory }

// CaddyModule returns the Caddy module information.
func (AllyStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cacheward.stores.ally", New: func() caddy.Module { return new(AllyStore) }}
}

func (a *AllyStore) StoreKey() string { return "ally:" + a.Name }

func (a *AllyStore) OpenStore() (store.Store, error) {
	memory, err := store.NewMemory(a.Size)
	if err != nil {
		return nil, err
	}
	return current.join(memory)
}

func (a *AllyStore) TuneStore(s store.Store) error { return a.Memory.TuneStore(s.(*ally).Memory) }

func (a *AllyStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return a.Memory.UnmarshalCaddyfile(d)
}

// meeting is where edges share objects, turns and the log. Another edge than the one in the
// process is whatever the test says it is.
type meeting struct {
	*fleet.Log
	lease    time.Duration // of the edge that joins
	mu       sync.Mutex
	away     error // why nothing can be reached
	objects  map[store.Key]*store.Object
	taken    map[store.Key]bool // lanes in which another edge asks
	verdicts map[store.Key]fleet.Verdict
	fetches  int
	events   []fleet.Event // that were published
}

var current *meeting

// meet makes the meeting of the edge that the test starts next.
func meet(t testing.TB) *meeting {
	m := &meeting{
		Log: fleet.NewLog(100), lease: fleet.DefaultLease, objects: make(map[store.Key]*store.Object),
		taken: make(map[store.Key]bool), verdicts: make(map[store.Key]fleet.Verdict),
	}
	if _, err := m.Log.Publish(t.Context(), fleet.Event{Edge: "there", Kind: fleet.KindPurge, Selection: store.Selection{All: true}}); err != nil {
		t.Fatal(err)
	}
	current = m
	t.Cleanup(func() { current = nil })
	return m
}

// set changes what the meeting is like.
func (m *meeting) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

// published lists the events of a kind that were.
func (m *meeting) published(kind fleet.Kind) (events []fleet.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		if e.Kind == kind {
			events = append(events, e)
		}
	}
	return events
}

func (m *meeting) reach() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.away
}

func (m *meeting) Ask(ctx context.Context, edge string, applied uint64, joins bool) (fleet.Heard, error) {
	if err := m.reach(); err != nil {
		return fleet.Heard{}, err
	}
	return m.Log.Ask(ctx, edge, applied, joins)
}

func (m *meeting) Publish(ctx context.Context, e fleet.Event) (uint64, error) {
	if err := m.reach(); err != nil {
		return 0, err
	}
	m.set(func() { m.events = append(m.events, e) })
	return m.Log.Publish(ctx, e)
}

// join has an edge with that memory take part.
func (m *meeting) join(memory *store.Memory) (*ally, error) {
	a := &ally{Memory: memory, meeting: m}
	edge, err := fleet.NewEdge(m, fleet.Options{
		Name: "here", Lease: m.lease,
		Apply: func(e fleet.Event) {
			if e.Kind == fleet.KindPurge || e.Kind == fleet.KindInvalidate {
				_, _ = memory.Purge(e.Selection, e.Soft)
			}
			if on := a.followers(); on.apply != nil {
				on.apply(e)
			}
		},
		Lost: func(h fleet.Heard) {
			_, _ = memory.Purge(store.Selection{All: true}, false)
			a.mu.Lock()
			a.last = &h
			a.mu.Unlock()
			if on := a.followers(); on.lost != nil {
				on.lost(h)
			}
		},
	})
	a.edge = edge
	return a, err
}

type ally struct {
	*store.Memory
	meeting *meeting
	edge    *fleet.Edge

	mu   sync.Mutex
	on   followers
	last *fleet.Heard
}

type followers struct {
	apply func(fleet.Event)
	lost  func(fleet.Heard)
}

func (a *ally) followers() followers {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.on
}

func (a *ally) Follow(apply func(fleet.Event), lost func(fleet.Heard)) {
	a.mu.Lock()
	last := a.last
	a.on = followers{apply, lost}
	a.mu.Unlock()
	if last != nil {
		lost(*last)
	}
}

func (a *ally) Trusted(now time.Time) bool   { return a.edge.Trusted(now) }
func (a *ally) Generation() uint64           { return a.edge.Generation() }
func (a *ally) Fleet() fleet.Status          { return a.edge.Status() }
func (a *ally) Shared() control.SharedStatus { return control.SharedStatus{} }
func (a *ally) OnPartition() string          { return control.OnPartitionBypass }

func (a *ally) Close() error {
	a.edge.Close()
	return a.Memory.Close()
}

func (a *ally) Publish(ctx context.Context, e fleet.Event, wait bool) (fleet.Delivery, error) {
	return a.edge.Publish(ctx, e, wait)
}

func (a *ally) Put(o *store.Object) error {
	shared := *o
	a.meeting.set(func() { a.meeting.objects[o.Key] = &shared })
	return a.Memory.Put(o)
}

func (a *ally) Fetch(_ context.Context, key store.Key, parts []byte) (*store.Object, error) {
	now := time.Now()
	m := a.meeting
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fetches++
	o := m.objects[key]
	switch {
	case m.away != nil:
		return nil, m.away
	case o == nil || o.Parts != string(parts) || !a.edge.Known(o):
		return nil, nil
	}
	fetched := *o
	fetched.Requested = now
	fetched.Received = o.Received.Add(-time.Nanosecond) // no edge's clock is exactly another's
	if err := a.Memory.Put(&fetched); err != nil {
		return nil, err
	}
	return &fetched, nil
}

func (a *ally) Lead(_ context.Context, lane store.Key) (fleet.Turn, error) {
	m := a.meeting
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away != nil {
		return fleet.Turn{}, m.away
	}
	if v, ok := m.verdicts[lane]; ok {
		return fleet.Turn{Verdict: v}, nil
	}
	if m.taken[lane] {
		return fleet.Turn{}, nil
	}
	m.taken[lane] = true
	return fleet.Turn{Mine: true, Done: func(v fleet.Verdict) {
		m.set(func() {
			delete(m.taken, lane)
			if v.Reason != "" {
				m.verdicts[lane] = v
			}
		})
	}}, nil
}

var errAway = errors.New("nobody can be reached")

var _ Fleet = (*ally)(nil)
