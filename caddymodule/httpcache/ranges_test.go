package httpcache

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// RFC 9110 §14.1, §14.2: the ranges of ten bytes, or of another number.
func TestSelectRanges(t *testing.T) {
	part := func(all ...ByteRange) []ByteRange { return all }
	const huge = math.MaxInt64
	many := func(n int) string { return "bytes=" + strings.TrimSuffix(strings.Repeat("0-0,", n), ",") }
	apart := func(n int) string {
		var set []string
		for i := range n {
			set = append(set, fmt.Sprintf("%d-%d", 2*i, 2*i))
		}
		return "bytes=" + strings.Join(set, ",")
	}
	tests := []struct {
		name   string
		value  string
		size   int64
		want   Selection
		ranges []ByteRange
	}{
		// §14.1.2
		{"one", "bytes=0-4", 10, Partial, part(ByteRange{0, 5})},
		{"one byte", "bytes=9-9", 10, Partial, part(ByteRange{9, 1})},
		{"open", "bytes=3-", 10, Partial, part(ByteRange{3, 7})},
		{"everything", "bytes=0-", 10, Partial, part(ByteRange{0, 10})},
		{"suffix", "bytes=-3", 10, Partial, part(ByteRange{7, 3})},
		{"suffix longer than all", "bytes=-11", 10, Partial, part(ByteRange{0, 10})},
		{"last beyond the end", "bytes=5-10", 10, Partial, part(ByteRange{5, 5})},
		{"leading zeros", "bytes=0000000000000000000000000-0000000000000000000000004", 10, Partial, part(ByteRange{0, 5})},
		{"first at the end", "bytes=10-", 10, Unsatisfiable, nil},
		{"first beyond the end", "bytes=11-12", 10, Unsatisfiable, nil},
		{"suffix of nothing", "bytes=-0", 10, Unsatisfiable, nil},
		{"last before first", "bytes=4-3", 10, Whole, nil},
		{"last before first, beyond the end", "bytes=14-13", 10, Whole, nil},

		// an empty representation
		{"of nothing", "bytes=0-", 0, Unsatisfiable, nil},
		{"suffix where there is nothing", "bytes=-5", 0, Whole, nil},
		{"suffix of nothing where there is nothing", "bytes=-0", 0, Unsatisfiable, nil},
		{"both where there is nothing", "bytes=0-4,-5", 0, Whole, nil},

		// several, in the order asked for (§15.3.7.2)
		{"two", "bytes=0-1,8-9", 10, Partial, part(ByteRange{0, 2}, ByteRange{8, 2})},
		{"descending", "bytes=8-9,0-1", 10, Partial, part(ByteRange{8, 2}, ByteRange{0, 2})},
		{"adjacent", "bytes=0-4,5-9", 10, Partial, part(ByteRange{0, 5}, ByteRange{5, 5})},
		{"four adjacent", "bytes=0-1,2-3,4-5,6-7", 10, Partial, part(ByteRange{0, 2}, ByteRange{2, 2}, ByteRange{4, 2}, ByteRange{6, 2})},
		{"mixed", "bytes=-1,0-0,4-", 100, Partial, part(ByteRange{99, 1}, ByteRange{0, 1}, ByteRange{4, 96})},
		{"some beyond the end", "bytes=20-30,0-1,10-", 10, Partial, part(ByteRange{0, 2})},
		{"all beyond the end", "bytes=20-30,10-,-0", 10, Unsatisfiable, nil},
		{"white space and empty members", "bytes=,, 0-1 ,\t, 8-9\t,", 10, Partial, part(ByteRange{0, 2}, ByteRange{8, 2})},
		{"sixteen", apart(16), 100, Partial, func() (all []ByteRange) {
			for i := range int64(16) {
				all = append(all, ByteRange{2 * i, 1})
			}
			return all
		}()},

		// §14.2, §17.15: what asks for too much
		{"seventeen", apart(17), 100, Whole, nil},
		{"seventeen beyond the end", apart(17), 1, Whole, nil},
		{"hundreds alike", many(500), 100, Whole, nil},
		{"two overlap", "bytes=0-4,2-6", 100, Partial, part(ByteRange{0, 5}, ByteRange{2, 5})},
		{"two are equal", "bytes=0-4,0-4", 100, Partial, part(ByteRange{0, 5}, ByteRange{0, 5})},
		{"three overlap", "bytes=0-4,2-6,4-8", 100, Whole, nil},
		{"two pairs overlap", "bytes=0-4,2-6,20-24,22-26", 100, Whole, nil},
		{"longer than all", "bytes=0-7,-3", 10, Whole, nil},
		{"everything twice", "bytes=0-,0-", 10, Whole, nil},

		// numbers saturate (CVE-2017-7529)
		{"last is the largest", "bytes=0-9223372036854775807", 10, Partial, part(ByteRange{0, 10})},
		{"last is larger", "bytes=1-9223372036854775808", 10, Partial, part(ByteRange{1, 9})},
		{"last is much larger", "bytes=1-" + strings.Repeat("9", 1000), 10, Partial, part(ByteRange{1, 9})},
		{"first is the largest", "bytes=9223372036854775807-", 10, Unsatisfiable, nil},
		{"first is larger", "bytes=9223372036854775808-", 10, Unsatisfiable, nil},
		{"first is 2^64", "bytes=18446744073709551616-18446744073709551620", 10, Unsatisfiable, nil},
		{"both are larger", "bytes=9223372036854775809-9223372036854775808", 10, Unsatisfiable, nil},
		{"last before first, which is larger", "bytes=9223372036854775808-5", 10, Whole, nil},
		{"suffix is the largest", "bytes=-9223372036854775807", 10, Partial, part(ByteRange{0, 10})},
		{"suffix is larger", "bytes=-9223372036854775809", 10, Partial, part(ByteRange{0, 10})},
		{"suffixes that add up to 2^63", "bytes=-9223372036854775608,-9223372036854775200", 1000, Whole, nil},
		{"suffix and a negative sum", "bytes=-17208,-9223372036854758792", 1000, Whole, nil},
		{"the largest representation", "bytes=0-9223372036854775807", huge, Partial, part(ByteRange{0, huge})},
		{"its last byte", "bytes=9223372036854775806-", huge, Partial, part(ByteRange{huge - 1, 1})},
		{"its end", "bytes=9223372036854775807-", huge, Unsatisfiable, nil},
		{"all of it and more", "bytes=0-9223372036854775806,1-9223372036854775806", huge, Whole, nil},

		// §14.1: the unit
		{"unit in capitals", "BYTES=0-4", 10, Partial, part(ByteRange{0, 5})},
		{"other unit", "lines=0-4", 10, Whole, nil},
		{"no unit", "0-4", 10, Whole, nil},
		{"empty unit", "=0-4", 10, Whole, nil},
		{"space in the unit", "bytes =0-4", 10, Whole, nil},

		// §14.1.1: malformed sets
		{"nothing", "", 10, Whole, nil},
		{"unit alone", "bytes", 10, Whole, nil},
		{"empty set", "bytes=", 10, Whole, nil},
		{"only commas", "bytes=, ,", 10, Whole, nil},
		{"dash", "bytes=-", 10, Whole, nil},
		{"number", "bytes=4", 10, Whole, nil},
		{"two dashes", "bytes=--4", 10, Whole, nil},
		{"three numbers", "bytes=0-1-2", 10, Whole, nil},
		{"plus", "bytes=+0-4", 10, Whole, nil},
		{"hexadecimal", "bytes=0x0-0x4", 10, Whole, nil},
		{"other digits", "bytes=\u0660-\u0664", 10, Whole, nil},
		{"space within", "bytes=0 - 4", 10, Whole, nil},
		{"space before", "bytes= 0-4", 10, Whole, nil},
		{"semicolon", "bytes=0-1;8-9", 10, Whole, nil},
		{"letter after too many digits", "bytes=0-99999999999999999999x", 10, Whole, nil},
		{"one bad of two", "bytes=0-1,x", 10, Whole, nil},
		{"two sets", "bytes=0-1,bytes=8-9", 10, Whole, nil},
		{"Content-Range", "bytes 0-4/10", 10, Whole, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, selection := SelectRanges("GET", http.Header{"Range": {tt.value}}, nil, tt.size)
			if selection != tt.want || !slices.Equal(got, tt.ranges) {
				t.Errorf("%q: got %v %v, want %v %v", tt.value, selection, got, tt.want, tt.ranges)
			}
		})
	}
}

