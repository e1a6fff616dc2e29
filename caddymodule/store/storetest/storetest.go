// Package storetest is what every store must do. A store's own tests call [Run]
// and need to test only what is peculiar to it.
package storetest

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/zeebo/blake3"

	"github.com/cacheward/cacheward/caddymodule/store"
)

// roomy is a limit that no test comes near unless it means to.
const roomy = 64 << 20

// Run tests the store that open returns. Each call of open must return an empty
// store of its own, of at most limit bytes; Run closes it.
func Run(t *testing.T, open func(limit int64) store.Store) {
	t.Run("Get", func(t *testing.T) { testGet(t, open) })
	t.Run("Replace", func(t *testing.T) { testReplace(t, open) })
	t.Run("Collision", func(t *testing.T) { testCollision(t, open) })
	t.Run("Expiry", func(t *testing.T) { testExpiry(t, open) })
	t.Run("TooLarge", func(t *testing.T) { testTooLarge(t, open) })
	t.Run("Bound", func(t *testing.T) { testBound(t, open) })
	t.Run("Invalidate", func(t *testing.T) { testInvalidate(t, open) })
	t.Run("InvalidateUnderway", func(t *testing.T) { testInvalidateUnderway(t, open) })
	t.Run("Purge", func(t *testing.T) { testPurge(t, open) })
	t.Run("PurgeSoft", func(t *testing.T) { testPurgeSoft(t, open) })
	t.Run("PurgeVariants", func(t *testing.T) { testPurgeVariants(t, open) })
	t.Run("PurgeNeverResurrects", func(t *testing.T) { testPurgeNeverResurrects(t, open) })
	t.Run("Each", func(t *testing.T) { testEach(t, open) })
	t.Run("Watch", func(t *testing.T) { testWatch(t, open) })
	t.Run("Variants", func(t *testing.T) { testVariants(t, open) })
	t.Run("Updates", func(t *testing.T) { testUpdates(t, open) })
	t.Run("VariantsUnderway", func(t *testing.T) { testVariantsUnderway(t, open) })
	t.Run("Concurrency", func(t *testing.T) { testConcurrency(t, open) })
	t.Run("CloseUnderway", func(t *testing.T) { testCloseUnderway(t, open) })
	t.Run("Closed", func(t *testing.T) { testClosed(t, open) })
	t.Run("Model", func(t *testing.T) { testModel(t, open) })
}

// Object returns an object with the key of parts, which is fresh for a minute, has
// a body of size bytes that tells it from others, and the tag of parts as a URI.
func Object(parts string, size int) *store.Object {
	now := time.Now()
	body := make([]byte, size)
	for i := range body {
		body[i] = parts[i%len(parts)]
	}
	return &store.Object{
		Key:    blake3.Sum256([]byte(parts)),
		Parts:  parts,
		ID:     store.NewID(),
		Route:  "landing",
		Status: http.StatusOK,
		Header: store.FieldsOf(http.Header{
			"Content-Type": {"text/html; charset=utf-8"},
			"Etag":         {`"` + parts + `"`},
			"Link":         {"</a.css>; rel=preload", "</b.js>; rel=preload"},
		}),
		Body:      body,
		Requested: now.Add(-time.Second),
		Received:  now,
		Expires:   now.Add(time.Minute),
		Tags:      []store.Tag{store.TagOf(store.TagURI, parts)},
	}
}

