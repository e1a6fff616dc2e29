package store

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestTagOf(t *testing.T) {
	kinds := []string{TagURI, TagGroup, TagName}
	seen := make(map[Tag]string)
	for _, kind := range kinds {
		for _, value := range []string{"", "a", "b", kind, kind + "a", "\x00a", "i:a"} {
			tag, what := TagOf(kind, value), fmt.Sprintf("%s %q", kind, value)
			if other, ok := seen[tag]; ok {
				t.Errorf("%s and %s have one tag", what, other)
			}
			seen[tag] = what
			if tag != TagOf(kind, value) {
				t.Errorf("%s has two tags", what)
			}
			for _, other := range kinds {
				if tag.Is(other) != (other == kind) {
					t.Errorf("%s is of the kind %s: %t", what, other, tag.Is(other))
				}
			}
		}
	}
	if TagOf("tag", "sx") == TagOf("tags", "x") {
		t.Error("a kind can imitate another part")
	}
}

func (x *tagIndex) entries() int {
	n := 0
	for i := range x {
		x[i].mu.Lock()
		n += len(x[i].one)
		for _, set := range x[i].more {
			n += len(set)
		}
		x[i].mu.Unlock()
	}
	return n
}

// TestTagIndex holds the index against a list of what was added and not removed.
func TestTagIndex(t *testing.T) {
	tags := []Tag{TagOf(TagURI, "a"), TagOf(TagGroup, "b"), TagOf(TagName, "c")}
	twin := tags[0] // with the same half
	twin[2]++
	tags = append(tags, twin)
	rapid.Check(t, func(t *rapid.T) {
		objects := make([]*Object, 4)
		for i := range objects {
			objects[i] = &Object{Tags: rapid.SliceOfN(rapid.SampledFrom(tags), 0, 5).Draw(t, "tags")}
		}
		var x tagIndex
		var added []*Object
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				o := rapid.SampledFrom(objects).Draw(t, "object")
				x.add(o)
				added = append(added, o)
			},
			"remove": func(t *rapid.T) {
				if len(added) == 0 {
					return
				}
				i := rapid.IntRange(0, len(added)-1).Draw(t, "which")
				x.remove(added[i])
				added = slices.Delete(added, i, i+1)
			},
			"": func(t *rapid.T) {
				most := 0
				for _, o := range added {
					most += len(o.Tags)
				}
				if n := x.entries(); n > most {
					t.Fatalf("%d entries for %d tags", n, most)
				}
				for _, tag := range tags {
					found := x.objects(tag)
					for _, o := range objects {
						want := slices.Contains(added, o) && slices.Contains(o.Tags, tag)
						if slices.Contains(found, o) != want {
							t.Fatalf("an object that has the tag and was added: %t; it is found: %t", want, !want)
						}
					}
				}
			},
		})
	})
}

// TestMemoryForgetsTags: whatever way an object goes, the index does not keep it.
func TestMemoryForgetsTags(t *testing.T) {
	object := func(i int) *Object {
		parts := fmt.Sprint(i)
		return &Object{
			Key: Key{byte(i), byte(i >> 8)}, Parts: parts, Body: make([]byte, 1000),
			Requested: time.Now(), Expires: time.Now().Add(time.Minute),
			Tags: []Tag{TagOf(TagURI, parts), TagOf(TagName, fmt.Sprint(i%3))},
		}
	}
	for name, end := range map[string]func(*Memory, *Object) error{
		"deleted":  func(m *Memory, o *Object) error { return m.Delete(o.Key) },
		"replaced": func(m *Memory, o *Object) error { return m.Put(&Object{Key: o.Key, Expires: o.Expires}) },
		"expired":  func(*Memory, *Object) error { time.Sleep(time.Minute + 5*time.Second); return nil },
		"invalidated": func(m *Memory, o *Object) error {
			_, err := m.Invalidate(o.Tags[0])
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, err := NewMemory(200 << 10) // so that some are evicted
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = m.Close() }()
				objects := make([]*Object, 300)
				for i := range objects {
					objects[i] = object(i)
					if err := m.Put(objects[i]); err != nil {
						t.Fatal(err)
					}
				}
				tags := &m.table.Load().tags
				if n, held := tags.entries(), m.Stats().Objects; n != 2*held || held == 0 || held == len(objects) {
					t.Errorf("%d entries for %d objects of %d", n, held, len(objects))
				}
				for _, o := range objects {
					if err := end(m, o); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				if n := tags.entries(); n != 0 {
					t.Errorf("%d entries are left", n)
				}
			})
		})
	}
}
