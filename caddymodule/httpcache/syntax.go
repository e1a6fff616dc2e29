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

// date reads an HTTP-date in one of its three forms (RFC 9110 §5.6.7). Letter case
// does not matter (RFC 9111 §4.2), and neither does whether the day of the week is
// the right one. Everything else does: the time package reads single digits, runs
// of spaces, and a zone that it does not know as GMT, none of which is an HTTP-date.
func date(s string) (time.Time, bool) {
	if t, ok := fixedDate(s); ok {
		return t, true
	}
	for i := range len(s) {
		if s[i] >= 0x80 {
			return time.Time{}, false
		}
	}
	return anyDate(strings.ToUpper(s))
}

// anyDate is date for upper-case ASCII.
func anyDate(s string) (time.Time, bool) {
	t, err := http.ParseTime(s)
	if err != nil {
		return time.Time{}, false
	}
	layout, weekday := time.ANSIC, " "
	if strings.Contains(s, "-") {
		layout, weekday = time.RFC850, ","
	} else if strings.Contains(s, ",") {
		layout, weekday = http.TimeFormat, ","
	}
	_, given, _ := strings.Cut(s, weekday)
	_, exact, _ := strings.Cut(strings.ToUpper(t.UTC().Format(layout)), weekday)
	return t, given == strings.Replace(exact, " UTC", " GMT", 1)
}

// eachDirective calls visit for every directive of a Cache-Control line (RFC
// 9111 §5.2) up to the first that is not well-formed. It returns what it did not
// read, from the start of that one; nothing is left of a well-formed line. Values
// are given without their quotes; escapes in them stay as they are.
func eachDirective(line string, visit func(name, value string, hasValue bool)) (rest string) {
	for {
		line = strings.TrimLeft(line, " \t,")
		if line == "" {
			return ""
		}
		n := tokenLength(line)
		if n == 0 {
			return line
		}
		name, value, after := line[:n], "", line[n:]
		hasValue := strings.HasPrefix(after, "=")
		if hasValue {
			var ok bool
			if value, after, ok = argument(after[1:]); !ok {
				return line
			}
		}
		after = strings.TrimLeft(after, " \t")
		if after != "" && after[0] != ',' {
			return line
		}
		visit(name, value, hasValue)
		line = after
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

// countFold is strings.Count without regard to the case of ASCII letters. Part
// must be lower-case.
func countFold(s, part string) int {
	n := 0
	for {
		i := indexFold(s, part)
		if i < 0 {
			return n
		}
		n++
		s = s[i+len(part):]
	}
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

const (
	weekdays = "SunMonTueWedThuFriSat"
	months   = "JanFebMarAprMayJunJulAugSepOctNovDec"
)

// fixedDate is date for the form in which almost all are written, IMF-fixdate. What it
// cannot read may be a date all the same.
func fixedDate(s string) (time.Time, bool) {
	const form = "Sun, 06 Nov 1994 08:49:37 GMT"
	if len(s) != len(form) || s[3:5] != ", " || s[7] != ' ' || s[11] != ' ' || s[16] != ' ' ||
		s[19] != ':' || s[22] != ':' || s[25:] != " GMT" {
		return time.Time{}, false
	}
	weekday, month := strings.Index(weekdays, s[:3]), strings.Index(months, s[8:11])
	day, century, year := twoDigits(s[5:]), twoDigits(s[12:]), twoDigits(s[14:])
	hour, minute, second := twoDigits(s[17:]), twoDigits(s[20:]), twoDigits(s[23:])
	if weekday < 0 || weekday%3 != 0 || month < 0 || month%3 != 0 || min(day, century, year, hour, minute, second) < 0 ||
		hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	t := time.Date(100*century+year, time.Month(month/3+1), day, hour, minute, second, 0, time.UTC)
	return t, t.Day() == day // not the 31st of February
}

// twoDigits is the number that s begins with, or -1.
func twoDigits(s string) int {
	tens, ones := s[0]-'0', s[1]-'0'
	if tens > 9 || ones > 9 {
		return -1
	}
	return int(10*tens + ones)
}
