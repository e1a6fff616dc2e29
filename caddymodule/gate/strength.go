package gate

import (
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cacheward/cacheward/policies"
)

// Strength says which values of a visitor are worth looking for.
//
//	value                                      Any                Telling
//	an IP address                              always             always, as a whole word
//	a mail address                             always             always
//	of an input that is named like a session   always             from 4 bytes and 16 bits, below 32 bits as a whole word
//	another                                    always             from 6 bytes and 32 bits
//	words and numbers of up to 4 digits        always             from 20 characters
//	of a field that all browsers send alike    always             never
//	a value in another coding                  from 4 bytes       as the value
//	base64                                     from 8 characters  from 8 characters
//	Referer                                    whole, path and    whole if it has a host, as a whole word;
//	                                           query, each value  each value of its query
//
// The bits of a value are estimated: its length times the binary logarithm of the
// alphabet that it is written in, and none for fewer than three different characters.
type Strength uint8

const (
	// Any is for inputs that a fill carried although they are not in the key. Whatever
	// of them is in the response is one visitor's.
	Any Strength = iota
	// Telling is for inputs of which the response may hold a value by chance.
	Telling
)

// markup is what no browser sends in a field that all send alike, and no word has.
const markup = "<>'`{}\\&"

const (
	minTelling     = 6
	minTellingBits = 32
	minSession     = 4
	minSessionBits = 16
	minWords       = 20
	minCoded       = 4
	minDifferent   = 3
)

// StrengthRules are the rules of [Strength] for the reference, a line each: the value,
// when it is looked for by Any, and by Telling.
func StrengthRules() [][3]string {
	return [][3]string{
		{"an IP address", "always", "always, as a whole word"},
		{"a mail address", "always", "always"},
		{"a value of an input whose name has " + strings.Join(sessionParts, ", ") + ", or the word " + strings.Join(sessionWords, ", "),
			"always", "from 4 bytes and 16 bits; below 32 bits as a whole word"},
		{"another value", "always", "from 6 bytes and 32 bits"},
		{"words, and numbers of up to 4 digits, such as `summer-sale-24`", "always", "from 20 characters"},
		{"a value of " + strings.Join(alike, ", "), "always", "only what no browser sends there"},
		{"a value URL-encoded, or escaped for HTML or JSON", "from 4 bytes", "as the value"},
		{"a value in base64, wherever it begins in it", "from 4 bytes and 8 characters", "as the value, from 8 characters"},
		{"Referer", "whole, its path and query, and each value of the query", "whole if it has a host, as a whole word; each value of the query"},
	}
}

// sessionParts in the name of an input say that its value is a visitor's own;
// sessionWords do where they are a word of it.
var (
	sessionParts = []string{
		"session", "sess", "token", "auth", "jwt", "csrf", "xsrf", "secret", "passw", "apikey", "api-key", "api_key",
		"userid", "user-id", "user_id", "visitor", "login", "email",
	}
	sessionWords = []string{"sid", "uid", "user", "member", "account", "ticket", "nonce", "key"}
)

func isSessionLike(name string) bool {
	name = strings.ToLower(name)
	for _, part := range sessionParts {
		if strings.Contains(name, part) {
			return true
		}
	}
	for word := range strings.FieldsFuncSeq(name, notAlnum) {
		for _, w := range sessionWords {
			if word == w {
				return true
			}
		}
	}
	return false
}

func notAlnum(r rune) bool { return r >= utf8.RuneSelf || !isAlnum(byte(r)) }

// alike are the request fields of which a browser, or the proxy before this one, sends
// everybody much the same; a * stands for any ending.
var alike = []string{
	"Accept", "Accept-*", "Cache-Control", "Connection", "Content-Length", "Content-Type", "Device-Memory", "Dnt", "Downlink",
	"Dpr", "Ect", "Expect", "Front-End-Https", "If-*", "Keep-Alive", "Pragma", "Priority", "Purpose", "Range", "Rtt",
	"Save-Data", "Sec-*", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Upgrade-Insecure-Requests", "Viewport-Width",
	"Width", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Moz", "X-Purpose",
	"X-Requested-With",
}

func isAlike(in policies.Input) bool {
	if in.Kind != policies.InputHeader {
		return false
	}
	for _, pattern := range alike {
		prefix, open := strings.CutSuffix(pattern, "*")
		if in.Name == pattern || open && strings.HasPrefix(in.Name, prefix) {
			return true
		}
	}
	return false
}

