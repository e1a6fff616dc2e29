package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/store"
)

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
		invalidated := map[store.Tag]bool{}
		refused := func(o *store.Object) bool {
			return slices.ContainsFunc(o.Tags, func(tag store.Tag) bool { return invalidated[tag] })
		}
		// Few keys and fewer digests, so that objects meet and collide.
		draw := func(t *rapid.T) *store.Object {
			o := Object(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "parts"),
				rapid.IntRange(0, 64).Draw(t, "size"))
			o.Key = store.Key{byte(rapid.IntRange(0, 3).Draw(t, "digest"))}
			o.Requested = time.Now()
			o.Tags = rapid.SliceOfN(tags, 0, 3).Draw(t, "tags")
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
				o.Expires = time.Now().Add(-time.Second)
				if err := s.Put(o); err != nil {
					t.Fatalf("Put: %v", err)
				}
				delete(model, o.Key)
			},
			"put what was requested long ago": func(t *rapid.T) {
				o := draw(t)
				o.Requested = time.Now().Add(-time.Hour)
				switch err := s.Put(o); {
				case refused(o) != errors.Is(err, store.ErrInvalidated):
					t.Fatalf("Put = %v; invalidated: %t", err, refused(o))
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
				invalidated[tag] = true
				if n, err := s.Invalidate(tag); n != want || err != nil {
					t.Fatalf("Invalidate = %d, %v; want %d", n, err, want)
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
				}
				if st := s.Stats(); st.Objects != len(model) || st.Bytes != bytes {
					t.Fatalf("Stats = %+v, want %d objects of %d bytes", st, len(model), bytes)
				}
			},
		})
	})
}
