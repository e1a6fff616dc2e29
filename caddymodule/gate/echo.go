package gate

import (
	"github.com/cacheward/cacheward/policies"
)

const (
	// minEcho is the length of the shortest value that explains a span, in bytes.
	minEcho = 3
	// clearEcho is from which length on a value counts wherever it stands. A shorter
	// one has to be a word of its own.
	clearEcho = 8
	// evidentEcho is from which length on it does not matter how much of a span the
	// value is. A shorter one has to be half of it.
	evidentEcho = 6
	// aroundEcho is how far a value may reach out of a span.
	aroundEcho = 4 * maxValue
	// maxEcho is how much of a span is searched, so that short values in long spans
	// cost little.
	maxEcho = 1 << 20
)

// echo is an occurrence of a value of an input in a text.
type echo struct {
	length  int // the value's
	at, end int // of what is certainly part of it
	plain   bool
}

// needlesFor are the values of inputs that may explain a difference.
func needlesFor(inputs []policies.Input) *Needles {
	var long []policies.Input
	for _, input := range inputs {
		if len(input.Value) >= minEcho {
			long = append(long, input)
		}
	}
	return NewNeedles(long, Any)
}

// echoed returns the input whose value stands in text, at a place that fits, and does
// not stand as often in the other text: as it would if it were part of the page. Of
// several it is the longest value.
func (n *Needles) echoed(text, other []byte, fits func(echo) bool) (policies.Input, bool) {
	if n == nil {
		return policies.Input{}, false
	}
	type tally struct {
		more int // how much more often it is in text
		fits bool
	}
	found := make(map[*target]*tally)
	n.each(text, func(hit *needle, at int, coding string) bool {
		size := len(hit.value)
		if coding == CodingBase64 {
			size = len(hit.literal)
		}
		t := found[hit.target]
		if t == nil {
			t = new(tally)
			found[hit.target] = t
		}
		t.more++
		t.fits = t.fits || fits(echo{len(hit.value), at, min(len(text), at+size), coding == CodingPlain})
		return true
	})
	if len(found) == 0 {
		return policies.Input{}, false
	}
	n.each(other, func(hit *needle, _ int, _ string) bool {
		if t := found[hit.target]; t != nil {
			t.more--
		}
		return true
	})
	var best *target
	for _, needles := range [][]needle{n.long, n.short} {
		for i := range needles {
			one := needles[i].target
			if t := found[one]; t != nil && t.fits && t.more > 0 && (best == nil || len(one.value) > len(best.value)) {
				best = one
			}
		}
	}
	if best == nil {
		return policies.Input{}, false
	}
	return best.input, true
}

// echoedInSpan is echoed for the span of one of two texts that differ from each other
// in it.
func (n *Needles) echoedInSpan(text []byte, from, to int, other []byte, otherFrom, otherTo int) (policies.Input, bool) {
	if n == nil || from == to {
		return policies.Input{}, false
	}
	to, otherTo = min(to, from+maxEcho), min(otherTo, otherFrom+maxEcho)
	start, end := max(0, from-aroundEcho), min(len(text), to+aroundEcho)
	otherStart, otherEnd := max(0, otherFrom-aroundEcho), min(len(other), otherTo+aroundEcho)
	text, other = text[start:end], other[otherStart:otherEnd]
	return n.echoed(text, other, func(e echo) bool {
		switch {
		case e.at >= to-start || e.end <= from-start || e.length < minEcho:
			return false // is in both, or would be anywhere
		case e.length >= clearEcho:
			return true
		case e.length < evidentEcho && to-from > 2*(e.end-e.at):
			return false
		}
		return !e.plain || standsAlone(text, e.at, e.end)
	})
}

// standsAlone reports whether neither letters nor digits continue text[from:to].
func standsAlone(text []byte, from, to int) bool {
	return (from == 0 || !isAlnum(text[from-1])) && (to == len(text) || !isAlnum(text[to]))
}

// nameOf names an input. What a visitor calls a parameter might itself be a value, so
// what looks like no name is left out.
func nameOf(input policies.Input) string {
	if name := input.String(); identifier.MatchString(name) {
		return name
	}
	return string(input.Kind)
}
