package attacks

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// askDebug are fields by which caches are asked to tell about themselves.
var askDebug = []string{
	"Pragma: akamai-x-cache-on, akamai-x-get-cache-key, akamai-x-get-true-cache-key", "Fastly-Debug: 1", "X-Cache-Debug: 1", "Cache-Debug: on",
	"X-Debug: 1", "X-Cacheward-Debug: 1", "Cacheward-Debug: key", "X-Cache-Key: 1", "Surrogate-Capability: a=ESI/1.0", "Cache-Status: debug", "X-Varnish: 1", "Debug: true",
}

// spoken are the fields that an answer from the store may have.
var spoken = []string{"Age", "Cache-Control", "Cache-Status", "Cdn-Cache-Control", "Content-Length", "Content-Type", "Date", "Etag", "Server", "Vary", "Via"}

// No answer tells of keys, nor of what others have sent, whoever asks for it.
func testNothingIsToldOfKeys(t *testing.T, w *ward) {
	page := script{fields: []string{permitted, htmlType, `ETag: "v1"`}, body: "<h1>page</h1>"}
	w.each(t, "debug", always(page), []string{onDuration, onTrusted, onOrigin, onPlain}, func(t *testing.T, path string) {
		w.settle(t, path)
		for n, line := range askDebug {
			v := visitor(n, path)
			v.fields = append(v.fields, line)
			a := w.client.ask(v)
			for name, lines := range a.header {
				said := strings.Join(lines, ",")
				if !slices.Contains(spoken, name) {
					t.Errorf("%s: %q is answered with %s: %s", leak, line, name, said)
				}
				if strings.Contains(said, "key=") || strings.Contains(said, path) || strings.Contains(said, "visitor-") {
					t.Errorf("%s: %s tells of the key, or of others: %s", leak, name, said)
				}
			}
		}
	})
}

// apart are requests that are not for the cache: by them nobody learns what others have
// asked for.
var apart = []struct {
	name   string
	fields []string
	query  string
}{
	{"a session", []string{"Cookie: session=1"}, ""},
	{"credentials", []string{"Authorization: Basic eDp5"}, ""},
	{"no-store", []string{"Cache-Control: no-store"}, ""},
	{"an ambiguous query", nil, "?a=1;b=2"},
}

// probes ask whether something is there.
var probes = [][]string{
	nil, {"Cache-Control: only-if-cached"}, {"If-None-Match: *"}, {`If-None-Match: "v1"`}, {"If-Modified-Since: " + future},
	{"Range: bytes=0-0"}, {"Cache-Control: max-age=0"}, {"Cache-Control: only-if-cached, max-stale"}, {`If-Match: "v1"`}, {"Pragma: no-cache"},
}

// A request that is not for the cache is answered alike whether the page is stored or
// not.
func testNothingIsToldOfTheStore(t *testing.T, w *ward) {
	page := script{fields: []string{permitted, htmlType, `ETag: "v1"`}, body: "<h1>page</h1>"}
	for _, request := range apart {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			w.each(t, request.name+" "+method, always(page), []string{onDuration, onTrusted, onOrigin, onPlain}, func(t *testing.T, path string) {
				asking := func() (said []string) {
					for _, probe := range probes {
						a := w.client.ask(call{method: method, target: path + request.query, fields: append(slices.Clone(request.fields), probe...)})
						header := maps.Clone(a.header)
						delete(header, "Date")
						a.header = header
						said = append(said, a.String())
						if a.hit() {
							t.Errorf("%s: %s", leak, a)
						}
					}
					return said
				}
				cold := asking()
				w.settle(t, path)
				warm := asking()
				for i := range cold {
					if cold[i] != warm[i] {
						t.Errorf("%s: it can be told from outside that the page is stored, by %q:\n  cold %s\n  warm %s", leak, probes[i], cold[i], warm[i])
					}
				}
			})
		}
	}
}

// Only-if-cached on a route that is not for the cache says nothing but that.
func testOnlyIfCachedElsewhere(t *testing.T, w *ward) {
	path := w.path(t, onNothing)
	w.origin.answer(path, always(script{fields: []string{permitted, htmlType}, body: "<h1>§</h1>"}))
	var answers []*answered
	for n := range 4 {
		v := visitor(n, path)
		v.fields = append(v.fields, "Cache-Control: only-if-cached")
		answers = append(answers, w.client.ask(v), w.client.ask(visitor(n, path)))
	}
	report(t, refused(answers))
}
