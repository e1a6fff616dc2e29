package httpcache

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var received = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(d time.Duration) string { return received.Add(d).Format(http.TimeFormat) }

// RFC 9111 §4.2.1, §5.3
func TestLifetime(t *testing.T) {
	tests := []struct {
		name     string
		lines    []string
		want     time.Duration
		explicit bool
	}{
		{"nothing", nil, 0, false},
		{"public says no time", []string{"Cache-Control: public"}, 0, false},
		{"Last-Modified is no lifetime", []string{"Last-Modified: " + at(-time.Hour)}, 0, false},
		{"s-maxage before max-age", []string{"Cache-Control: max-age=60, s-maxage=30", "Expires: " + at(time.Hour)}, 30 * time.Second, true},
		{"s-maxage=0", []string{"Cache-Control: max-age=60, s-maxage=0"}, 0, true},
		{"max-age before Expires", []string{"Cache-Control: max-age=60", "Expires: " + at(time.Hour)}, time.Minute, true},
		{"targeted refusal", []string{"Cache-Control: max-age=60", "Cdn-Cache-Control: max-age=0"}, 0, true},
		{"malformed", []string{"Cache-Control: max-age=60;", "Expires: " + at(time.Hour)}, 0, true},
		{"max-age between stray quotes", []string{`Cache-Control: x=", max-age=60, "`, "Expires: " + at(time.Hour)}, time.Minute, true},
		{"max-age in an argument", []string{`Cache-Control: x="max-age=3600", max-age=60`}, time.Minute, true},
		{"Expires less Date", []string{"Expires: " + at(time.Hour), "Date: " + at(-time.Minute)}, 61 * time.Minute, true},
		{"Date ahead", []string{"Expires: " + at(time.Hour), "Date: " + at(time.Minute)}, 59 * time.Minute, true},
		{"no Date", []string{"Expires: " + at(time.Hour)}, time.Hour, true},
		{"bad Date", []string{"Expires: " + at(time.Hour), "Date: yesterday"}, time.Hour, true},
		{"two Dates", []string{"Expires: " + at(time.Hour), "Date: " + at(-time.Hour), "date: " + at(0)}, time.Hour, true},
		{"past", []string{"Expires: " + at(-time.Hour)}, 0, true},
		{"Expires: 0", []string{"Expires: 0", "Last-Modified: " + at(-time.Hour)}, 0, true},
		{"Expires: -1", []string{"Expires: -1"}, 0, true},
		{"empty Expires", []string{"Expires: "}, 0, true},
		{"equal Expires", []string{"Expires: " + at(time.Hour), "Expires: " + at(time.Hour)}, time.Hour, true},
		{"differing Expires", []string{"Expires: " + at(time.Hour), "Expires: " + at(2*time.Hour)}, 0, true},
		{"lower-case name", []string{"expires: 0"}, 0, true},
		{"RFC 850", []string{"Expires: Friday, 02-Jan-26 04:04:05 GMT"}, time.Hour, true},
		{"asctime", []string{"Expires: Fri Jan  2 04:04:05 2026"}, time.Hour, true},
		{"RFC 850, another zone", []string{"Expires: Friday, 02-Jan-26 04:04:05 JST"}, 0, true},
		{"another zone", []string{"Expires: Fri, 02 Jan 2026 13:04:05 JST"}, 0, true},
		{"offset", []string{"Expires: Fri, 02 Jan 2026 13:04:05 +0900"}, 0, true},
		{"two-digit year of the past century", []string{"Expires: Friday, 02-Jan-94 04:04:05 GMT"}, 0, true},
		{"two-digit year", []string{"Expires: Thu, 18 Aug 50 02:01:18 GMT"}, 0, true},
		{"UTC", []string{"Expires: Fri, 02 Jan 2026 04:04:05 UTC"}, 0, true},
		{"RFC 850, UTC", []string{"Expires: Friday, 02-Jan-26 04:04:05 UTC"}, 0, true},
		{"no comma", []string{"Expires: Fri 02 Jan 2026 04:04:05 GMT"}, 0, true},
		{"spaces", []string{"Expires: Fri, 02  Jan  2026 04:04:05 GMT"}, 0, true},
		{"dashes", []string{"Expires: Fri, 02-Jan-2026 04:04:05 GMT"}, 0, true},
		{"periods", []string{"Expires: Fri, 02 Jan 2026 04.04.05 GMT"}, 0, true},
		{"one-digit hour", []string{"Expires: Fri, 02 Jan 2026 4:04:05 GMT"}, 0, true},
		{"one-digit day", []string{"Expires: Fri, 2 Jan 2026 04:04:05 GMT"}, 0, true},
		{"fraction of a second", []string{"Expires: Fri, 02 Jan 2026 04:04:05.5 GMT"}, 0, true},
		{"letters beyond ASCII", []string{"Expires: ſun, 04 Jan 2026 04:04:05 GMT"}, 0, true},
		// RFC 9111 §4.2: letter case does not matter
		{"weekday in capitals", []string{"Expires: FRI, 02 Jan 2026 04:04:05 GMT"}, time.Hour, true},
		{"month in capitals", []string{"Expires: Fri, 02 JAN 2026 04:04:05 GMT"}, time.Hour, true},
		{"zone in small letters", []string{"Expires: Fri, 02 Jan 2026 04:04:05 gMT"}, time.Hour, true},
		{"another weekday", []string{"Expires: Mon, 02 Jan 2026 04:04:05 GMT"}, time.Hour, true},
		{"beyond 32 bits", []string{"Expires: Sun, 21 Nov 2286 04:46:39 GMT", "Date: Sun, 21 Nov 2286 04:46:38 GMT"}, time.Second, true},
		{"year 9999", []string{"Expires: Fri, 31 Dec 9999 23:59:59 GMT"}, 1<<63 - 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := header(tt.lines...)
			got, explicit := Lifetime(h, ResponseDirectives(h), received)
			if got != tt.want || explicit != tt.explicit {
				t.Errorf("got %v, %t, want %v, %t", got, explicit, tt.want, tt.explicit)
			}
		})
	}
}

