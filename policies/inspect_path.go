package policies

import (
	"strings"
	"unicode/utf8"
)

// inspectPath accepts one spelling of a path: the one in which every byte means
// itself to every parser. What a cache, a router and a framework have been seen
// to read differently is ambiguous (attacks 8).
func inspectPath(req *Request, v *Verdict) {
	path := req.EscapedPath
	if req.AbsoluteForm || path == "" || path[0] != '/' {
		v.add(ReasonPathForm)
		return
	}
	if !utf8.ValidString(req.Path) {
		v.add(ReasonPathInvalidEscape)
	}
	segment := 1 // where the current segment begins
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '/':
			if i > 0 && path[i-1] == '/' {
				v.add(ReasonPathDoubleSlash)
			}
			inspectSegment(path[segment:max(segment, i)], v)
			segment = i + 1
		case c == '\\':
			v.add(ReasonPathBackslash)
		case c == ';':
			v.add(ReasonPathParameter)
		case c == '?' || c == '#':
			v.add(ReasonPathDelimiter)
		case c <= ' ' || c >= 0x7f:
			v.add(ReasonPathControl)
		case c == '%':
			inspectEscape(path[i:], v)
		}
	}
	inspectSegment(path[segment:], v)
}

// inspectSegment finds . and .. however they are written.
func inspectSegment(s string, v *Verdict) {
	if len(s) == 0 || len(s) > 6 || (s[0] != '.' && s[0] != '%') {
		return
	}
	dots := 0
	for rest := s; rest != ""; dots++ {
		switch {
		case rest[0] == '.':
			rest = rest[1:]
		case len(rest) >= 3 && strings.EqualFold(rest[:3], "%2e"):
			rest = rest[3:]
		default:
			return
		}
	}
	if dots <= 2 {
		v.add(ReasonPathDotSegment)
	}
}

// inspectEscape judges the percent escape with which s begins.
func inspectEscape(s string, v *Verdict) {
	if len(s) < 3 || !isHex(s[1]) || !isHex(s[2]) {
		v.add(ReasonPathInvalidEscape)
		return
	}
	switch c := unhex(s[1])<<4 | unhex(s[2]); {
	case c == '/' || c == '\\':
		v.add(ReasonPathEncodedSlash)
	case c == ';':
		v.add(ReasonPathParameter)
	case c == '?' || c == '#':
		v.add(ReasonPathDelimiter)
	case c < ' ' || c == 0x7f:
		v.add(ReasonPathControl)
	case c == '%':
		// %25 alone is a percent sign. Before two more digits it is an escape
		// that a second decoder would resolve.
		if len(s) >= 5 && isHex(s[3]) && isHex(s[4]) {
			v.add(ReasonPathDoubleEncoding)
		}
	case unreserved(c):
		v.add(ReasonPathNeedlessEncoding)
	}
}

// unreserved is RFC 3986 §2.3.
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}
