package store_test

import (
	"encoding/binary"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/caddymodule/store/storetest"
)

// flood invalidates n tags that nothing has, those of another kind being others.
func flood(t *testing.T, s store.Store, kind string, n int) {
	t.Helper()
	tag := store.TagOf(kind, "flood")
	for i := range n {
		binary.LittleEndian.PutUint32(tag[8:], uint32(i))
		if _, err := s.Invalidate(tag); err != nil {
			t.Fatal(err)
		}
	}
}

// TestInvalidationIsRemembered: attacks.md §20, for as long as a fill can take and
// however many others there are.
func TestInvalidationIsRemembered(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(*testing.T, store.Store)
	}{
		{"at once", func(*testing.T, store.Store) {}},
		{"for the whole time", func(*testing.T, store.Store) { time.Sleep(store.InvalidationMemory) }},
		{"others come later", func(t *testing.T, s store.Store) {
			for range 4 {
				time.Sleep(store.InvalidationMemory/4 - 1)
				flood(t, s, store.TagURI, 2)
			}
		}},
		{"as many as are told apart", func(t *testing.T, s store.Store) { flood(t, s, store.TagURI, store.MaxInvalidations-1) }},
		{"more than are told apart", func(t *testing.T, s store.Store) { flood(t, s, store.TagURI, store.MaxInvalidations+1) }},
		{"far more", func(t *testing.T, s store.Store) { flood(t, s, store.TagURI, 3*store.MaxInvalidations) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory(t, 1<<20)
				defer func() { _ = m.Close() }()
				o := storetest.Object("a", 10)
				o.Requested, o.Expires = time.Now(), time.Now().Add(time.Hour)
				if _, err := m.Invalidate(o.Tags[0]); err != nil {
					t.Fatal(err)
				}
				c.then(t, m)
				if err := m.Put(o); !errors.Is(err, store.ErrInvalidated) {
					t.Errorf("Put of what was requested at that moment = %v, want ErrInvalidated", err)
				}
				time.Sleep(time.Nanosecond)
				o.Requested = time.Now()
				if err := m.Put(o); err != nil {
					t.Errorf("Put of what was requested after it: %v", err)
				}
			})
		})
	}
}

// TestInvalidationsBeyondTheBound: when it is no longer known what was invalidated,
// everything with a tag is refused, but only what was requested before.
func TestInvalidationsBeyondTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, 1<<20)
		defer func() { _ = m.Close() }()
		innocent, untagged := storetest.Object("a", 10), storetest.Object("b", 10)
		untagged.Tags = nil
		flood(t, m, store.TagURI, store.MaxInvalidations)
		if err := m.Put(innocent); err != nil {
			t.Fatalf("before the bound: %v", err)
		}
		flood(t, m, store.TagURI, store.MaxInvalidations) // the same ones again
		later := storetest.Object("c", 10)
		later.Requested = time.Now().Add(1)
		flood(t, m, store.TagName, store.MaxInvalidations)
		if err := m.Put(innocent); !errors.Is(err, store.ErrInvalidated) {
			t.Errorf("Put of what may have been invalidated = %v, want ErrInvalidated", err)
		}
		for _, o := range []*store.Object{untagged, later} {
			if err := m.Put(o); err != nil {
				t.Errorf("Put of %q, which cannot have been invalidated: %v", o.Parts, err)
			}
		}
	})
}

// TestInvalidationsConcernNobodyElse, however long they go on, if they are few.
func TestInvalidationsConcernNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, 1<<20)
		defer func() { _ = m.Close() }()
		slow := storetest.Object("a", 10)
		slow.Requested, slow.Expires = time.Now(), time.Now().Add(24*time.Hour)
		for range 100 {
			flood(t, m, store.TagURI, 2)
			time.Sleep(time.Minute)
		}
		if err := m.Put(slow); err != nil {
			t.Errorf("Put of what nobody invalidated: %v", err)
		}
	})
}
