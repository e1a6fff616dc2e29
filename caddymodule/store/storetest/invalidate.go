package storetest

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store"
)

func name(tag string) store.Tag { return store.TagOf(store.TagName, tag) }

func tagged(parts string, tags ...string) *store.Object {
	o := Object(parts, 100)
	for _, tag := range tags {
		o.Tags = append(o.Tags, name(tag))
	}
	return o
}

func invalidate(t *testing.T, s store.Store, tag store.Tag, want int) {
	t.Helper()
	if n, err := s.Invalidate(tag); n != want || err != nil {
		t.Errorf("Invalidate = %d, %v; want %d objects", n, err, want)
	}
}

// there holds the objects that can be got against those that are wanted.
func there(t *testing.T, s store.Store, when string, all []*store.Object, want ...*store.Object) {
	t.Helper()
	for _, o := range all {
		found := get(t, s, o)
		if wanted := slices.Contains(want, o); (found != nil) != wanted {
			t.Errorf("%s: %q is there: %t, want %t", when, o.Parts, found != nil, wanted)
		}
	}
}

func testInvalidate(t *testing.T, open func(limit int64) store.Store) {
	t.Run("what has the tag is gone", func(t *testing.T) {
		s := start(t, open, roomy)
		x, y, xy := tagged("x", "x"), tagged("y", "y"), tagged("xy", "x", "y", "x") // one twice
		none := Object("none", 10)
		none.Tags = nil
		all := []*store.Object{x, y, xy, none}
		for _, o := range all {
			put(t, s, o)
		}
		invalidate(t, s, name("z"), 0)
		there(t, s, "another tag", all, all...)
		invalidate(t, s, name("x"), 2)
		there(t, s, "x", all, y, none)
		invalidate(t, s, name("x"), 0)
		invalidate(t, s, store.TagOf(store.TagURI, "y"), 1)
		there(t, s, "the URI of y", all, none)
		if st := s.Stats(); st.Objects != 1 || st.Bytes != none.Size() {
			t.Errorf("Stats = %+v, want 1 object of %d bytes", st, none.Size())
		}
	})
	t.Run("an object is found by the tags that it has now", func(t *testing.T) {
		s := start(t, open, roomy)
		old, current := tagged("a", "old", "both"), tagged("a", "both", "current")
		put(t, s, old)
		put(t, s, current)
		invalidate(t, s, name("old"), 0)
		if get(t, s, current) == nil {
			t.Error("a tag of the object that was replaced did away with its successor")
		}
		again := tagged("b", "b")
		put(t, s, again)
		put(t, s, again) // the very same object
		if err := s.Delete(current.Key); err != nil {
			t.Fatal(err)
		}
		invalidate(t, s, name("both"), 0)
		invalidate(t, s, name("b"), 1)
		there(t, s, "in the end", []*store.Object{current, again})
	})
	// attacks.md §20: a fill that began before the invalidation commits after it.
	t.Run("what was requested before cannot be put after", func(t *testing.T) {
		s := start(t, open, roomy)
		late, later := tagged("a", "x"), tagged("a", "x")
		other := tagged("b", "y")
		late.Requested = time.Now()
		invalidate(t, s, name("x"), 0)
		if err := s.Put(late); !errors.Is(err, store.ErrInvalidated) {
			t.Fatalf("Put of what was requested before = %v, want ErrInvalidated", err)
		}
		there(t, s, "refused", []*store.Object{late})
		put(t, s, other) // requested before as well, but it has another tag
		later.Requested = time.Now().Add(time.Millisecond)
		put(t, s, later)
		if err := s.Put(late); !errors.Is(err, store.ErrInvalidated) {
			t.Fatalf("Put once more = %v, want ErrInvalidated", err)
		}
		if found := get(t, s, later); found == nil || found.ID != later.ID {
			t.Error("a refused object did away with the one in its place")
		}
	})
}

// testInvalidateUnderway puts and invalidates at the same time. Once a tag is
// invalidated, nothing that was requested before is there, then or later.
func testInvalidateUnderway(t *testing.T, open func(limit int64) store.Store) {
	const workers, rounds, keys = 8, 400, 100
	s := start(t, open, roomy)
	parts := func(i int) string { return fmt.Sprint("key ", i%keys) }
	shared := []string{"x", "y", "z"}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				o := tagged(parts(i*7+w), shared[(i+w)%len(shared)])
				o.Requested = time.Now()
				runtime.Gosched() // the time that a fill takes
				if err := s.Put(o); err != nil && !errors.Is(err, store.ErrInvalidated) {
					t.Errorf("Put: %v", err)
				}
			}
		})
	}
	for w, tag := range shared {
		wg.Go(func() {
			for range rounds / 4 {
				began := time.Now()
				if _, err := s.Invalidate(name(tag)); err != nil {
					t.Errorf("Invalidate: %v", err)
				}
				for i := range keys {
					o := Object(parts(i+w), 0)
					found, err := s.Get(o.Key, []byte(o.Parts))
					if err != nil {
						t.Errorf("Get: %v", err)
					}
					if found != nil && slices.Contains(found.Tags, name(tag)) && !found.Requested.After(began) {
						t.Errorf("%q was requested %s before %q was invalidated, and is there",
							found.Parts, began.Sub(found.Requested), tag)
					}
				}
			}
		})
	}
	wg.Wait()
	// Nothing that is there has got lost to the index.
	before, removed := s.Stats().Objects, 0
	for _, tag := range shared {
		n, err := s.Invalidate(name(tag))
		if err != nil {
			t.Fatal(err)
		}
		removed += n
	}
	if st := s.Stats(); removed != before || st.Objects != 0 || st.Bytes != 0 {
		t.Errorf("of %d objects %d could be invalidated: %+v", before, removed, st)
	}
}
