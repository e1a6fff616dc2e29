package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// What the model's objects have for parts: keys, and what is none.
var modelParts = []string{
	page("/a").Parts, page("/a/b").Parts, page("/ab").Parts, page("/a", "x=1").Parts, "e", "f",
}

var selections = rapid.Custom(func(t *rapid.T) store.Selection {
	switch rapid.IntRange(0, 9).Draw(t, "selected by") {
	case 0:
		return store.Selection{All: true}
	case 1, 2:
		return store.Selection{Route: rapid.SampledFrom([]string{"landing", "other"}).Draw(t, "route")}
	case 3, 4:
		digest := policies.Digest([]byte(rapid.SampledFrom(modelParts).Draw(t, "parts")))
		return store.Selection{Key: digest[:rapid.IntRange(store.MinKey, len(digest)).Draw(t, "bytes")]}
	case 5, 6:
		tag := tags.Draw(t, "tag")
		return store.Selection{Tag: &tag}
	case 7:
		return store.Selection{URI: rapid.SampledFrom([]string{"example.com/a", "example.com/a?x=1", "example.com/b"}).Draw(t, "URI")}
	default:
		return store.Selection{Prefix: rapid.SampledFrom([]string{"example.com", "example.com/a", "example.com/a*", "other.example"}).Draw(t, "prefix")}
	}
})

// forgotten is a purge of which nothing must come back.
type forgotten struct {
	store.Selection
	soft  bool
	until time.Time // at most a moment later than the purge
}

var tags = rapid.Map(rapid.SampledFrom([]string{"x", "y", "z"}), func(name string) store.Tag {
	return store.TagOf(store.TagName, name)
})

