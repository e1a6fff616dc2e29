package store

import (
	"encoding/binary"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Fields are the header of an object, line by line, those of one name together and
// in their order, encoded in one string: the collector has one thing to look at, and a
// line costs two or three bytes beside its value. It is for this process alone: names
// are numbers in a table of its own. [FieldsOf] makes it, and "" has no lines.
type Fields string

// FieldsOf lists the lines of h, names in order.
func FieldsOf(h http.Header) Fields {
	lines := 0
	for _, values := range h {
		lines += len(values)
	}
	if lines == 0 {
		return ""
	}
	var buffer [1024]byte // most headers fit, and need no other allocation than the result
	b := binary.AppendUvarint(buffer[:0], uint64(lines))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		number := names.number(name)
		for _, value := range h[name] {
			b = binary.AppendUvarint(b, number)
			if number == 0 {
				b = appendString(b, name)
			}
			b = appendString(b, value)
		}
	}
	return Fields(b)
}

// Len is the number of lines.
func (f Fields) Len() int {
	lines, _ := f.uvarint()
	return int(lines)
}

// All returns the lines: names, in their canonical form, and values. The strings are
// part of f. It allocates nothing.
func (f Fields) All() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		lines, rest := f.uvarint()
		for range lines {
			var number uint64
			var name, value string
			if number, rest = rest.uvarint(); number == 0 {
				name, rest = rest.text()
			} else {
				name = names.name(number)
			}
			if value, rest = rest.text(); !yield(name, value) {
				return
			}
		}
	}
}

// Header returns the fields as a header of their own.
func (f Fields) Header() http.Header {
	h := make(http.Header, f.Len())
	for name, value := range f.All() {
		h[name] = append(h[name], value)
	}
	return h
}

func (f Fields) text() (string, Fields) {
	n, rest := f.uvarint()
	return string(rest[:n]), rest[n:]
}

// uvarint is binary.Uvarint for a string.
func (f Fields) uvarint() (x uint64, rest Fields) {
	for i := range len(f) {
		x |= uint64(f[i]&0x7f) << (7 * i)
		if f[i] < 0x80 {
			return x, f[i+1:]
		}
	}
	return 0, ""
}

const (
	// maxNames is how many names have a number, and maxName how long they are at most, so
	// that an origin that makes up names fills no memory but that of its objects.
	maxNames = 1024
	maxName  = 64
)

// names are those that [Fields] refer to by number, the first by 1. A number keeps its
// name for as long as the process lives.
var names nameTable

type nameTable struct {
	list    atomic.Pointer[[]string]
	mu      sync.Mutex
	numbers map[string]uint64
}

// number is the name's. 0: it has none, and there is no room for it.
func (t *nameTable) number(name string) uint64 {
	if len(name) > maxName {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	number, ok := t.numbers[name]
	if ok || len(t.numbers) >= maxNames {
		return number
	}
	if t.numbers == nil {
		t.numbers = make(map[string]uint64)
	}
	var list []string
	if last := t.list.Load(); last != nil {
		list = *last
	}
	name = strings.Clone(name) // alone, and not with the header that it came in
	list = append(list[:len(list):len(list)], name)
	t.list.Store(&list)
	number = uint64(len(list))
	t.numbers[name] = number
	return number
}

// name is the name with the number, which is not 0.
func (t *nameTable) name(number uint64) string { return (*t.list.Load())[number-1] }