// RFC 9110 §14.2: Range is defined for GET, and is one line.
func TestSelectRangesOnlyOfOneGET(t *testing.T) {
	one := header("Range: bytes=0-4")
	for _, method := range []string{"HEAD", "POST", "QUERY", "get", ""} {
		if ranges, selection := SelectRanges(method, one, nil, 10); selection != Whole || ranges != nil {
			t.Errorf("%q: %v %v", method, selection, ranges)
		}
	}
	for _, req := range []http.Header{nil, {"Range": nil}, header("Range: bytes=0-1", "Range: bytes=8-9"), header("Range: bytes=0-4", "Range: bytes=0-4")} {
		if ranges, selection := SelectRanges("GET", req, nil, 10); selection != Whole || ranges != nil {
			t.Errorf("%v: %v %v", req, selection, ranges)
		}
	}
}

// RFC 9110 §13.1.5
func TestIfRange(t *testing.T) {
	const tag = `Etag: "a"`
	modified, made := "Last-Modified: "+at(-time.Hour), "Date: "+at(0)
	tests := []struct {
		name      string
		condition []string
		stored    []string
		want      Selection
	}{
		{"tag", []string{`If-Range: "a"`}, []string{tag}, Partial},
		{"other tag", []string{`If-Range: "b"`}, []string{tag}, Whole},
		{"no tag stored", []string{`If-Range: "a"`}, []string{modified, made}, Whole},
		{"damaged tag stored", []string{`If-Range: "a"b`}, []string{`Etag: "a"b`}, Whole},
		{"two tags stored", []string{`If-Range: "a"`}, []string{tag, tag}, Whole},
		{"list of tags", []string{`If-Range: "a", "b"`}, []string{tag}, Whole},
		{"star", []string{"If-Range: *"}, []string{tag}, Whole},
		{"unquoted", []string{"If-Range: a"}, []string{"Etag: a"}, Whole},
		{"empty", []string{"If-Range: "}, []string{tag}, Whole},
		{"empty in both", []string{"If-Range: "}, []string{"Last-Modified: ", made}, Whole},
		{"two lines", []string{`If-Range: "a"`, `If-Range: "a"`}, []string{tag}, Whole},

		// §8.8.3.2: weak tags never match strongly
		{"weak in request", []string{`If-Range: W/"a"`}, []string{tag}, Whole},
		{"weak in store", []string{`If-Range: "a"`}, []string{`Etag: W/"a"`}, Whole},
		{"weak in both", []string{`If-Range: W/"a"`}, []string{`Etag: W/"a"`}, Whole},

		{"date", []string{"If-Range: " + at(-time.Hour)}, []string{modified, made}, Partial},
		{"date beside a tag", []string{"If-Range: " + at(-time.Hour)}, []string{tag, modified, made}, Partial},
		{"later date", []string{"If-Range: " + at(0)}, []string{modified, made}, Whole},
		{"earlier date", []string{"If-Range: " + at(-2*time.Hour)}, []string{modified, made}, Whole},
		{"same date in other words", []string{"If-Range: " + received.Add(-time.Hour).Format(time.ANSIC)}, []string{modified, made}, Whole},
		{"no date stored", []string{"If-Range: " + at(-time.Hour)}, []string{tag, made}, Whole},
		{"two dates stored", []string{"If-Range: " + at(-time.Hour)}, []string{modified, modified, made}, Whole},
		{"no dates", []string{"If-Range: x"}, []string{"Last-Modified: x", made}, Whole},
		{"other zone", []string{"If-Range: Fri, 02 Jan 2026 03:04:05 JST"}, []string{"Last-Modified: Fri, 02 Jan 2026 03:04:05 JST", made}, Whole},

		// §8.8.2.2: dates that are no strong validators
		{"a second before Date", []string{"If-Range: " + at(-time.Second)}, []string{"Last-Modified: " + at(-time.Second), made}, Partial},
		{"in the second of Date", []string{"If-Range: " + at(0)}, []string{"Last-Modified: " + at(0), made}, Whole},
		{"after Date", []string{"If-Range: " + at(time.Hour)}, []string{"Last-Modified: " + at(time.Hour), made}, Whole},
		{"without Date", []string{"If-Range: " + at(-time.Hour)}, []string{modified}, Whole},
		{"bad Date", []string{"If-Range: " + at(-time.Hour)}, []string{modified, "Date: x"}, Whole},
		{"two Dates", []string{"If-Range: " + at(-time.Hour)}, []string{modified, made, made}, Whole},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := header(append(tt.condition, "Range: bytes=0-4")...)
			if _, got := SelectRanges("GET", req, header(tt.stored...), 10); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			// A condition that does not hold leaves no range to be unsatisfiable.
			want := tt.want
			if want == Partial {
				want = Unsatisfiable
			}
			req["Range"] = []string{"bytes=10-"}
			if _, got := SelectRanges("GET", req, header(tt.stored...), 10); got != want {
				t.Errorf("beyond the end: got %v, want %v", got, want)
			}
		})
	}
	// Without Range it means nothing.
	if _, got := SelectRanges("GET", header(`If-Range: "a"`), header(tag), 10); got != Whole {
		t.Errorf("without Range: got %v", got)
	}
}

