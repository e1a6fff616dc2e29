package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store"
)

func testEach(t *testing.T, open func(limit int64) store.Store) {
	s := start(t, open, roomy)
	for range 2 { // empty, and with objects
		seen := make(map[string]int)
		if err := s.Each(func(o *store.Object) bool { seen[o.Parts]++; return true }); err != nil {
			t.Fatal(err)
		}
		if held := s.Stats().Objects; len(seen) != held {
			t.Errorf("%d objects were seen of %d", len(seen), held)
		}
		for parts, n := range seen {
			if n != 1 {
				t.Errorf("%q was seen %d times", parts, n)
			}
		}
		for i := range 100 {
			put(t, s, Object(fmt.Sprint("each ", i), 10))
		}
		put(t, s, Object("each 0", 20)) // replaces one
		stale := Object("stale", 10)
		stale.Expires, stale.StaleIfError = time.Now().Add(-time.Second), time.Hour
		put(t, s, stale)
	}
	seen := 0
	if err := s.Each(func(*store.Object) bool { seen++; return seen < 10 }); err != nil || seen != 10 {
		t.Errorf("%d objects were seen after the tenth was to be the last, %v", seen, err)
	}
	// What is called may use the store.
	if err := s.Each(func(o *store.Object) bool { return s.Delete(o.Key) == nil }); err != nil {
		t.Error(err)
	}
	if st := s.Stats(); st.Objects != 0 {
		t.Errorf("after each was deleted: %+v", st)
	}
}

// testWatch counts what the store drops to make room. What else goes is nobody's
// business.
func testWatch(t *testing.T, open func(limit int64) store.Store) {
	const limit = 256 << 10
	s := start(t, open, limit)
	var told atomic.Uint64
	watch := func(o *store.Object, why store.DropCause) {
		told.Add(1)
		if why != store.DropEvicted || o == nil || o.Variants != nil {
			t.Errorf("told of %+v, %s", o, why)
		}
	}
	s.Watch(watch)
	o := tagged("a", "x")
	for _, goes := range []func() error{
		func() error { return s.Delete(o.Key) },
		func() error { return s.Put(tagged("a", "x")) },
		func() error { _, err := s.Invalidate(name("x")); return err },
		func() error { _, err := s.Purge(store.Selection{All: true}, true); return err },
		func() error { _, err := s.Purge(store.Selection{All: true}, false); return err },
	} {
		o.Requested = time.Now().Add(time.Hour)
		put(t, s, o)
		if err := goes(); err != nil && !errors.Is(err, store.ErrInvalidated) {
			t.Fatal(err)
		}
	}
	if n := told.Load(); n != 0 {
		t.Errorf("told %d times of what was not dropped by the store", n)
	}
	fill := func() {
		for i := range 200 {
			o := Object(fmt.Sprint("watch ", i), 4096)
			o.Requested = time.Now()
			put(t, s, o)
		}
	}
	fill()
	evicted := s.Stats().Evictions
	if n := told.Load(); n != evicted || n == 0 {
		t.Errorf("told of %d objects, and %d were evicted", n, evicted)
	}
	// An index is none of what is told of.
	for i := range 200 {
		index := Object(fmt.Sprint("index ", i), 4096)
		index.Requested, index.Variants = time.Now(), &store.Variants{Names: []string{"Dnt"}}
		put(t, s, index)
	}
	s.Watch(nil)
	last := told.Load()
	fill()
	if n := told.Load(); n != last {
		t.Errorf("told of %d objects after nobody watched", n-last)
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(fill)
		wg.Go(func() {
			for range 100 {
				s.Watch(watch)
				s.Watch(nil)
			}
		})
	}
	wg.Wait()
}
