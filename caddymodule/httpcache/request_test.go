package httpcache

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// RFC 9111 §5.2.1, §5.4
func TestReadRequest(t *testing.T) {
	const s = time.Second
	maxAge := func(d time.Duration) RequestDirectives { return RequestDirectives{MaxAge: d, HasMaxAge: true} }
	minFresh := func(d time.Duration) RequestDirectives {
		return RequestDirectives{MinFresh: d, HasMinFresh: true}
	}
	maxStale := func(d time.Duration) RequestDirectives {
		return RequestDirectives{MaxStale: d, HasMaxStale: true}
	}
	noCache := RequestDirectives{NoCache: true}
	tests := []struct {
		name  string
		lines []string
		want  RequestDirectives
	}{
		{"nothing", nil, RequestDirectives{}},
		{"unknown", []string{"Cache-Control: nothing-to-see-here, no-stores, x-max-age=0, foo=\"no-cache\""}, RequestDirectives{}},
		{"all", []string{"Cache-Control: no-cache, no-store, only-if-cached, max-age=1, min-fresh=2, max-stale=3, no-transform"},
			RequestDirectives{NoCache: true, NoStore: true, OnlyIfCached: true, MaxAge: s, HasMaxAge: true, MinFresh: 2 * s, HasMinFresh: true, MaxStale: 3 * s, HasMaxStale: true}},
		{"letter case", []string{"Cache-Control: No-Cache"}, noCache},
		{"two lines", []string{"Cache-Control: max-age=5", "Cache-Control: no-cache"}, RequestDirectives{NoCache: true, MaxAge: 5 * s, HasMaxAge: true}},

		{"max-age=0", []string{"Cache-Control: max-age=0"}, maxAge(0)},
		{"quoted", []string{`Cache-Control: max-age="60"`}, maxAge(60 * s)},
		{"large", []string{"Cache-Control: max-age=99999999999999999999"}, maxAge(maxDelta)},
		{"smaller max-age", []string{"Cache-Control: max-age=5, max-age=3, max-age=9"}, maxAge(3 * s)},
		{"max-age without a number", []string{"Cache-Control: max-age"}, maxAge(0)},
		{"negative max-age", []string{"Cache-Control: max-age=-1"}, maxAge(0)},
		{"max-age with blanks", []string{"Cache-Control: max-age = 60"}, maxAge(0)},
		{"larger min-fresh", []string{"Cache-Control: min-fresh=5, min-fresh=9, min-fresh=3"}, minFresh(9 * s)},
		{"damaged min-fresh", []string{"Cache-Control: min-fresh=x"}, minFresh(maxDelta)},
		{"max-stale", []string{"Cache-Control: max-stale=5"}, maxStale(5 * s)},
		{"any max-stale", []string{"Cache-Control: max-stale"}, maxStale(maxDelta)},
		{"smaller max-stale", []string{"Cache-Control: max-stale, max-stale=9, max-stale=5, max-stale=7"}, maxStale(5 * s)},
		{"damaged max-stale", []string{"Cache-Control: max-stale=x"}, RequestDirectives{}},
		{"empty max-stale", []string{`Cache-Control: max-stale=""`}, RequestDirectives{}},
		{"max-stale with blanks", []string{"Cache-Control: max-stale =5"}, RequestDirectives{}},

		{"no-cache with an argument", []string{"Cache-Control: no-cache=x"}, noCache},
		{"damage before", []string{"Cache-Control: foo=, no-store, max-age=60, max-stale=60, min-fresh=1"},
			RequestDirectives{NoStore: true, HasMaxAge: true, MinFresh: maxDelta, HasMinFresh: true}},
		{"damage after", []string{"Cache-Control: max-age=60, foo="}, maxAge(60 * s)},
		{"open quote", []string{`Cache-Control: foo="no-cache`}, noCache},
		{"only-if-cached in damage", []string{"Cache-Control: foo=, only-if-cached"}, RequestDirectives{}},

		{"Pragma", []string{"Pragma: foo, No-Cache"}, noCache},
		{"Pragma in a second line", []string{"Pragma: foo", "Pragma: no-cache"}, noCache},
		{"damaged Pragma", []string{"Pragma: ;no-cache"}, noCache},
		{"unknown Pragma", []string{"Pragma: foo"}, RequestDirectives{}},
		{"no-store is no Pragma", []string{"Pragma: no-store"}, RequestDirectives{}},
		{"Pragma beside Cache-Control", []string{"Pragma: no-cache", "Cache-Control: max-age=5"}, maxAge(5 * s)},
		{"Pragma beside an empty Cache-Control", []string{"Pragma: no-cache", "Cache-Control: "}, noCache},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ReadRequest(header(tt.lines...)); got != tt.want {
				t.Errorf("\n got %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestReadRequestAllocatesNothing(t *testing.T) {
	for _, line := range []string{"Accept: */*", "Cache-Control: no-cache", "Cache-Control: Max-Age=0", "Pragma: no-cache", "Cache-Control: nothing-to-see-here, max-stale=5"} {
		h := header("Accept-Language: en", "User-Agent: x", line)
		var d RequestDirectives
		if n := testing.AllocsPerRun(100, func() { d = ReadRequest(h) }); n != 0 {
			t.Errorf("%s: %v allocations for %+v", line, n, d)
		}
	}
}

// What stands behind a line, or in another, never makes a request ask for less.
func FuzzReadRequest(f *testing.F) {
	for _, seed := range []string{"no-cache", "max-age=0, no-store", "max-stale", `foo="max-age=1`, "min-fresh=x", "max-age = 5", "max-stale=5, max-stale", "only-if-cached;"} {
		f.Add(seed, "max-stale=9, max-age=5, min-fresh=3")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		one := ReadRequest(http.Header{"Cache-Control": {first}})
		both := ReadRequest(http.Header{"Cache-Control": {first, second}})
		if one.NoCache && !both.NoCache || one.NoStore && !both.NoStore ||
			one.HasMaxAge && (!both.HasMaxAge || both.MaxAge > one.MaxAge) ||
			one.HasMinFresh && (!both.HasMinFresh || both.MinFresh < one.MinFresh) ||
			one.HasMaxStale && (!both.HasMaxStale || both.MaxStale > one.MaxStale) {
			t.Errorf("%q and %q ask for %+v, the first alone for %+v", first, second, both, one)
		}
		for _, d := range []time.Duration{both.MaxAge, both.MinFresh, both.MaxStale} {
			if d < 0 || d > maxDelta {
				t.Errorf("%v is out of range", d)
			}
		}
		// A staleness that nobody asked for is the one thing that may not be made up.
		if one.HasMaxStale && !strings.Contains(strings.ToLower(first), "max-stale") {
			t.Errorf("%q allows staleness", first)
		}
	})
}
