package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/caddymodule/store/storetest"
)

// site is what RFC 9111 §4.1 says of the stored responses of some pages, in the
// simplest way.
type site struct {
	pages       map[string]*page
	invalidated map[store.Tag]time.Time
}

type page struct {
	plain    *store.Object
	names    []string // of the index; nil: there is none
	until    time.Time
	variants []variant // stored last at the end
}

type variant struct {
	values string
	o      *store.Object // nil: gone
}

// current is the page, without an index that is over.
func (m *site) current(parts string) *page {
	p := m.pages[parts]
	if p == nil {
		p = &page{}
		m.pages[parts] = p
	}
	if p.names != nil && !time.Now().Before(p.until) {
		*p = page{}
	}
	return p
}

func (m *site) refuses(o *store.Object) bool {
	return slices.ContainsFunc(o.Tags, func(tag store.Tag) bool {
		moment, ok := m.invalidated[tag]
		return ok && !o.Requested.After(moment)
	})
}

func (p *page) values(sent store.Sent) string {
	var b strings.Builder
	for _, name := range p.names {
		value, ok := sent(name)
		fmt.Fprintf(&b, "%q %t,", value, ok)
	}
	return b.String()
}

func (m *site) admit(o *store.Object, names []string, sent store.Sent) {
	if m.refuses(o) {
		return
	}
	p := m.current(o.Parts)
	if p.names == nil && len(names) == 0 {
		p.plain = o
		return
	}
	union := slices.Compact(slices.Sorted(slices.Values(slices.Concat(p.names, names))))
	if len(union) > len(p.names) {
		p.plain, p.names, p.variants = nil, union, nil
	}
	values := p.values(sent)
	p.variants = slices.DeleteFunc(p.variants, func(v variant) bool { return v.values == values })
	p.variants = append(p.variants, variant{values, o})
	p.variants = p.variants[max(0, len(p.variants)-store.MaxVariants):]
	if end := o.UsableUntil(); end.After(p.until) {
		p.until = end
	}
}

func (m *site) invalidate(tag store.Tag) {
	m.invalidated[tag] = time.Now()
	for parts, p := range m.pages {
		if tag == store.TagOf(store.TagURI, parts) {
			*p = page{}
			continue
		}
		if p.plain != nil && slices.Contains(p.plain.Tags, tag) {
			p.plain = nil
		}
		for i, v := range p.variants {
			if v.o != nil && slices.Contains(v.o.Tags, tag) {
				p.variants[i].o = nil
			}
		}
	}
}

func (m *site) find(parts string, sent store.Sent) (o *store.Object, index bool) {
	p := m.current(parts)
	o, index = p.plain, p.names != nil
	for values, i := p.values(sent), 0; index && i < len(p.variants); i++ {
		if p.variants[i].values == values {
			o = p.variants[i].o
		}
	}
	if o != nil && !time.Now().Before(o.UsableUntil()) {
		o = nil
	}
	return o, index
}

