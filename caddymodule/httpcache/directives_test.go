package httpcache

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// header makes a header of lines "Name: value", with the names as they are.
func header(all ...string) http.Header {
	h := make(http.Header)
	for _, line := range all {
		name, value, _ := strings.Cut(line, ":")
		h[name] = append(h[name], strings.TrimPrefix(value, " "))
	}
	return h
}

func TestResponseDirectives(t *testing.T) {
	const s = time.Second
	maxAge := func(d time.Duration) Directives { return Directives{MaxAge: d, HasMaxAge: true} }
	malformed := Directives{Malformed: true}
	tests := []struct {
		name  string
		lines []string
		want  Directives
	}{
		{"nothing", nil, Directives{}},
		{"empty", []string{"Cache-Control: "}, Directives{}},

		// RFC 9111 §5.2.2
		{"max-age", []string{"Cache-Control: max-age=60"}, maxAge(60 * s)},
		{"max-age=0", []string{"Cache-Control: max-age=0"}, maxAge(0)},
		{"all permissions", []string{"Cache-Control: public, max-age=60, s-maxage=30, immutable, stale-while-revalidate=5, stale-if-error=6"},
			Directives{Public: true, Immutable: true, MaxAge: 60 * s, HasMaxAge: true, SMaxAge: 30 * s, HasSMaxAge: true, StaleWhileRevalidate: 5 * s, StaleIfError: 6 * s}},
		{"all restrictions", []string{"Cache-Control: private, no-store, no-cache, must-revalidate, proxy-revalidate, must-understand"},
			Directives{Private: true, NoStore: true, NoCache: true, MustRevalidate: true, ProxyRevalidate: true, MustUnderstand: true}},
		{"leading noughts", []string{"Cache-Control: max-age=003600"}, maxAge(3600 * s)},
		{"letter case", []string{"Cache-Control: Public, MAX-AGE=60, No-Transform"}, Directives{Public: true, MaxAge: 60 * s, HasMaxAge: true}},
		{"unknown", []string{`Cache-Control: foo, bar=1, baz="a, \"b", max-age=60`}, maxAge(60 * s)},
		{"quoted argument", []string{`Cache-Control: max-age="60"`}, maxAge(60 * s)},
		{"empty members", []string{"Cache-Control: ,, max-age=60 ,\t,"}, maxAge(60 * s)},
		{"qualified private", []string{`Cache-Control: private="X-A", max-age=60`}, Directives{Private: true, MaxAge: 60 * s, HasMaxAge: true}},
		{"qualified no-cache", []string{`Cache-Control: no-cache="Set-Cookie, X-A", max-age=60`}, Directives{NoCache: true, MaxAge: 60 * s, HasMaxAge: true}},
		{"conflict", []string{"Cache-Control: public, private"}, Directives{Public: true, Private: true}},

		// RFC 9110 §5.3: all lines are one list
		{"two lines", []string{"Cache-Control: max-age=60", "Cache-Control: private"}, Directives{Private: true, MaxAge: 60 * s, HasMaxAge: true}},
		{"lower-case field name", []string{"Cache-Control: max-age=60", "cache-control: no-store"}, Directives{NoStore: true, MaxAge: 60 * s, HasMaxAge: true}},

		// duplicates: the smallest
		{"larger last", []string{"Cache-Control: max-age=10, max-age=1000"}, maxAge(10 * s)},
		{"smaller last", []string{"Cache-Control: max-age=1000", "Cache-Control: max-age=0"}, maxAge(0)},
		// Quoted text is no lifetime, but none may be longer.
		{"quoted text beside a lifetime", []string{`Cache-Control: foo="max-age=3600", max-age=1`},
			Directives{MaxAge: s, HasMaxAge: true, capped: true, limit: time.Hour}},
		{"quoted text alone", []string{`Cache-Control: foo="max-age=3600"`}, Directives{capped: true, limit: time.Hour}},

		// §1.2.2: numbers saturate
		{"large", []string{"Cache-Control: max-age=99999999999999999999, s-maxage=4294967296"},
			Directives{MaxAge: maxDelta - s, HasMaxAge: true, SMaxAge: maxDelta - s, HasSMaxAge: true}},

		// damage
		{"unit", []string{"Cache-Control: max-age=60s"}, malformed},
		{"fraction", []string{"Cache-Control: max-age=60.5"}, malformed},
		{"negative", []string{"Cache-Control: max-age=-1, public"}, Directives{HasSMaxAge: true}}, // §4.2.1: over
		{"negative among damage", []string{"Cache-Control: max-age=-1, s-maxage=x"}, malformed},
		{"single quotes", []string{"Cache-Control: max-age='60'"}, malformed},
		{"sign", []string{"Cache-Control: max-age=+60"}, malformed},
		{"hexadecimal", []string{"Cache-Control: max-age=0x3c"}, malformed},
		{"no argument", []string{"Cache-Control: max-age, public"}, malformed},
		{"empty argument", []string{"Cache-Control: max-age=, public"}, malformed},
		{"blank before =", []string{"Cache-Control: max-age =60"}, malformed},
		{"blank after =", []string{"Cache-Control: max-age= 60"}, malformed},
		{"semicolon", []string{"Cache-Control: public; max-age=60"}, malformed},
		{"no comma", []string{"Cache-Control: public max-age=60"}, malformed},
		{"control byte", []string{"Cache-Control: public,\x01max-age=60"}, malformed},
		{"control byte in quotes", []string{"Cache-Control: foo=\"\x00\", max-age=60"}, malformed},
		{"escape in a number", []string{`Cache-Control: max-age="6\0"`}, malformed},
		{"quote that pairs up across lines", []string{`Cache-Control: foo="a`, `Cache-Control: b", max-age=60`}, malformed},
		{"text of an open quote", []string{`Cache-Control: foo= "a, max-age=60, b"`}, malformed},
		{"stale-while-revalidate without seconds", []string{"Cache-Control: s-maxage=1, stale-while-revalidate"}, Directives{SMaxAge: s, HasSMaxAge: true}},
		{"stale-… without seconds, in quotes and lines", []string{`Cache-Control: Stale-If-Error, max-age="60"`, "Cache-Control: stale-while-revalidate,public"},
			Directives{MaxAge: 60 * s, HasMaxAge: true, Public: true}},
		{"stale-while-revalidate without and with seconds", []string{"Cache-Control: max-age=1, stale-while-revalidate, stale-while-revalidate=5"},
			Directives{MaxAge: s, HasMaxAge: true}},
		{"stale-while-revalidate with nothing for seconds", []string{"Cache-Control: max-age=1, stale-while-revalidate="}, malformed},
		{"stale-while-revalidate without seconds among damage", []string{"Cache-Control: max-age=1, stale-while-revalidate, s-maxage"}, malformed},
		{"stale-while-revalidate without seconds before damage", []string{"Cache-Control: stale-while-revalidate, max-age=1;private"}, Directives{Malformed: true, Private: true}},
		{"damage keeps the refusal", []string{"Cache-Control: max-age=abc, private"}, Directives{Malformed: true, Private: true}},
		{"refusal in an unquoted list", []string{"Cache-Control: private=x,no-store"}, Directives{Private: true, NoStore: true}},
		{"refusal after no-cache=", []string{"Cache-Control: no-cache=Set-Cookie,no-store"}, Directives{NoCache: true, NoStore: true}},
		{"refusal in an open quote", []string{`Cache-Control: foo="x, no-store`}, Directives{Malformed: true, NoStore: true}},
		{"refusal behind a semicolon", []string{"Cache-Control: public;private"}, Directives{Malformed: true, Private: true}},
		{"refusal with an argument", []string{"Cache-Control: no-store=1, max-age=60"}, Directives{Malformed: true, NoStore: true}},
		{"private= and nothing", []string{"Cache-Control: private="}, Directives{Malformed: true, Private: true}},

		// RFC 9111 §5.4
		{"Pragma alone", []string{"Pragma: x, No-Cache"}, Directives{NoCache: true}},
		{"Pragma beside an empty Cache-Control", []string{"Pragma: no-cache", "Cache-Control: ,"}, Directives{NoCache: true}},
		{"Pragma beside Cache-Control", []string{"Pragma: no-cache", "Cache-Control: max-age=60"}, maxAge(60 * s)},

		// RFC 9213 and vendors: refusals only
		{"CDN-Cache-Control permits", []string{"Cdn-Cache-Control: max-age=60, public"}, Directives{}},
		{"CDN-Cache-Control refuses", []string{"Cdn-Cache-Control: no-store", "Cache-Control: max-age=60"}, Directives{NoStore: true, MaxAge: 60 * s, HasMaxAge: true}},
		{"vendor's CDN-Cache-Control", []string{"cloudflare-cdn-cache-control: private"}, Directives{Private: true}},
		{"Surrogate-Control", []string{`Surrogate-Control: content="ESI/1.0", no-store`}, Directives{NoStore: true}},
		{"Edge-Control", []string{"Edge-Control: bypass-cache"}, Directives{NoStore: true}},
		{"targeted max-age=0", []string{"Cdn-Cache-Control: max-age=0", "Cache-Control: s-maxage=60"}, Directives{HasSMaxAge: true}},
		{"targeted max-age that cannot be read", []string{"Surrogate-Control: max-age=x"}, Directives{HasSMaxAge: true}},
		{"targeted s-maxage=00 after another", []string{"Cdn-Cache-Control: max-age=60, s-maxage=00"}, Directives{HasSMaxAge: true}},
		{"Akamai's cache-maxage", []string{"Edge-Control: cache-maxage=0s"}, Directives{HasSMaxAge: true}},
		{"X-Accel-Expires: 0", []string{"X-Accel-Expires: 0"}, Directives{NoStore: true}},
		{"X-Accel-Expires: 60", []string{"X-Accel-Expires: 60"}, Directives{}},
		{"X-Accel-Expires: off", []string{"X-Accel-Expires: off"}, Directives{NoStore: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ResponseDirectives(header(tt.lines...)); got != tt.want {
				t.Errorf("\n got %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

// permits says whether anybody could take d for a permission to share.
func permits(h http.Header) bool {
	d := ResponseDirectives(h)
	if d.Private || d.NoStore || d.NoCache {
		return false
	}
	lifetime, explicit := Lifetime(h, d, time.Unix(1e9, 0))
	return explicit && lifetime > 0 || d.Public || d.Immutable || d.StaleIfError > 0 || d.StaleWhileRevalidate > 0
}

// piece is text that parsers of Cache-Control stumble over.
var piece = rapid.OneOf(
	rapid.SampledFrom([]string{
		"public", "max-age=60", "s-maxage=60", "immutable", "private", "no-store", "no-cache", "foo",
		`"`, `\`, "=", ",", ";", " ", "\t", "\x00", "private=", `no-cache="`, "max-age=", `="a, b"`, "é",
	}),
	rapid.String(),
)

var piecesOfText = rapid.Custom(func(t *rapid.T) string {
	return strings.Join(rapid.SliceOfN(piece, 0, 6).Draw(t, "pieces"), "")
})

func TestDamageNeverPermits(t *testing.T) {
	names := rapid.SampledFrom([]string{"Cache-Control", "cache-control", "Cdn-Cache-Control", "Surrogate-Control", "X-CDN-Cache-Control"})
	refusals := rapid.SampledFrom([]string{"private", "no-store", "no-cache", "PRIVATE", "No-Store", "nO-cAChe"})
	rapid.Check(t, func(t *rapid.T) {
		line := piecesOfText.Draw(t, "before") + refusals.Draw(t, "refusal") + piecesOfText.Draw(t, "after")
		h := http.Header{"Cache-Control": rapid.SliceOfN(piecesOfText, 0, 3).Draw(t, "lines")}
		name := names.Draw(t, "name")
		h[name] = append(h[name], line)
		if permits(h) {
			t.Fatalf("%q permits: %+v", h, ResponseDirectives(h))
		}
	})
}

// What is written into Cache-Control beside a permission can only take from it.
func TestMoreTextNeverPermitsMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"max-age=60", "s-maxage=60, public", "public, max-age=600", "foo, s-maxage=1"}).Draw(t, "text")
		whole := ResponseDirectives(http.Header{"Cache-Control": {text}})
		received := time.Unix(1e9, 0)
		before, _ := Lifetime(nil, whole, received)

		more := http.Header{"Cache-Control": {text, rapid.SampledFrom([]string{
			"max-age=3600", "max-age=5", `max-age="99"`, "max-age=x", "s-maxage=", `foo="max-age=1`, "max-age=60;", "private", `"`,
		}).Draw(t, "more")}}
		d := ResponseDirectives(more)
		if whole.HasMaxAge && d.HasMaxAge && d.MaxAge > whole.MaxAge {
			t.Fatalf("%q: max-age grew to %v", more, d.MaxAge)
		}
		if after, _ := Lifetime(nil, d, received); after > before {
			t.Fatalf("%q: lifetime grew from %v to %v", more, before, after)
		}
	})
}

func BenchmarkResponseDirectives(b *testing.B) {
	h := header("Content-Type: text/html", "Cache-Control: public, max-age=60, s-maxage=300", "Date: x", "Vary: Accept-Encoding", "Etag: x", "Content-Length: 12")
	b.ReportAllocs()
	for b.Loop() {
		ResponseDirectives(h)
	}
}
