package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/store"
)

// testCloseUnderway closes the store while others use it, as a reload does.
func testCloseUnderway(t *testing.T, open func(limit int64) store.Store) {
	s := start(t, open, roomy)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			o := Object(fmt.Sprint("worker ", w), 100)
			for {
				if err := s.Put(o); err != nil && !errors.Is(err, store.ErrInvalidated) {
					if !errors.Is(err, store.ErrClosed) {
						t.Errorf("Put: %v", err)
					}
					return
				}
				if _, err := s.Get(o.Key, []byte(o.Parts)); err != nil && !errors.Is(err, store.ErrClosed) {
					t.Errorf("Get: %v", err)
				}
			}
		})
	}
	for _, use := range []func() error{
		func() error { return s.Each(func(o *store.Object) bool { return !s.Revoked(o) }) },
		func() error { _, err := s.Purge(store.Selection{Route: "landing"}, true); return err },
		func() error { _, err := s.Purge(store.Selection{Route: "other"}, false); return err },
	} {
		wg.Go(func() {
			for {
				if err := use(); err != nil {
					if !errors.Is(err, store.ErrClosed) {
						t.Errorf("while the store is closed: %v", err)
					}
					return
				}
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	wg.Wait()
}

func testClosed(t *testing.T, open func(limit int64) store.Store) {
	s := start(t, open, roomy)
	o := Object("a", 100)
	put(t, s, o)
	held := get(t, s, o)
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if !same(held, o) {
		t.Error("an object that was got before Close changed")
	}
	found, err := s.Get(o.Key, []byte(o.Parts))
	if found != nil {
		t.Error("a closed store returned an object")
	}
	_, invalidated := s.Invalidate(o.Tags[0])
	_, purged := s.Purge(store.Selection{All: true}, false)
	each := s.Each(func(*store.Object) bool { t.Error("a closed store has an object"); return true })
	for method, err := range map[string]error{
		"Get": err, "Put": s.Put(o), "Delete": s.Delete(o.Key), "Invalidate": invalidated, "Close": s.Close(),
		"Purge": purged, "Each": each,
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s of a closed store = %v, want ErrClosed", method, err)
		}
	}
	if !s.Revoked(o) {
		t.Error("a closed store vouches for an object")
	}
	s.Watch(func(*store.Object, store.DropCause) {})
	if st := s.Stats(); st != (store.Stats{}) {
		t.Errorf("Stats of a closed store = %+v, want nothing", st)
	}
}
