package gate

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/cacheward/cacheward/caddymodule/gate/search"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/policies"
)

// maxReflections is how many are told of at most.
const maxReflections = 8

// Reflection says that a response repeats a value of the visitor's request, and where.
// It does not contain the value.
type Reflection struct {
	// Input is whose value it is; its own Value is empty.
	Input policies.Input
	// Coding is how the value is written there: CodingPlain …
	Coding string
	// Field is the canonical name of the header field. Empty: the body.
	Field string
	// Offset is where it begins, in bytes of the decoded body or of the field's line.
	// In base64 it is the first character that is all the value's.
	Offset int64
	// Near is the nearest name in the markup of a body, as in [Divergence]. Empty where
	// that name has itself such a value in it.
	Near string
}

// InHeader returns where the fields of a response repeat a needle: at most one
// Reflection for an input and a field, by the fields' names, and at most 8. Fields that
// tell one request from another and are not stored ([httpcache.PerRequest]) may repeat
// what they like.
func (n *Needles) InHeader(h http.Header) []Reflection {
	if n == nil {
		return nil
	}
	var found []Reflection
	var text []byte
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if httpcache.PerRequest(name) {
			continue
		}
		field := http.CanonicalHeaderKey(name)
		for _, line := range h[name] {
			text = append(text[:0], line...)
			n.each(text, func(hit *needle, at int, coding string) bool {
				found = add(found, Reflection{Input: hit.input, Coding: coding, Field: field, Offset: int64(at)})
				return len(found) < maxReflections
			})
			if len(found) == maxReflections {
				return found
			}
		}
	}
	return found
}

// InBody returns where a decoded body repeats a needle: for each input, of which there
// are told 8 at most, one place, by the places. It takes time in
// proportion to the body.
func (n *Needles) InBody(body []byte) []Reflection {
	if n == nil {
		return nil
	}
	var found []Reflection
	n.each(body, func(hit *needle, at int, coding string) bool {
		found = add(found, Reflection{Input: hit.input, Coding: coding, Offset: int64(at)})
		return len(found) < min(n.inputs, maxReflections)
	})
	slices.SortFunc(found, func(a, b Reflection) int { return cmp.Compare(a.Offset, b.Offset) })
	for i := range found {
		found[i].Near = n.nameAt(body, int(found[i].Offset))
	}
	return found
}

// add adds what is not there yet.
func add(found []Reflection, r Reflection) []Reflection {
	if slices.ContainsFunc(found, func(have Reflection) bool { return have.Input == r.Input && have.Field == r.Field }) {
		return found
	}
	return append(found, r)
}

// nameAt is the name near a place, unless it cannot be repeated.
func (n *Needles) nameAt(body []byte, at int) string {
	name := nameNear(body, at)
	if !identifier.MatchString(name) {
		return ""
	}
	n.each([]byte(name), func(*needle, int, string) bool {
		name = ""
		return false
	})
	return name
}

// each calls yield for the needles that are in the text, in no order. It ends when
// yield returns false.
func (n *Needles) each(text []byte, yield func(hit *needle, at int, coding string) bool) {
	more := true
	look := func(set *search.Set, needles []needle) {
		set.Each(text, func(i, at int) bool {
			start, coding, ok := needles[i].match(text, at)
			if ok {
				more = yield(&needles[i], start, coding)
			}
			return more
		})
	}
	look(n.longSet, n.long)
	if more {
		look(n.shortSet, n.short)
	}
}

// match reads the value around the place of its literal. It returns where it begins and
// in which coding it is.
func (n *needle) match(text []byte, at int) (start int, coding string, ok bool) {
	if n.coding == CodingBase64 {
		return at, CodingBase64, true
	}
	// Plainly, whatever of it looks like an escape.
	start = at - n.from
	if end := start + len(n.value); start >= 0 && end <= len(text) && string(text[start:end]) == n.value {
		return start, CodingPlain, !n.word || isWordAt(text, start, end)
	}
	start, end, coding := at, at+len(n.literal), n.coding
	for i, size := n.to, 0; i < len(n.value); i += size {
		_, size = utf8.DecodeRuneInString(n.value[i:])
		length, how := spelled(text[end:], n.value[i:i+size])
		if length == 0 {
			return 0, "", false
		}
		end += length
		coding = firstCoding(coding, how)
	}
	for i, size := n.from, 0; i > 0; i -= size {
		_, size = utf8.DecodeLastRuneInString(n.value[:i])
		length, how := spelledBefore(text[:start], n.value[i-size:i])
		if length == 0 {
			return 0, "", false
		}
		start -= length
		coding = firstCoding(coding, how)
	}
	return start, coding, !n.word || isWordAt(text, start, end)
}

func firstCoding(a, b string) string {
	if a == CodingPlain {
		return b
	}
	return a
}

// isWordAt says whether what stands from start to end is not part of a longer word.
func isWordAt(text []byte, start, end int) bool {
	return (end == len(text) || !inWord(text[end])) && (start == 0 || !inWord(text[start-1]) || endsEscape(text[:start]))
}

func inWord(c byte) bool { return isAlnum(c) || c == '-' || c == '_' }

// endsEscape says whether a text ends with %22 or \u0022, and not with a word.
func endsEscape(text []byte) bool {
	n := len(text)
	return n >= 3 && text[n-3] == '%' || n >= 6 && text[n-6] == '\\' && text[n-5] == 'u'
}
