package httpcache

import (
	"net/http"
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
		{"list", []string{"Age: 10, 30, 20"}, 0, 30 * s},
		{"lines", []string{"Age: 10", "age: 30"}, 0, 30 * s},
		{"junk", []string{"Age: old"}, 0, 0},
		{"junk beside a number", []string{"Age: old, 10"}, 0, 10 * s},
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
