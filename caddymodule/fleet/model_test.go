package fleet

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// step is what happens to a fleet, and then time goes by.
type step struct {
	what  string
	edge  int
	fault fault
	hold  time.Duration // the delay of a fault, or for how long an edge is suspended
	wait  bool
	then  time.Duration
}

// TestFleet has several edges ask one log while links fail, edges are suspended, and the
// log restarts without what was in it. At any moment an edge that is trusted has applied
// everything that was in the log a lease ago.
func TestFleet(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		edges := rapid.IntRange(1, 4).Draw(r, "edges")
		steps := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) step {
			return step{
				what:  rapid.SampledFrom([]string{"publish", "publish", "publish", "fault", "fault", "heal", "suspend", "late", "many", "restart"}).Draw(r, "what"),
				edge:  rapid.IntRange(0, edges-1).Draw(r, "edge"),
				fault: fault(rapid.IntRange(int(faultError), int(faultUnsaid)).Draw(r, "fault")),
				hold:  time.Duration(rapid.Int64Range(0, int64(2*lease)).Draw(r, "for")),
				wait:  rapid.Bool().Draw(r, "wait"),
				then:  time.Duration(rapid.Int64Range(0, int64(lease)).Draw(r, "then")),
			}
		}), 1, 40).Draw(r, "steps")
		f := &fleetModel{log: NewLog(keptByModel, LogLease(lease)), events: make(map[uint64]Event), found: make(map[string]bool)}
		synctest.Test(t, func(*testing.T) { f.run(edges, steps) })
		if f.err != nil {
			r.Fatal(f.err)
		}
	})
}

const keptByModel = 20

// fleetModel runs edges and knows what is in the log.
type fleetModel struct {
	members []*suspended
	calls   sync.WaitGroup

	mu        sync.Mutex
	log       *Log
	events    map[uint64]Event
	published []struct {
		generation uint64
		at         time.Time
	}
	found map[string]bool // what is in the log, by route
	tried []string        // what was published, by route
	count int
	err   error
}

// suspended is an edge under test that can be halted.
type suspended struct {
	*member
	mu    sync.Mutex
	until time.Time
	told  uint64 // the generation of what it was told last
}

func (s *suspended) halt() {
	s.mu.Lock()
	until := s.until
	s.mu.Unlock()
	time.Sleep(time.Until(until))
}

func (f *fleetModel) fail(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
}

// Ask and Publish are those of the log that is there now.
func (f *fleetModel) Ask(ctx context.Context, edge string, applied uint64, joins bool) (Heard, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.Ask(ctx, edge, applied, joins)
}

func (f *fleetModel) Publish(ctx context.Context, e Event) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	generation, err := f.log.Publish(ctx, e)
	if err == nil {
		e.Generation = generation
		f.events[generation] = e
		f.found[e.Selection.Route] = true
		f.published = append(f.published, struct {
			generation uint64
			at         time.Time
		}{generation, time.Now()})
	}
	return generation, err
}

func (f *fleetModel) join(name string) *suspended {
	s := &suspended{member: &member{link: newFaulty(f)}}
	o := s.options(name)
	o.Apply = func(e Event) {
		s.halt()
		f.mu.Lock()
		want := f.events[e.Generation]
		f.mu.Unlock()
		if e.Generation != s.told+1 || !reflect.DeepEqual(e, want) {
			f.fail("%s was told of %+v after %d; the log has %+v", name, e, s.told, want)
		}
		s.told = e.Generation
	}
	o.Lost = func(h Heard) {
		s.halt()
		s.told = h.Generation
	}
	edge, err := NewEdge(s.link, o)
	if err != nil {
		panic(err)
	}
	s.Edge = edge
	return s
}

func (f *fleetModel) run(edges int, steps []step) {
	for i := range edges {
		f.members = append(f.members, f.join(fmt.Sprintf("edge %d", i)))
	}
	f.pass(lease / 10)
	for _, s := range steps {
		f.do(s)
		f.pass(s.then)
	}
	for _, m := range f.members {
		m.link.set(faultNone, 0)
	}
	f.pass(6 * lease)
	f.calls.Wait()
	for _, m := range f.members {
		if s := m.Status(); !s.Trusted || s.Unsent != 0 || s.Applied != f.log.Generation() || s.Problem != "" {
			f.fail("%s does not come back: %+v; the log has %d", m.Name, s, f.log.Generation())
		}
		m.Close()
	}
	for _, route := range f.tried {
		if !f.found[route] {
			f.fail("%s was published, and never came into the log", route)
		}
	}
}

func (f *fleetModel) do(s step) {
	m := f.members[s.edge]
	switch s.what {
	case "publish":
		f.publish(m, s.wait)
	case "many":
		for range keptByModel + 5 { // more than the log keeps
			f.publish(m, false)
		}
	case "fault":
		m.link.set(s.fault, s.hold)
	case "heal":
		m.link.set(faultNone, 0)
	case "late": // an answer is long on its way, and then there is none
		m.link.set(faultDelay, lease/2-lease/20)
		f.pass(lease / 3)
		f.publish(f.members[(s.edge+1)%len(f.members)], false)
		f.pass(lease / 5)
		m.link.set(faultHang, 0)
	case "suspend":
		m.mu.Lock()
		m.until = time.Now().Add(s.hold)
		m.mu.Unlock()
	case "restart":
		f.mu.Lock()
		f.log = NewLog(keptByModel, LogLease(lease), LogFrom(f.log.Generation()+1000))
		f.mu.Unlock()
	}
}

func (f *fleetModel) publish(m *suspended, wait bool) {
	f.count++
	event := purgeRoute(fmt.Sprintf("r%d", f.count))
	f.tried = append(f.tried, event.Selection.Route)
	f.calls.Go(func() {
		d, err := m.Publish(context.Background(), event, wait)
		switch {
		case err != nil && !errors.Is(err, ErrUnsent):
			f.fail("publishing: %w", err)
		case err == nil && d.Confirmed+len(d.Missing) != d.Edges:
			f.fail("delivery does not add up: %+v", d)
		}
	})
}

// pass lets time go by, and looks often whether all holds.
func (f *fleetModel) pass(d time.Duration) {
	for end := time.Now().Add(d); ; time.Sleep(min(lease/37, time.Until(end))) {
		synctest.Wait()
		f.check()
		if !time.Now().Before(end) {
			return
		}
	}
}

func (f *fleetModel) check() {
	now := time.Now()
	f.mu.Lock()
	published := f.published
	f.mu.Unlock()
	for _, m := range f.members {
		if !m.Trusted(now) {
			continue
		}
		if s := m.Status(); s.Unsent > 0 {
			f.fail("%s is trusted although %d of its events are not sent", m.Name, s.Unsent)
		}
		for _, p := range published {
			if age := now.Sub(p.at); age > lease && m.Generation() < p.generation {
				f.fail("%s is trusted with %d applied; %d was in the log %s ago", m.Name, m.Generation(), p.generation, age)
			}
		}
	}
}