// RFC 9111 §4.2.3, §5.1
func TestInitialAge(t *testing.T) {
	const s = time.Second
	tests := []struct {
		name  string
		lines []string
		delay time.Duration
		want  time.Duration
	}{
		{"nothing", nil, 0, 0},
		{"the way here", nil, 2 * s, 2 * s},
		{"Age and the way here", []string{"Age: 10"}, 2 * s, 12 * s},
		{"Date", []string{"Date: " + at(-60*s)}, 2 * s, 60 * s},
		{"Date and a larger Age", []string{"Date: " + at(-60*s), "Age: 100"}, 2 * s, 102 * s},
		{"Date ahead", []string{"Date: " + at(60*s)}, 2 * s, 2 * s},
		{"two Dates", []string{"Date: " + at(-60*s), "Date: " + at(-70*s)}, 0, 0},
		{"first of a list", []string{"Age: 0, 7200"}, 0, 0},
		{"first of a list, old", []string{"Age: 7200,0"}, 0, 7200 * s},
		{"first line", []string{"Age: 0", "Age: 7200"}, 0, 0},
		{"first line, old", []string{"Age: 7200", "Age: 0"}, 0, 7200 * s},
		{"spellings", []string{"Age: 10", "age: 30"}, 0, 30 * s},
		{"junk", []string{"Age: old"}, 0, 0},
		{"junk before a number", []string{"Age: old, 10"}, 0, 0},
		{"junk in the second line", []string{"Age: 10", "Age: old"}, 0, 10 * s},
		{"nothing before a number", []string{"Age: , 10"}, 0, 0},
		{"parameter", []string{"Age: 10;foo=1"}, 0, 0},
		{"2³¹-1", []string{"Age: 2147483647"}, 0, maxDelta - s},
		{"2³¹", []string{"Age: 2147483648"}, 0, maxDelta},
		{"2³¹+1", []string{"Age: 2147483649"}, 0, maxDelta},
		{"negative", []string{"Age: -10"}, 0, 0},
		{"fraction", []string{"Age: 10.5"}, 0, 0},
		{"overflow", []string{"Age: 99999999999999999999"}, 3 * s, maxDelta + 3*s},
		{"request of long ago", []string{"Age: 10"}, 1<<63 - 1, maxDelta + 10*s},
		{"clock set back", []string{"Age: 10"}, -5 * s, 10 * s},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := InitialAge(header(tt.lines...), received.Add(-tt.delay), received); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// RFC 9111 §4.2.2
func TestHeuristic(t *testing.T) {
	const day = 24 * time.Hour
	modified := "Last-Modified: " + at(-10*time.Hour)
	tests := []struct {
		name   string
		status int
		lines  []string
		want   time.Duration
		ok     bool
	}{
		{"a tenth", 200, []string{modified, "Date: " + at(0)}, time.Hour, true},
		{"counted from Date", 200, []string{modified, "Date: " + at(-5*time.Hour)}, 30 * time.Minute, true},
		{"no Date", 200, []string{modified}, time.Hour, true},
		{"at most a day", 200, []string{"Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT"}, day, true},
		{"before any duration", 200, []string{"Last-Modified: Mon, 01 Jan 0001 00:00:00 GMT"}, day, true},
		{"agreeing lines", 200, []string{modified, modified}, time.Hour, true},
		{"public", 200, []string{modified, "Cache-Control: public"}, time.Hour, true},

		{"nothing", 200, nil, 0, false},
		{"equal to Date", 200, []string{modified, "Date: " + at(-10*time.Hour)}, 0, false},
		{"after Date", 200, []string{modified, "Date: " + at(-11*time.Hour)}, 0, false},
		{"differing lines", 200, []string{modified, "last-modified: " + at(-time.Hour)}, 0, false},
		{"damaged", 200, []string{"Last-Modified: yesterday"}, 0, false},
		{"damaged Date", 200, []string{modified, "Date: now"}, 0, false},
		{"explicit", 200, []string{modified, "Cache-Control: max-age=1"}, 0, false},
		{"explicit nought", 200, []string{modified, "Cache-Control: s-maxage=0"}, 0, false},
		{"explicit Expires", 200, []string{modified, "Expires: 0"}, 0, false},
		{"malformed", 200, []string{modified, "Cache-Control: max-age=x"}, 0, false},
		{"private", 200, []string{modified, "Cache-Control: private"}, 0, false},
		{"no-store", 200, []string{modified, "Cache-Control: no-store"}, 0, false},
		{"Pragma", 200, []string{modified, "Pragma: no-cache"}, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := header(tt.lines...)
			got, ok := Heuristic(h, ResponseDirectives(h), tt.status, received)
			if got != tt.want || ok != tt.ok {
				t.Errorf("got %v, %t, want %v, %t", got, ok, tt.want, tt.ok)
			}
		})
	}
	for status := range 600 {
		want := slices.Contains([]int{200, 203, 300, 301, 308, 404, 410}, status)
		if _, ok := Heuristic(header(modified), Directives{}, status, received); ok != want {
			t.Errorf("status %d: %t", status, ok)
		}
		if want && ErrorStatus(status) {
			t.Errorf("status %d is guessed about, and an error", status)
		}
	}
}

// RFC 9110 §15
func TestErrorStatus(t *testing.T) {
	for status, want := range map[int]bool{
		200: false, 203: false, 204: true, 206: false, 207: true, 299: true,
		301: false, 303: false, 306: true, 308: false, 399: true,
		400: true, 403: true, 404: false, 405: true, 410: false, 414: true, 451: false, 499: true,
		500: true, 501: true, 503: true, 599: true, 0: true, 1000: true,
	} {
		if got := ErrorStatus(status); got != want {
			t.Errorf("%d: %t, want %t", status, got, want)
		}
	}
}

// RFC 9110 §15.5, §15.6.4, RFC 6585, RFC 8470 §5.2
func TestMomentary(t *testing.T) {
	for _, tt := range []struct {
		status int
		lines  []string
		want   bool
	}{
		{200, []string{"Retry-After: 1"}, false},
		{400, nil, false},
		{401, nil, true},
		{404, nil, false},
		{407, nil, true},
		{408, nil, true},
		{425, nil, true},
		{428, nil, true},
		{429, nil, true},
		{431, nil, true},
		{502, []string{"Retry-After: 1"}, false},
		{503, nil, false},
		{503, []string{"retry-after: soon"}, true},
		{511, nil, true},
	} {
		if got := Momentary(tt.status, header(tt.lines...)); got != tt.want {
			t.Errorf("%d %q: %t", tt.status, tt.lines, got)
		}
	}
}

func TestInitialAgeIsNeverNegative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := http.Header{
			"Age":  rapid.SliceOfN(rapid.OneOf(rapid.StringMatching(`[0-9,]{0,25}`), rapid.String()), 0, 3).Draw(t, "age"),
			"Date": rapid.SliceOfN(rapid.StringMatching(`(Fri|), [0-9]{2} Jan [0-9]{4} 00:00:00 GMT`), 0, 2).Draw(t, "date"),
		}
		requested := time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "requested"), 0)
		if age := InitialAge(h, requested, received); age < 0 {
			t.Fatalf("%v: %v", h, age)
		}
	})
}
