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

// TestObjectReuse follows what directives forbid and what validators allow.
func TestObjectReuse(t *testing.T) {
	expires := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	windows := store.Object{Received: expires, Expires: expires, StaleWhileRevalidate: time.Minute, StaleIfError: time.Hour}
	noCache, neverStale, kept, keptBriefly := windows, windows, windows, windows
	noCache.NoCache, neverStale.NeverStale = true, true
	kept.Keep, keptBriefly.Keep = 2*time.Hour, time.Second
	keptForValidation := noCache
	keptForValidation.Keep = time.Second
	for _, c := range []struct {
		name                         string
		object                       store.Object
		at                           time.Duration // since it expired
		fresh, revalidating, onError bool
		usable                       time.Duration // since it expired
	}{
		{"RFC 5861: fresh", windows, -1, true, false, false, time.Hour},
		{"RFC 5861: stale", windows, 0, false, true, true, time.Hour},
		{"RFC 5861 §3: the last moment", windows, time.Minute - 1, false, true, true, time.Hour},
		{"RFC 5861 §3: the window is over", windows, time.Minute, false, false, true, time.Hour},
		{"RFC 5861 §4: the window is over", windows, time.Hour, false, false, false, time.Hour},
		{"no windows", store.Object{Expires: expires}, 0, false, false, false, 0},
		{"RFC 9111 §5.2.2.4: no-cache, in its lifetime", noCache, -1, false, false, false, 0},
		{"RFC 9111 §5.2.2.4: no-cache, stale", noCache, 0, false, false, false, 0},
		{"RFC 9111 §4.3: no-cache, with validators", keptForValidation, 0, false, false, false, time.Second},
		{"RFC 9111 §4.2.4: never stale, fresh", neverStale, -1, true, false, false, 0},
		{"RFC 9111 §4.2.4: never stale", neverStale, 0, false, false, false, 0},
		{"RFC 9111 §4.3: kept for its validators", kept, time.Hour, false, false, false, 2 * time.Hour},
		{"the window is longer", keptBriefly, 0, false, true, true, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := expires.Add(c.at)
			if got := c.object.Fresh(now); got != c.fresh {
				t.Errorf("Fresh = %t, want %t", got, c.fresh)
			}
			if revalidating, onError := c.object.MayServeStale(now); revalidating != c.revalidating || onError != c.onError {
				t.Errorf("MayServeStale = %t, %t; want %t, %t", revalidating, onError, c.revalidating, c.onError)
			}
			if got := c.object.UsableUntil().Sub(expires); got != c.usable {
				t.Errorf("UsableUntil = %s after it expired, want %s", got, c.usable)
			}
		})
	}
}

// TestSizeCountsEveryByte: each byte that is kept counts at least once, spare
// capacity included, so that no shape of object slips under the bound.
func TestSizeCountsEveryByte(t *testing.T) {
	text := rapid.StringN(0, 40, 200)
	fields := rapid.MapOf(text, rapid.SliceOfN(text, 1, 3))
	rapid.Check(t, func(t *rapid.T) {
		body := make([]byte, rapid.IntRange(0, 100).Draw(t, "len"), 100+rapid.IntRange(0, 1000).Draw(t, "cap"))
		o := &store.Object{
			Parts: text.Draw(t, "parts"), ID: text.Draw(t, "id"), Route: text.Draw(t, "route"), Body: body,
			Header: store.FieldsOf(fields.Draw(t, "header")), Control: store.FieldsOf(fields.Draw(t, "control")),
			Tags: make([]store.Tag, rapid.IntRange(0, 20).Draw(t, "tags")),
		}
		least := int64(len(o.Parts) + len(o.ID) + len(o.Route) + cap(o.Body))
		least += int64(len(o.Tags)) * int64(len(store.Tag{}))
		for _, f := range []store.Fields{o.Header, o.Control} {
			for _, value := range f.All() {
				least += int64(len(value)) // names are held once
			}
		}
		for _, name := range rapid.SliceOf(text).Draw(t, "selecting") {
			o.Selecting = append(o.Selecting, store.Selecting{Name: name, Value: name})
			least += int64(2*len(name)) + 40 // two string headers and a bool
		}
		if rapid.Bool().Draw(t, "index") {
			v := &store.Variants{Keys: make([]store.Key, rapid.IntRange(0, 64).Draw(t, "keys"))}
			v.Names = rapid.SliceOf(text).Draw(t, "names")
			o.Variants = v
			least += int64(len(v.Keys)) * int64(len(store.Key{}))
			for _, name := range v.Names {
				least += int64(len(name)) + 16 // a string header
			}
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
