package gate

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"slices"
	"sort"
	"strings"

	"github.com/cacheward/cacheward/caddymodule/gate/harmless"
	"github.com/cacheward/cacheward/policies"
)

// minVisitorMade is the length of the shortest value, in bytes, that a place which is
// declared harmless must not show.
const minVisitorMade = 4

// correspond reports whether two bodies have the same declared places in the same order.
func correspond(own, fill []harmless.Place) bool {
	return slices.EqualFunc(own, fill, func(a, b harmless.Place) bool { return a.Rule == b.Rule })
}

// visitorMade returns those of the declared places that show a value of the visitor's
// request in their own body, or of what stands in for it in the fill.
func (k *comparison) visitorMade(ownPlaces, fillPlaces []harmless.Place) []differing {
	var made []differing
	for i, p := range ownPlaces {
		q := fillPlaces[i]
		own, fill := k.own.Body.Kept[p.Start:p.End], k.fill.Body.Kept[q.Start:q.End]
		if input, shown := k.shown(own, fill); shown {
			made = append(made, differing{
				Span: Span{
					Part: PartBody, Offset: int64(q.Start), Length: int64(len(fill)), OwnLength: int64(len(own)),
					Shape: Shape(fill), Entropy: entropy(Shape(fill), fill),
					Class: policies.ClassReflected, Input: nameOf(input), Declared: true,
				},
				ownOffset: p.Start,
			})
		}
	}
	return made
}

// visitorMadeField returns the span of a declared field, if it shows such a value.
func (k *comparison) visitorMadeField(name string, own, fill []string) (differing, bool) {
	a, b := []byte(strings.Join(own, ", ")), []byte(strings.Join(fill, ", "))
	input, shown := k.shown(a, b)
	return differing{Span: Span{
		Part: PartHeader, Field: name, Near: nearField(name), Length: int64(len(b)), OwnLength: int64(len(a)),
		Shape: Shape(b), Entropy: entropy(Shape(b), b),
		Class: policies.ClassReflected, Input: nameOf(input), Declared: true,
	}}, shown
}

// shown returns the input that one of two values shows which are declared harmless: the
// visitor's own, in their own answer, or what stands in for it, in the fill. What both
// show alike was not made of it.
func (k *comparison) shown(own, fill []byte) (policies.Input, bool) {
	if bytes.Equal(own, fill) {
		return policies.Input{}, false
	}
	k.prepare()
	if input, ok := shows(k.sent, own, fill); ok {
		return input, true
	}
	return shows(k.standIns, fill, own)
}

func shows(n *Needles, text, other []byte) (policies.Input, bool) {
	long := func(e echo) bool { return e.length >= minVisitorMade }
	if input, ok := n.echoed(text, other, long); ok {
		return input, true
	}
	return n.echoed(unescaped(text), unescaped(other), long)
}

// unescaped decodes what is URL-encoded in a text and leaves the rest as it is.
func unescaped(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		var c [1]byte
		switch {
		case text[i] == '+':
			out = append(out, ' ')
			continue
		case text[i] == '%' && i+2 < len(text):
			if _, err := hex.Decode(c[:], text[i+1:i+3]); err == nil {
				out = append(out, c[0])
				i += 2
				continue
			}
		}
		out = append(out, text[i])
	}
	return out
}

// excerpt is a body without some places of it.
type excerpt struct {
	text []byte
	cuts []omission
}

// omission is a place of the excerpt before which something was left out.
type omission struct {
	at      int
	removed int // bytes, with those of the cuts before
}

// without returns the body without the places, which are sorted and do not overlap. If
// there are none, it is the body itself and no copy.
func without(body []byte, places []harmless.Place) excerpt {
	if len(places) == 0 {
		return excerpt{text: body}
	}
	e := excerpt{text: make([]byte, 0, len(body)), cuts: make([]omission, len(places))}
	end := 0
	for i, p := range places {
		e.text = append(e.text, body[end:p.Start]...)
		e.cuts[i] = omission{at: len(e.text), removed: p.End - len(e.text)}
		end = p.End
	}
	e.text = append(e.text, body[end:]...)
	return e
}

// original returns where a stretch of the excerpt is in the body, and how long it is
// there, with the places that were left out within.
func (e excerpt) original(from, to int) (offset, length int64) {
	start := from + e.removed(from+1)
	end := max(start, to+e.removed(to))
	return int64(start), int64(end - start)
}

// removed is how many bytes the cuts before a place of the excerpt took away.
func (e excerpt) removed(before int) int {
	n := sort.Search(len(e.cuts), func(i int) bool { return e.cuts[i].at >= before })
	if n == 0 {
		return 0
	}
	return e.cuts[n-1].removed
}

// inOrder returns the spans of both by their offsets in the fill.
func inOrder(a, b []differing) []differing {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(x, y differing) int { return cmp.Compare(x.Offset, y.Offset) })
	return all
}
