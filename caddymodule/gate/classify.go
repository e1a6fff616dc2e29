package gate

import (
	"bytes"
	"hash/maphash"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cacheward/cacheward/policies"
)

const (
	// A page is personalised where so many bytes of other text differ, and they are
	// more than one in so many of the whole body.
	minPersonal   = 256
	personalShare = 4
	// maxParts bounds the spans that are looked into part by part, in bytes.
	maxParts = maxToken
)

// classify gives each span its class: what it is by itself, and then what the spans of
// the body are together.
func (k *comparison) classify() {
	k.prepare()
	for i := range k.found {
		d := &k.found[i]
		if d.Declared || d.Part == PartStatus {
			continue
		}
		if input, reflected := k.reflected(d); reflected {
			d.Class, d.Input = policies.ClassReflected, nameOf(input)
		} else if d.Class == "" {
			d.Class = classOf(d)
		}
	}
	body := k.inBody()
	markOrder(body)
	markPersonal(body)
}

// prepare makes the inputs ready to be looked for, once.
func (k *comparison) prepare() {
	if !k.prepared {
		k.prepared = true
		k.sent, k.standIns = needlesFor(k.context.Inputs), needlesFor(k.context.StandIns)
	}
}

// inBody are the spans of the body of which the place is known and which nobody
// declared.
func (k *comparison) inBody() []*differing {
	var body []*differing
	for i := range k.found {
		if d := &k.found[i]; d.Part == PartBody && d.Offset >= 0 && !d.Declared {
			body = append(body, d)
		}
	}
	return body
}

// reflected returns the input whose value is in the visitor's own span and not in the
// fill's, or that whose stand-in is in the fill's alone.
func (k *comparison) reflected(d *differing) (policies.Input, bool) {
	s := d.at
	if input, ok := k.sent.echoedInSpan(d.own, s.own, s.ownEnd, d.fill, s.fill, s.fillEnd); ok {
		return input, true
	}
	return k.standIns.echoedInSpan(d.fill, s.fill, s.fillEnd, d.own, s.own, s.ownEnd)
}

// classOf is the class of a span by itself, where it is not a reflected input.
func classOf(d *differing) policies.Class {
	own, fill := d.own[d.at.own:d.at.ownEnd], d.fill[d.at.fill:d.at.fillEnd]
	if bytes.Equal(own, fill) {
		return policies.ClassContent // a field's lines, divided in another way
	}
	if class := classOfValues(own, fill); class != policies.ClassContent || max(len(own), len(fill)) > maxParts {
		return class
	}
	// Values that stand close to each other are in one span. With the times taken out
	// of both texts, and what surrounds them, what remains differs or does not.
	before := min(d.at.own, d.at.fill, aroundToken)
	after := min(len(d.own)-d.at.ownEnd, len(d.fill)-d.at.fillEnd, aroundToken)
	hasDigits := alphabetOf(own)&alphabetOf(fill)&decimalDigits != 0
	if hasDigits && bytes.Equal(timeless(d.own[d.at.own-before:d.at.ownEnd+after]), timeless(d.fill[d.at.fill-before:d.at.fillEnd+after])) {
		return policies.ClassClock
	}
	if class := classOfParts(own, fill); class != policies.ClassContent {
		return class
	}
	if a, b := drawn(own), drawn(fill); hasOther(a, b) && hasOther(b, a) {
		return policies.ClassToken // beside other things, such as the visitor's name
	}
	return policies.ClassContent
}

// minDrawn is how long a random value among other text is at least, in bytes.
const minDrawn = 16

// drawn are the values in a text that were likely drawn at random.
func drawn(text []byte) map[string]bool {
	values := make(map[string]bool)
	for value := range bytes.FieldsFuncSeq(text, func(r rune) bool { return r == '.' || r == '~' || r < utf8.RuneSelf && !isToken(byte(r)) }) {
		if len(value) >= minDrawn && isRandom(Shape(value), value) {
			values[string(value)] = true
		}
	}
	return values
}

// hasOther reports whether one set has what the other one has not.
func hasOther(set, other map[string]bool) bool {
	for value := range set {
		if !other[value] {
			return true
		}
	}
	return false
}

// timeless returns a text with a mark in place of each time in it.
func timeless(text []byte) []byte {
	for _, f := range forms {
		if isClock(f.shape) {
			text = f.pattern.ReplaceAllLiteral(text, []byte{0})
		}
	}
	return text
}

func isClock(shape string) bool {
	switch shape {
	case "timestamp", "date", "time", "duration":
		return true
	}
	return false
}

