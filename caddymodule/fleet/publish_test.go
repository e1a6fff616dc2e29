package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store"
)

// TestDelivery has one of three edges confirm, one hang and one be silent.
func TestDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := NewLog(100, LogLease(lease))
		a, b, c := join(t, "a", log), join(t, "b", log), join(t, "c", log)
		defer a.Close()
		defer b.Close()
		defer c.Close()
		synctest.Wait()

		c.link.set(faultHang, 0)
		time.Sleep(lease / 3)
		start := time.Now()
		d, err := a.Publish(t.Context(), purgeRoute("x"), true)
		if err != nil || d.Edges != 3 || d.Confirmed != 2 || !slices.Equal(d.Missing, []string{"c"}) {
			t.Errorf("%+v, %v", d, err)
		}
		if !slices.Equal(d.Silent, []string{"c"}) || time.Since(start) > lease {
			t.Errorf("%+v after %s; it was expected to end when c has been silent for a lease", d, time.Since(start))
		}
		if c.Trusted(time.Now()) {
			t.Error("the silent edge is trusted")
		}

		start = time.Now()
		if d, err = a.Publish(t.Context(), purgeRoute("x"), true); err != nil || d.Confirmed != 2 || len(d.Silent) != 1 || time.Since(start) > lease/2 {
			t.Errorf("%+v, %v after %s", d, err, time.Since(start))
		}

		start = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), lease/100)
		defer cancel()
		if d, err = a.Publish(ctx, purgeRoute("x"), true); err != nil || time.Since(start) > lease/100 || d.Generation != 3 {
			t.Errorf("%+v, %v after %s; it was to end with its context", d, err, time.Since(start))
		}

		start = time.Now()
		if d, err = a.Publish(t.Context(), purgeRoute("x"), false); err != nil || time.Since(start) > 0 || d.Generation != 4 {
			t.Errorf("%+v, %v after %s; it was not to wait", d, err, time.Since(start))
		}

		time.Sleep(memberLeases * lease)
		if d, err = a.Publish(t.Context(), purgeRoute("x"), true); err != nil || d.Edges != 2 || d.Confirmed != 2 {
			t.Errorf("%+v, %v; the edge that left was expected to be forgotten", d, err)
		}
	})
}

// TestDeliveryToASlowEdge: it asks, so that it is not silent, and does not get on.
func TestDeliveryToASlowEdge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := NewLog(100)
		a := join(t, "a", log)
		defer a.Close()
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(lease / 10):
					_, _ = log.Ask(t.Context(), "b", 0, false)
				}
			}
		}()
		time.Sleep(lease)
		start := time.Now()
		d, err := a.Publish(t.Context(), purgeAll(), true)
		if err != nil || d.Edges != 2 || d.Confirmed != 1 || !slices.Equal(d.Missing, []string{"b"}) || d.Silent != nil {
			t.Errorf("%+v, %v", d, err)
		}
		if took := time.Since(start); took != lease {
			t.Errorf("it took %s; a lease was expected", took)
		}
	})
}

// TestUnsent has events wait for the log, in their order, and trust until they are out.
func TestUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := NewLog(100)
		a, b := join(t, "a", log), join(t, "b", log)
		defer a.Close()
		defer b.Close()
		synctest.Wait()
		a.link.set(faultError, 0)
		for _, e := range []Event{tripped("r"), purgeRoute("r"), resetOf("r")} {
			if _, err := a.Publish(t.Context(), e, true); !errors.Is(err, ErrUnsent) {
				t.Fatalf("published: %v", err)
			}
			if a.Trusted(time.Now()) {
				t.Error("it is trusted although its event is not out")
			}
		}
		if s := a.Status(); s.Unsent != 3 || s.Problem == "" {
			t.Errorf("status: %+v", s)
		}
		if !b.Trusted(time.Now()) {
			t.Error("the other edge is not trusted")
		}
		a.link.set(faultNone, 0)
		time.Sleep(lease)
		for _, m := range []*member{a, b} {
			var kinds []Kind
			for _, e := range m.events() {
				kinds = append(kinds, e.Kind)
			}
			if !slices.Equal(kinds, []Kind{KindTrip, KindPurge, KindReset}) || !m.Trusted(time.Now()) {
				t.Errorf("%s was told of %v", m.Name, kinds)
			}
		}
	})
}

