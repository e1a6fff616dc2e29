package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store"
)

func testPurgeSoft(t *testing.T, open func(limit int64) store.Store) {
	everything := store.Selection{All: true}
	for _, c := range []struct {
		name    string
		change  func(*store.Object)
		removed int
		left    bool
	}{
		{"no window and no validators", func(*store.Object) {}, 1, false},
		{"stale while revalidate", func(o *store.Object) { o.StaleWhileRevalidate = time.Hour }, 1, true},
		{"stale if error", func(o *store.Object) { o.StaleIfError = time.Hour }, 1, true},
		{"validators", func(o *store.Object) { o.Keep = time.Hour }, 1, true},
		{"validators, and each reuse needs validation", func(o *store.Object) { o.NoCache, o.Keep = true, time.Hour }, 1, true},
		{"never stale", func(o *store.Object) { o.NeverStale, o.StaleIfError = true, time.Hour }, 1, false},
		{"stale already", func(o *store.Object) { o.Expires, o.StaleIfError = time.Now().Add(-time.Second), time.Hour }, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, open, roomy)
			o := tagged("a", "x")
			c.change(o)
			put(t, s, o)
			before := time.Now()
			purge(t, s, everything, true, store.Purged{Looked: 1, Removed: c.removed})
			after := time.Now()

			found := get(t, s, o)
			if (found != nil) != c.left {
				t.Fatalf("it is there: %t, want %t", found != nil, c.left)
			}
			wasFresh := o.Expires.After(after)
			if s.Revoked(o) != wasFresh {
				t.Errorf("what was there before is revoked: %t, want %t", !wasFresh, wasFresh)
			}
			if err := s.Put(o); !errors.Is(err, store.ErrInvalidated) {
				t.Errorf("Put of what was requested before = %v, want ErrInvalidated", err)
			}
			objects, bytes := 0, int64(0)
			if found != nil {
				objects, bytes = 1, o.Size()
				want := *o
				if wasFresh {
					want.Expires = found.Expires
				}
				if !same(found, &want) {
					t.Errorf("got %+v, want %+v but for Expires", found, o)
				}
				if wasFresh && (found.Expires.Before(before) || found.Expires.After(after)) {
					t.Errorf("it expires at %v, not between %v and %v", found.Expires, before, after)
				}
				if found.Fresh(after) || s.Revoked(found) {
					t.Errorf("what is left is fresh: %t, revoked: %t", found.Fresh(after), s.Revoked(found))
				}
			}
			if st := s.Stats(); st.Objects != objects || st.Bytes != bytes {
				t.Errorf("Stats = %+v, want %d objects of %d bytes", st, objects, bytes)
			}
			purge(t, s, everything, true, store.Purged{Looked: objects})
			invalidate(t, s, name("x"), objects) // the copy has its tags
			if st := s.Stats(); st.Objects != 0 || st.Bytes != 0 {
				t.Errorf("in the end: %+v", st)
			}
		})
	}
	t.Run("only what is selected", func(t *testing.T) {
		s := start(t, open, roomy)
		a, b := tagged("a", "x"), tagged("b", "y")
		put(t, s, a)
		put(t, s, b)
		purge(t, s, tagSelection(name("x")), true, store.Purged{Looked: 2, Removed: 1})
		there(t, s, "x", []*store.Object{a, b}, b)
		if found := get(t, s, b); !found.Fresh(time.Now()) || s.Revoked(b) {
			t.Error("what was not selected is stale or revoked")
		}
	})
	t.Run("a hard one after it", func(t *testing.T) {
		s := start(t, open, roomy)
		o := tagged("a", "x")
		o.StaleIfError = time.Hour
		put(t, s, o)
		purge(t, s, everything, true, store.Purged{Looked: 1, Removed: 1})
		stale := get(t, s, o)
		purge(t, s, tagSelection(name("x")), false, store.Purged{Looked: 1, Removed: 1})
		there(t, s, "purged", []*store.Object{o})
		if !s.Revoked(stale) {
			t.Error("what a soft purge had left is not revoked by a hard one")
		}
	})
}
