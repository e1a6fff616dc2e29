package fleet

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store"
)

func TestEdgesHearOfEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := NewLog(100)
		a, b := join(t, "a", log), join(t, "b", log)
		defer a.Close()
		defer b.Close()
		log.Watch(b.Wake)
		synctest.Wait()
		for _, m := range []*member{a, b} {
			if !m.Trusted(time.Now()) {
				t.Fatalf("%s is not trusted although it has heard: %+v", m.Name, m.Status())
			}
			if lost := m.losses(); len(lost) != 1 {
				t.Fatalf("%s was told %d times that it has lost", m.Name, len(lost))
			}
		}
		d, err := a.Publish(t.Context(), purgeRoute("landing"), true)
		if err != nil {
			t.Fatal(err)
		}
		if d.Generation != 1 || d.Edges != 2 || d.Confirmed != 2 || d.Missing != nil || d.Silent != nil {
			t.Errorf("delivery: %+v", d)
		}
		if d.Took > 50 {
			t.Errorf("it took %v ms although everybody is there", d.Took)
		}
		for _, m := range []*member{a, b} {
			events := m.events()
			if len(events) != 1 || events[0].Edge != "a" || events[0].Generation != 1 || events[0].Selection.Route != "landing" {
				t.Errorf("%s has applied %+v", m.Name, events)
			}
			if m.Generation() != 1 {
				t.Errorf("%s: generation %d", m.Name, m.Generation())
			}
		}
	})
}

// TestTrustEndsWithTheLease has each kind of fault last: trust ends when a lease is over
// since the last question that was answered was sent, and no sooner.
func TestTrustEndsWithTheLease(t *testing.T) {
	for name, f := range map[string]fault{"error": faultError, "hang": faultHang, "unsaid": faultUnsaid, "delay": faultDelay} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := join(t, "a", NewLog(10))
				defer m.Close()
				synctest.Wait()
				began := time.Now()
				m.link.set(f, 10*lease)
				time.Sleep(lease - 5*time.Millisecond)
				if !m.Trusted(time.Now()) {
					t.Error("trust ends before the lease")
				}
				time.Sleep(5 * time.Millisecond)
				if m.Trusted(time.Now()) {
					t.Errorf("it is trusted %s after the log was last heard", time.Since(began))
				}
				time.Sleep(5 * time.Millisecond)
				synctest.Wait()
				if s := m.Status(); s.Lapses != 1 {
					t.Errorf("nobody was told that trust has ended: %+v", s)
				}
				time.Sleep(2 * lease)
				s := m.Status()
				if s.Trusted || s.Problem == "" || s.Lapses != 1 || s.Partitioned < lease || s.Heard < 2*lease {
					t.Errorf("status: %+v", s)
				}
				m.link.set(faultNone, 0)
				time.Sleep(lease)
				synctest.Wait()
				if s = m.Status(); !s.Trusted || s.Problem != "" || s.Partitioned > 4*lease {
					t.Errorf("it does not come back: %+v", s)
				}
				m.mu.Lock()
				defer m.mu.Unlock()
				if !slices.Equal(m.changed, []bool{true, false, true}) || m.why[1] == "" || m.why[2] != "" {
					t.Errorf("told of %v, because of %q", m.changed, m.why)
				}
			})
		})
	}
}

func TestBehindWhatIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := NewLog(4)
		m := join(t, "a", log)
		defer m.Close()
		synctest.Wait()
		publish := func(events ...Event) {
			for _, e := range events {
				if _, err := log.Publish(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
		}
		m.link.set(faultHang, 0)
		time.Sleep(lease)
		publish(tripped("x"), tripped("y"), resetOf("x"), purgeRoute("z"))
		m.link.set(faultNone, 0)
		time.Sleep(lease)
		if n := len(m.losses()); n != 1 || m.Generation() != 4 || len(m.events()) != 4 {
			t.Fatalf("as far behind as is kept: lost %d times, generation %d", n, m.Generation())
		}
		m.link.set(faultHang, 0)
		time.Sleep(lease)
		publish(purgeRoute("z"), purgeRoute("z"), purgeRoute("z"), purgeRoute("w"), tripped("v"))
		m.link.set(faultNone, 0)
		time.Sleep(lease)
		lost := m.losses()
		if len(lost) != 2 || m.Generation() != 9 || len(m.events()) != 4 {
			t.Fatalf("further behind: lost %d times, generation %d", len(lost), m.Generation())
		}
		h := lost[1]
		if len(h.Purges) != 5 || h.Floor != 0 || len(h.Trips) != 2 || h.Trips[0].Route != "y" || h.Trips[1].Route != "v" {
			t.Errorf("told %+v", h)
		}
		if !m.Trusted(time.Now()) {
			t.Error("it does not come back")
		}
	})
}

