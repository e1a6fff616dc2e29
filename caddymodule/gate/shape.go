package gate

import (
	"net/netip"
	"regexp"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// aroundToken is how many bytes on either side of a token may belong to a form that
// is written with more than token bytes, such as a date.
const aroundToken = 64

// forms are values that are recognised by how they are written. Those with bytes
// that end a token are looked for around it.
var forms = []struct {
	shape   string
	pattern *regexp.Regexp
	valid   func(string) bool // nil: what matches is valid
}{
	{"uuid", regexp.MustCompile(`[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}`), nil},
	{"jwt", regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]*`), nil},
	{"timestamp", regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: ?UTC|Z|[+-]\d\d:?\d\d)?`), nil},                                                          // RFC 3339
	{"timestamp", regexp.MustCompile(`(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d (?:GMT|UTC|[+-]\d{4})`), nil}, // RFC 9110 §5.6.7
	{"email", regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+`), nil},
	{"ip", regexp.MustCompile(`\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}`), isAddr},
}

func isAddr(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// describe returns the shape of the fill's span, and the span itself, widened if
// it is part of a form that is longer than a token.
func describe(s span, own, fill []byte) (span, string) {
	left := min(s.start, aroundToken)
	right := commonPrefix(own[s.ownEnd:min(len(own), s.ownEnd+aroundToken)], fill[s.fillEnd:])
	from, size := s.start-left, s.fillEnd-s.start
	if size > maxToken {
		return s, sized("mixed", size)
	}
	around := fill[from : s.fillEnd+right]
	for _, f := range forms {
		for _, m := range f.pattern.FindAllIndex(around, -1) {
			if m[0] > left || m[1] < left+size || size == 0 && (m[0] == left || m[1] == left) {
				continue // does not have the span in it
			}
			if f.valid != nil && !f.valid(string(around[m[0]:m[1]])) {
				continue
			}
			wider := m[1] - (left + size)
			return span{start: from + m[0], ownEnd: s.ownEnd + wider, fillEnd: s.fillEnd + wider}, f.shape
		}
	}
	return s, tokenShape(fill[s.start:s.fillEnd])
}

func sized(shape string, n int) string { return shape + "-" + strconv.Itoa(n) }

// tokenShape says of what alphabet a token is.
func tokenShape(token []byte) string {
	n := len(token)
	if n == 0 {
		return "empty"
	}
	has := alphabetOf(token)
	switch {
	case has == decimalDigits && isEpoch(token):
		return "timestamp"
	case has == decimalDigits:
		return sized("decimal", n)
	case n >= 4 && (has == decimalDigits|lowerHex || has == decimalDigits|upperHex):
		return sized("hex", n)
	case n >= 8 && has&^(alnum|padding|base64Only) == 0 && isDense(has):
		if has&base64Only != 0 {
			return sized("base64", n)
		}
		return sized("base64url", n)
	case n >= 8 && has&^(alnum|padding|base64urlOnly) == 0 && isDense(has):
		return sized("base64url", n)
	case isText(token):
		return sized("text", n)
	}
	return sized("mixed", n)
}

// alphabet is the set of kinds of bytes that occur in a token.
type alphabet uint16

const (
	decimalDigits alphabet = 1 << iota
	lowerHex               // a-f
	upperHex               // A-F
	lowerRest              // g-z
	upperRest              // G-Z
	padding                // =
	base64Only             // + /
	base64urlOnly          // - _
	otherBytes

	alnum = decimalDigits | lowerHex | upperHex | lowerRest | upperRest
)

func alphabetOf(token []byte) (has alphabet) {
	for _, c := range token {
		switch {
		case '0' <= c && c <= '9':
			has |= decimalDigits
		case 'a' <= c && c <= 'f':
			has |= lowerHex
		case 'A' <= c && c <= 'F':
			has |= upperHex
		case 'g' <= c && c <= 'z':
			has |= lowerRest
		case 'G' <= c && c <= 'Z':
			has |= upperRest
		case c == '=':
			has |= padding
		case c == '+', c == '/':
			has |= base64Only
		case c == '-', c == '_':
			has |= base64urlOnly
		default:
			has |= otherBytes
		}
	}
	return has
}

// isDense reports whether digits and letters of both cases occur, as they do in
// base64 and seldom in words.
func isDense(has alphabet) bool {
	return has&decimalDigits != 0 && has&(lowerHex|lowerRest) != 0 && has&(upperHex|upperRest) != 0
}

// isEpoch reports whether digits are likely seconds or milliseconds since 1970:
// those of the years 2010 to 2040.
func isEpoch(digits []byte) bool {
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return false
	}
	switch len(digits) {
	case 13:
		n /= 1000
	case 10:
	default:
		return false
	}
	return 1262304000 <= n && n < 2208988800
}

// isText reports whether a token is words: letters, and what stands between them.
func isText(token []byte) bool {
	letters := false
	for len(token) > 0 {
		r, size := utf8.DecodeRune(token)
		switch {
		case r == utf8.RuneError && size == 1, unicode.IsDigit(r), unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r':
			return false
		case unicode.IsLetter(r):
			letters = true
		}
		token = token[size:]
	}
	return letters
}
