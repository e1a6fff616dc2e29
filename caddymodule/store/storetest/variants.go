package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store"
)

// Sending returns what is sent of a request with these fields, names and values in
// turn.
func Sending(fields ...string) store.Sent {
	return func(name string) (string, bool) {
		for i := 0; i < len(fields); i += 2 {
			if fields[i] == name {
				return fields[i+1], true
			}
		}
		return "", false
	}
}

// pages are the variants of one page in one store.
type pages struct {
	t     *testing.T
	s     store.Store
	locks store.KeyLocks
}

func startPages(t *testing.T, open func(limit int64) store.Store) *pages {
	return &pages{t: t, s: start(t, open, roomy)}
}

// admit stores an answer to what was sent, which varies on names.
func (p *pages) admit(sent store.Sent, names ...string) *store.Object {
	p.t.Helper()
	o := Object("page", 10)
	if err := store.Admit(p.s, &p.locks, o, nil, names, sent); err != nil {
		p.t.Fatalf("Admit: %v", err)
	}
	return o
}

// expect holds what answers a request against what should: nil for a vary-miss
// where there is an index, and for a miss where there is none.
func (p *pages) expect(what string, sent store.Sent, want *store.Object, wantIndex bool) {
	p.t.Helper()
	page := Object("page", 0)
	found, at, err := store.Select(p.s, page.Key, []byte(page.Parts), sent)
	index := at != page.Key
	if err != nil {
		p.t.Fatalf("Select: %v", err)
	}
	if (found == nil) != (want == nil) || found != nil && found.ID != want.ID || index != wantIndex {
		p.t.Errorf("%s: Select = %+v, %t; want %+v, %t", what, found, index, want, wantIndex)
	}
}

