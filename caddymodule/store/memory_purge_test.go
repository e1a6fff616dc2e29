package store

import (
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func purgeable(parts string) *Object {
	return &Object{
		Key: Key{parts[0]}, Parts: parts, ID: NewID(), Route: "landing", Body: make([]byte, 100),
		Requested: time.Now(), Expires: time.Now().Add(time.Minute), StaleIfError: time.Hour,
		Tags: []Tag{TagOf(TagURI, parts), TagOf(TagName, "x")},
	}
}

// TestAgeing: what happens to an object between its being looked at and its being made
// stale decides, and in the end the index and the bytes are right.
func TestAgeing(t *testing.T) {
	for _, c := range []struct {
		name      string
		happens   func(*table, *Object) error
		want      int
		wantThere bool
	}{
		{"nothing", func(*table, *Object) error { return nil }, 1, true},
		{"it is gone", func(tb *table, o *Object) error { tb.cache.Invalidate(halfOf(o.Key)); return nil }, 0, false},
		{"its tag is invalidated", func(tb *table, o *Object) error { tb.invalidated.remember(o.Tags[1]); return nil }, 1, false},
		{"it is purged for good", func(tb *table, _ *Object) error {
			m, err := Selection{Route: "landing"}.compile()
			tb.invalidated.purge(m, false)
			return err
		}, 1, false},
		{"it is made stale by another", func(tb *table, _ *Object) error {
			m, err := Selection{Route: "landing"}.compile()
			tb.invalidated.purge(m, true)
			return err
		}, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := NewMemory(1 << 20)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = m.Close() }()
			tb, o := m.table.Load(), purgeable("a")
			if err := m.Put(o); err != nil {
				t.Fatal(err)
			}
			if err := c.happens(tb, o); err != nil {
				t.Fatal(err)
			}
			moment := time.Now()
			if got := m.age(tb, o, moment); got != c.want {
				t.Errorf("%d were made stale, want %d", got, c.want)
			}
			found, err := m.Get(o.Key, []byte(o.Parts))
			if err != nil || (found != nil) != c.wantThere || found != nil && !found.Expires.Equal(moment) {
				t.Errorf("then there is %+v, %v", found, err)
			}
			m.check(t, found)
		})
	}
}

// check holds bytes and tags against what should be there.
func (m *Memory) check(t *testing.T, want ...*Object) {
	t.Helper()
	want = slices.DeleteFunc(want, func(o *Object) bool { return o == nil })
	entries, bytes := 0, int64(0)
	for _, o := range want {
		entries, bytes = entries+len(o.Tags), bytes+o.Size()
	}
	if n, st := m.table.Load().tags.entries(), m.Stats(); n != entries || st.Bytes != bytes || st.Objects != len(want) {
		t.Errorf("%d tags, %+v; want %d tags and %d bytes of %d objects", n, st, entries, bytes, len(want))
	}
}

// TestPurgeLeavesWhatCameLater: an object was looked at, and another took its place.
func TestPurgeLeavesWhatCameLater(t *testing.T) {
	m, err := NewMemory(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	old, later := purgeable("a"), purgeable("a")
	moment := time.Now()
	later.Requested = moment.Add(time.Second)
	for _, o := range []*Object{old, later} {
		if err := m.Put(o); err != nil {
			t.Fatal(err)
		}
	}
	if n := m.age(m.table.Load(), old, moment); n != 0 {
		t.Errorf("%d were made stale", n)
	}
	if n := m.table.Load().remove(old.Key, func(o *Object) bool { return !o.Requested.After(moment) }); n != 0 {
		t.Errorf("%d were removed", n)
	}
	if found, _ := m.Get(later.Key, []byte(later.Parts)); found != later {
		t.Errorf("there is %+v, want what came later", found)
	}
	m.check(t, later)
}

// TestAgeingWaitsForInvalidations: under the lock nothing changes, or whoever has
// invalidated a tag could miss the copy.
func TestAgeingWaitsForInvalidations(t *testing.T) {
	m, err := NewMemory(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	tb, o := m.table.Load(), purgeable("a")
	if err := m.Put(o); err != nil {
		t.Fatal(err)
	}
	tb.invalidated.mu.Lock()
	aged := make(chan int)
	go func() { aged <- m.age(tb, o, time.Now()) }()
	for range 10_000 {
		runtime.Gosched()
		if n := tb.tags.entries(); n != len(o.Tags) {
			t.Errorf("%d tags while an invalidation is remembered", n)
			break
		}
	}
	tb.invalidated.mu.Unlock()
	if n := <-aged; n != 1 {
		t.Errorf("%d were made stale", n)
	}
}

// TestWatchExpirations: who watches is told of what nobody asks for any more.
func TestWatchExpirations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := NewMemory(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = m.Close() }()
		var told atomic.Int64
		m.Watch(func(o *Object, why DropCause) {
			told.Add(1)
			if why != DropExpired || why.String() != "expired" || o.Variants != nil || time.Now().Before(o.UsableUntil()) {
				t.Errorf("told of %+v, %s", o, why)
			}
		})
		index := purgeable("index")
		index.Variants = &Variants{Names: []string{"Dnt"}}
		for _, o := range []*Object{purgeable("a"), purgeable("b"), index} {
			if err := m.Put(o); err != nil {
				t.Fatal(err)
			}
		}
		// What a soft purge made stale goes when its window ends, which is earlier.
		uri := TagOf(TagURI, "b")
		if p, err := m.Purge(Selection{Tag: &uri}, true); p.Removed != 1 || err != nil {
			t.Fatalf("soft purge: %+v, %v", p, err)
		}
		time.Sleep(time.Hour + 5*time.Second)
		synctest.Wait()
		if n := told.Load(); n != 1 {
			t.Errorf("told of %d objects once the window of one is over", n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := told.Load(); n != 2 || m.Stats().Objects != 0 {
			t.Errorf("told of %d objects in the end, and %d are there", n, m.Stats().Objects)
		}
	})
}

// TestPurgeIsRememberedForAFill: for as long as a fill can take.
func TestPurgeIsRememberedForAFill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := NewMemory(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = m.Close() }()
		o := purgeable("a")
		if _, err := m.Purge(Selection{Route: "landing"}, false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(InvalidationMemory)
		for i := range MaxPurges / 2 {
			if _, err := m.Purge(Selection{Route: fmt.Sprint("other ", i)}, i%2 == 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Put(o); err != ErrInvalidated || !m.Revoked(o) {
			t.Errorf("Put of what was requested at that moment = %v, want ErrInvalidated", err)
		}
		time.Sleep(time.Nanosecond)
		o.Requested = time.Now()
		if err := m.Put(o); err != nil || m.Revoked(o) {
			t.Errorf("Put of what was requested after it: %v", err)
		}
	})
}