// TestVariantsModel holds Admit, Select and Invalidate against the model, step by
// step, with a clock that goes on.
func TestVariantsModel(t *testing.T) {
	fields := []string{"Accept", "Accept-Language", "Dnt"}
	names := rapid.SliceOfNDistinct(rapid.SampledFrom(fields), 0, 2, rapid.ID)
	parts := rapid.SampledFrom([]string{"a", "b"})
	tagNames := rapid.SampledFrom([]string{"x", "y"})
	value := rapid.SampledFrom([]string{"", "1", "2", "absent"})
	drawSent := func(t *rapid.T) store.Sent {
		var sent []string
		for _, name := range fields {
			if v := value.Draw(t, name); v != "absent" {
				sent = append(sent, name, v)
			}
		}
		return storetest.Sending(sent...)
	}
	step := func(t *rapid.T, s store.Store, locks *store.KeyLocks, model *site) {
		admit := func(sent store.Sent, names []string, age, life time.Duration, tags []string) {
			o := storetest.Object(parts.Draw(t, "parts"), 1)
			o.Requested, o.Expires = time.Now().Add(-age), time.Now().Add(life)
			for _, tag := range tags {
				o.Tags = append(o.Tags, store.TagOf(store.TagName, tag))
			}
			err := store.Admit(s, locks, o, nil, names, sent)
			if refused := model.refuses(o); refused != errors.Is(err, store.ErrInvalidated) || !refused && err != nil {
				t.Fatalf("Admit = %v; invalidated: %t", err, refused)
			}
			model.admit(o, names, sent)
		}
		seconds := rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.IntRange(1, 100).Draw(t, "seconds")) * time.Second
		})
		switch rapid.SampledFrom([]string{"admit", "admit", "admit", "crowd", "invalidate", "wait"}).Draw(t, "step") {
		case "admit":
			admit(drawSent(t), names.Draw(t, "vary"), seconds.Draw(t, "age"), seconds.Draw(t, "life"),
				rapid.SliceOfN(tagNames, 0, 2).Draw(t, "tags"))
		case "crowd":
			vary := names.Draw(t, "vary")
			for i := range store.MaxVariants / 2 {
				admit(storetest.Sending("Accept", fmt.Sprint(i), "Dnt", fmt.Sprint(i)), vary, 0, time.Hour, nil)
			}
		case "invalidate":
			tag := store.TagOf(store.TagName, tagNames.Draw(t, "tag"))
			if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
				tag = store.TagOf(store.TagURI, parts.Draw(t, "parts"))
			}
			if _, err := s.Invalidate(tag); err != nil {
				t.Fatal(err)
			}
			model.invalidate(tag)
		case "wait":
			time.Sleep(seconds.Draw(t, "for"))
		}
		for range 3 {
			page, sent := storetest.Object(parts.Draw(t, "parts"), 0), drawSent(t)
			found, at, err := store.Select(s, page.Key, []byte(page.Parts), sent)
			index := at != page.Key
			if err != nil {
				t.Fatal(err)
			}
			want, wantIndex := model.find(page.Parts, sent)
			if found != want || index != wantIndex {
				t.Fatalf("Select of %s = %+v, %t; want %+v, %t", page.Parts, found, index, want, wantIndex)
			}
			if found != nil && !found.SelectedBy(sent) {
				t.Fatalf("a request was answered with what %v selected", found.Selecting)
			}
		}
		// Two pages, each with its variants and an index.
		if n := s.Stats().Objects; n > 2*(store.MaxVariants+1) {
			t.Fatalf("%d objects are held", n)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		var stopped any // how rapid ends a try; it must get that from its own goroutine
		synctest.Test(t, func(t *testing.T) {
			defer func() { stopped = recover() }()
			s := newMemory(t, 64<<20)
			defer func() { _ = s.Close() }()
			model := &site{pages: make(map[string]*page), invalidated: make(map[store.Tag]time.Time)}
			var locks store.KeyLocks
			for range rapid.IntRange(1, 25).Draw(rt, "steps") {
				step(rt, s, &locks, model)
			}
		})
		if stopped != nil {
			panic(stopped)
		}
	})
}

// TestSelectedBy, RFC 9111 §4.1: every field that Vary named must match.
func TestSelectedBy(t *testing.T) {
	o := &store.Object{Selecting: []store.Selecting{{Name: "A", Value: "1", Sent: true}, {Name: "B"}, {Name: "C", Sent: true}}}
	for _, c := range []struct {
		name string
		sent store.Sent
		want bool
	}{
		{"the same", storetest.Sending("A", "1", "C", "", "D", "4"), true},
		{"another value", storetest.Sending("A", "2", "C", ""), false},
		{"sent, and was not", storetest.Sending("A", "1", "B", "", "C", ""), false},
		{"not sent, and was empty", storetest.Sending("A", "1"), false},
	} {
		if got := o.SelectedBy(c.sent); got != c.want {
			t.Errorf("%s: SelectedBy = %t, want %t", c.name, got, c.want)
		}
	}
	if !new(store.Object).SelectedBy(storetest.Sending("A", "1")) {
		t.Error("without Vary, a request was turned away")
	}
}

// crookedStore is a memory store that fails or lies on demand.
type crookedStore struct {
	*store.Memory
	get, put func(store.Key) error
	found    *store.Object // what every look-up of a variant returns
	primary  store.Key
}

func (s *crookedStore) Get(key store.Key, parts []byte) (*store.Object, error) {
	if s.get != nil {
		if err := s.get(key); err != nil {
			return nil, err
		}
	}
	if s.found != nil && key != s.primary {
		return s.found, nil
	}
	return s.Memory.Get(key, parts)
}

func (s *crookedStore) Put(o *store.Object) error {
	if s.put != nil {
		if err := s.put(o.Key); err != nil {
			return err
		}
	}
	return s.Memory.Put(o)
}