var (
	// ordinaryLanguage is a language range as browsers have it (RFC 9110 §12.5.4): a
	// language, a script, a region.
	ordinaryLanguage = regexp.MustCompile(`^(?:[A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?|\*)$`)
	// ordinaryTypes are the media ranges that browsers and programs ask for.
	ordinaryTypes = []string{
		"*/*", "text/*", "text/html", "text/plain", "text/css", "text/javascript", "text/xml", "text/csv", "text/markdown",
		"application/xhtml+xml", "application/xml", "application/json", "application/ld+json", "application/javascript",
		"application/signed-exchange", "application/pdf", "application/rss+xml", "application/atom+xml", "application/manifest+json",
		"image/*", "image/avif", "image/webp", "image/apng", "image/png", "image/svg+xml", "image/jpeg", "image/gif", "image/jxl",
		"video/*", "audio/*", "font/*", "font/woff2", "application/font-woff2",
	}
)

// maxOrdinary is how long a member of another field that all browsers send alike may be.
const maxOrdinary = 24

// oddMembers are those of a field that all browsers send alike which no browser sends.
func oddMembers(in policies.Input) []part {
	var odd []part
	for member := range strings.SplitSeq(in.Value, ",") {
		member = strings.Trim(member, " \t")
		what, parameters, _ := strings.Cut(member, ";")
		ordinary := false
		switch what = strings.TrimRight(what, " \t"); in.Name {
		case "Accept-Language":
			ordinary = ordinaryLanguage.MatchString(what)
		case "Accept":
			ordinary = slices.Contains(ordinaryTypes, strings.ToLower(what))
		default:
			ordinary = len(what) <= maxOrdinary && !strings.ContainsAny(what, markup+"/:")
		}
		if !ordinary || len(parameters) > maxOrdinary || strings.ContainsAny(parameters, markup+"/:") {
			odd = append(odd, part{value: member})
		}
	}
	return odd
}

// judge says whether a value of an input is to be looked for, and whether only where it
// is a whole word, and estimates its bits.
func (s Strength) judge(in policies.Input, value string) (bits float64, word, ok bool) {
	bits = estimateBits(value)
	if s == Any {
		return bits, false, value != ""
	}
	switch {
	case isVisitorAddress(value):
		return bits, true, true
	case strings.Contains(strings.Trim(value, "@"), "@") && len(value) >= minTelling:
		return bits, false, true
	case utf8.RuneCountInString(value) < minWords && isWords(value) && !strings.ContainsAny(value, markup+"/:"):
		return bits, false, false
	case len(value) >= minTelling && bits >= minTellingBits:
		return bits, false, true
	}
	return bits, true, len(value) >= minSession && bits >= minSessionBits && isSessionLike(in.Name)
}

// isVisitorAddress: of the addresses that are no machine's own.
func isVisitorAddress(s string) bool {
	if len(s) < len("::1") || len(s) > 64 || !isAlnum(s[0]) && s[0] != ':' {
		return false
	}
	addr, err := netip.ParseAddr(s)
	return err == nil && !addr.IsLoopback() && !addr.IsUnspecified()
}

// isWords says whether a value is made of words as they are written (summer, Summer,
// USD) and of numbers of up to four digits.
func isWords(value string) bool {
	for part := range strings.FieldsFuncSeq(value, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if !isWord(part) && !(len(part) <= 4 && strings.Trim(part, "0123456789") == "") {
			return false
		}
	}
	return true
}

func isWord(part string) bool {
	var upper, lower int
	for _, r := range part {
		switch {
		case unicode.IsDigit(r):
			return false
		case unicode.IsUpper(r):
			upper++
		default:
			lower++
		}
	}
	first, _ := utf8.DecodeRuneInString(part)
	return upper == 0 || lower == 0 || upper == 1 && unicode.IsUpper(first)
}

// estimateBits reads the alphabet off the kinds of characters that occur.
func estimateBits(value string) float64 {
	var seen [utf8.RuneSelf]bool
	different, others, n := 0, 0, 0
	var digits, lower, upper, beyondHex bool
	for _, r := range value {
		n++
		switch {
		case r >= utf8.RuneSelf:
			others = max(others, 64)
			different++ // or the same again; the other rules count as well
			continue
		case '0' <= r && r <= '9':
			digits = true
		case 'a' <= r && r <= 'z':
			lower, beyondHex = true, beyondHex || r > 'f'
		case 'A' <= r && r <= 'Z':
			upper, beyondHex = true, beyondHex || r > 'F'
		case !seen[r]:
			others++
		}
		if !seen[r] {
			seen[r] = true
			different++
		}
	}
	if different < minDifferent {
		return 0
	}
	size := others
	if digits {
		size += 10
	}
	switch {
	case digits && lower != upper && !beyondHex:
		size += 6
	case lower && upper:
		size += 52
	case lower || upper:
		size += 26
	}
	return float64(n) * math.Log2(float64(size))
}
