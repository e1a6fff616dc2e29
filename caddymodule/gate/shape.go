package gate

import (
	"bytes"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// aroundToken is how many bytes on either side of a token may belong to a form that
// is written with more than token bytes, such as a date.
const aroundToken = 64

// How people and programs write days and times of day.
const (
	month   = `(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*`
	weekday = `(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*`
	day     = `\d\d?(?:st|nd|rd|th)?`
	western = `(?:(?:` + weekday + `\.?,? )?(?:\d{4}[-/.][0-3]?\d[-/.][0-3]?\d|[0-3]?\d[-/.][0-3]?\d[-/.]\d{4}|` +
		day + `[ -]` + month + `\.?,?[ -]\d{4}|` + month + `\.? ` + day + `,? \d{4}))`
	eastern  = `\d{4}年\d\d?月\d\d?日`
	timeForm = `(?:(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-6]\d(?:[.,]\d+)?)?(?: ?[AaPp]\.?[Mm]\b\.?)?|\d\d?時\d\d?分(?:\d\d?秒)?)`
	zoneForm = `(?: ?(?:UTC|GMT|Z)\b| ?[+-]\d\d:?\d\d)?`
	unitForm = `(?:[nuµm]?s|secs?|(?:milli|micro)?seconds?)`
)

// forms are values that are recognised by how they are written, in the order in which
// they are tried. Those with bytes that end a token are looked for around it.
var forms = []struct {
	shape   string
	pattern *regexp.Regexp
	valid   func(string) bool // nil: what matches is valid
}{
	{"uuid", regexp.MustCompile(`[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}`), nil},
	{"jwt", regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]*`), nil},
	// RFC 3339, RFC 9110 §5.6.7, and what looks like them.
	{"timestamp", regexp.MustCompile(`\b(?:` + western + `|` + eastern + `)(?:T|,? (?:at )?)` + timeForm + zoneForm), nil},
	{"timestamp", regexp.MustCompile(`\b` + weekday + ` ` + month + ` {1,2}\d\d? ` + timeForm + `(?: [A-Z]{3,4})? \d{4}\b`), nil}, // asctime and date(1)
	{"date", regexp.MustCompile(`\b` + western + `\b|\b` + eastern), nil},
	{"email", regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+`), nil},
	{"ip", regexp.MustCompile(`\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}`), isAddr},
	{"time", regexp.MustCompile(`\b` + timeForm + zoneForm), nil},
	{"duration", regexp.MustCompile(`\b\d+(?:\.\d+)? ?` + unitForm + `\b`), nil},
}

func isAddr(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// describe returns the shape of the fill's span, and the span itself, widened if
// it is part of a form that is longer than a token. It is not widened beyond lo and
// hi, places of the fill between which the texts differ in the span alone.
func describe(s span, fill []byte, lo, hi int) (span, string) {
	size := s.fillEnd - s.fill
	if size > maxToken {
		return s, sized("mixed", size)
	}
	left := min(s.fill-lo, aroundToken)
	from := s.fill - left
	around := fill[from:min(hi, s.fillEnd+aroundToken)]
	for _, f := range forms {
		for _, m := range f.pattern.FindAllIndex(around, -1) {
			if m[0] > left || m[1] < left+size || size == 0 && (m[0] == left || m[1] == left) {
				continue // does not have the span in it
			}
			if f.valid != nil && !f.valid(string(around[m[0]:m[1]])) {
				continue
			}
			before, after := left-m[0], m[1]-(left+size)
			return span{s.own - before, s.ownEnd + after, s.fill - before, s.fillEnd + after}, f.shape
		}
	}
	return s, tokenShape(fill[s.fill:s.fillEnd])
}

// Shape says what a value looks like without saying what it is: one of
// [policies.AllShapes], N being the length.
func Shape(value []byte) string {
	if len(value) > maxToken {
		return sized("mixed", len(value))
	}
	for _, f := range forms {
		if m := f.pattern.FindIndex(value); m != nil && m[1]-m[0] == len(value) && (f.valid == nil || f.valid(string(value))) {
			return f.shape
		}
	}
	return tokenShape(value)
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
	case isEpoch(token):
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

// isEpoch reports whether digits are likely seconds, perhaps with a fraction, or
// milliseconds since 1970: those of the years 2010 to 2040.
func isEpoch(token []byte) bool {
	digits, fraction, _ := bytes.Cut(token, []byte("."))
	if alphabetOf(digits) != decimalDigits || alphabetOf(fraction)&^decimalDigits != 0 {
		return false
	}
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

// How hard a value is to guess, by the bits that [entropy] estimates.
const (
	EntropyLow    = "low"    // below 32 bits: a number, a name, a time
	EntropyMedium = "medium" // below 64 bits
	EntropyHigh   = "high"   // what tokens and session ids have
)

// entropy is the class of the bits that a value of a shape could have at most, as it is
// written: its length times the bits of a symbol of the alphabets that occur in it
// (10 digits, 16 hexadecimal digits, 26 letters of a case, 2 more of base64). Of words
// and of markup it is one bit a byte, about what English has. Times are low: what can
// be guessed is not what is random. Addresses are medium.
func entropy(shape string, value []byte) string {
	var bits float64
	switch kind, _, _ := strings.Cut(shape, "-"); kind {
	case "empty", "timestamp", "date", "time", "duration":
		return EntropyLow
	case "email", "ip":
		return EntropyMedium
	case "uuid", "jwt":
		return EntropyHigh
	case "text":
		bits = float64(len(value))
	default:
		bits = float64(len(value)) * bitsOf(alphabetOf(value))
	}
	switch {
	case bits < 32:
		return EntropyLow
	case bits < 64:
		return EntropyMedium
	}
	return EntropyHigh
}

// bitsOf is how many bits a symbol of an alphabet can have.
func bitsOf(has alphabet) float64 {
	symbols := 0.0
	for _, kind := range []struct {
		of    alphabet
		count float64
	}{
		{decimalDigits, 10}, {base64Only | base64urlOnly, 2},
		{lowerRest, 26}, {upperRest, 26},
	} {
		if has&kind.of != 0 {
			symbols += kind.count
		}
	}
	if has&lowerRest == 0 && has&lowerHex != 0 {
		symbols += 6
	}
	if has&upperRest == 0 && has&upperHex != 0 {
		symbols += 6
	}
	if has&otherBytes != 0 || symbols < 2 {
		return 1
	}
	return math.Log2(symbols)
}
