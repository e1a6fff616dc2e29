package store_test

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/caddymodule/store/storetest"
)

// formOf is a form that tells whose it is.
func formOf(o *store.Object, coding string) store.Form {
	return store.Form{Coding: coding, Body: []byte(coding + " of " + o.ID), Length: "1", Tag: `"` + coding + `"`}
}

func attach(t testing.TB, s store.Store, o *store.Object, f store.Form) bool {
	t.Helper()
	attached, err := s.Attach(o, f)
	if err != nil {
		t.Fatalf("Attach(%q): %v", o.Parts, err)
	}
	return attached
}

func lookUp(t testing.TB, s store.Store, o *store.Object) *store.Object {
	t.Helper()
	found, err := s.Get(o.Key, []byte(o.Parts))
	if err != nil {
		t.Fatalf("Get(%q): %v", o.Parts, err)
	}
	return found
}

// TestAttach: an object gets forms one after the other, and stays the object that it is.
func TestAttach(t *testing.T) {
	m := newMemory(t, 1<<20)
	defer func() { _ = m.Close() }()
	o := storetest.Object("a", 1000)
	if attach(t, m, o, formOf(o, "gzip")) {
		t.Fatal("what is not stored was given a form")
	}
	if err := m.Put(o); err != nil {
		t.Fatal(err)
	}
	before := m.Stats()
	for i, coding := range []string{"gzip", "br", "zstd"} {
		there := lookUp(t, m, o)
		if there.Form(coding) != nil {
			t.Fatalf("%s is there", coding)
		}
		f := formOf(o, coding)
		if coding == "zstd" {
			f.Body = nil
		}
		if !attach(t, m, there, f) {
			t.Fatalf("%s was not attached", coding)
		}
		if attach(t, m, there, f) {
			t.Fatalf("%s was attached to what had been replaced", coding)
		}
		grown := lookUp(t, m, o)
		if grown.ID != o.ID || &grown.Body[0] != &o.Body[0] || grown.Header != o.Header || !grown.Expires.Equal(o.Expires) {
			t.Fatalf("the object is another: %+v", grown)
		}
		if got := grown.Form(coding); got == nil || string(got.Body) != string(f.Body) {
			t.Fatalf("%s: %+v", coding, got)
		}
		if there.Form(coding) != nil {
			t.Fatal("an object that others hold was changed")
		}
		stats := m.Stats()
		if stats.Objects != 1 || stats.Bytes != grown.Size() || stats.Bytes <= before.Bytes || stats.Forms != min(i+1, 2) {
			t.Fatalf("%+v, size %d", stats, grown.Size())
		}
	}
	if err := m.Delete(o.Key); err != nil {
		t.Fatal(err)
	}
	if s := m.Stats(); s.Forms != 0 || s.FormBytes != 0 || s.Bytes != 0 {
		t.Errorf("after the object went: %+v", s)
	}
}

