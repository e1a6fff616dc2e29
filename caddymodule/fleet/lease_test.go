package fleet

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestLeaseCountsFromTheQuestion: an answer that was long on its way grants what is left.
func TestLeaseCountsFromTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := newFaulty(NewLog(10))
		link.set(faultDelay, lease/3)
		m := &member{link: link}
		began := time.Now()
		e, err := NewEdge(link, m.options("a"))
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		time.Sleep(lease/3 + 1)
		synctest.Wait()
		if !e.Trusted(time.Now()) {
			t.Fatal("not trusted")
		}
		link.set(faultError, 0)
		// Another question was sent when the first answer came, and is answered as well.
		time.Sleep(time.Until(began.Add(lease/3 + lease - lease/100)))
		if !e.Trusted(time.Now()) {
			t.Error("trust ends before the lease")
		}
		time.Sleep(time.Until(began.Add(lease/3 + lease)))
		if e.Trusted(time.Now()) {
			t.Error("the lease counts from the answer")
		}
	})
}

// TestSlowApplyExtendsNothing: what was asked for in time and is applied late.
func TestSlowApplyExtendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := NewLog(10)
		m := &member{link: newFaulty(log)}
		o := m.options("a")
		o.Apply = func(Event) { time.Sleep(2 * lease) }
		e, err := NewEdge(m.link, o)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		synctest.Wait()
		if _, err := log.Publish(t.Context(), purgeAll()); err != nil {
			t.Fatal(err)
		}
		published := time.Now()
		for time.Since(published) < 2*lease+lease/4 {
			time.Sleep(lease / 50)
			synctest.Wait()
			if e.Trusted(time.Now()) && e.Generation() < 1 && time.Since(published) > lease {
				t.Fatalf("trusted %s after an event that is not applied", time.Since(published))
			}
		}
		if time.Sleep(lease); !e.Trusted(time.Now()) || e.Generation() != 1 {
			t.Error("it does not come back")
		}
	})
}

// TestClocks has the clocks of the machine disagree: it is suspended, or someone sets the
// wall clock.
func TestClocks(t *testing.T) {
	at := func(mono, wall time.Duration) moment {
		return moment{mono: time.Hour + mono, wall: int64(time.Hour) + int64(wall)}
	}
	l := leased{length: time.Second}
	for _, c := range []struct {
		name       string
		mono, wall time.Duration
		holds      bool
	}{
		{"at once", 0, 0, true},
		{"before it ends", 998 * time.Millisecond, 998 * time.Millisecond, true},
		{"with a slow clock", 999500 * time.Microsecond, 999500 * time.Microsecond, false},
		{"at the end", time.Second, time.Second, false},
		{"suspended", 10 * time.Millisecond, time.Minute, false},
		{"wall clock set forward", 10 * time.Millisecond, time.Second, false},
		{"wall clock set back a little", 20 * time.Millisecond, 10 * time.Millisecond, true},
		{"wall clock set back", 10 * time.Millisecond, -time.Minute, false},
		{"wall clock set back, and the time is over", time.Second, 0, false},
	} {
		if holds := l.left(at(0, 0), at(c.mono, c.wall)) > 0; holds != c.holds {
			t.Errorf("%s: holds %v; %v was expected", c.name, holds, c.holds)
		}
	}

	log := time.Now()
	r := reading{log: log, sent: at(0, 0), received: at(time.Second, time.Second)}
	for _, c := range []struct {
		name             string
		mono, wall       time.Duration
		earliest, latest time.Duration
	}{
		{"at once", time.Second, time.Second, 0, 1001 * time.Millisecond},
		{"later", 2 * time.Second, 2 * time.Second, 999 * time.Millisecond, 2002 * time.Millisecond},
		{"suspended", 2 * time.Second, 11 * time.Second, 999 * time.Millisecond, 11011 * time.Millisecond},
		{"wall clock set back", 2 * time.Second, -time.Hour, 0, 2002 * time.Millisecond},
	} {
		earliest, latest := r.at(at(c.mono, c.wall))
		if earliest.Sub(log) != c.earliest || latest.Sub(log) != c.latest {
			t.Errorf("%s: between %s and %s; %s and %s were expected", c.name, earliest.Sub(log), latest.Sub(log), c.earliest, c.latest)
		}
	}
}

func TestClockOfTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := newFaulty(NewLog(10))
		link.alter(func(h *Heard) { h.Now = h.Now.Add(-5 * time.Minute) })
		link.set(faultDelay, 20*time.Millisecond)
		m := &member{link: link}
		e, err := NewEdge(link, m.options("a"))
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if _, _, known := e.Clock(time.Now()); known {
			t.Error("the log's clock is known before it was heard")
		}
		for range 100 {
			time.Sleep(31 * time.Millisecond)
			synctest.Wait()
			now := time.Now()
			earliest, latest, known := e.Clock(now)
			there := now.Add(-5 * time.Minute)
			if !known || earliest.After(there) || latest.Before(there) || latest.Sub(earliest) > 25*time.Millisecond {
				t.Fatalf("%v: the log's clock is between %s and %s, and is %s", known, earliest, latest, there)
			}
		}
	})
}
