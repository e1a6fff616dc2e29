package policies

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// ListEntry is one name of a built-in list.
type ListEntry struct {
	// Pattern is an exact name or a glob.
	Pattern string
	// Param and Cookie say of which inputs it is a name.
	Param, Cookie bool
	// Vendor says whose it is.
	Vendor string
}

// listKind is the kind of input that a name belongs to.
type listKind uint8

const (
	kindParam listKind = iota
	kindCookie
	kindHeader
)

func (k listKind) String() string {
	return [...]string{"parameter", "cookie", "header"}[k]
}

//go:embed lists.yaml
var listsYAML []byte

// ListVersion changes whenever a built-in list does: what a list strips is no part
// of the key, so objects from before the change must not be found any more.
func ListVersion() int { return builtinLists().version }

// Lists returns the built-in lists by their names, which begin with @. The result
// is the caller's.
func Lists() map[string][]ListEntry {
	out := make(map[string][]ListEntry)
	for name, entries := range builtinLists().entries {
		out[name] = slices.Clone(entries)
	}
	return out
}

type nameLists struct {
	version int
	entries map[string][]ListEntry
	sets    map[string]*[2]nameSet // by listKind; no list has headers
}

// listNames returns the names of a list for a kind of input, or nil.
func listNames(list string, kind listKind) *nameSet {
	sets := builtinLists().sets[list]
	if sets == nil || kind == kindHeader {
		return nil
	}
	return &sets[kind]
}

// knownLists are the names of the lists themselves.
func knownLists() []string {
	return slices.Sorted(maps.Keys(builtinLists().entries))
}

// builtinLists reads the lists that are compiled in. They are a constant, so a
// mistake in them is a fault of the build, which every test would meet.
var builtinLists = sync.OnceValue(func() *nameLists {
	root, err := parseYAML("lists.yaml", listsYAML)
	if err != nil {
		panic(err)
	}
	lists, err := readLists(root)
	if err != nil {
		panic(err)
	}
	return lists
})

func readLists(root *node) (*nameLists, error) {
	lists := &nameLists{entries: make(map[string][]ListEntry), sets: make(map[string]*[2]nameSet)}
	d := decoder{}
	members := []member{{"version", d.integer(&lists.version, "a version")}}
	for _, f := range root.fields {
		if strings.HasPrefix(f.key, "@") {
			members = append(members, member{f.key, d.list(lists, f.key)})
		}
	}
	d.object(root, "", "lists", members...)
	if len(d.diags) > 0 {
		return nil, d.diags.sorted()
	}
	return lists, nil
}

// list reads entries: {names: [utm_*], in: param|cookie|both, vendor: …}.
func (d *decoder) list(lists *nameLists, list string) reader {
	return func(n *node, path string) {
		sets := new([2]nameSet)
		for i := range sets {
			sets[i].exact = make(map[string]struct{})
		}
		lists.sets[list] = sets
		each(d, n, path, "a list of entries", func(item *node, path string) {
			var names []string
			var in, vendor string
			d.object(item, path, "an entry",
				member{"names", d.words(&names, "name")},
				member{"in", word(d, &in, "param, cookie or both")},
				member{"vendor", word(d, &vendor, "a vendor")},
			)
			param, cookie := in == "param" || in == "both", in == "cookie" || in == "both"
			if !param && !cookie {
				d.fault(item.pos, path, fmt.Sprintf("%q is not param, cookie or both", in), "")
			}
			for _, name := range names {
				lists.entries[list] = append(lists.entries[list], ListEntry{name, param, cookie, vendor})
				if param {
					sets[kindParam].add(name, kindParam)
				}
				if cookie {
					sets[kindCookie].add(name, kindCookie)
				}
			}
		})
	}
}

func (s *nameSet) add(pattern string, kind listKind) {
	if strings.Contains(pattern, "*") {
		s.globs = append(s.globs, newNameGlob(pattern, kind))
		return
	}
	s.exact[pattern] = struct{}{}
}