// TestAttachTooLate: what ends an object ends its forms, and the making of those.
func TestAttachTooLate(t *testing.T) {
	tag := store.TagOf(store.TagURI, "a")
	for name, end := range map[string]func(s store.Store, o *store.Object) error{
		"deleted":     func(s store.Store, o *store.Object) error { return s.Delete(o.Key) },
		"invalidated": func(s store.Store, _ *store.Object) error { _, err := s.Invalidate(tag); return err },
		"purged": func(s store.Store, _ *store.Object) error {
			_, err := s.Purge(store.Selection{All: true}, false)
			return err
		},
		"replaced": func(s store.Store, _ *store.Object) error { return s.Put(storetest.Object("a", 900)) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory(t, 1<<20)
			defer func() { _ = m.Close() }()
			o := storetest.Object("a", 1000)
			o.Expires = time.Now().Add(time.Hour)
			if err := m.Put(o); err != nil {
				t.Fatal(err)
			}
			attach(t, m, o, formOf(o, "gzip"))
			held := lookUp(t, m, o)
			if err := end(m, o); err != nil {
				t.Fatal(err)
			}
			if attach(t, m, held, formOf(o, "br")) {
				t.Error("a form was attached")
			}
			if there := lookUp(t, m, o); there != nil && (there.ID == o.ID || there.Form("gzip") != nil || there.Form("br") != nil) {
				t.Errorf("there is %+v", there)
			}
			if s := m.Stats(); s.Forms != 0 || s.FormBytes != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestSoftPurgeKeepsForms: a stale object has the body that it had, and gets no more forms.
func TestSoftPurgeKeepsForms(t *testing.T) {
	m := newMemory(t, 1<<20)
	defer func() { _ = m.Close() }()
	o := storetest.Object("a", 1000)
	o.StaleIfError = time.Hour
	if err := m.Put(o); err != nil {
		t.Fatal(err)
	}
	attach(t, m, o, formOf(o, "gzip"))
	if _, err := m.Purge(store.Selection{All: true}, true); err != nil {
		t.Fatal(err)
	}
	there := lookUp(t, m, o)
	if there.Fresh(time.Now()) || there.Form("gzip") == nil {
		t.Errorf("fresh: %v, form: %v", there.Fresh(time.Now()), there.Form("gzip"))
	}
	if attach(t, m, there, formOf(o, "br")) || lookUp(t, m, o).Fresh(time.Now()) {
		t.Error("a form has made the object fresh again")
	}
	if s := m.Stats(); s.Forms != 1 || s.Bytes != there.Size() {
		t.Errorf("%+v, size %d", s, there.Size())
	}
}

// TestInheritForms: an update has the forms of what it updates as long as it is of the same
// bytes, with the same entity tag.
func TestInheritForms(t *testing.T) {
	m := newMemory(t, 1<<20)
	defer func() { _ = m.Close() }()
	o := storetest.Object("a", 1000)
	if err := m.Put(o); err != nil {
		t.Fatal(err)
	}
	attach(t, m, o, formOf(o, "gzip"))
	from := lookUp(t, m, o)
	update := func(change func(*store.Object)) bool {
		next := storetest.Object("a", 1000)
		next.Body, next.Header = from.Body, from.Header
		change(next)
		next.InheritForms(from)
		return next.Form("gzip") != nil
	}
	if !update(func(*store.Object) {}) {
		t.Error("an update of the same bytes has lost the form")
	}
	for name, change := range map[string]func(*store.Object){
		"equal bytes elsewhere": func(o *store.Object) { o.Body = append([]byte(nil), o.Body...) },
		"a part":                func(o *store.Object) { o.Body = o.Body[:10] },
		"no bytes":              func(o *store.Object) { o.Body = nil },
		"another entity tag":    func(o *store.Object) { o.Header = store.FieldsOf(http.Header{"Etag": {`"b"`}}) },
	} {
		if update(change) {
			t.Errorf("%s: the form was inherited", name)
		}
	}
	// A body that is exchanged under an object's forms leaves none of them.
	other := *from
	other.Body = append([]byte(nil), from.Body...)
	if other.Form("gzip") != nil {
		t.Error("a form of other bytes was returned")
	}
}

// TestFormsModel: whatever is done in whatever order, a form is its object's, what is counted is what is
// there, and the bound holds.
func TestFormsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = 8000
		m, err := store.NewMemory(limit)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = m.Close() }()
		parts := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		var held []*store.Object
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				o := storetest.Object(parts.Draw(t, "parts"), rapid.IntRange(1, 2000).Draw(t, "size"))
				o.Requested = time.Now()
				if err := m.Put(o); err != nil && !errors.Is(err, store.ErrInvalidated) {
					t.Fatal(err)
				}
			},
			"get": func(t *rapid.T) {
				p := parts.Draw(t, "parts")
				if o, err := m.Get(storetest.Object(p, 1).Key, []byte(p)); err != nil {
					t.Fatal(err)
				} else if o != nil {
					held = append(held, o)
				}
			},
			"attach": func(t *rapid.T) {
				if len(held) == 0 {
					t.Skip("none is held")
				}
				o := rapid.SampledFrom(held).Draw(t, "object")
				f := formOf(o, rapid.SampledFrom([]string{"gzip", "br", "zstd"}).Draw(t, "coding"))
				f.Body = append(f.Body, make([]byte, rapid.IntRange(0, 1000).Draw(t, "size"))...)
				if _, err := m.Attach(o, f); err != nil {
					t.Fatal(err)
				}
			},
			"invalidate": func(t *rapid.T) {
				if _, err := m.Invalidate(store.TagOf(store.TagURI, parts.Draw(t, "parts"))); err != nil {
					t.Fatal(err)
				}
			},
			"purge": func(t *rapid.T) {
				if _, err := m.Purge(store.Selection{Route: "landing"}, rapid.Bool().Draw(t, "soft")); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				var size, formBytes int64
				forms := 0
				err := m.Each(func(o *store.Object) bool {
					size += o.Size()
					for _, coding := range []string{"gzip", "br", "zstd"} {
						if f := o.Form(coding); f != nil {
							forms++
							formBytes += int64(len(f.Body))
							if want := formOf(o, coding); string(f.Body[:len(want.Body)]) != string(want.Body) {
								t.Fatalf("%s has %q", o.ID, f.Body)
							}
						}
					}
					return true
				})
				s := m.Stats()
				if err != nil || s.Bytes != size || s.Forms != forms || s.FormBytes != formBytes || s.Bytes > limit {
					t.Fatalf("%v: %+v; there are %d bytes, %d forms of %d bytes", err, s, size, forms, formBytes)
				}
			},
		})
	})
}

// TestAttachUnderway: forms are attached while objects are replaced, invalidated, purged and evicted.
// When all is over nothing that was invalidated is there, and the books balance.
func TestAttachUnderway(t *testing.T) {
	m := newMemory(t, 64<<10)
	defer func() { _ = m.Close() }()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				parts := fmt.Sprint((w + i) % 7)
				o := storetest.Object(parts, 4000)
				o.Requested = time.Now()
				if err := m.Put(o); err != nil && !errors.Is(err, store.ErrInvalidated) {
					t.Error(err)
				}
				if there, _ := m.Get(o.Key, []byte(parts)); there != nil {
					if _, err := m.Attach(there, formOf(there, "gzip")); err != nil {
						t.Error(err)
					}
					if grown, _ := m.Get(o.Key, []byte(parts)); grown != nil {
						if f := grown.Form("gzip"); f != nil && string(f.Body) != string(formOf(grown, "gzip").Body) {
							t.Errorf("%s has %q", grown.ID, f.Body)
						}
					}
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 500 {
			parts := fmt.Sprint(i % 7)
			began := time.Now()
			if _, err := m.Invalidate(store.TagOf(store.TagURI, parts)); err != nil {
				t.Error(err)
			}
			if there, _ := m.Get(storetest.Object(parts, 1).Key, []byte(parts)); there != nil && there.Requested.Before(began) {
				t.Errorf("%s is there after it was invalidated", parts)
			}
			runtime.Gosched()
		}
	})
	wg.Wait()
	if _, err := m.Purge(store.Selection{All: true}, false); err != nil {
		t.Fatal(err)
	}
	if s := m.Stats(); s.Objects != 0 || s.Bytes != 0 || s.Forms != 0 || s.FormBytes != 0 {
		t.Errorf("after everything was purged: %+v", s)
	}
}
