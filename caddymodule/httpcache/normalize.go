package httpcache

import (
	"net/http"
	"slices"
	"strings"
)

// maxVaryNames is how many request headers may select a response.
const maxVaryNames = 16

// VaryNames are the request headers that select a response, canonical, sorted and
// each once (RFC 9111 §4.1). Accept-Encoding and Host are left out: the store holds
// identity bytes, and every key has the host.
//
// Ok is false if the response cannot be selected by them: Vary has a *, something
// that is no field name, or more than 16 names.
func VaryNames(h http.Header) (names []string, ok bool) {
	for _, line := range lines(h, "Vary") {
		for member := range strings.SplitSeq(line, ",") {
			member = strings.Trim(member, " \t")
			if member == "" {
				continue
			}
			// A * in a name is allowed, and more likely meant as a pattern.
			if tokenLength(member) != len(member) || strings.Contains(member, "*") {
				return nil, false
			}
			switch name := http.CanonicalHeaderKey(member); {
			case name == "Accept-Encoding", name == "Host", slices.Contains(names, name):
			case len(names) == maxVaryNames:
				return nil, false
			default:
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names, true
}

// NormalizeSelecting brings the value of a request header that selects a response
// into one of its equivalent forms (RFC 9111 §4.1), the field's lines being joined
// by ", ". Only what the syntax of the field allows is done: in Accept,
// Accept-Language and Accept-Charset, white space around commas and semicolons goes;
// in the latter two, whose parts are case-insensitive, letters become lower-case.
// Of other fields nothing is known, and only white space at the ends goes. The order
// never changes: it may be what the visitor prefers.
func NormalizeSelecting(name, value string) string {
	value = strings.Trim(value, " \t")
	switch {
	case strings.EqualFold(name, "Accept"):
		return normalizeList(value, false)
	case strings.EqualFold(name, "Accept-Language"), strings.EqualFold(name, "Accept-Charset"):
		return normalizeList(value, true)
	}
	return value
}

// normalizeList removes white space beside commas and semicolons, but not within
// quoted strings. A value in which a quoted string does not end stays as it is.
func normalizeList(value string, lowerCase bool) string {
	b := make([]byte, 0, len(value))
	for i := 0; i < len(value); {
		c := value[i]
		switch {
		case c == '"':
			_, rest, ok := argument(value[i:])
			if !ok {
				return value
			}
			end := len(value) - len(rest)
			b = append(b, value[i:end]...)
			i = end
			continue
		case c == ',' || c == ';':
			b = append(trimSpaceRight(b), c)
			i++
			for i < len(value) && isSpace(value[i]) {
				i++
			}
			continue
		case lowerCase && c >= 'A' && c <= 'Z':
			c |= 0x20 // not strings.ToLower, which makes one of two letters beyond ASCII
		}
		b = append(b, c)
		i++
	}
	return string(b)
}

func trimSpaceRight(b []byte) []byte {
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }
