package httpcache

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The strict oracle says what a header may be taken for at most, from its bare
// text: it looks for words and numbers, and shares no code with what it judges.

// verdict is what a header amounts to, for a cache. One is at most as shareable as
// another if it refuses wherever that does, and none of its times is longer.
type verdict struct {
	refused                    bool // no cache may store or reuse it unasked
	fresh, whileStale, onError time.Duration
	mayOutlive                 bool // no directive forbids to serve it stale
}

func (v verdict) exceeds(most verdict) bool {
	if v.refused {
		return false
	}
	return most.refused || v.fresh > most.fresh || v.whileStale > most.whileStale || v.onError > most.onError ||
		v.mayOutlive && !most.mayOutlive
}

func judge(r Reader, h http.Header, status int) verdict {
	d := r.Directives(h, status)
	lifetime, _ := Lifetime(h, d, received)
	if guess, ok := Heuristic(h, d, status, received); ok {
		lifetime = max(lifetime, guess)
	}
	return verdict{
		refused:    d.Private || d.NoStore || d.NoCache || d.Malformed,
		fresh:      lifetime,
		whileStale: d.StaleWhileRevalidate,
		onError:    d.StaleIfError,
		mayOutlive: !d.MustRevalidate && !d.ProxyRevalidate,
	}
}

var (
	numbers    = regexp.MustCompile(`[0-9]+`)
	dictionary = regexp.MustCompile(`\A *[a-z*][a-z0-9_.*-]*(=|;|,|[ \t]|\z)`)
	dated      = regexp.MustCompile(`(?i)\A(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? .*\z`)
)

// atMost is the oracle.
func atMost(r Reader, h http.Header, status int) verdict {
	control, targets, foreign, pragma := text(h, "Cache-Control"), "", "", text(h, "Pragma")
	mayGovern := false // one of the targets could be a Dictionary
	for _, name := range []string{"Cdn-Cache-Control", "Cacheward-Cache-Control"} {
		if slices.Contains(r.Targets, name) {
			targets += text(h, name) + "\n"
			for _, line := range h[name] {
				mayGovern = mayGovern || dictionary.MatchString(line)
			}
		} else {
			foreign += text(h, name) + "\n"
		}
	}
	foreign += text(h, "Surrogate-Control")

	most := verdict{mayOutlive: true}
	spoken := control + "\n" + foreign // what cannot be outranked
	if r.TargetFirst && mayGovern {
		spoken = foreign
	} else {
		spoken += "\n" + targets
	}
	for _, word := range []string{"private", "no-store", "no-cache"} {
		most.refused = most.refused || strings.Contains(spoken, word) && !(word == "no-store" && pardoned(r, spoken, status))
	}
	if strings.Trim(control, " \t,\n") == "" && !(r.TargetFirst && mayGovern) {
		most.refused = most.refused || strings.Contains(pragma, "no-cache")
	}
	for _, word := range []string{"must-revalidate", "proxy-revalidate"} {
		if strings.Contains(spoken, word) {
			most.mayOutlive = false
		}
	}

	longest := func(text string) time.Duration {
		var found time.Duration
		for _, number := range numbers.FindAllString(text, -1) {
			var seconds float64
			_, _ = fmt.Sscan(number, &seconds)
			found = max(found, time.Duration(min(seconds, 1<<31))*time.Second)
		}
		return found
	}
	governing := control
	if mayGovern {
		governing += "\n" + targets
	}
	if strings.Contains(governing, "age") {
		most.fresh = longest(governing)
	}
	if strings.Contains(governing, "stale-while-revalidate") {
		most.whileStale = longest(governing)
	}
	if strings.Contains(governing, "stale-if-error") {
		most.onError = longest(governing)
	}
	// A date that is there may speak, as Expires or as Last-Modified.
	for _, line := range h["Expires"] {
		if end, err := http.ParseTime(strings.ToUpper(line)); err == nil && dated.MatchString(line) {
			most.fresh = max(most.fresh, end.Sub(received))
		}
	}
	if len(h["Last-Modified"]) > 0 && len(h["Expires"]) == 0 && (status == 200 || status == 404) {
		most.fresh = max(most.fresh, 24*time.Hour)
	}
	return most
}