// TestSelectOfACollision: two variants with one digest are a miss.
func TestSelectOfACollision(t *testing.T) {
	s := &crookedStore{Memory: newMemory(t, 1<<20)}
	defer func() { _ = s.Close() }()
	var locks store.KeyLocks
	vary, ja, en := []string{"Accept-Language"}, storetest.Sending("Accept-Language", "ja"), storetest.Sending("Accept-Language", "en")
	o := storetest.Object("page", 10)
	s.primary = o.Key
	if err := store.Admit(s, &locks, o, nil, vary, ja); err != nil {
		t.Fatal(err)
	}
	s.found = o
	if found, at, err := store.Select(s, s.primary, []byte("page"), en); found != nil || at == s.primary || err != nil {
		t.Errorf("Select = %+v, %x, %v; want a vary-miss", found, at, err)
	}
	if found, _, _ := store.Select(s, s.primary, []byte("page"), ja); found != o {
		t.Error("the request that the variant is for did not get it")
	}
	s.found = storetest.Object("page", 10) // one that nothing selected
	if found, at, err := store.Select(s, s.primary, []byte("page"), en); found != nil || at == s.primary || err != nil {
		t.Errorf("Select = %+v, %x, %v; want a vary-miss", found, at, err)
	}
}

// TestVariantsInAFailingStore: a failure reads as "not there", and what no index
// lists is not held.
func TestVariantsInAFailingStore(t *testing.T) {
	broken := errors.New("the disk is on fire")
	s := &crookedStore{Memory: newMemory(t, 1<<20)}
	defer func() { _ = s.Close() }()
	var locks store.KeyLocks
	vary, ja, en := []string{"Accept-Language"}, storetest.Sending("Accept-Language", "ja"), storetest.Sending("Accept-Language", "en")
	admit := func(sent store.Sent) error {
		return store.Admit(s, &locks, storetest.Object("page", 10), nil, vary, sent)
	}
	s.primary = storetest.Object("page", 0).Key
	isPrimary := func(want bool) func(store.Key) error {
		return func(key store.Key) error {
			if (key == s.primary) == want {
				return broken
			}
			return nil
		}
	}
	if err := admit(ja); err != nil {
		t.Fatal(err)
	}
	for what, set := range map[string]func(){
		"reading the index":   func() { s.get = isPrimary(true) },
		"writing the variant": func() { s.put = isPrimary(false) },
		"writing the index":   func() { s.put = isPrimary(true) },
	} {
		set()
		if err := admit(en); !errors.Is(err, broken) {
			t.Errorf("%s fails: Admit = %v", what, err)
		}
		s.get, s.put = nil, nil
		if found, at, err := store.Select(s, s.primary, []byte("page"), en); found != nil || at == s.primary || err != nil {
			t.Errorf("%s failed: Select = %+v, %x, %v; want a vary-miss", what, found, at, err)
		}
		if n := s.Stats().Objects; n != 2 {
			t.Errorf("%s failed: %d objects are held, want one variant and the index", what, n)
		}
	}
	for what, get := range map[string]func(store.Key) error{"the index": isPrimary(true), "the variant": isPrimary(false)} {
		s.get = get
		if found, _, err := store.Select(s, s.primary, []byte("page"), ja); found != nil || !errors.Is(err, broken) {
			t.Errorf("reading %s fails: Select = %+v, %v", what, found, err)
		}
		s.get = nil
	}
}

// selection is a store with a page that has so many variants, 0 for a page without
// Vary, and what is sent for one of them.
func selection(tb testing.TB, variants int) (s store.Store, primary store.Key, parts []byte, sent store.Sent) {
	tb.Helper()
	s = newMemory(tb, 64<<20)
	tb.Cleanup(func() { _ = s.Close() })
	var locks store.KeyLocks
	var names []string
	if variants > 0 {
		names = []string{"Accept-Language", "Accept-Encoding"}
	}
	page := storetest.Object("page", 0)
	for i := range max(1, variants) {
		sent = storetest.Sending("Accept-Language", fmt.Sprintf("l%d, en;q=0.5", i), "Accept-Encoding", "br, gzip, zstd")
		if err := store.Admit(s, &locks, storetest.Object("page", 4096), nil, names, sent); err != nil {
			tb.Fatal(err)
		}
	}
	return s, page.Key, []byte(page.Parts), sent
}

func TestSelectAllocates(t *testing.T) {
	for variants, most := range map[int]float64{0: 0, 1: 1, store.MaxVariants: 1} {
		s, primary, parts, sent := selection(t, variants)
		n := testing.AllocsPerRun(5000, func() {
			if o, _, err := store.Select(s, primary, parts, sent); o == nil || err != nil {
				t.Fatal("not there")
			}
		})
		if n > most {
			t.Errorf("with %d variants Select allocates %v times, more than %v", variants, n, most)
		}
	}
}

func BenchmarkSelect(b *testing.B) {
	for _, variants := range []int{0, 1, store.MaxVariants} {
		b.Run(fmt.Sprint(variants), func(b *testing.B) {
			s, primary, parts, sent := selection(b, variants)
			b.ReportAllocs()
			for b.Loop() {
				if o, _, _ := store.Select(s, primary, parts, sent); o == nil {
					b.Fatal("not there")
				}
			}
		})
	}
}
