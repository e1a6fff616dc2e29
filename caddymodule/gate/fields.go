package gate

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/httpcache"
)

// notCompared are the fields that describe how an answer was sent rather than what
// it is, and those that Check has judged already.
var notCompared = map[string]bool{
	"Age":               true,
	"Content-Encoding":  true,
	"Content-Length":    true,
	"Date":              true,
	"Set-Cookie":        true,
	"Set-Cookie2":       true,
	"Transfer-Encoding": true,
	"Via":               true,
}

// followsBody reports whether a field is computed from the body, so that it
// differs wherever the body does.
func followsBody(field string) bool {
	switch field {
	case "Content-Digest", "Content-Md5", "Digest", "Etag", "Last-Modified", "Repr-Digest":
		return true
	}
	return false
}

// compareHeaders returns where the fields first differ, in the order of their
// names but with those that follow the body last.
func compareHeaders(own, fill http.Header) *Divergence {
	a, b := fold(own).fields, fold(fill).fields
	names := slices.Collect(maps.Keys(b))
	for name := range a {
		if _, both := b[name]; !both {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(x, y string) int {
		if fx, fy := followsBody(x), followsBody(y); fx != fy {
			if fy {
				return -1
			}
			return 1
		}
		return strings.Compare(x, y)
	})
	for _, name := range names {
		if !notCompared[name] && !httpcache.PerRequest(name) && !sameField(name, a, b) {
			return fieldDivergence(name, a[name], b[name])
		}
	}
	return nil
}

func fieldDivergence(name string, own, fill []string) *Divergence {
	d := &Divergence{Part: PartHeader, Field: name}
	if (len(own) == 0) != (len(fill) == 0) && !isPlainName(name) {
		d.Field = ""
	}
	a, b := []byte(strings.Join(own, ", ")), []byte(strings.Join(fill, ", "))
	if s, found := differingSpan(a, b, true); found {
		d.locate(s, a, b)
	}
	return d
}

// isPlainName reports whether a field name is made of words. A name that only one
// answer has, and that has digits in it, might be a token itself.
func isPlainName(name string) bool {
	for word := range strings.SplitSeq(name, "-") {
		if len(word) > 16 || strings.ContainsFunc(word, func(r rune) bool { return (r|0x20) < 'a' || (r|0x20) > 'z' }) {
			return false
		}
	}
	return true
}

// sameField reports whether the two answers agree in a field, apart from what
// compressing one of them does to it.
func sameField(name string, own, fill http.Header) bool {
	a, b := own[name], fill[name]
	if slices.Equal(a, b) {
		return true
	}
	ownCoding, fillCoding := coding(own), coding(fill)
	switch {
	case name == "Vary":
		return slices.Equal(varyNames(a), varyNames(b))
	case name == "Expires":
		return sameLifetime(own, fill)
	case ownCoding == fillCoding:
		return false
	case name == "Etag":
		return len(a) == 1 && len(b) == 1 && opaqueTag(a[0], ownCoding) == opaqueTag(b[0], fillCoding)
	case name == "Accept-Ranges":
		// nginx takes it away when it compresses.
		return isRangeUnits(a) && isRangeUnits(b)
	}
	return false
}

// coding is an answer's content coding, lower-case, or "" for none.
func coding(h http.Header) string {
	var names []string
	for _, line := range h["Content-Encoding"] {
		for name := range strings.SplitSeq(strings.ToLower(line), ",") {
			if name = strings.Trim(name, " \t"); name != "" && name != "identity" {
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, ", ")
}

// varyNames returns what Vary names besides Accept-Encoding, which is added where
// an answer is compressed.
func varyNames(lines []string) []string {
	var names []string
	for _, line := range lines {
		for name := range strings.SplitSeq(strings.ToLower(line), ",") {
			if name = strings.Trim(name, " \t"); name != "" && name != "accept-encoding" {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// opaqueTag returns an entity tag as it was before the answer was compressed:
// nginx makes it weak, Apache, Caddy and others add the coding's name to it
// (RFC 9110 §8.8.3.3).
func opaqueTag(tag, coding string) string {
	tag = strings.Trim(strings.TrimPrefix(strings.Trim(tag, " \t"), "W/"), `"`)
	if coding == "" {
		return tag
	}
	for _, separator := range []string{"--", "-", ";", ":"} {
		if base, ok := strings.CutSuffix(tag, separator+coding); ok {
			return base
		}
	}
	return tag
}

func isRangeUnits(values []string) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return v != "bytes" && v != "none" })
}

// sameLifetime reports whether two answers, made at different times, expire as
// long after they were made. Date and Expires are often taken from two readings of
// a clock that counts in seconds.
func sameLifetime(own, fill http.Header) bool {
	const tolerance = 2 * time.Second
	a, okA := lifetime(own)
	b, okB := lifetime(fill)
	return okA && okB && (a-b).Abs() <= tolerance
}

func lifetime(h http.Header) (time.Duration, bool) {
	if len(h["Expires"]) != 1 || len(h["Date"]) != 1 {
		return 0, false
	}
	expires, errExpires := http.ParseTime(h["Expires"][0])
	made, errMade := http.ParseTime(h["Date"][0])
	return expires.Sub(made), errExpires == nil && errMade == nil
}