func start(t *testing.T, open func(limit int64) store.Store, limit int64) store.Store {
	t.Helper()
	s := open(limit)
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, store.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func put(t *testing.T, s store.Store, o *store.Object) {
	t.Helper()
	if err := s.Put(o); err != nil {
		t.Fatalf("Put(%q): %v", o.Parts, err)
	}
}

func get(t *testing.T, s store.Store, o *store.Object) *store.Object {
	t.Helper()
	found, err := s.Get(o.Key, []byte(o.Parts))
	if err != nil {
		t.Fatalf("Get(%q): %v", o.Parts, err)
	}
	return found
}

// same compares what a visitor or a decision could tell apart.
func same(a, b *store.Object) bool {
	return a.Key == b.Key && a.Parts == b.Parts && a.ID == b.ID && a.Route == b.Route &&
		a.Status == b.Status && string(a.Body) == string(b.Body) && a.Header == b.Header &&
		a.Control == b.Control &&
		a.Requested.Equal(b.Requested) && a.Received.Equal(b.Received) && a.InitialAge == b.InitialAge &&
		a.Expires.Equal(b.Expires) &&
		a.StaleWhileRevalidate == b.StaleWhileRevalidate && a.StaleIfError == b.StaleIfError &&
		a.Keep == b.Keep &&
		a.NoCache == b.NoCache && a.NeverStale == b.NeverStale && a.Authorized == b.Authorized &&
		slices.Equal(a.Selecting, b.Selecting) && slices.Equal(a.Tags, b.Tags) &&
		reflect.DeepEqual(a.Variants, b.Variants)
}

func testGet(t *testing.T, open func(limit int64) store.Store) {
	s := start(t, open, roomy)
	a, b := Object("a", 100), Object("b", 0)
	a.InitialAge, a.StaleWhileRevalidate, a.StaleIfError = 3*time.Second, time.Second, time.Hour
	a.Control = store.FieldsOf(http.Header{"Cdn-Cache-Control": {"max-age=60"}})
	a.NeverStale, a.Authorized, a.Keep = true, true, 2*time.Hour
	a.Selecting = []store.Selecting{{Name: "Accept-Language", Value: "ja", Sent: true}, {Name: "Dnt"}}
	b.Header, b.Tags, b.NoCache = "", nil, true
	b.Variants = &store.Variants{Names: []string{"Dnt"}, Epoch: [8]byte{1}, Keys: []store.Key{a.Key, {2}}}
	if found := get(t, s, a); found != nil {
		t.Fatalf("an empty store returned %q", found.Parts)
	}
	put(t, s, a)
	if found := get(t, s, b); found != nil {
		t.Fatalf("Get(b) returned %q, and only a was put", found.Parts)
	}
	put(t, s, b)
	for _, o := range []*store.Object{a, b} {
		if found := get(t, s, o); found == nil || !same(found, o) {
			t.Errorf("Get(%q) = %+v, want what was put: %+v", o.Parts, found, o)
		}
	}
	if err := s.Delete(a.Key); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	if err := s.Delete(a.Key); err != nil {
		t.Fatalf("Delete of what is not there: %v", err)
	}
	if found := get(t, s, a); found != nil {
		t.Error("a deleted object was returned")
	}
	if found := get(t, s, b); found == nil {
		t.Error("deleting one object lost another")
	}
}

func testReplace(t *testing.T, open func(limit int64) store.Store) {
	s := start(t, open, roomy)
	first, second := Object("a", 100), Object("a", 5000)
	put(t, s, first)
	put(t, s, second)
	found := get(t, s, first)
	if found == nil || found.ID != second.ID {
		t.Fatalf("got %+v, want the object that was put last", found)
	}
	if st := s.Stats(); st.Objects != 1 || st.Bytes != second.Size() {
		t.Errorf("Stats = %+v, want 1 object of %d bytes", st, second.Size())
	}
}

func testCollision(t *testing.T, open func(limit int64) store.Store) {
	s := start(t, open, roomy)
	mine, theirs := Object("mine", 100), Object("theirs", 100)
	theirs.Key = mine.Key // what a collision of the digest would do
	put(t, s, theirs)
	if found := get(t, s, mine); found != nil {
		t.Fatalf("somebody else's object was returned: %q", found.Parts)
	}
	for _, parts := range []string{"", "their", "theirs ", "theirs\x00", "Theirs"} {
		if found, err := s.Get(theirs.Key, []byte(parts)); found != nil || err != nil {
			t.Errorf("Get with parts %q = %v, %v; want nothing", parts, found, err)
		}
	}
	for i := range len(theirs.Key) {
		key := theirs.Key
		key[i]++
		if found, err := s.Get(key, []byte(theirs.Parts)); found != nil || err != nil {
			t.Errorf("Get with another byte %d of the key = %v, %v; want nothing", i, found, err)
		}
	}
	if found := get(t, s, theirs); found == nil {
		t.Error("the object that was put is not there")
	}
}

func testExpiry(t *testing.T, open func(limit int64) store.Store) {
	for _, c := range []struct {
		name      string
		expiresIn time.Duration
		swr, sie  time.Duration
		keep      time.Duration // from now; zero: not set
		never     bool          // stale
		wantThere bool
	}{
		{"fresh", time.Minute, 0, 0, 0, false, true},
		{"over", -time.Second, 0, 0, 0, false, false},
		{"over long ago", -1000 * time.Hour, time.Hour, time.Hour, 0, false, false},
		{"never had an end", 0, 0, 0, 0, false, false},
		{"stale while revalidate", -time.Second, time.Hour, 0, 0, false, true},
		{"stale if error", -time.Second, 0, time.Hour, 0, false, true},
		{"the longer window counts", -time.Minute, time.Second, time.Hour, 0, false, true},
		{"both windows over", -time.Minute, time.Second, 2 * time.Second, 0, false, false},
		{"a negative window is none", time.Minute, -time.Hour, -time.Hour, 0, false, true},
		{"for centuries", 200 * 365 * 24 * time.Hour, 0, 0, 0, false, true},
		{"kept for its validators", -time.Second, 0, 0, time.Hour, false, true},
		{"kept in vain", -time.Hour, 0, 0, -time.Second, false, false},
		{"the end of keeping does not cut the window", -time.Second, time.Hour, 0, -time.Second, false, true},
		{"never stale, RFC 9111 §4.2.4", -time.Second, time.Hour, time.Hour, 0, true, false},
		{"never stale, but kept", -time.Second, time.Hour, time.Hour, time.Hour, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, open, roomy)
			o := Object("a", 10)
			o.StaleWhileRevalidate, o.StaleIfError = c.swr, c.sie
			o.Expires = time.Now().Add(c.expiresIn)
			if c.expiresIn == 0 {
				o.Expires = time.Time{}
			}
			o.NeverStale = c.never
			if c.keep != 0 {
				o.Keep = time.Since(o.Received) + c.keep
			}
			put(t, s, Object("a", 20)) // which o replaces, whether it can be used or not
			put(t, s, o)
			switch found := get(t, s, o); {
			case found == nil && c.wantThere:
				t.Error("the object is gone")
			case found != nil && !c.wantThere:
				t.Error("an object was returned for which nothing is left")
			case found != nil && found.ID != o.ID:
				t.Error("the object that was replaced was returned")
			}
		})
	}
}

