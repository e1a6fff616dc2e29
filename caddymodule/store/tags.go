package store

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync"

	"github.com/zeebo/blake3"
)

// The kinds of tags. No two begin with the same letter: see [Tag].
const (
	TagURI   = "uri"   // a target URI (RFC 9111 §4.4)
	TagGroup = "group" // a cache group of an origin (RFC 9875 §2)
	TagName  = "tag"   // a name that the origin gave in Cache-Tag or Surrogate-Key
)

// Tag is something that objects are invalidated by: the first letter of its kind,
// and 15 bytes of the BLAKE3 digest of kind and value. Two values with one digest
// are invalidated together, which is too much and never too little.
type Tag [16]byte

// TagOf returns the tag of a value. Kind is one of the constants of this package.
func TagOf(kind, value string) Tag {
	b := binary.AppendUvarint(make([]byte, 0, 256), uint64(len(kind)))
	b = append(append(b, kind...), value...)
	sum := blake3.Sum256(b)
	tag := Tag{kind[0]}
	copy(tag[1:], sum[:])
	return tag
}

// Is reports whether the tag is of the kind.
func (t Tag) Is(kind string) bool { return t[0] == kind[0] }

// tagShards is how many locks the index has, so that those who put and those who
// evict rarely meet.
const tagShards = 64

// tagIndex finds the objects that have a tag. Its locks are leaves: it calls
// nobody, for the table calls it under locks of its own.
//
// Each adding is undone by one removing of the same object, in whatever order
// those of two goroutines come, so an object that is put twice is in it twice.
type tagIndex [tagShards]tagShard

type tagShard struct {
	mu sync.Mutex
	// one holds the tags that one object has, which most are: the tag of a URI.
	one map[shortTag]*Object
	// more holds the others, and how often each object was added.
	more map[shortTag]map[*Object]int
}

// shortTag is half a tag, to save memory. The whole is in the object.
type shortTag uint64

func (x *tagIndex) find(tag Tag) (*tagShard, shortTag) {
	return &x[tag[1]%tagShards], shortTag(binary.LittleEndian.Uint64(tag[8:]))
}

func (x *tagIndex) add(o *Object) {
	for _, tag := range o.Tags {
		s, short := x.find(tag)
		s.add(short, o)
	}
}

func (x *tagIndex) remove(o *Object) {
	for _, tag := range o.Tags {
		s, short := x.find(tag)
		s.remove(short, o)
	}
}

// objects lists the objects that have the tag at this moment.
func (x *tagIndex) objects(tag Tag) []*Object {
	s, short := x.find(tag)
	return slices.DeleteFunc(s.objects(short), func(o *Object) bool { return !slices.Contains(o.Tags, tag) })
}

func (s *tagShard) objects(tag shortTag) []*Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.one[tag]; ok {
		return []*Object{o}
	}
	return slices.Collect(maps.Keys(s.more[tag]))
}

func (s *tagShard) add(tag shortTag, o *Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if set, ok := s.more[tag]; ok {
		set[o]++
		return
	}
	if s.one == nil {
		s.one, s.more = make(map[shortTag]*Object), make(map[shortTag]map[*Object]int)
	}
	first, ok := s.one[tag]
	if !ok {
		s.one[tag] = o
		return
	}
	delete(s.one, tag)
	set := map[*Object]int{first: 1}
	set[o]++
	s.more[tag] = set
}

func (s *tagShard) remove(tag shortTag, o *Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set, ok := s.more[tag]
	if !ok {
		if s.one[tag] == o {
			delete(s.one, tag)
		}
		return
	}
	if set[o]--; set[o] <= 0 {
		delete(set, o)
	}
	if len(set) == 0 {
		delete(s.more, tag)
	}
}
