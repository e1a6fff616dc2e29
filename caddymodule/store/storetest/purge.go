package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// Page returns an object whose parts are an encoded key, with the tag of its URI. Scheme
// and host are https and example.com unless the parts say otherwise.
func Page(p policies.Parts, size int) *store.Object {
	if p.Scheme == "" {
		p.Scheme = "https"
	}
	if p.Host == "" {
		p.Host = "example.com"
	}
	o := Object(string(p.AppendKey(nil)), size)
	o.Tags = []store.Tag{store.TagOf(store.TagURI, string(p.AppendURI(nil)))}
	return o
}

func page(path string, params ...string) *store.Object {
	return Page(policies.Parts{EscapedPath: path, Params: params}, 100)
}

func purge(t *testing.T, s store.Store, selection store.Selection, soft bool, want store.Purged) {
	t.Helper()
	if got, err := s.Purge(selection, soft); got != want || err != nil {
		t.Errorf("purge of %s, soft %t: %+v, %v; want %+v", selection, soft, got, err, want)
	}
}

func tagSelection(tag store.Tag) store.Selection { return store.Selection{Tag: &tag} }

func testPurge(t *testing.T, open func(limit int64) store.Store) {
	a, below, beside, query := page("/a"), page("/a/b"), page("/ab"), page("/a", "x=1", "y")
	plain := Page(policies.Parts{Scheme: "http", Host: "example.com:8080", EscapedPath: "/a"}, 10)
	other := Page(policies.Parts{Host: "other.example", EscapedPath: "/a"}, 10)
	other.Route = "other"
	rewritten := Page(policies.Parts{EscapedPath: "/index.html", OriginalPath: "/old/"}, 10)
	rewritten.Tags = append(rewritten.Tags, name("x"))
	broken := tagged("no encoded key", "x")
	all := []*store.Object{a, below, beside, query, plain, other, rewritten, broken}

	for _, c := range []struct {
		name      string
		selection store.Selection
		want      []*store.Object
	}{
		{"everything", store.Selection{All: true}, all},
		{"a route", store.Selection{Route: "other"}, []*store.Object{other}},
		{"a route that has none", store.Selection{Route: "oth"}, nil},
		{"a key", store.Selection{Key: a.Key[:]}, []*store.Object{a}},
		{"the beginning of a key", store.Selection{Key: broken.Key[:8]}, []*store.Object{broken}},
		{"a tag", tagSelection(name("x")), []*store.Object{rewritten, broken}},
		{"a URI", store.Selection{URI: "example.com/a"}, []*store.Object{a, plain}},
		{"a URI with a query", store.Selection{URI: "example.com/a?x=1&y"}, []*store.Object{query}},
		{"a URI with a port", store.Selection{URI: "example.com:8080/a"}, []*store.Object{plain}},
		{"a URI before its rewrite", store.Selection{URI: "example.com/old/"}, []*store.Object{rewritten}},
		{"a prefix", store.Selection{Prefix: "example.com/a"}, []*store.Object{a, below, query, plain}},
		{"a prefix that ends anywhere", store.Selection{Prefix: "example.com/a*"}, []*store.Object{a, below, beside, query, plain}},
		{"a host", store.Selection{Prefix: "other.example"}, []*store.Object{other}},
		{"nothing that is there", store.Selection{Prefix: "example.org"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, open, roomy)
			var left []*store.Object
			bytes := int64(0)
			for _, o := range all {
				put(t, s, o)
				if !slices.Contains(c.want, o) {
					left, bytes = append(left, o), bytes+o.Size()
				}
			}
			purge(t, s, c.selection, false, store.Purged{Looked: len(all), Removed: len(c.want)})
			there(t, s, "purged", all, left...)
			if st := s.Stats(); st.Objects != len(left) || st.Bytes != bytes {
				t.Errorf("Stats = %+v, want %d objects of %d bytes", st, len(left), bytes)
			}
			purge(t, s, c.selection, false, store.Purged{Looked: len(left)})
			// attacks.md §20: a fill that began before the purge commits after it.
			for _, o := range all {
				selected := slices.Contains(c.want, o)
				if s.Revoked(o) != selected {
					t.Errorf("%q is revoked: %t, want %t", o.Parts, !selected, selected)
				}
				if err := s.Put(o); errors.Is(err, store.ErrInvalidated) != selected {
					t.Errorf("Put of %q, requested before = %v", o.Parts, err)
				}
				later := *o
				later.Requested = time.Now().Add(time.Millisecond)
				if s.Revoked(&later) {
					t.Errorf("%q is revoked, and was requested after the purge", o.Parts)
				}
				put(t, s, &later)
			}
		})
	}
	t.Run("a selection that is none", func(t *testing.T) {
		s := start(t, open, roomy)
		put(t, s, a)
		for _, selection := range []store.Selection{{}, {All: true, Route: "landing"}, {Key: a.Key[:7]}, {URI: "/a"}} {
			if p, err := s.Purge(selection, false); err == nil || p != (store.Purged{}) {
				t.Errorf("Purge(%+v) = %+v, %v", selection, p, err)
			}
		}
		there(t, s, "refused", all, a)
		put(t, s, a) // nothing is remembered of it either
	})
	t.Run("the caller's selection is the caller's", func(t *testing.T) {
		s := start(t, open, roomy)
		key, tag := a.Key, name("x")
		purge(t, s, store.Selection{Key: key[:]}, false, store.Purged{})
		purge(t, s, store.Selection{Tag: &tag}, false, store.Purged{})
		key[0]++
		tag[1]++
		if !s.Revoked(a) || !s.Revoked(broken) {
			t.Error("what was purged is forgotten once the caller changes its selection")
		}
	})
	t.Run("other purges after it", func(t *testing.T) {
		s := start(t, open, roomy)
		purge(t, s, store.Selection{URI: "example.com/a"}, false, store.Purged{})
		for i := range store.MaxPurges - 1 {
			purge(t, s, store.Selection{Route: fmt.Sprint("other ", i)}, false, store.Purged{})
		}
		if !s.Revoked(a) || s.Revoked(below) {
			t.Errorf("what was purged is revoked: %t; what was not: %t", s.Revoked(a), s.Revoked(below))
		}
		put(t, s, below)
		// One more than are told apart: nobody knows any more what the oldest selected.
		purge(t, s, store.Selection{Route: "one more"}, false, store.Purged{Looked: 1})
		later := page("/later")
		later.Requested = time.Now()
		put(t, s, later)
		for _, o := range []*store.Object{a, beside} {
			if err := s.Put(o); !errors.Is(err, store.ErrInvalidated) || !s.Revoked(o) {
				t.Errorf("Put of what may have been purged = %v; it is revoked: %t", err, s.Revoked(o))
			}
		}
		there(t, s, "in the end", []*store.Object{a, below, beside, later}, below, later)
	})
}