// RFC 9110 §14.4
func TestContentRange(t *testing.T) {
	for want, got := range map[string]string{
		"bytes 0-4/10":   ByteRange{0, 5}.ContentRange(10),
		"bytes 9-9/10":   ByteRange{9, 1}.ContentRange(10),
		"bytes */10":     UnsatisfiedRange(10),
		"bytes */0":      UnsatisfiedRange(0),
		"bytes 0-0/1":    ByteRange{0, 1}.ContentRange(1),
		"bytes 10-19/20": ByteRange{10, 10}.ContentRange(20),
		"bytes 9223372036854775806-9223372036854775806/9223372036854775807": ByteRange{math.MaxInt64 - 1, 1}.ContentRange(math.MaxInt64),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// rangeSet is the grammar of RFC 9110 §14.1.1 with the empty members of §5.6.1.2.
var rangeSet = regexp.MustCompile(`^(?i:bytes)=(?:,[ \t]*|[ \t]+,[ \t]*)*(?:\d+-\d*|-\d+)(?:[ \t]*,[ \t]*(?:\d+-\d*|-\d+)?)*[ \t]*$`)

// modelRanges is what RFC 9110 §14.1.2 makes of a set, in numbers that do not
// overflow; only those that are asked for saturate. It is not ok where the set is
// malformed or has an invalid member.
func modelRanges(value string, size int64) (ranges []ByteRange, asked int, ok bool) {
	if !rangeSet.MatchString(value) {
		return nil, 0, false
	}
	end := big.NewInt(size)
	number := func(s string) *big.Int {
		n, _ := new(big.Int).SetString(s, 10)
		if !n.IsInt64() {
			return big.NewInt(math.MaxInt64)
		}
		return n
	}
	for member := range strings.SplitSeq(value[len("bytes="):], ",") {
		member = strings.Trim(member, " \t")
		if member == "" {
			continue
		}
		asked++
		first, last, _ := strings.Cut(member, "-")
		var from, to *big.Int // to is not included
		switch {
		case first == "":
			from, to = new(big.Int).Sub(end, number(last)), end
			if from.Sign() < 0 {
				from = new(big.Int)
			}
		case last == "":
			from, to = number(first), end
		default:
			from, to = number(first), new(big.Int).Add(number(last), big.NewInt(1))
			if from.Cmp(to) >= 0 {
				return nil, 0, false
			}
			if to.Cmp(end) > 0 {
				to = end
			}
		}
		if from.Cmp(to) < 0 {
			ranges = append(ranges, ByteRange{from.Int64(), new(big.Int).Sub(to, from).Int64()})
		}
	}
	return ranges, asked, true
}

// checkRanges checks what a Range of a GET got against the model: a part that is
// sent was asked for and is there, and only what is malformed or asks for too
// much is ignored.
func checkRanges(t interface{ Fatalf(string, ...any) }, value string, size int64, got []ByteRange, selection Selection) {
	want, asked, ok := modelRanges(value, size)
	var total int64
	for _, r := range got {
		if r.Start < 0 || r.Length < 1 || r.Start > size-r.Length {
			t.Fatalf("%q: %v is not within %d bytes", value, r, size)
		}
		if total += r.Length; total < 0 || total > size {
			t.Fatalf("%q: %d bytes of %d", value, total, size)
		}
	}
	switch selection {
	case Partial:
		if !ok || len(got) == 0 || len(got) > maxRanges || !slices.Equal(got, want) {
			t.Fatalf("%q of %d bytes: got %v, want %v", value, size, got, want)
		}
	case Unsatisfiable:
		if !ok || asked == 0 || len(want) != 0 || got != nil {
			t.Fatalf("%q of %d bytes: unsatisfiable, and there are %v", value, size, want)
		}
	case Whole:
		if got != nil {
			t.Fatalf("%q: the whole, and %v", value, got)
		}
		if ok && asked <= maxRanges && size > 0 && (len(want) == 0 || disjoint(want)) {
			t.Fatalf("%q of %d bytes is ignored", value, size)
		}
	}
}

// disjoint reports whether no two ranges overlap.
func disjoint(ranges []ByteRange) bool {
	ordered := slices.SortedFunc(slices.Values(ranges), func(a, b ByteRange) int { return cmp.Compare(a.Start, b.Start) })
	for i := 1; i < len(ordered); i++ {
		if before := ordered[i-1]; ordered[i].Start < before.Start+before.Length {
			return false
		}
	}
	return true
}

func TestSelectRangesOfAnySet(t *testing.T) {
	numbers := rapid.OneOf(
		rapid.StringMatching(`[0-9]{0,3}`),
		rapid.SampledFrom([]string{"", "0", "1", "9", "10", "99", "9223372036854775806", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616"}),
	)
	separators := rapid.SampledFrom([]string{",", ", ", " ,", ",,", "\t,\t", ", ,"})
	sizes := rapid.OneOf(rapid.Int64Range(0, 120), rapid.Int64Range(math.MaxInt64-3, math.MaxInt64), rapid.Int64Min(0))
	rapid.Check(t, func(t *rapid.T) {
		var set strings.Builder
		set.WriteString(rapid.SampledFrom([]string{"bytes=", "Bytes=", "bytes=,"}).Draw(t, "unit"))
		for i := range rapid.IntRange(0, maxRanges+2).Draw(t, "ranges") {
			if i > 0 {
				set.WriteString(separators.Draw(t, "separator"))
			}
			set.WriteString(numbers.Draw(t, "first") + "-" + numbers.Draw(t, "last"))
		}
		size := sizes.Draw(t, "size")
		got, selection := SelectRanges("GET", http.Header{"Range": {set.String()}}, nil, size)
		checkRanges(t, set.String(), size, got, selection)
	})
}

// FuzzSelectRanges: nothing is sent that was not asked for or is not there, and
// with If-Range nothing without a validator that is letter for letter the stored
// one. Damage to the stored validators never makes a part of a whole.
func FuzzSelectRanges(f *testing.F) {
	f.Add("bytes=0-4", "", "", "", "", int64(10))
	f.Add("bytes=-0, 4-", `"a"`, `"a"`, at(-time.Hour), at(0), int64(10))
	f.Add("bytes=9-,,-1\t,0-0", at(-time.Hour), "", at(-time.Hour), at(0), int64(1000))
	f.Add("bytes=-9223372036854775608,-9223372036854775200", "", `W/"a"`, "", "", int64(math.MaxInt64))
	f.Add("bytes=18446744073709551616-18446744073709551620", `W/"a"`, `W/"a"`, at(0), at(0), int64(0))
	f.Fuzz(func(t *testing.T, value, condition, tag, modified, made string, size int64) {
		if size < 0 {
			t.Skip("no body has a negative length")
		}
		req := http.Header{"Range": {value}}
		stored := http.Header{"Etag": {tag}, "Last-Modified": {modified}, "Date": {made}}
		plain, selection := SelectRanges("GET", req, stored, size)
		checkRanges(t, value, size, plain, selection)

		req["If-Range"] = []string{condition}
		got, conditional := SelectRanges("GET", req, stored, size)
		if conditional == Whole {
			return
		}
		if conditional != selection || !slices.Equal(got, plain) {
			t.Fatalf("If-Range %q makes %v %v of %v %v", condition, conditional, got, selection, plain)
		}
		if strongTag(tag) && condition == tag {
			return
		}
		from, err := http.ParseTime(strings.ToUpper(modified))
		to, err2 := http.ParseTime(strings.ToUpper(made))
		if condition != modified || err != nil || err2 != nil || !from.Before(to) {
			t.Fatalf("If-Range %q holds of %q, %q and %q", condition, tag, modified, made)
		}
	})
}
