package httpcache

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxDelta is what larger numbers of seconds count as (RFC 9111 §1.2.2).
const maxDelta = (1 << 31) * time.Second

// deltaSeconds reads a delta-seconds (RFC 9111 §1.2.2): digits and nothing else.
func deltaSeconds(s string) (time.Duration, bool) {
	if s == "" {
		return 0, false
	}
	var total int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		// Clamping in every step keeps the next one from overflowing.
		total = min(total*10+int64(s[i]-'0'), int64(maxDelta/time.Second))
	}
	return time.Duration(total) * time.Second, true
}

// date reads an HTTP-date (RFC 9110 §5.6.7). Unlike http.ParseTime it takes no
// zone but GMT: the time package reads a zone that it does not know as GMT, and
// 10:00 JST is nine hours earlier than that.
func date(s string) (time.Time, bool) {
	t, err := http.ParseTime(s)
	if err != nil {
		return time.Time{}, false
	}
	if strings.IndexByte(s, ',') >= 0 && !strings.HasSuffix(s, " GMT") {
		return time.Time{}, false
	}
	return t, true
}

// eachDirective calls visit for every directive of a Cache-Control line (RFC
// 9111 §5.2) and reports whether the whole line was well-formed. Values are
// given without their quotes; escapes in them stay as they are.
func eachDirective(line string, visit func(name, value string)) bool {
	for {
		line = strings.TrimLeft(line, " \t,")
		if line == "" {
			return true
		}
		n := tokenLength(line)
		if n == 0 {
			return false
		}
		name, value := line[:n], ""
		line = line[n:]
		if strings.HasPrefix(line, "=") {
			var ok bool
			if value, line, ok = argument(line[1:]); !ok {
				return false
			}
		}
		visit(name, value)
		line = strings.TrimLeft(line, " \t")
		if line != "" && line[0] != ',' {
			return false
		}
	}
}

// argument cuts the token or quoted-string at the start of s.
func argument(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		n := tokenLength(s)
		return s[:n], s[n:], n > 0
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[1:i], s[i+1:], true
		case c == '\\':
			i++
		case c < ' ' && c != '\t' || c == 0x7f:
			return "", s, false
		}
	}
	return "", s, false
}

// tokenLength is the length of the token (RFC 9110 §5.6.2) at the start of s.
func tokenLength(s string) int {
	n := 0
	for n < len(s) && tokenByte(s[n]) {
		n++
	}
	return n
}

func tokenByte(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// indexFold is strings.Index without regard to the case of ASCII letters.
// Part must be lower-case.
func indexFold(s, part string) int {
	for i := 0; i+len(part) <= len(s); i++ {
		if s[i]|0x20 == part[0]|0x20 && strings.EqualFold(s[i:i+len(part)], part) {
			return i
		}
	}
	return -1
}

// lines returns all lines of a field, whatever the case in which its name
// stands in h. The result must not be changed.
func lines(h http.Header, name string) []string {
	var all []string
	for key, values := range h {
		if strings.EqualFold(key, name) {
			if all == nil {
				all = values
			} else {
				all = slices.Concat(all, values)
			}
		}
	}
	return all
}

// blank reports whether there is nothing but white space and commas in all.
func blank(all []string) bool {
	for _, line := range all {
		if strings.Trim(line, " \t,") != "" {
			return false
		}
	}
	return true
}
