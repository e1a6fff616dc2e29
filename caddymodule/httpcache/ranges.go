package httpcache

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRanges is how many ranges a request may name. A request with more gets the
// whole (RFC 9110 §17.15): each part costs a header section.
const maxRanges = 16

// ByteRange is a part of a representation: Length bytes from Start.
type ByteRange struct{ Start, Length int64 }

// ContentRange is the Content-Range of a part of a representation of size bytes
// (RFC 9110 §14.4): "bytes 0-4/10". Length must be at least 1.
func (r ByteRange) ContentRange(size int64) string {
	text := make([]byte, 0, len("bytes ")+3*20)
	text = append(text, "bytes "...)
	text = strconv.AppendInt(text, r.Start, 10)
	text = append(text, '-')
	text = strconv.AppendInt(text, r.Start+r.Length-1, 10)
	text = append(text, '/')
	return string(strconv.AppendInt(text, size, 10))
}

// UnsatisfiedRange is the Content-Range of a 416 for a representation of size
// bytes (RFC 9110 §14.4, §15.5.17): "bytes */10".
func UnsatisfiedRange(size int64) string {
	return "bytes */" + strconv.FormatInt(size, 10)
}

// Selection says what a Range request gets.
type Selection uint8

const (
	// Whole: answer 200 with the whole representation, as without Range.
	Whole Selection = iota
	// Partial: answer 206 (RFC 9110 §15.3.7). One range is the body, with
	// [ByteRange.ContentRange] in the header; several make a [Multipart].
	Partial
	// Unsatisfiable: answer 416 with [UnsatisfiedRange] (§15.5.17).
	Unsatisfiable
)

// SelectRanges reads Range and If-Range for a stored 200 response of size bytes
// (RFC 9110 §14.1.1, §14.2, §13.1.5). Req and stored are the header fields of the
// request and of the stored response, with canonical names. The preconditions
// come first: see [Evaluate].
//
// The ranges are those that can be satisfied, in the order asked for, none of
// them empty or outside of the representation; there are some only with [Partial].
//
// Range is ignored, which a server always may, where there is none or several
// lines of it, for other methods than GET, other units than bytes, a malformed
// set, an If-Range that does not hold, more than 16 ranges, more than two that
// overlap, and for parts that together are longer than the representation.
func SelectRanges(method string, req, stored http.Header, size int64) ([]ByteRange, Selection) {
	field := req["Range"]
	if len(field) != 1 || method != http.MethodGet {
		return nil, Whole
	}
	if condition := req["If-Range"]; len(condition) > 0 && !unchanged(condition, stored) {
		return nil, Whole
	}
	unit, set, ok := strings.Cut(field[0], "=")
	if !ok || !strings.EqualFold(unit, "bytes") {
		return nil, Whole
	}
	asked, ok := parseRanges(set)
	if !ok {
		return nil, Whole
	}
	ranges := make([]ByteRange, 0, len(asked))
	var total int64
	for _, spec := range asked {
		r, ok := spec.within(size)
		if !ok {
			continue
		}
		// Only an empty representation has an empty part: the whole of it, by a
		// suffix. Content-Range has no words for that.
		if r.Length == 0 || r.Length > size-total {
			return nil, Whole
		}
		total += r.Length
		ranges = append(ranges, r)
	}
	switch {
	case len(ranges) == 0:
		return nil, Unsatisfiable
	case overlapping(ranges) > 2:
		return nil, Whole
	}
	return ranges, Partial
}

// unchanged reports whether If-Range holds (RFC 9110 §13.1.5): it has the strong
// entity tag of the stored response, or its Last-Modified, letter for letter,
// where that is as good as one.
func unchanged(condition []string, stored http.Header) bool {
	if len(condition) != 1 {
		return false
	}
	if tag, ok := onlyTag(condition); ok {
		current, ok := onlyTag(stored["Etag"])
		return ok && strongly(tag, current)
	}
	modified := stored["Last-Modified"]
	return len(modified) == 1 && condition[0] == modified[0] && strongDate(modified[0], stored["Date"])
}

// strongDate reports whether a Last-Modified is a strong validator for a cache
// (RFC 9110 §8.8.2.2): the response was made at least a second later, so it
// cannot have changed again in the second that the date names.
func strongDate(modified string, made []string) bool {
	if len(made) != 1 {
		return false
	}
	from, ok := date(modified)
	if !ok {
		return false
	}
	to, ok := date(made[0])
	return ok && to.Sub(from) >= time.Second
}

// overlapping is how many of the ranges overlap another.
func overlapping(ranges []ByteRange) int {
	n := 0
	for i, a := range ranges {
		for j, b := range ranges {
			if i != j && a.Start < b.Start+b.Length && b.Start < a.Start+a.Length {
				n++
				break
			}
		}
	}
	return n
}

// rangeSpec is a range as it was asked for (RFC 9110 §14.1.1): the bytes from
// first to last, both included, or the last bytes of a suffix.
type rangeSpec struct {
	first, last int64
	suffix      bool
}

// within is what there is of the range in a representation of size bytes. It is
// not ok where the range cannot be satisfied (RFC 9110 §14.1.2).
func (s rangeSpec) within(size int64) (r ByteRange, ok bool) {
	if s.suffix {
		length := min(s.last, size)
		return ByteRange{Start: size - length, Length: length}, s.last > 0
	}
	if s.first >= size {
		return ByteRange{}, false
	}
	return ByteRange{Start: s.first, Length: min(s.last, size-1) - s.first + 1}, true
}

// parseRanges reads a range-set of bytes (RFC 9110 §14.1.1, §14.1.2) of at most
// maxRanges members. Empty members do not count (§5.6.1.2).
func parseRanges(set string) (specs []rangeSpec, ok bool) {
	// White space belongs to commas, not to the =.
	if rest := strings.TrimLeft(set, " \t"); rest != set && !strings.HasPrefix(rest, ",") {
		return nil, false
	}
	for member := range strings.SplitSeq(set, ",") {
		if member = strings.Trim(member, " \t"); member == "" {
			continue
		}
		spec, ok := parseRange(member)
		if !ok || len(specs) == maxRanges {
			return nil, false
		}
		specs = append(specs, spec)
	}
	return specs, len(specs) > 0
}

// parseRange reads an int-range or a suffix-range (RFC 9110 §14.1.1).
func parseRange(s string) (spec rangeSpec, ok bool) {
	first, last, ok := strings.Cut(s, "-")
	if !ok {
		return rangeSpec{}, false
	}
	spec = rangeSpec{last: math.MaxInt64, suffix: first == ""}
	if !spec.suffix {
		if spec.first, ok = position(first); !ok {
			return rangeSpec{}, false
		}
		if last == "" {
			return spec, true
		}
	}
	spec.last, ok = position(last)
	return spec, ok && spec.first <= spec.last
}

// position reads a number of bytes: digits and nothing else. Larger ones than
// fit count as the largest that does; no representation is as long.
func position(s string) (n int64, ok bool) {
	if s == "" {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		digit := int64(s[i] - '0')
		if n > (math.MaxInt64-digit)/10 {
			n = math.MaxInt64
			continue
		}
		n = n*10 + digit
	}
	return n, true
}
