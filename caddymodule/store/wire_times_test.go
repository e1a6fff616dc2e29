package store

import (
	"errors"
	"math"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

// TestWireTimes takes an object from edge to edge, whose clocks are set wrong by five minutes
// at most. On each it is as old as where it came from, and older by what is not certain
// of the log's clock.
func TestWireTimes(t *testing.T) {
	skews := rapid.Map(rapid.Int64Range(-300_000, 300_000), func(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond })
	spans := rapid.OneOf(
		rapid.Map(rapid.Int64Range(0, 5000), func(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }),
		rapid.Map(rapid.Int64Range(0, 100_000), func(s int64) time.Duration { return time.Duration(s) * time.Second }),
	)
	uncertain := rapid.Map(rapid.Int64Range(0, 3e9), func(n int64) time.Duration { return time.Duration(n) })
	rapid.Check(t, func(t *rapid.T) {
		truth := wireNow // the time that no clock says
		log := skews.Draw(t, "log")
		skew := skews.Draw(t, "first edge")
		first := &Object{
			Status: 200, Received: truth.Add(skew), InitialAge: spans.Draw(t, "initial age"),
			Expires:              truth.Add(skew + spans.Draw(t, "lifetime") - spans.Draw(t, "over")),
			StaleWhileRevalidate: spans.Draw(t, "swr"), StaleIfError: spans.Draw(t, "sie"), Keep: spans.Draw(t, "keep"),
		}
		o, at, slack := first, skew, time.Duration(0)
		for range rapid.IntRange(1, 3).Draw(t, "hops") {
			truth = truth.Add(spans.Draw(t, "until it is written"))
			below, above := uncertain.Draw(t, "below"), uncertain.Draw(t, "above")
			b := o.AppendWire(nil, truth.Add(at), truth.Add(log-below))
			truth = truth.Add(spans.Draw(t, "until it is read"))
			at, slack = skews.Draw(t, "edge"), slack+below+above
			var err error
			o, _, err = ReadWire(b, o.Key, nil, truth.Add(at), truth.Add(log+above))
			if err != nil {
				t.Fatal(err)
			}
			if !o.Requested.Equal(truth.Add(at)) {
				t.Fatalf("requested at %s, read at %s", o.Requested, truth.Add(at))
			}
			later := truth.Add(spans.Draw(t, "until it is used"))
			here, there := later.Add(at), later.Add(skew)
			if got, want := o.Age(here), first.Age(there)+slack; got != want {
				t.Fatalf("Age = %s, want %s", got, want)
			}
			if got, want := o.TTL(here), first.TTL(there)-slack; got != want {
				t.Fatalf("TTL = %s, want %s", got, want)
			}
			if o.Fresh(here) && !first.Fresh(there) {
				t.Fatal("it is fresh again")
			}
			revalidating, onError := o.MayServeStale(here)
			wasRevalidating, wasOnError := first.MayServeStale(there)
			// What was fresh and is stale here, because it may be, has its windows.
			if !first.Fresh(there) && (revalidating && !wasRevalidating || onError && !wasOnError) {
				t.Fatal("a window is open again")
			}
			if o.UsableUntil().Sub(here) != first.UsableUntil().Sub(there)-slack {
				t.Fatalf("usable for %s, want %s", o.UsableUntil().Sub(here), first.UsableUntil().Sub(there)-slack)
			}
			if got, want := o.KeptUntil(), first.KeptUntil(); o.Keep != 0 && got.Sub(here) != want.Sub(there)-slack {
				t.Fatalf("kept for %s, want %s", got.Sub(here), want.Sub(there)-slack)
			}
		}
	})
}

// TestWireClocks is about clocks that go back, stand still, or are not there.
func TestWireClocks(t *testing.T) {
	o := &Object{Status: 200, Received: wireNow.Add(-time.Second), InitialAge: time.Second, Expires: wireNow.Add(time.Minute)}
	for _, c := range []struct {
		name     string
		now      time.Time     // of the writer
		at       time.Time     // when written, and
		later    time.Duration // how much later by the log's clock when read
		age, ttl time.Duration // zero: refused
	}{
		{"at once", wireNow, wireAt, 0, 2 * time.Second, time.Minute},
		{"later", wireNow, wireAt, 10 * time.Second, 12 * time.Second, 50 * time.Second},
		{"the log's clock went back", wireNow, wireAt, -1, 0, 0},
		{"the writer's clock went back", wireNow.Add(-time.Hour), wireAt, 10 * time.Second, 11 * time.Second, 51 * time.Second},
		{"the writer did not know the log's", wireNow, time.Time{}, 0, 0, 0},
		{"after an age", wireNow, wireAt, longestAge + 1, 0, 0},
		{"after nearly an age", wireNow, wireAt, longestAge, longestAge + 2*time.Second, time.Minute - longestAge},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := o.AppendWire(nil, c.now, c.at)
			at := c.at.Add(c.later)
			if c.at.IsZero() {
				at = wireAt
			}
			got, _, err := ReadWire(b, o.Key, nil, wireNow, at)
			if c.age == 0 {
				if !errors.Is(err, ErrDamaged) {
					t.Errorf("ReadWire = %+v, %v; want ErrDamaged", got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if age, ttl := got.Age(wireNow), got.TTL(wireNow); age != c.age || ttl != c.ttl {
				t.Errorf("Age = %s, TTL = %s; want %s, %s", age, ttl, c.age, c.ttl)
			}
		})
	}
	b := o.AppendWire(nil, wireNow, wireAt)
	if got, _, err := ReadWire(b, o.Key, nil, wireNow, time.Time{}); !errors.Is(err, ErrDamaged) {
		t.Errorf("read without the log's clock: %+v, %v; want ErrDamaged", got, err)
	}
}

// TestWireEnds is about ends of freshness that are out of all proportion.
func TestWireEnds(t *testing.T) {
	for _, c := range []struct {
		name    string
		expires time.Time
		want    time.Time // an hour later
	}{
		{"none, as an index", time.Time{}, time.Time{}},
		{"centuries ago", wireNow.Add(math.MinInt64 + 1), time.Time{}},
		{"in centuries", wireNow.AddDate(200, 0, 0), wireNow.AddDate(200, 0, 0)},
		{"in millennia", wireNow.AddDate(2000, 0, 0), wireNow.Add(math.MaxInt64 - time.Hour + time.Hour)},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &Object{Status: 200, Received: wireNow, Expires: c.expires, StaleIfError: math.MaxInt64}
			b := o.AppendWire(nil, wireNow, wireAt)
			now := wireNow.Add(time.Hour)
			got, _, err := ReadWire(b, o.Key, nil, now, wireAt.Add(time.Hour))
			if err != nil || !got.Expires.Equal(c.want) {
				t.Fatalf("expires %s, %v; want %s", got.Expires, err, c.want)
			}
			if got.UsableUntil().After(o.UsableUntil()) {
				t.Errorf("usable until %s, and was until %s", got.UsableUntil(), o.UsableUntil())
			}
		})
	}
}

// TestWireAfterSleep: the monotonic clock, by which a process subtracts times, stands
// still while the machine sleeps. The object does not.
func TestWireAfterSleep(t *testing.T) {
	received := time.Now()
	now := received.Add(time.Hour)
	monotonic := (*int64)(unsafe.Add(unsafe.Pointer(&now), 8)) // time.Time.ext
	*monotonic -= int64(time.Hour)
	if now.Sub(received) != 0 || now.Round(0).Sub(received.Round(0)) != time.Hour {
		t.Fatalf("the test does not know how a time is made: %s", now.Sub(received))
	}
	o := &Object{Status: 200, Received: received, Expires: received.Add(2 * time.Hour)}
	got, _, err := ReadWire(o.AppendWire(nil, now, wireAt), o.Key, nil, wireNow, wireAt)
	if err != nil {
		t.Fatal(err)
	}
	if age, ttl := got.Age(wireNow), got.TTL(wireNow); age != time.Hour || ttl != time.Hour {
		t.Errorf("Age = %s, TTL = %s; want an hour each", age, ttl)
	}
}