// TestManyEventsAtOnce has more events wait than the log gives at once.
func TestManyEventsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := NewLog(10_000)
		m := join(t, "a", log)
		defer m.Close()
		synctest.Wait()
		m.link.set(faultHang, 0)
		time.Sleep(lease)
		const many = 3*MaxAnswer + 7
		for range many {
			if _, err := log.Publish(t.Context(), purgeRoute("r")); err != nil {
				t.Fatal(err)
			}
		}
		m.link.set(faultNone, 0)
		time.Sleep(lease)
		if m.Generation() != many || len(m.events()) != many || !m.Trusted(time.Now()) || len(m.losses()) != 1 {
			t.Errorf("generation %d after %d events", m.Generation(), many)
		}
	})
}

// TestPartOfWhatIsNew: an edge that has heard some of the events and then nothing more.
func TestPartOfWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := NewLog(10_000)
		m := join(t, "a", log)
		defer m.Close()
		synctest.Wait()
		m.link.set(faultHang, 0)
		time.Sleep(2 * lease)
		for range MaxAnswer + 1 {
			if _, err := log.Publish(t.Context(), purgeRoute("r")); err != nil {
				t.Fatal(err)
			}
		}
		m.link.alter(func(h *Heard) {
			if h.Generation > MaxAnswer {
				m.link.set(faultHang, 0)
			}
		})
		m.link.set(faultNone, 0)
		for range 20 {
			time.Sleep(lease / 20)
			synctest.Wait()
			if m.Trusted(time.Now()) {
				t.Fatalf("trusted with %d of %d events applied", m.Generation(), MaxAnswer+1)
			}
		}
		if m.Generation() != MaxAnswer {
			t.Errorf("generation %d", m.Generation())
		}
	})
}

// TestLogThatMakesNoSense has the log say what it must not. Nothing of it is applied or
// trusted, and what is stored is dropped once the log can be made out.
func TestLogThatMakesNoSense(t *testing.T) {
	for name, change := range map[string]func(*Heard){
		"a gap": func(h *Heard) {
			h.Generation = 7
			h.Events = []Event{{Generation: 6, Kind: KindPurge}, {Generation: 7, Kind: KindPurge}}
		},
		"the events are missing": func(h *Heard) { h.Generation, h.Events = 7, nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := join(t, "a", NewLog(10))
				defer m.Close()
				synctest.Wait()
				nonsense := func(h *Heard) { h.Lost = false; change(h) }
				m.link.alter(nonsense)
				time.Sleep(lease / 4)
				synctest.Wait()
				if m.Trusted(time.Now()) {
					t.Error("it is trusted although something has happened that is not known")
				}
				time.Sleep(2 * lease)
				if len(m.events()) > 0 || m.Generation() != 0 {
					t.Errorf("applied %+v", m.events())
				}
				m.link.alter(nil)
				time.Sleep(lease)
				if !m.Trusted(time.Now()) || len(m.losses()) != 2 {
					t.Errorf("it does not come back: %+v, lost %d times", m.Status(), len(m.losses()))
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		link := newFaulty(NewLog(10))
		link.alter(func(h *Heard) { h.Lost = false })
		m := &member{link: link}
		e, err := NewEdge(link, m.options("a"))
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		for range 20 {
			time.Sleep(lease / 10)
			if e.Trusted(time.Now()) {
				t.Fatal("trusted without having joined")
			}
		}
	})
}

// TestEventsThatAreKnown has the log give what was applied once more.
func TestEventsThatAreKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := NewLog(10)
		m := join(t, "a", log)
		defer m.Close()
		synctest.Wait()
		m.link.alter(func(h *Heard) {
			if !h.Lost {
				again, _ := log.Ask(t.Context(), "b", 0, false)
				h.Events = again.Events
			}
		})
		for range 3 {
			if _, err := m.Publish(t.Context(), purgeRoute("r"), true); err != nil {
				t.Fatal(err)
			}
		}
		if len(m.events()) != 3 || len(m.losses()) != 1 || !m.Trusted(time.Now()) {
			t.Errorf("applied %d events, lost %d times: %+v", len(m.events()), len(m.losses()), m.Status())
		}
	})
}

