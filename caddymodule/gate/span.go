package gate

import "bytes"

// span is a stretch in which two texts differ: own[own:ownEnd] and fill[fill:fillEnd].
// Either may be empty. Between two spans, before the first and after the last, the
// texts are the same.
type span struct {
	own, ownEnd   int
	fill, fillEnd int
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

// maxToken bounds how far a span is widened to either side, in bytes.
const maxToken = 4 << 10

// tokenStart returns where the token that reaches to at begins, but not before stop.
// The hyphens that open a comment are not part of it.
func tokenStart(b []byte, at, stop int) int {
	end := at
	stop = max(stop, at-maxToken)
	for at > stop && isToken(b[at-1]) {
		at--
	}
	if at+2 <= end && bytes.HasSuffix(b[:at+2], []byte("<!--")) {
		at += 2
	}
	return at
}

// tokenEnd returns where the token at from ends, with the = of base64 after it. An
// = within would join a parameter's name to its value. The hyphens that close a
// comment are not part of it.
func tokenEnd(b []byte, from int) int {
	stop := min(len(b), from+maxToken)
	at := from
	for at < stop && isToken(b[at]) {
		at++
	}
	if at-2 >= from && bytes.HasPrefix(b[at-2:], []byte("-->")) {
		return at - 2
	}
	for pad := 0; pad < 2 && at > from && at < stop && b[at] == '='; pad++ {
		at++
	}
	return at
}

// widened returns the spans widened to whole tokens. Those that come to touch each
// other become one.
func widened(spans []span, own, fill []byte) []span {
	var out []span
	for _, s := range spans {
		before := 0 // what is free to be taken in on the left
		if n := len(out); n > 0 {
			last := &out[n-1]
			last.widenRight(own, fill[:s.fill])
			before = last.fillEnd
		}
		s.widenLeft(own, fill, before)
		if n := len(out); n > 0 && s.fill <= out[n-1].fillEnd {
			out[n-1].ownEnd, out[n-1].fillEnd = s.ownEnd, s.fillEnd
			continue
		}
		out = append(out, s)
	}
	if n := len(out); n > 0 {
		last := &out[n-1]
		// After the last one the texts may differ where they were not kept.
		alike := commonPrefix(own[last.ownEnd:], fill[last.fillEnd:min(len(fill), last.fillEnd+maxToken)])
		last.widenRight(own, fill[:last.fillEnd+alike])
	}
	return out
}

// widenLeft moves the start to that of the token that it cuts, but not before stop.
func (s *span) widenLeft(own, fill []byte, stop int) {
	if s.own < len(own) && isToken(own[s.own]) || s.fill < len(fill) && isToken(fill[s.fill]) {
		n := s.fill - tokenStart(fill, s.fill, stop)
		s.own -= n
		s.fill -= n
	}
}

// widenRight moves the ends to the end of the token that they cut. What follows
// them is the same in both, up to the end of fill.
func (s *span) widenRight(own, fill []byte) {
	cutsOwn := s.ownEnd > s.own && isToken(own[s.ownEnd-1])
	cutsFill := s.fillEnd > s.fill && isToken(fill[s.fillEnd-1])
	if cutsOwn || cutsFill {
		n := tokenEnd(fill, s.fillEnd) - s.fillEnd
		s.ownEnd += n
		s.fillEnd += n
	}
}

// stretch is how many bytes are compared at once.
const stretch = 1 << 10

func commonPrefix(a, b []byte) int {
	end := min(len(a), len(b))
	n := 0
	for n+stretch <= end && bytes.Equal(a[n:n+stretch], b[n:n+stretch]) {
		n += stretch
	}
	for n < end && a[n] == b[n] {
		n++
	}
	return n
}

func commonSuffix(a, b []byte) int {
	end := min(len(a), len(b))
	n := 0
	for n+stretch <= end && bytes.Equal(a[len(a)-n-stretch:len(a)-n], b[len(b)-n-stretch:len(b)-n]) {
		n += stretch
	}
	for n < end && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}