// betweenGetAndPut is a store with something that happens after a look-up.
type betweenGetAndPut struct {
	store.Store
	happens func()
}

func (s betweenGetAndPut) Get(key store.Key, parts []byte) (*store.Object, error) {
	o, err := s.Store.Get(key, parts)
	s.happens()
	return o, err
}

func testPurgeVariants(t *testing.T, open func(limit int64) store.Store) {
	ja, en := Sending("Accept-Language", "ja"), Sending("Accept-Language", "en")
	primary := page("/a").Key
	uri := page("/a").Tags[0]
	fill := func(t *testing.T, s store.Store, locks *store.KeyLocks) (variants []*store.Object) {
		t.Helper()
		for _, sent := range []store.Sent{ja, en} {
			o := page("/a")
			o.StaleIfError = time.Hour
			if err := store.Admit(s, locks, o, nil, []string{"Accept-Language"}, sent); err != nil {
				t.Fatal(err)
			}
			variants = append(variants, o)
		}
		return variants
	}
	for _, selection := range []store.Selection{
		{All: true}, {Route: "landing"}, {Key: primary[:]}, {Key: primary[:store.MinKey]},
		{URI: "example.com/a"}, {Prefix: "example.com"}, tagSelection(uri),
	} {
		t.Run(selection.String(), func(t *testing.T) {
			s, locks := start(t, open, roomy), new(store.KeyLocks)
			variants := fill(t, s, locks)
			neighbour := page("/b")
			neighbour.Route = "other"
			put(t, s, neighbour)
			if s.Revoked(variants[0]) {
				t.Error("a variant is revoked before the purge")
			}
			purge(t, s, selection, true, store.Purged{Looked: 4, Removed: 2 + countIf(selection.Selects(neighbour))})
			for i, sent := range []store.Sent{ja, en} {
				o, at, err := store.Select(s, primary, []byte(variants[i].Parts), sent)
				if err != nil || o == nil || o.ID != variants[i].ID || at != variants[i].Key || o.Fresh(time.Now()) {
					t.Errorf("after a soft purge Select = %+v, %x, %v; want the variant, stale", o, at[:4], err)
				}
			}
			left := 4 - countIf(selection.Selects(neighbour)) // which has no stale window
			purge(t, s, selection, false, store.Purged{Looked: left, Removed: 3})
			for i, sent := range []store.Sent{ja, en} {
				o, at, err := store.Select(s, primary, []byte(variants[i].Parts), sent)
				if err != nil || o != nil || at != primary {
					t.Errorf("Select = %+v, %x, %v; want nothing, and no index", o, at[:4], err)
				}
			}
		})
	}
	t.Run("one variant by its tag", func(t *testing.T) {
		s, locks := start(t, open, roomy), new(store.KeyLocks)
		variants := fill(t, s, locks)
		marked := page("/a")
		marked.Tags = append(marked.Tags, name("x"))
		if err := store.Admit(s, locks, marked, nil, []string{"Accept-Language"}, Sending()); err != nil {
			t.Fatal(err)
		}
		purge(t, s, tagSelection(name("x")), false, store.Purged{Looked: 4, Removed: 1})
		there(t, s, "purged", append(variants, marked), variants...)
	})
	t.Run("an update while it is purged", func(t *testing.T) {
		for _, soft := range []bool{false, true} {
			s, locks := start(t, open, roomy), new(store.KeyLocks)
			o := page("/a")
			o.StaleIfError = time.Hour
			put(t, s, o)
			// The origin was asked after the purge had begun, for what it had not come
			// to yet, and says that it has not changed.
			update := *o
			update.ID, update.Requested = store.NewID(), time.Now().Add(time.Hour)
			racing := betweenGetAndPut{s, func() {
				purge(t, s, store.Selection{Route: "landing"}, soft, store.Purged{Looked: 1, Removed: 1})
			}}
			if err := store.Admit(racing, locks, &update, o, nil, Sending()); !errors.Is(err, store.ErrReplaced) {
				t.Errorf("soft %t: Admit = %v, want ErrReplaced", soft, err)
			}
			found := get(t, s, o)
			if !soft {
				if found != nil {
					t.Error("what was purged is back")
				}
				continue
			}
			// What is stale, on the other hand, is there to be updated.
			if err := store.Admit(s, locks, &update, found, nil, Sending()); err != nil {
				t.Errorf("an update of what a soft purge left: %v", err)
			}
			if found = get(t, s, o); found == nil || !found.Fresh(time.Now()) {
				t.Errorf("after its update: %+v", found)
			}
		}
	})
}

func countIf(is bool) int {
	if is {
		return 1
	}
	return 0
}