// TestLogThatRegressed has another log in the place of the first, with less in it.
func TestLogThatRegressed(t *testing.T) {
	t.Run("and says so", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			log := NewLog(10)
			m := join(t, "a", log)
			defer m.Close()
			for range 5 {
				if _, err := m.Publish(t.Context(), purgeRoute("r"), true); err != nil {
					t.Fatal(err)
				}
			}
			m.link.lead(NewLog(10))
			time.Sleep(lease)
			events := m.events()
			last := events[len(events)-1]
			if m.Generation() != 6 || !last.Selection.All || !last.Afresh || !m.Trusted(time.Now()) {
				t.Errorf("generation %d, last applied %+v", m.Generation(), last)
			}
		})
	})
	t.Run("and does not", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			log := NewLog(10)
			m, other := join(t, "a", log), join(t, "b", log)
			defer m.Close()
			defer other.Close()
			for range 5 {
				if _, err := m.Publish(t.Context(), purgeRoute("r"), true); err != nil {
					t.Fatal(err)
				}
			}
			old := &store.Object{Route: "x", Generation: 5}
			if !m.Known(old) {
				t.Fatal("an object of now is not known")
			}
			less := NewLog(10)
			for range 2 {
				if _, err := less.Publish(t.Context(), purgeRoute("s")); err != nil {
					t.Fatal(err)
				}
			}
			link := silent{less}
			m.link.lead(link)
			other.link.lead(link)
			time.Sleep(2 * lease)
			for _, m := range []*member{m, other} {
				if len(m.losses()) != 2 {
					t.Errorf("%s has lost %d times", m.Name, len(m.losses()))
				}
				if !m.Trusted(time.Now()) || m.Status().Unsent != 0 {
					t.Errorf("%s does not come back: %+v", m.Name, m.Status())
				}
				if m.Known(old) {
					t.Errorf("%s takes an object whose generation another event may have", m.Name)
				}
			}
			h, _ := less.Ask(t.Context(), "c", 2, false)
			if len(h.Events) == 0 || !h.Events[0].Selection.All || !h.Events[0].Afresh {
				t.Errorf("published: %+v", h.Events)
			}
		})
	})
}

// silent is a log that does not notice who knows of more than it has.
type silent struct{ *Log }

func (s silent) Ask(ctx context.Context, edge string, applied uint64, joins bool) (Heard, error) {
	if last := s.Generation(); !joins && applied > last {
		return Heard{Generation: last, Now: time.Now()}, ctx.Err()
	}
	return s.Log.Ask(ctx, edge, applied, joins)
}

func TestOptions(t *testing.T) {
	m := &member{}
	for name, wrong := range map[string]func(*Options){
		"no name":        func(o *Options) { o.Name = "" },
		"a short lease":  func(o *Options) { o.Lease = MinLease - 1 },
		"nobody to tell": func(o *Options) { o.Apply = nil },
		"nobody to warn": func(o *Options) { o.Lost = nil },
	} {
		o := m.options("a")
		wrong(&o)
		if e, err := NewEdge(NewLog(1), o); err == nil {
			e.Close()
			t.Errorf("%s is taken", name)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q", name, err)
		}
	}
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails where a goroutine is left
		log := NewLog(10)
		m := join(t, "a", log)
		synctest.Wait()
		m.link.set(faultHang, 0)
		time.Sleep(lease / 2)
		done := make(chan error)
		go func() {
			_, err := m.Publish(context.Background(), purgeAll(), true)
			done <- err
		}()
		synctest.Wait()
		m.Close()
		m.Close()
		if err := <-done; err == nil {
			t.Error("published although the edge is closed")
		}
		if m.Trusted(time.Now()) {
			t.Error("a closed edge is trusted")
		}
		if _, err := m.Publish(t.Context(), purgeAll(), false); !errors.Is(err, ErrClosed) {
			t.Errorf("publishing: %v", err)
		}
		if s := m.Status(); s.Trusted {
			t.Errorf("status: %+v", s)
		}
	})
}
