package attacks

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// flushes are requests on the public listener that would empty a cache which listens to
// them there. The origin knows none of them.
var flushes = []call{
	{method: "PURGE"}, {method: "BAN"}, {method: "FASTLYPURGE"}, {method: "REFRESH"}, {method: "FLUSH"}, {method: "PURGEALL"},
	{method: http.MethodDelete}, {method: http.MethodPost}, {method: "TRACE"},
	{fields: []string{"X-Purge: 1"}}, {fields: []string{"X-Http-Method-Override: PURGE"}}, {fields: []string{"X-Method-Override: DELETE"}},
	{fields: []string{"Cache-Control: no-cache"}}, {fields: []string{"Pragma: no-cache"}}, {fields: []string{"Cache-Control: max-age=0"}}, {fields: []string{"Cache-Control: no-store"}},
	{fields: []string{"Surrogate-Key: page", "Cache-Tag: page"}}, {fields: []string{"Fastly-Purge: 1"}}, {fields: []string{"X-Cacheward-Purge: 1"}},
	{fields: []string{"Cache-Group-Invalidation: \"page\""}}, {fields: []string{"If-Match: *"}},
}

// fromInside are the fields by which an attacker claims to be one of the operator's own.
var fromInside = []string{"X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1", "True-Client-IP: ::1", "X-Forwarded-Host: localhost", "X-Original-URL: /cacheward/purge"}

// What comes in at the public listener flushes nothing.
func testFlushes(t *testing.T, w *ward) {
	with := func(q asked) script {
		if q.method != http.MethodGet && q.method != http.MethodHead {
			return script{status: "405 Method Not Allowed", fields: []string{"Allow: GET, HEAD", permitted}, body: "no"}
		}
		return script{fields: []string{permitted, htmlType, `ETag: "v1"`, "Cache-Tag: page", "Surrogate-Key: page", `Cache-Groups: "page"`}, body: "<h1>page</h1>"}
	}
	for _, flush := range flushes {
		name := flush.method + strings.Join(flush.fields, " ")
		w.each(t, name, with, []string{onDuration, onTrusted}, func(t *testing.T, path string) {
			w.settle(t, path)
			for _, claim := range fromInside {
				v := flush
				v.target = path
				v.fields = append(slices.Clone(flush.fields), claim)
				w.client.ask(v)
				a := w.client.ask(visitor(0, path))
				if !a.hit() || a.content() != "<h1>page</h1>" {
					t.Errorf("%s: flushed from outside by %q: %s", denial, v.fields, a)
				}
				if tag := a.header.Get("Cache-Tag") + a.header.Get("Surrogate-Key"); a.permits() == "" && tag != "" {
					t.Errorf("%s: a tag goes out: %s", leak, a)
				}
			}
		})
	}
}

// controls are where operators ask their caches to do something. On the public listener
// they are the origin's, as any path.
var controls = []call{
	{method: http.MethodPost, target: "/nothing/cacheward/purge?all=1"}, {method: http.MethodPost, target: "/cacheward/purge"},
	{method: http.MethodPost, target: "/cacheward/trip"}, {method: http.MethodDelete, target: "/config/"}, {method: http.MethodPost, target: "/load"},
	{method: http.MethodPost, target: "/stop"}, {method: http.MethodGet, target: "/config/"}, {method: http.MethodGet, target: "/cacheward/status"},
	{method: http.MethodGet, target: "/cacheward/objects"}, {method: http.MethodGet, target: "/metrics"}, {method: http.MethodGet, target: "/debug/pprof/"},
}

// Nothing that operators can ask for can be asked for from outside.
func testControlsFromOutside(t *testing.T, w *ward) {
	page := script{fields: []string{permitted, htmlType}, body: "<h1>page</h1>"}
	path := w.path(t, onTrusted)
	w.origin.answer(path, always(page))
	w.settle(t, path)
	for _, control := range controls {
		for _, claim := range append([]string{"Host-Claim: none"}, fromInside[:4]...) {
			v := control
			v.fields = []string{claim, "Origin: http://localhost:2019"}
			plain, _, _ := strings.Cut(v.target, "?")
			w.origin.answer(plain, always(script{status: "404 Not Found", body: "the app has no such page"}))
			if a := w.client.ask(v); a.status != http.StatusNotFound || string(a.body) != "the app has no such page" {
				t.Errorf("%s: somebody else than the app answered: %s", leak, a)
			}
			if a := w.client.ask(visitor(1, path)); !a.hit() {
				t.Errorf("%s: %s %s from outside did something: %s", denial, v.method, v.target, a)
			}
		}
	}
}

// What succeeds on one page says nothing of those on other hosts.
func testInvalidationOfOthers(t *testing.T, w *ward) {
	for _, kind := range []string{onDuration, onTrusted, onOrigin} {
		t.Run(kind, func(t *testing.T) {
			path, form := w.path(t, kind), w.path(t, onNothing)
			w.origin.answer(path, always(script{fields: []string{permitted, htmlType}, body: "<h1>page</h1>"}))
			w.settle(t, path)
			for _, field := range []string{"Location: http://other.example" + path, "Content-Location: //other.example" + path, "Location: https://other.example:8443" + path} {
				w.origin.answer(form, always(script{status: "201 Created", fields: []string{field}}))
				w.client.ask(call{method: http.MethodPost, target: form})
				if a := w.client.ask(visitor(0, path)); !a.hit() {
					t.Errorf("%s: %q dropped a page of another host: %s", denial, field, a)
				}
			}
		})
	}
}
