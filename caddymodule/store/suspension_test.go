package store

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func newSuspensions(tb testing.TB) *Suspensions {
	tb.Helper()
	s, err := NewSuspensions(3, time.Minute)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// diverge counts n divergences and fails if any of them suspends the route.
func diverge(t *testing.T, s *Suspensions, route string, n int) {
	t.Helper()
	for i := range n {
		if s.Diverged(route) {
			t.Fatalf("%s was suspended by divergence %d of %d", route, i+1, n)
		}
		if s.Suspended(route) {
			t.Fatalf("%s is suspended after divergence %d of %d", route, i+1, n)
		}
	}
}

func TestSuspension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSuspensions(t)
		if s.Suspended("a") {
			t.Fatal("a route is suspended from the start")
		}
		for round := range 3 {
			diverge(t, s, "a", 2)
			if !s.Diverged("a") {
				t.Fatalf("round %d: the third divergence did not suspend the route", round)
			}
			time.Sleep(time.Minute - time.Nanosecond)
			if !s.Suspended("a") {
				t.Fatalf("round %d: the suspension ended early", round)
			}
			if s.Suspended("b") {
				t.Fatalf("round %d: another route is suspended as well", round)
			}
			time.Sleep(time.Nanosecond)
			if s.Suspended("a") {
				t.Fatalf("round %d: the suspension did not end", round)
			}
			// Counting starts anew with the next round.
		}
	})
}

func TestAdmissionStartsCountingAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSuspensions(t)
		for range 5 {
			diverge(t, s, "a", 2)
			s.Admitted("a")
		}
		s.Admitted("never seen")
		diverge(t, s, "a", 2)
		s.Admitted("b")
		if !s.Diverged("a") {
			t.Error("another route's admission was counted")
		}
	})
}

// TestSuspensionRunsItsTime: what was under way when the route was suspended
// neither prolongs nor ends it, nor counts afterwards.
func TestSuspensionRunsItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSuspensions(t)
		diverge(t, s, "a", 2)
		s.Diverged("a")
		time.Sleep(30 * time.Second)
		for range 10 {
			if s.Diverged("a") {
				t.Fatal("a suspended route was suspended again")
			}
		}
		s.Admitted("a")
		if !s.Suspended("a") {
			t.Fatal("an admission ended the suspension")
		}
		time.Sleep(30 * time.Second)
		if s.Suspended("a") {
			t.Fatal("divergences prolonged the suspension")
		}
		diverge(t, s, "a", 2)
	})
}

func TestSuspensionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSuspensions(t)
		s.limit = 10
		for i := range 100 {
			route := fmt.Sprint(i)
			for range 3 {
				s.Diverged(route)
			}
			if !s.Suspended(route) {
				t.Fatalf("route %d is not suspended", i)
			}
			if n := len(s.routes); n > s.limit {
				t.Fatalf("%d routes are held, more than %d", n, s.limit)
			}
		}
		// Suspensions that are over go first.
		time.Sleep(time.Minute)
		s.Diverged("new")
		if n := len(s.routes); n != 1 {
			t.Errorf("%d routes are held, want the new one", n)
		}
	})
}

func TestSuspensionsInParallel(t *testing.T) {
	s := newSuspensions(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	suspended := 0
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if s.Diverged("a") {
					mu.Lock()
					suspended++
					mu.Unlock()
				}
				s.Suspended("a")
				s.Admitted("b")
			}
		})
	}
	wg.Wait()
	if suspended != 1 {
		t.Errorf("%d goroutines were told that they suspended the route, want 1", suspended)
	}
}

func TestNewSuspensionsRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		after  int
		length time.Duration
	}{
		{"no divergences", 0, time.Minute},
		{"negative divergences", -1, time.Minute},
		{"no length", 8, 0},
		{"negative length", 8, -time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := NewSuspensions(c.after, c.length); err == nil {
				t.Error("it was accepted")
			}
		})
	}
}

// TestSuspensionsLast: it tells of the divergence that suspends before it comes.
func TestSuspensionsLast(t *testing.T) {
	s, err := NewSuspensions(3, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, false, true, false} {
		if got := s.Last("route"); got != want {
			t.Errorf("after %d divergences: %v", i, got)
		}
		s.Diverged("route")
	}
}

// TestSuspectedNeverSuspends: what visitors may have made counts, but for the last.
func TestSuspectedNeverSuspends(t *testing.T) {
	s, err := NewSuspensions(3, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		s.Suspected("route")
		if s.Suspended("route") {
			t.Fatal("suspended by suspicion alone")
		}
	}
	if !s.Last("route") || !s.Diverged("route") || !s.Suspended("route") {
		t.Error("the one that was proved did not suspend it")
	}
}

func TestSuspensionsAreCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSuspensions(t)
		suspend := func() {
			for _, route := range []string{"a", "b"} {
				diverge(t, s, route, 2)
				s.Diverged(route)
			}
			diverge(t, s, "c", 2)
		}
		suspend()
		s.Clear()
		for _, route := range []string{"a", "b", "c"} {
			if s.Suspended(route) || s.Last(route) {
				t.Errorf("%s is remembered", route)
			}
		}
		suspend()
	})
}