func testTooLarge(t *testing.T, open func(limit int64) store.Store) {
	const limit = 256 << 10
	s := start(t, open, limit)
	small, neighbour := Object("a", 100), Object("b", 100)
	put(t, s, small)
	put(t, s, neighbour)
	if err := s.Put(Object("a", limit)); !errors.Is(err, store.ErrTooLarge) {
		t.Fatalf("Put of %d bytes into %d = %v, want ErrTooLarge", limit, limit, err)
	}
	for _, o := range []*store.Object{small, neighbour} {
		if found := get(t, s, o); found == nil || found.ID != o.ID {
			t.Errorf("a refused object did away with %q", o.Parts)
		}
	}
	// Just within the limit is not too large, whatever becomes of it.
	fits := Object("c", 1000)
	fits.Body = make([]byte, limit-int(fits.Size())+cap(fits.Body))
	if fits.Size() != limit {
		t.Fatalf("the test's object has %d bytes, want %d", fits.Size(), limit)
	}
	put(t, s, fits)
	if st := s.Stats(); st.Bytes > limit {
		t.Errorf("%d bytes are held, more than %d", st.Bytes, limit)
	}
}

func testBound(t *testing.T, open func(limit int64) store.Store) {
	const limit = 1 << 20
	s := start(t, open, limit)
	for i := range 2000 {
		put(t, s, Object(fmt.Sprint("bound ", i), 100+i*7%9000))
		if st := s.Stats(); st.Bytes > limit {
			t.Fatalf("after %d objects %d bytes are held, more than %d", i+1, st.Bytes, limit)
		}
	}
	st := s.Stats()
	if st.Limit != limit {
		t.Errorf("Limit = %d, want %d", st.Limit, limit)
	}
	if st.Bytes < limit/2 {
		t.Errorf("only %d of %d bytes are used by what could fill them nine times", st.Bytes, limit)
	}
	if st.Evictions == 0 {
		t.Error("objects were evicted and none was counted")
	}
}

// testConcurrency has goroutines put, get and delete the same keys. Whatever is
// returned must be whole and the key's own, and the bound must hold afterwards.
func testConcurrency(t *testing.T, open func(limit int64) store.Store) {
	const (
		limit, workers, rounds, keys = 512 << 10, 8, 1500, 200
		largest                      = 8 << 10
	)
	s := start(t, open, limit)
	objects := make([]*store.Object, keys)
	for i := range objects {
		objects[i] = Object(fmt.Sprint("key ", i), i*largest/keys)
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				o := objects[(i*31+w*17)%keys]
				var err error
				switch (i + w) % 4 {
				case 0, 1:
					err = s.Put(o)
				case 2:
					var found *store.Object
					if found, err = s.Get(o.Key, []byte(o.Parts)); found != nil && !same(found, o) {
						t.Errorf("Get(%q) returned %q", o.Parts, found.Parts)
					}
				default:
					err = s.Delete(o.Key)
				}
				if err != nil {
					t.Errorf("%q: %v", o.Parts, err)
				}
				if st := s.Stats(); st.Bytes > limit+workers*objects[keys-1].Size() {
					t.Errorf("%d bytes are held, more than the limit and what is being put", st.Bytes)
				}
			}
		})
	}
	wg.Wait()
	if st := s.Stats(); st.Bytes > limit || st.Bytes < 0 {
		t.Errorf("%d bytes are held, more than %d or less than none", st.Bytes, limit)
	}
	for _, o := range objects {
		if err := s.Delete(o.Key); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats(); st.Objects != 0 || st.Bytes != 0 {
		t.Errorf("after everything was deleted: %+v", st)
	}
}