// TestUnsentComesFirst: what is published once the log can be reached again does not
// overtake what waits.
func TestUnsentComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := join(t, "a", NewLog(10))
		defer m.Close()
		synctest.Wait()
		m.link.set(faultError, 0)
		if _, err := m.Publish(t.Context(), tripped("r"), true); !errors.Is(err, ErrUnsent) {
			t.Fatalf("published: %v", err)
		}
		synctest.Wait()
		m.link.set(faultNone, 0)
		if d, err := m.Publish(t.Context(), resetOf("r"), true); err != nil || d.Generation != 2 || d.Confirmed != 1 {
			t.Errorf("%+v, %v", d, err)
		}
		if e := m.events(); len(e) != 2 || e[0].Kind != KindTrip || e[1].Kind != KindReset {
			t.Errorf("applied %+v", e)
		}
	})
}

// TestUnsentWhileTheLogAnswers: the log takes no events, as one does that may only be read.
func TestUnsentWhileTheLogAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := NewLog(100)
		link := &readOnly{Log: log}
		m := &member{}
		e, err := NewEdge(link, m.options("a"))
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		synctest.Wait()
		link.refuse.Store(true)
		if _, err := e.Publish(t.Context(), purgeAll(), true); !errors.Is(err, ErrUnsent) {
			t.Fatalf("published: %v", err)
		}
		if _, err := log.Publish(t.Context(), purgeRoute("x")); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			time.Sleep(lease / 5)
			if e.Trusted(time.Now()) {
				t.Fatal("it is trusted although its event is not out")
			}
		}
		if e.Generation() != 1 {
			t.Error("it does not apply what the others publish")
		}
		link.refuse.Store(false)
		time.Sleep(lease)
		if !e.Trusted(time.Now()) || e.Generation() != 2 {
			t.Errorf("it does not come back: %+v", e.Status())
		}
	})
}

// TestUnsentIsBounded has more events wait than are kept: nothing is forgotten that would
// have something served.
func TestUnsentIsBounded(t *testing.T) {
	for name, trips := range map[string]int{"purges": 3, "trips of many routes": 3 * MaxUnsent} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := NewLog(10_000)
				a, b := join(t, "a", log), join(t, "b", log)
				defer a.Close()
				defer b.Close()
				synctest.Wait()
				a.link.set(faultError, 0)
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				for i := range trips {
					_, _ = a.Publish(ctx, tripped(fmt.Sprintf("t%d", i)), false)
				}
				_, _ = a.Publish(ctx, resetOf("t0"), false)
				for i := range 2 * MaxUnsent {
					_, _ = a.Publish(ctx, purgeRoute(fmt.Sprintf("p%d", i)), false)
				}
				if s := a.Status(); s.Unsent > MaxUnsent || s.Unsent == 0 {
					t.Errorf("%d events are kept", s.Unsent)
				}
				a.link.set(faultNone, 0)
				time.Sleep(2 * lease)
				purged, in := false, make(map[string]bool)
				for _, e := range b.events() {
					purged = purged || e.Kind == KindPurge && e.Selection.All && e.Afresh
					switch e.Kind {
					case KindTrip:
						in[e.Trip.Route] = true
					case KindReset:
						delete(in, e.Trip.Route)
					}
				}
				if !purged {
					t.Error("purges were forgotten")
				}
				for i := 1; i < trips; i++ {
					if route := fmt.Sprintf("t%d", i); !in[route] && !in[""] {
						t.Fatalf("the trip of %s was forgotten", route)
					}
				}
				if trips < MaxUnsent && (in["t0"] || in[""]) {
					t.Error("the reset was forgotten")
				}
				if !a.Trusted(time.Now()) {
					t.Errorf("it does not come back: %+v", a.Status())
				}
			})
		})
	}
}

func TestPublishRefusesWhatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := join(t, "a", NewLog(10))
		defer m.Close()
		synctest.Wait()
		for _, e := range []Event{
			{},
			{Kind: "burn", Selection: store.Selection{All: true}},
			{Kind: KindPurge},
			{Kind: KindPurge, Selection: store.Selection{All: true, Route: "x"}},
			{Kind: KindInvalidate, Selection: store.Selection{All: true}},
		} {
			if _, err := m.Publish(t.Context(), e, true); err == nil || errors.Is(err, ErrUnsent) {
				t.Errorf("%+v: %v", e, err)
			}
		}
		if s := m.Status(); s.Unsent != 0 || !s.Trusted || s.Generation != 0 {
			t.Errorf("status: %+v", s)
		}
	})
}
