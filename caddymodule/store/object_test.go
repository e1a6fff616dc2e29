package store_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/store"
)

func TestObjectTimes(t *testing.T) {
	received := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, c := range []struct {
		name       string
		at         time.Duration // since it was received
		initialAge time.Duration
		swr, sie   time.Duration
		age, ttl   time.Duration
		fresh      bool
		usableFor  time.Duration // since it was received
	}{
		{"new", 0, 0, 0, 0, 0, time.Minute, true, time.Minute},
		{"it had an age when it came", 0, 20 * time.Second, 0, 0, 20 * time.Second, time.Minute, true, time.Minute},
		{"it ages", 5 * time.Second, 20 * time.Second, 0, 0, 25 * time.Second, 55 * time.Second, true, time.Minute},
		{"the last moment", time.Minute - 1, 0, 0, 0, time.Minute - 1, 1, true, time.Minute},
		{"the end", time.Minute, 0, 0, 0, time.Minute, 0, false, time.Minute},
		{"stale", 90 * time.Second, 0, time.Second, time.Hour, 90 * time.Second, -30 * time.Second, false, time.Minute + time.Hour},
		{"the longer window counts", 0, 0, time.Hour, time.Second, 0, time.Minute, true, time.Minute + time.Hour},
		{"a negative window is none", 0, 0, -time.Hour, -time.Hour, 0, time.Minute, true, time.Minute},
		{"the clock went back", -time.Hour, 20 * time.Second, 0, 0, 20 * time.Second, time.Hour + time.Minute, true, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &store.Object{
				Received: received, InitialAge: c.initialAge, Expires: received.Add(time.Minute),
				StaleWhileRevalidate: c.swr, StaleIfError: c.sie,
			}
			now := received.Add(c.at)
			if got := o.Age(now); got != c.age {
				t.Errorf("Age = %s, want %s", got, c.age)
			}
			if got := o.TTL(now); got != c.ttl {
				t.Errorf("TTL = %s, want %s", got, c.ttl)
			}
			if got := o.Fresh(now); got != c.fresh {
				t.Errorf("Fresh = %t, want %t", got, c.fresh)
			}
			if got := o.UsableUntil().Sub(received); got != c.usableFor {
				t.Errorf("UsableUntil = %s after it was received, want %s", got, c.usableFor)
			}
		})
	}
}

// TestSizeCountsEveryByte: each byte that is kept counts at least once, spare
// capacity included, so that no shape of object slips under the bound.
func TestSizeCountsEveryByte(t *testing.T) {
	text := rapid.StringN(0, 40, 200)
	rapid.Check(t, func(t *rapid.T) {
		body := make([]byte, rapid.IntRange(0, 100).Draw(t, "len"), 100+rapid.IntRange(0, 1000).Draw(t, "cap"))
		o := &store.Object{
			Parts: text.Draw(t, "parts"), ID: text.Draw(t, "id"), Route: text.Draw(t, "route"), Body: body,
			Header: rapid.SliceOf(rapid.Custom(func(t *rapid.T) store.Field {
				return store.Field{Name: text.Draw(t, "name"), Value: text.Draw(t, "value")}
			})).Draw(t, "header"),
		}
		least := int64(len(o.Parts) + len(o.ID) + len(o.Route) + cap(o.Body))
		for _, f := range o.Header {
			least += int64(len(f.Name)+len(f.Value)) + 32 // two string headers
		}
		if got := o.Size(); got <= least {
			t.Fatalf("Size = %d, no more than the %d bytes of its contents", got, least)
		}
	})
}

func TestNewIDSortsByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ids := make([]string, 100)
		for i := range ids {
			ids[i] = store.NewID()
			if i%10 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		if !slices.IsSorted(ids) {
			t.Error("later IDs sort before earlier ones")
		}
		if n := len(slices.Compact(ids)); n != 100 {
			t.Errorf("%d of 100 IDs are different", n)
		}
	})
}