// testModel holds the store against a map. It is given room for everything, so
// what was put must be there.
func testModel(t *testing.T, open func(limit int64) store.Store) {
	rapid.Check(t, func(t *rapid.T) {
		s := open(roomy)
		defer func() { _ = s.Close() }()
		model := map[store.Key]*store.Object{}
		invalidated := map[store.Tag]time.Time{}
		var purged []forgotten
		refused := func(o *store.Object, soft bool) bool {
			return slices.ContainsFunc(o.Tags, func(tag store.Tag) bool { return !o.Requested.After(invalidated[tag]) }) ||
				slices.ContainsFunc(purged, func(p forgotten) bool {
					return (soft || !p.soft) && !o.Requested.After(p.until) && p.Selects(o)
				})
		}
		s.Watch(func(o *store.Object, why store.DropCause) {
			if why != store.DropExpired || time.Now().Before(o.UsableUntil()) {
				t.Errorf("%q was dropped: %s", o.Parts, why)
			}
		})
		// Few keys and fewer digests, so that objects meet and collide.
		draw := func(t *rapid.T) *store.Object {
			o := Object(rapid.SampledFrom(modelParts).Draw(t, "parts"),
				rapid.IntRange(0, 64).Draw(t, "size"))
			o.Key = store.Key{byte(rapid.IntRange(0, 3).Draw(t, "digest"))}
			o.Requested = time.Now()
			o.Tags = rapid.SliceOfN(tags, 0, 3).Draw(t, "tags")
			o.Route = rapid.SampledFrom([]string{"landing", "other"}).Draw(t, "route")
			o.StaleIfError = time.Hour * time.Duration(rapid.IntRange(0, 1).Draw(t, "stale hours"))
			if rapid.IntRange(0, 4).Draw(t, "index") == 0 {
				o.Variants = &store.Variants{Names: []string{"Dnt"}}
			}
			return o
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				o := draw(t)
				if err := s.Put(o); err != nil {
					t.Fatalf("Put: %v", err)
				}
				model[o.Key] = o
			},
			"put expired": func(t *rapid.T) {
				o := draw(t)
				o.Expires, o.StaleIfError = time.Now().Add(-time.Second), 0
				if err := s.Put(o); err != nil {
					t.Fatalf("Put: %v", err)
				}
				delete(model, o.Key)
			},
			"put what was requested long ago": func(t *rapid.T) {
				o := draw(t)
				o.Requested = time.Now().Add(-time.Hour)
				switch err := s.Put(o); {
				case refused(o, true) != errors.Is(err, store.ErrInvalidated):
					t.Fatalf("Put = %v; invalidated or purged: %t", err, refused(o, true))
				case err == nil:
					model[o.Key] = o
				}
			},
			"invalidate": func(t *rapid.T) {
				tag := tags.Draw(t, "tag")
				want := 0
				for key, o := range model {
					if slices.Contains(o.Tags, tag) {
						delete(model, key)
						want++
					}
				}
				if n, err := s.Invalidate(tag); n != want || err != nil {
					t.Fatalf("Invalidate = %d, %v; want %d", n, err, want)
				}
				invalidated[tag] = time.Now()
			},
			"purge": func(t *rapid.T) {
				selection := selections.Draw(t, "selection")
				want := store.Purged{Looked: len(model)}
				for key, o := range model {
					if selection.Selects(o) {
						delete(model, key)
						want.Removed++
					}
				}
				if got, err := s.Purge(selection, false); got != want || err != nil {
					t.Fatalf("purge of %s = %+v, %v; want %+v", selection, got, err, want)
				}
				purged = append(purged, forgotten{selection, false, time.Now()})
			},
			"purge softly": func(t *rapid.T) {
				selection := selections.Draw(t, "selection")
				before, want := time.Now(), store.Purged{Looked: len(model)}
				got, err := s.Purge(selection, true)
				after := time.Now()
				for key, o := range model {
					if !selection.Selects(o) || o.Variants != nil || !o.Expires.After(after) {
						continue
					}
					want.Removed++
					if o.StaleIfError == 0 {
						delete(model, key)
						continue
					}
					found, err := s.Get(o.Key, []byte(o.Parts))
					if found == nil || err != nil || found.Expires.Before(before) || found.Expires.After(after) {
						t.Fatalf("%q is %+v, %v; want it stale since the purge", o.Parts, found, err)
					}
					stale := *o
					stale.Expires = found.Expires
					model[key] = &stale
				}
				if got != want || err != nil {
					t.Fatalf("soft purge of %s = %+v, %v; want %+v", selection, got, err, want)
				}
				purged = append(purged, forgotten{selection, true, after})
			},
			"each": func(t *rapid.T) {
				seen := map[store.Key]bool{}
				err := s.Each(func(o *store.Object) bool {
					want := model[o.Key]
					if seen[o.Key] || want == nil || !same(o, want) {
						t.Fatalf("saw %+v, want %+v once", o, want)
					}
					seen[o.Key] = true
					return true
				})
				if err != nil || len(seen) != len(model) {
					t.Fatalf("saw %d objects of %d, %v", len(seen), len(model), err)
				}
			},
			"delete": func(t *rapid.T) {
				o := draw(t)
				if err := s.Delete(o.Key); err != nil {
					t.Fatalf("Delete: %v", err)
				}
				delete(model, o.Key)
			},
			"get": func(t *rapid.T) {
				o := draw(t)
				found, err := s.Get(o.Key, []byte(o.Parts))
				if err != nil {
					t.Fatalf("Get: %v", err)
				}
				want := model[o.Key]
				if want != nil && want.Parts != o.Parts {
					want = nil
				}
				if (found == nil) != (want == nil) || found != nil && !same(found, want) {
					t.Fatalf("Get(%x, %q) = %+v, want %+v", o.Key[:1], o.Parts, found, want)
				}
			},
			"": func(t *rapid.T) {
				var bytes int64
				for _, o := range model {
					bytes += o.Size()
					if want := refused(o, time.Now().Before(o.Expires)); s.Revoked(o) != want {
						t.Fatalf("%q is revoked: %t, want %t", o.Parts, !want, want)
					}
				}
				if st := s.Stats(); st.Objects != len(model) || st.Bytes != bytes {
					t.Fatalf("Stats = %+v, want %d objects of %d bytes", st, len(model), bytes)
				}
			},
		})
	})
}