// pardoned reports whether must-understand could lift no-store: both are members of
// lists wherever they occur.
func pardoned(r Reader, spoken string, status int) bool {
	members := func(word string) (n int) {
		for _, member := range strings.FieldsFunc(spoken, func(r rune) bool { return r == ',' || r == '\n' }) {
			if strings.Trim(member, " \t") == word {
				n++
			}
		}
		return n
	}
	return r.MustUnderstand && slices.Contains(understood, status) &&
		members("must-understand") > 0 && members("no-store") == strings.Count(spoken, "no-store")
}

// understood are the final statuses of RFC 9110 that say something of a resource and
// can be stored whole (RFC 9110 §15, RFC 9111 §3).
var understood = []int{200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501}

// text is all lines of a field, in lower case.
func text(h http.Header, name string) string { return strings.ToLower(strings.Join(h[name], "\n")) }

// readers are all ways to read.
var readers = func() (all []Reader) {
	for _, targets := range [][]string{nil, {"Cdn-Cache-Control"}, {"Cacheward-Cache-Control", "Cdn-Cache-Control"}} {
		for _, first := range []bool{false, true} {
			for _, understand := range []bool{false, true} {
				all = append(all, Reader{Targets: targets, TargetFirst: first, MustUnderstand: understand})
			}
		}
	}
	return all
}()

func checkAgainstOracle(t interface{ Errorf(string, ...any) }, h http.Header, status int) {
	for _, r := range readers {
		got, most := judge(r, h, status), atMost(r, h, status)
		if got.exceeds(most) {
			t.Errorf("%+v reads %q as %+v, at most %+v is in it", r, h, got, most)
		}
	}
}

// wholeHeaders are undamaged.
var wholeHeaders = []http.Header{
	header("Cache-Control: max-age=60"),
	header("Cache-Control: max-age=600, s-maxage=30, stale-while-revalidate=5, stale-if-error=7"),
	header("Cache-Control: public, max-age=60, must-revalidate"),
	header("Cache-Control: max-age=60", "Cache-Control: private"),
	header(`Cache-Control: private="X-A", max-age=60`),
	header(`Cache-Control: foo="a, b", no-cache="Set-Cookie", s-maxage=60`),
	header("Cache-Control: max-age=60, no-store, must-understand"),
	header("Cache-Control: no-store", "Cdn-Cache-Control: max-age=60"),
	header("Cache-Control: max-age=3600", "Cdn-Cache-Control: max-age=60, stale-while-revalidate=9"),
	header(`Cdn-Cache-Control: private=("x" "y"), max-age=60`),
	header("Cacheward-Cache-Control: max-age=10", "Cdn-Cache-Control: no-store", "Cache-Control: max-age=60"),
	header("Surrogate-Control: no-store", "Cache-Control: max-age=60"),
	header("Pragma: no-cache", "Expires: "+at(time.Hour)),
	header("Expires: "+at(time.Hour), "Last-Modified: "+at(-time.Hour)),
	header("Last-Modified: " + at(-time.Hour)),
}

// damage inserts, repeats or takes out a few bytes in a copy of h, or adds a line.
func damage(t *rapid.T, h http.Header) http.Header {
	h = h.Clone()
	for range rapid.IntRange(0, 3).Draw(t, "times") {
		name := rapid.SampledFrom(slices.Sorted(maps.Keys(h))).Draw(t, "field")
		n := rapid.IntRange(0, len(h[name])-1).Draw(t, "line")
		line := h[name][n]
		from := rapid.IntRange(0, len(line)).Draw(t, "from")
		to := min(len(line), from+rapid.IntRange(0, 4).Draw(t, "length"))
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			h[name][n] = line[:from] + piece.Draw(t, "text") + line[from:]
		case 1:
			h[name][n] = line[:to] + line[from:]
		case 2:
			h[name][n] = line[:from] + line[to:]
		default:
			other := rapid.SampledFrom([]string{name, "Cache-Control", "Cdn-Cache-Control", "Cacheward-Cache-Control", "Surrogate-Control", "Expires"}).Draw(t, "to field")
			h[other] = append(h[other], rapid.OneOf(piecesOfText, rapid.Just(line)).Draw(t, "line"))
		}
	}
	return h
}

func TestDamageIsNeverMoreShareable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := damage(t, rapid.SampledFrom(wholeHeaders).Draw(t, "header"))
		checkAgainstOracle(t, h, rapid.SampledFrom([]int{200, 204, 404, 599}).Draw(t, "status"))
	})
}