// classOfParts is the most telling class of the tokens in which two texts differ that
// are the same between their tokens, and ClassContent for others.
func classOfParts(own, fill []byte) policies.Class {
	class := policies.ClassContent
	for len(own) > 0 && len(fill) > 0 {
		a, b := tokenEnd(own, 0), tokenEnd(fill, 0)
		if a > 0 && b > 0 && !bytes.Equal(own[:a], fill[:b]) {
			if part := classOfValues(own[:a], fill[:b]); part.Outranks(class) {
				class = part
			}
		}
		own, fill = own[a:], fill[b:]
		if len(own) > 0 && len(fill) > 0 && a == 0 && b == 0 {
			if own[0] != fill[0] {
				return policies.ClassContent
			}
			own, fill = own[1:], fill[1:]
		} else if (a == 0) != (b == 0) {
			return policies.ClassContent
		}
	}
	if len(own) != len(fill) {
		return policies.ClassContent
	}
	return class
}

// classOfValues is the class of two values, one in place of the other.
func classOfValues(own, fill []byte) policies.Class {
	a, b := Shape(own), Shape(fill)
	switch {
	case isClock(a) && isClock(b):
		return policies.ClassClock
	case isCounter(own, fill):
		return policies.ClassCounter
	case isRandom(a, own) && isRandom(b, fill):
		return policies.ClassToken
	}
	return policies.ClassContent
}

// isCounter reports whether two values are numbers that differ little, or names that
// end with such numbers: order-1001, order-1002.
func isCounter(own, fill []byte) bool {
	a, b := trailingNumber(own), trailingNumber(fill)
	if !bytes.Equal(own[:a], fill[:b]) {
		return false
	}
	x, errX := strconv.ParseUint(string(own[a:]), 10, 64)
	y, errY := strconv.ParseUint(string(fill[b:]), 10, 64)
	if errX != nil || errY != nil {
		return false
	}
	x, y = min(x, y), max(x, y)
	// By a few; by what other visitors made of it meanwhile; or, of a number in which
	// the time comes first, by what its first digits do not show.
	return y-x <= 16 || y-x <= min(1000, y/10) || y-x <= y/1_000_000
}

// trailingNumber returns where the digits at the end of a value begin. They are no
// number of their own where a letter comes before them: its length then.
func trailingNumber(value []byte) int {
	at := len(bytes.TrimRight(value, "0123456789"))
	if at > 0 && isAlnum(value[at-1]) {
		return len(value)
	}
	return at
}

// isRandom reports whether a value is likely one that was drawn: of a token's shape,
// and not easy to guess.
func isRandom(shape string, value []byte) bool {
	if entropy(shape, value) == EntropyLow {
		return false
	}
	switch kind, _, _ := strings.Cut(shape, "-"); kind {
	case "uuid", "jwt", "hex", "base64", "base64url", "decimal":
		return true
	case "mixed": // letters of one case and digits, as in base 32 and 36
		return alphabetOf(value)&^alnum == 0 && changes(value) >= 3
	}
	return false
}

// changes is how often letters and digits take turns.
func changes(value []byte) int {
	n := 0
	for i := 1; i < len(value); i++ {
		if (alphabetOf(value[i-1:i]) == decimalDigits) != (alphabetOf(value[i:i+1]) == decimalDigits) {
			n++
		}
	}
	return n
}

// markOrder gives ClassOrder to the spans that have the same tokens in another order:
// each by itself, or all of them together but for reflected inputs and clocks.
func markOrder(body []*differing) {
	var rest []*differing
	var own, fill bag
	for _, d := range body {
		if d.Class == policies.ClassReflected || d.Class == policies.ClassClock {
			continue
		}
		a, b := bagOf(d.own[d.at.own:d.at.ownEnd]), bagOf(d.fill[d.at.fill:d.at.fillEnd])
		if a == b && a.tokens > 1 {
			d.Class = policies.ClassOrder
			continue
		}
		own, fill = own.with(a), fill.with(b)
		rest = append(rest, d)
	}
	if own == fill && own.tokens > 1 {
		for _, d := range rest {
			d.Class = policies.ClassOrder
		}
	}
}

// bag is a multiset of tokens and of the bytes between them. Two that are not the same
// are practically never equal.
type bag struct {
	tokens int
	sum    uint64 // of the hashes of its members
}

func (b bag) with(other bag) bag { return bag{b.tokens + other.tokens, b.sum + other.sum} }

var bagSeed = maphash.MakeSeed()

func bagOf(text []byte) (b bag) {
	for len(text) > 0 {
		end := tokenEnd(text, 0)
		if end > 0 {
			b.tokens++
		}
		end = max(end, 1)
		b.sum += maphash.Bytes(bagSeed, text[:end])
		text = text[end:]
	}
	return b
}

// markPersonal gives ClassPersonal to other text if the spans are much of the page.
func markPersonal(body []*differing) {
	differ, size := 0, 0
	for _, d := range body {
		differ += max(d.at.ownEnd-d.at.own, d.at.fillEnd-d.at.fill)
		size = max(len(d.own), len(d.fill))
	}
	if differ < minPersonal || differ <= size/personalShare {
		return
	}
	for _, d := range body {
		if d.Class == policies.ClassContent {
			d.Class = policies.ClassPersonal
		}
	}
}
