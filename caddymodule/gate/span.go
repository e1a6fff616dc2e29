package gate

import "bytes"

// span is a stretch in which two byte strings differ. Before start they are the same.
type span struct {
	start           int
	ownEnd, fillEnd int // exclusive
}

const (
	// maxToken bounds how far a span is widened to either side, in bytes.
	maxToken = 4 << 10
	// resync is how many equal bytes after a token mean that only the token differs.
	resync = 32
)

// differingSpan finds the first token in which own and fill differ. If both are
// whole and do not go on alike after it, it is everything between what they have
// in common at the beginning and at the end.
//
// It returns false if there is no difference in them: one is the beginning of the
// other and they are not whole.
func differingSpan(own, fill []byte, whole bool) (span, bool) {
	p := commonPrefix(own, fill)
	if p == len(own) && p == len(fill) || !whole && (p == len(own) || p == len(fill)) {
		return span{}, false
	}
	s := span{start: p, ownEnd: tokenEnd(own, p), fillEnd: tokenEnd(fill, p)}
	inToken := s.ownEnd > p || s.fillEnd > p
	switch {
	case inToken && (!whole || alikeAfter(own[s.ownEnd:], fill[s.fillEnd:])):
		// That token is the span.
	case whole:
		tail := commonSuffix(own[p:], fill[p:])
		s.ownEnd, s.fillEnd = len(own)-tail, len(fill)-tail
		s.widenRight(own, fill)
	default:
		s.ownEnd, s.fillEnd = p+1, p+1 // where it ends cannot be known
	}
	if inToken {
		s.start = tokenStart(fill, p)
	}
	return s, true
}

// alikeAfter reports whether two rests, which are whole, go on alike.
func alikeAfter(own, fill []byte) bool {
	if len(own) == len(fill) || min(len(own), len(fill)) >= resync {
		n := min(len(own), resync)
		return bytes.Equal(own[:n], fill[:n])
	}
	return false
}

// widenRight moves the ends to the end of the token that they cut. What follows
// them is the same in both.
func (s *span) widenRight(own, fill []byte) {
	cutsOwn := s.ownEnd > s.start && isToken(own[s.ownEnd-1])
	cutsFill := s.fillEnd > s.start && isToken(fill[s.fillEnd-1])
	if cutsOwn || cutsFill {
		more := tokenEnd(fill, s.fillEnd) - s.fillEnd
		s.ownEnd += more
		s.fillEnd += more
	}
}

// isToken reports whether c is a byte of which ids, numbers, tokens, words and
// base64 are made.
func isToken(c byte) bool {
	switch {
	case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		return true
	}
	switch c {
	case '-', '_', '+', '/', '.', '~':
		return true
	}
	return c >= 0x80 // a name is not cut at its first accent
}

// tokenStart returns where the token that reaches to at begins.
func tokenStart(b []byte, at int) int {
	stop := max(0, at-maxToken)
	for at > stop && isToken(b[at-1]) {
		at--
	}
	return at
}

// tokenEnd returns where the token at from ends, with the = of base64 after it. An
// = within would join a parameter's name to its value.
func tokenEnd(b []byte, from int) int {
	stop := min(len(b), from+maxToken)
	at := from
	for at < stop && isToken(b[at]) {
		at++
	}
	for pad := 0; pad < 2 && at > from && at < stop && b[at] == '='; pad++ {
		at++
	}
	return at
}

func commonPrefix(a, b []byte) int {
	const block = 1 << 10
	end := min(len(a), len(b))
	n := 0
	for n+block <= end && bytes.Equal(a[n:n+block], b[n:n+block]) {
		n += block
	}
	for n < end && a[n] == b[n] {
		n++
	}
	return n
}

func commonSuffix(a, b []byte) int {
	end := min(len(a), len(b))
	n := 0
	for n < end && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}