// What is written behind a whole Cache-Control, or on a line of its own, takes from
// it or does nothing, for every reader.
func TestMoreLinesAreNeverMoreShareable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := rapid.SampledFrom(wholeHeaders).Draw(t, "header").Clone()
		if len(h["Cache-Control"]) == 0 {
			h["Cache-Control"] = []string{"max-age=5, s-maxage=5, stale-while-revalidate=5, stale-if-error=5"}
		}
		// Without the directives that a later line may still bring.
		h["Cache-Control"][0] += ", s-maxage=50, stale-while-revalidate=1, stale-if-error=1"
		more := h.Clone()
		more["Cache-Control"] = append(more["Cache-Control"], piecesOfText.Draw(t, "more"))
		for _, r := range readers {
			r.MustUnderstand = false // a later must-understand is meant to lift no-store
			if before, after := judge(r, h, 200), judge(r, more, 200); after.exceeds(before) {
				t.Errorf("%+v: %q is %+v, %q is %+v", r, h, before, more, after)
			}
		}
	})
}

// An oracle that permits everything would agree with everything.
func TestOracleForbids(t *testing.T) {
	for i, h := range wholeHeaders {
		most := atMost(Reader{}, h, 200)
		if refused := slices.Contains([]int{3, 4, 5, 6, 7, 9, 10, 11, 12}, i); most.refused != refused {
			t.Errorf("%q: refused is %t", h, most.refused)
		}
		for _, beyond := range []verdict{{fresh: 25 * time.Hour}, {whileStale: time.Hour}, {onError: time.Hour}} {
			if !beyond.exceeds(most) {
				t.Errorf("%q permits %+v", h, beyond)
			}
		}
	}
}

func FuzzDirectives(f *testing.F) {
	for _, seed := range []string{
		"private=x,no-store", `foo="x, no-store`, "max-age=10, max-age=1000", "max-age=abc, private",
		"public;private", "max-age=99999999999999999999", `no-cache="a, b", s-maxage=1`, "public, max-age=60",
		"max-age=60, no-store, must-understand", `max-age="60"`, "max-age=1;x, foo=(1 2), stale-if-error=5", "a=-", "@1",
	} {
		f.Add(seed, "max-age=60", "", uint16(200))
		f.Add("max-age=60", seed, "max-age=5", uint16(599))
		f.Add("", "no-store", seed, uint16(404))
	}
	f.Fuzz(func(t *testing.T, control, cdn, own string, status uint16) {
		h := http.Header{"Cache-Control": {control}, "Cdn-Cache-Control": {cdn}, "Cacheward-Cache-Control": {own}}
		checkAgainstOracle(t, h, int(status))
		for _, r := range readers {
			d := r.Directives(h, int(status))
			if d.Malformed && (d.Public || d.Immutable || d.HasMaxAge || d.SMaxAge > 0 || d.StaleIfError > 0 || d.StaleWhileRevalidate > 0) {
				t.Errorf("malformed, and yet a permission: %+v", d)
			}
			for _, age := range []time.Duration{d.MaxAge, d.SMaxAge, d.StaleIfError, d.StaleWhileRevalidate} {
				if age < 0 || age > maxDelta {
					t.Errorf("lifetime out of range: %+v", d)
				}
			}
		}
	})
}

// Dates that can be read are those that the time package reads, and fewer.
func FuzzLifetime(f *testing.F) {
	f.Add(at(time.Hour), at(0), "0")
	f.Add("Fri Jan  2 04:04:05 2026", "Friday, 02-Jan-26 03:04:05 GMT", "-1")
	f.Add("Fri, 02  Jan 2026 4:04:05 gMT", "", "3, 4")
	f.Fuzz(func(t *testing.T, expires, made, age string) {
		h := http.Header{"Expires": {expires}, "Date": {made}, "Age": {age}}
		lifetime, explicit := Lifetime(h, Directives{}, received)
		end, err := http.ParseTime(strings.ToUpper(expires))
		if !explicit || lifetime < 0 || lifetime > 0 && err != nil {
			t.Errorf("%q is fresh for %v, %t", expires, lifetime, explicit)
		}
		start, wrong := http.ParseTime(strings.ToUpper(made))
		if wrong != nil || received.Before(start) {
			start = received
		}
		if earliest := end.Sub(start); err == nil && lifetime > max(0, earliest, end.Sub(received)) {
			t.Errorf("%q less %q is %v", expires, made, lifetime)
		}
		initial := InitialAge(h, received, received)
		if old, ok := deltaSeconds(age); initial < 0 || ok && initial < old {
			t.Errorf("Age %q and Date %q are %v", age, made, initial)
		}
	})
}
