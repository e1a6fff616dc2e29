package storetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store"
)

// generations is an origin whose pages all change at once, and what each of them must
// at least be once it was purged.
type generations struct {
	now   atomic.Uint64
	least [8]atomic.Uint64
}

func (g *generations) path(i int) string { return fmt.Sprintf("/%d/page", i%len(g.least)) }

// fetch is a fill: the origin's answer has its generation for a body.
func (g *generations) fetch(i int) *store.Object {
	o := page(g.path(i))
	o.Requested = time.Now()
	runtime.Gosched()
	o.Body = binary.BigEndian.AppendUint64(nil, g.now.Load())
	runtime.Gosched() // the time that judging takes
	o.Received = time.Now()
	o.Expires, o.StaleIfError = o.Received.Add(time.Minute), time.Hour
	o.Tags = append(o.Tags, name(o.Parts))
	return o
}

func generation(o *store.Object) uint64 { return binary.BigEndian.Uint64(o.Body) }

// purged raises what the pages must be. It is called once the purge has returned.
func (g *generations) purged(pages []int, to uint64) {
	for _, i := range pages {
		for {
			was := g.least[i].Load()
			if was >= to || g.least[i].CompareAndSwap(was, to) {
				break
			}
		}
	}
}

// testPurgeNeverResurrects fills, updates and purges at the same time. After a purge
// has returned, nothing is ever got that the origin had answered before it.
func testPurgeNeverResurrects(t *testing.T, open func(limit int64) store.Store) {
	const rounds, others = 150, 300
	s, locks := start(t, open, roomy), new(store.KeyLocks)
	for i := range others { // which no purge means, so that each takes its time
		o := Object(fmt.Sprint("other ", i), 0)
		o.Requested, o.Route = time.Now().Add(time.Hour), "other"
		put(t, s, o)
	}
	var g generations
	all := make([]int, len(g.least))
	for i := range all {
		all[i] = i
	}
	sending := func(i int) store.Sent { return Sending("Accept-Language", fmt.Sprint(i%3)) }
	names := func(i int) []string { // half of the pages have variants
		if i%2 == 0 {
			return nil
		}
		return []string{"Accept-Language"}
	}
	look := func(i int) *store.Object {
		least := g.least[i%len(all)].Load()
		o := page(g.path(i))
		found, _, err := store.Select(s, o.Key, []byte(o.Parts), sending(i))
		if err != nil {
			t.Errorf("Select: %v", err)
		}
		if found != nil && generation(found) < least {
			t.Errorf("%s has generation %d, and %d was purged", g.path(i), generation(found), least)
		}
		return found
	}
	var admitted, updated atomic.Uint64
	admit := func(i int, o, instead *store.Object) {
		switch err := store.Admit(s, locks, o, instead, names(i), sending(i)); {
		case err == nil:
			if admitted.Add(1); instead != nil {
				updated.Add(1)
			}
		case errors.Is(err, store.ErrInvalidated), errors.Is(err, store.ErrReplaced):
		default:
			t.Errorf("Admit: %v", err)
		}
	}
	var fillers, purgers sync.WaitGroup
	var done atomic.Bool
	for w := range 3 {
		fillers.Go(func() {
			for i := w; !done.Load(); i++ {
				o := g.fetch(i)
				o.Key = page(g.path(i)).Key
				admit(i, o, nil)
				look(i)
			}
		})
	}
	// An origin that says of the oldest page that it has not changed (RFC 9111 §4.3.4).
	fillers.Go(func() {
		for i := 0; !done.Load(); i++ {
			instead := look(i)
			if instead == nil {
				runtime.Gosched()
				continue
			}
			update := *instead
			update.Key, update.Selecting = page(g.path(i)).Key, nil
			update.ID, update.Requested = store.NewID(), time.Now()
			runtime.Gosched()
			update.Received = time.Now()
			update.Expires = update.Received.Add(time.Minute)
			admit(i, &update, instead)
		}
	})
	for w := range 2 {
		purgers.Go(func() {
			for round := range rounds {
				one := page(g.path(round + w))
				selection, pages := store.Selection{All: true}, all
				switch round % 7 {
				case 1:
					selection = store.Selection{Route: "landing"}
				case 2:
					selection, pages = store.Selection{Key: one.Key[:store.MinKey]}, []int{(round + w) % len(all)}
				case 3:
					selection, pages = store.Selection{URI: "example.com" + g.path(round+w)}, []int{(round + w) % len(all)}
				case 4:
					selection = store.Selection{Prefix: "example.com"}
				case 5:
					selection, pages = tagSelection(name(one.Parts)), []int{(round + w) % len(all)}
				}
				to := g.now.Add(1)
				if round%7 == 6 { // as RFC 9111 §4.4 does
					pages = []int{(round + w) % len(all)}
					if _, err := s.Invalidate(one.Tags[0]); err != nil {
						t.Errorf("Invalidate: %v", err)
					}
				} else if p, err := s.Purge(selection, false); err != nil || p.Left != 0 {
					t.Errorf("purge of %s: %+v, %v", selection, p, err)
				}
				g.purged(pages, to)
				for i := range all {
					look(i)
					runtime.Gosched() // to those who fill
				}
			}
		})
	}
	// What is made stale meanwhile comes back no more than anything else.
	purgers.Go(func() {
		for range rounds / 2 {
			if p, err := s.Purge(store.Selection{Route: "landing"}, true); err != nil || p.Left != 0 {
				t.Errorf("soft purge: %+v, %v", p, err)
			}
		}
	})
	purgers.Wait()
	done.Store(true)
	fillers.Wait()
	t.Logf("%d were admitted, %d of them updates", admitted.Load(), updated.Load())

	held := s.Stats().Objects - others
	if p, err := s.Purge(store.Selection{All: true}, false); err != nil || p.Removed != held || p.Left != 0 {
		t.Errorf("in the end: %+v, %v; want %d removed", p, err, held)
	}
	if err := s.Each(func(o *store.Object) bool { return s.Delete(o.Key) == nil }); err != nil {
		t.Error(err)
	}
	if st := s.Stats(); st.Objects != 0 || st.Bytes != 0 {
		t.Errorf("after everything was deleted: %+v", st)
	}
}