func testVariants(t *testing.T, open func(limit int64) store.Store) {
	ja, en := Sending("Accept-Language", "ja"), Sending("Accept-Language", "en")
	empty, absent := Sending("Accept-Language", ""), Sending()

	t.Run("no Vary, RFC 9111 §4.1", func(t *testing.T) {
		p := startPages(t, open)
		p.expect("nothing stored", ja, nil, false)
		o := p.admit(ja)
		if o.Selecting != nil || o.Key != Object("page", 0).Key {
			t.Errorf("stored with %v under %x", o.Selecting, o.Key)
		}
		p.expect("everybody", en, o, false)
		o = p.admit(en)
		p.expect("the one stored last", ja, o, false)
	})
	t.Run("Vary on one field, RFC 9111 §4.1", func(t *testing.T) {
		p := startPages(t, open)
		p.admit(ja) // replaced: now the response varies
		inJapanese := p.admit(ja, "accept-LANGUAGE")
		p.expect("not stored yet", en, nil, true)
		inEnglish := p.admit(en, "Accept-Language")
		forEmpty := p.admit(empty, "Accept-Language")
		p.expect("absent is not empty", absent, nil, true)
		forAbsent := p.admit(absent, "Accept-Language")
		p.expect("ja", ja, inJapanese, true)
		p.expect("en", Sending("Accept-Language", "en", "Cookie", "x"), inEnglish, true)
		p.expect("empty", empty, forEmpty, true)
		p.expect("absent", absent, forAbsent, true)
		p.expect("other case of the value", Sending("Accept-Language", "JA"), nil, true)
		want := []store.Selecting{{Name: "Accept-Language", Value: "ja", Sent: true}}
		if !slices.Equal(inJapanese.Selecting, want) {
			t.Errorf("Selecting = %v, want %v", inJapanese.Selecting, want)
		}
		inJapanese = p.admit(ja, "Accept-Language")
		p.expect("replaced", ja, inJapanese, true)
		p.expect("its neighbour", en, inEnglish, true)
	})
	t.Run("values that imitate others", func(t *testing.T) {
		p := startPages(t, open)
		o := p.admit(Sending("A", "1", "B", "2"), "B", "A")
		for _, sent := range []store.Sent{
			Sending("A", "2", "B", "1"), Sending("A", "12"), Sending("A", "12", "B", ""), Sending("A", "", "B", "12"),
			Sending("A", "1\x01B\x012"), Sending("A", "1"), Sending("B", "2"),
		} {
			p.expect("imitation", sent, nil, true)
		}
		p.expect("the real one", Sending("B", "2", "A", "1"), o, true)
	})
	t.Run("a response that leaves out Vary stays a variant", func(t *testing.T) {
		p := startPages(t, open)
		inJapanese := p.admit(ja, "Accept-Language")
		inEnglish := p.admit(en)
		p.expect("absent", absent, nil, true)
		p.expect("en", en, inEnglish, true)
		p.expect("ja", ja, inJapanese, true)
	})
	t.Run("a new name drops what was chosen without it", func(t *testing.T) {
		p := startPages(t, open)
		old := p.admit(ja, "Accept-Language")
		o := p.admit(Sending("Accept-Language", "ja", "Dnt", "1"), "DNT")
		p.expect("with both", Sending("Accept-Language", "ja", "Dnt", "1"), o, true)
		p.expect("without the new one", ja, nil, true)
		p.expect("without the old one", Sending("Dnt", "1"), nil, true)
		if get(t, p.s, old) != nil {
			t.Error("what nobody can reach any more is still held")
		}
	})
	t.Run("an error for requests like its own only", func(t *testing.T) {
		p := startPages(t, open)
		admit := func(names ...string) (*store.Object, error) {
			o := Object("page", 10)
			o.Selecting = []store.Selecting{{Name: "Accept-Language", Value: "ja", Sent: true}, {Name: "Dnt"}}
			return o, store.Admit(p.s, &p.locks, o, nil, names, ja)
		}
		o, err := admit()
		if err != nil {
			t.Fatal(err)
		}
		p.expect("alike", ja, o, false)
		p.expect("another language", en, nil, false)
		p.expect("more than was sent", Sending("Accept-Language", "ja", "Dnt", "1"), nil, false)
		if _, err := admit("Accept-Language"); !errors.Is(err, store.ErrSelecting) {
			t.Errorf("with a Vary that names less: %v", err)
		}
		p.expect("it stays", ja, o, false)
		inEnglish := p.admit(en, "Accept-Language")
		if _, err := admit(); !errors.Is(err, store.ErrSelecting) {
			t.Errorf("among variants that are chosen by less: %v", err)
		}
		p.expect("the variants stay", en, inEnglish, true)
		if _, err := admit("Accept-Language", "Dnt"); err != nil {
			t.Errorf("with a Vary that names all of it: %v", err)
		}
	})
	t.Run("at most so many variants", func(t *testing.T) {
		p := startPages(t, open)
		sending := func(i int) store.Sent { return Sending("Accept", fmt.Sprint(i)) }
		variants := make([]*store.Object, store.MaxVariants+2)
		for i := range store.MaxVariants {
			variants[i] = p.admit(sending(i), "Accept")
		}
		variants[0] = p.admit(sending(0), "Accept") // so the oldest is another one
		for i := store.MaxVariants; i < len(variants); i++ {
			variants[i] = p.admit(sending(i), "Accept")
		}
		variants[1], variants[2] = nil, nil
		for i, want := range variants {
			p.expect(fmt.Sprint(i), sending(i), want, true)
		}
		if n := p.s.Stats().Objects; n != store.MaxVariants+1 {
			t.Errorf("%d objects are held, want %d variants and the index", n, store.MaxVariants)
		}
	})
	t.Run("what no index can hold", func(t *testing.T) {
		p := startPages(t, open)
		o := p.admit(ja, "Accept-Language")
		names := make([]string, store.MaxVaryNames)
		for i := range names {
			names[i] = fmt.Sprint("X-", i)
		}
		if err := store.Admit(p.s, &p.locks, Object("page", 20), nil, names, ja); !errors.Is(err, store.ErrTooManyNames) {
			t.Errorf("Admit with %d new names = %v, want ErrTooManyNames", len(names), err)
		}
		if err := store.Admit(p.s, &p.locks, Object("page", 20), nil, []string{"Dnt", "*"}, ja); !errors.Is(err, store.ErrVaryAny) {
			t.Errorf("Admit with * = %v, want ErrVaryAny", err)
		}
		p.expect("what was there", ja, o, true)
		p.admit(ja, names[1:]...) // just as many as can be
	})
	t.Run("the index outlasts its variants", func(t *testing.T) {
		p := startPages(t, open)
		long, short := Object("page", 10), Object("page", 10)
		long.Keep = time.Hour
		primary := long.Key
		for o, sent := range map[*store.Object]store.Sent{long: ja, short: en} {
			if err := store.Admit(p.s, &p.locks, o, nil, []string{"Accept-Language"}, sent); err != nil {
				t.Fatal(err)
			}
		}
		index, err := p.s.Get(primary, []byte(long.Parts))
		if err != nil || index == nil || index.Variants == nil {
			t.Fatalf("Get of the primary key = %+v, %v; want the index", index, err)
		}
		if got, want := index.UsableUntil(), long.UsableUntil(); got.Before(want) {
			t.Errorf("the index lasts until %s, a variant until %s", got, want)
		}
		if revalidating, onError := index.MayServeStale(time.Now()); index.Fresh(time.Now()) || revalidating || onError {
			t.Error("an index could be served")
		}
	})
	t.Run("Drop", func(t *testing.T) {
		p := startPages(t, open)
		other := Object("other", 10)
		put(t, p.s, other)
		drop := func() {
			t.Helper()
			page := Object("page", 0)
			if err := store.Drop(p.s, &p.locks, page.Key, page.Key, []byte(page.Parts)); err != nil {
				t.Fatal(err)
			}
			p.expect("dropped", ja, nil, false)
			if n := p.s.Stats().Objects; n != 1 {
				t.Errorf("%d objects are held, want only the other page", n)
			}
		}
		drop()
		p.admit(ja)
		drop()
		p.admit(ja, "Accept-Language")
		p.admit(en, "Accept-Language")
		drop()
		o := p.admit(en)
		p.expect("a new beginning", ja, o, false)
	})
	t.Run("a lost index takes its variants with it", func(t *testing.T) {
		p := startPages(t, open)
		p.admit(ja, "Accept-Language")
		if err := p.s.Delete(Object("page", 0).Key); err != nil { // as an eviction does
			t.Fatal(err)
		}
		p.expect("without an index", ja, nil, false)
		o := p.admit(en, "Accept-Language")
		p.expect("under the last index", ja, nil, true)
		p.expect("under the new one", en, o, true)
	})
	t.Run("invalidation", func(t *testing.T) { testVariantsInvalidated(t, startPages(t, open)) })
}

func testVariantsInvalidated(t *testing.T, p *pages) {
	ja, en := Sending("Accept-Language", "ja"), Sending("Accept-Language", "en")
	inJapanese, inEnglish, late := tagged("page", "x"), tagged("page", "y"), tagged("page", "y")
	primary, vary := late.Key, []string{"Accept-Language"}
	for o, sent := range map[*store.Object]store.Sent{inJapanese: ja, inEnglish: en} {
		if err := store.Admit(p.s, &p.locks, o, nil, vary, sent); err != nil {
			t.Fatal(err)
		}
	}
	invalidate(t, p.s, name("x"), 1)
	p.expect("invalidated", ja, nil, true)
	p.expect("its neighbour", en, inEnglish, true)

	invalidate(t, p.s, store.TagOf(store.TagURI, "page"), 2)
	p.expect("the whole URI, RFC 9111 §4.4", en, nil, false)
	if err := store.Admit(p.s, &p.locks, late, nil, vary, en); !errors.Is(err, store.ErrInvalidated) {
		t.Errorf("Admit of what was requested before = %v, want ErrInvalidated", err)
	}
	p.expect("refused", en, nil, false)
	if st := p.s.Stats(); st.Objects != 0 || st.Bytes != 0 {
		t.Errorf("Stats = %+v, want nothing held", st)
	}
	late.Key, late.Requested = primary, time.Now().Add(time.Millisecond)
	if err := store.Admit(p.s, &p.locks, late, nil, vary, en); err != nil {
		t.Fatal(err)
	}
	p.expect("requested after", en, late, true)
}

// testVariantsUnderway has goroutines admit, select, drop and invalidate the
// variants of one page. Nobody may get what somebody else's request selected, and
// no more may be reachable afterwards than is allowed.
func testVariantsUnderway(t *testing.T, open func(limit int64) store.Store) {
	const workers, rounds, values = 8, 300, 2 * store.MaxVariants
	p := startPages(t, open)
	page := Object("page", 0)
	sending := func(i int) (store.Sent, string) {
		value := fmt.Sprint(i % values)
		return Sending("Accept", value, "Dnt", "1"), value
	}
	check := func(i int) (found bool) {
		sent, value := sending(i)
		o, _, err := store.Select(p.s, page.Key, []byte(page.Parts), sent)
		if err != nil {
			t.Errorf("Select: %v", err)
		}
		if o != nil && string(o.Body) != value {
			t.Errorf("a request for %q was answered with %q", value, o.Body)
		}
		return o != nil
	}
	admit := func(i int) {
		o := Object("page", 0)
		o.Requested = time.Now()
		sent, value := sending(i)
		o.Body = []byte(value)
		names := []string{"Accept"}
		if i%97 == 0 {
			names = []string{"Accept", "Dnt"}
		}
		if err := store.Admit(p.s, &p.locks, o, nil, names, sent); err != nil && !errors.Is(err, store.ErrInvalidated) {
			t.Errorf("Admit: %v", err)
		}
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				n := i*13 + w*41
				switch {
				case i%100 == 50:
					if _, err := p.s.Invalidate(page.Tags[0]); err != nil {
						t.Errorf("Invalidate: %v", err)
					}
				case i%150 == 75:
					if err := store.Drop(p.s, &p.locks, page.Key, page.Key, []byte(page.Parts)); err != nil {
						t.Errorf("Drop: %v", err)
					}
				case i%2 == 0:
					admit(n)
				default:
					check(n)
				}
			}
		})
	}
	wg.Wait()
	// An update of the index that got lost would leave variants that it does not
	// list, and so does not count.
	reachable := 0
	for i := range values {
		if check(i) {
			reachable++
		}
	}
	if n := p.s.Stats().Objects; reachable > store.MaxVariants || n > store.MaxVariants+1 {
		t.Errorf("%d variants are reachable and %d objects held, at most %d and an index are allowed",
			reachable, n, store.MaxVariants)
	}
	for i := range store.MaxVariants {
		admit(i)
	}
	for i := range store.MaxVariants {
		if !check(i) {
			t.Errorf("variant %d is not there", i)
		}
	}
}

// testUpdates holds that an update is stored only in the place of what it updates.
func testUpdates(t *testing.T, open func(limit int64) store.Store) {
	p := startPages(t, open)
	first, second := Object("page", 10), Object("page", 20)
	update := Object("page", 30)
	admit := func(o, instead *store.Object) error {
		return store.Admit(p.s, &p.locks, o, instead, []string{"Dnt"}, Sending("Dnt", "1"))
	}
	for _, o := range []*store.Object{first, second} {
		if err := admit(o, nil); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := admit(update, first); !errors.Is(err, store.ErrReplaced) {
		p.t.Errorf("an update of what has been replaced: %v, want %v", err, store.ErrReplaced)
	}
	update = Object("page", 30)
	primary := update.Key
	if err := admit(update, second); err != nil {
		p.t.Errorf("an update of what is stored: %v", err)
	}
	if err := store.Drop(p.s, &p.locks, primary, update.Key, []byte("page")); err != nil {
		p.t.Fatal(err)
	}
	if err := admit(Object("page", 40), update); !errors.Is(err, store.ErrReplaced) {
		p.t.Errorf("an update of what has been dropped: %v, want %v", err, store.ErrReplaced)
	}
}
