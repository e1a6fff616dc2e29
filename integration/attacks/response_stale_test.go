package attacks

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// old is a page that is stale as soon as it is stored, and may be served for a while
// yet, while it is refreshed.
var old = script{
	fields: []string{"Cache-Control: max-age=10, stale-while-revalidate=600, stale-if-error=600", "Age: 10", htmlType, `ETag: "v1"`},
	body:   "<h1>The old page</h1>",
}

// updates are answers to the request that refreshes it. Those that are final take the
// permission to share it away; none of them may be shared itself.
var updates = []struct {
	final bool
	script
}{
	{true, script{name: "200 private", fields: []string{"Cache-Control: private, max-age=60", htmlType}, body: "<p>§</p>"}},
	{true, script{name: "200 no-store", fields: []string{"Cache-Control: no-store", htmlType}, body: "<p>§</p>"}},
	{true, script{name: "200 that sets a cookie", fields: []string{permitted, htmlType, "Set-Cookie: sid=§"}, body: "<h1>The old page</h1>"}},
	{true, script{name: "200 with a token", fields: []string{permitted, htmlType}, body: `<meta name="csrf-token" content="§">`}},
	{true, script{name: "304 private", status: "304 Not Modified", fields: []string{"Cache-Control: private", `ETag: "v1"`, "X-Lead: §"}}},
	{true, script{name: "304 no-store", status: "304 Not Modified", fields: []string{"Cache-Control: no-store", `ETag: "v1"`}}},
	{true, script{name: "304 that sets a cookie", status: "304 Not Modified", fields: []string{permitted, `ETag: "v1"`, "Set-Cookie: sid=§"}}},
	{true, script{name: "304 with vary *", status: "304 Not Modified", fields: []string{permitted, `ETag: "v1"`, "Vary: *"}}},
	{true, script{name: "304 with vary cookie", status: "304 Not Modified", fields: []string{permitted, `ETag: "v1"`, "Vary: Cookie"}}},
	{true, script{name: "304 with a token", status: "304 Not Modified", fields: []string{permitted, `ETag: "v1"`, "X-Auth-Token: §"}}},
	{false, script{name: "304 of another version", status: "304 Not Modified", fields: []string{permitted, `ETag: "v§"`}}},
	{false, script{name: "302 to the login", status: "302 Found", fields: []string{"Location: /login?back=§", "Cache-Control: private"}}},
	{false, script{name: "401", status: "401 Unauthorized", fields: []string{permitted, `WWW-Authenticate: Digest nonce="§"`}, body: "<p>§</p>"}},
	{false, script{name: "403", status: "403 Forbidden", fields: []string{"Cache-Control: private"}, body: "<p>§</p>"}},
	{false, script{name: "206", status: "206 Partial Content", fields: []string{permitted, "Content-Range: bytes 0-3/21"}, body: "<h1>"}},
	{false, script{name: "416", status: "416 Range Not Satisfiable", fields: []string{permitted}, body: "§"}},
	{false, script{name: "429", status: "429 Too Many Requests", fields: []string{permitted}, body: "§"}},
	{false, script{name: "500", status: "500 Internal Server Error", fields: []string{permitted}, body: "§"}},
	{false, script{name: "short of its length", raw: rawHead + "Content-Length: 100\r\n\r\n<p>§</p>"}},
	{false, script{name: "closed", raw: "HTTP/1.1 "}},
}

// A refresh is judged from nought. What is not shareable takes the place of nothing, and
// what says that the old page is not to be shared any more ends its being shared.
func testUpdates(t *testing.T, w *ward) {
	for _, u := range updates {
		var changed atomic.Bool
		with := func(q asked) script {
			if q.conditional() {
				changed.Store(true)
			}
			if changed.Load() {
				return u.script
			}
			return old
		}
		w.each(t, u.name, with, []string{onStale}, func(t *testing.T, path string) {
			w.settle(t, path)
			answers := w.ask(path)
			if u.final {
				edge.Eventually(t, "the old page is not shared any more", func() bool {
					a := w.client.ask(visitor(1, path))
					answers = append(answers, a)
					return !a.hit()
				})
				later := w.ask(path)
				answers = append(answers, later...)
				report(t, refused(later))
			}
			report(t, shared(answers))
			for _, a := range answers {
				if a.hit() && (a.content() != old.body || a.status != http.StatusOK) {
					t.Errorf("%s: what is no page took the place of the old one: %s", poison, a)
				}
			}
			for _, q := range w.origin.requests(path) {
				if q.conditional() {
					ofNobody(t, q)
				}
			}
		})
	}
}

// ofNobody sees that a request has nothing of a visitor's in it.
func ofNobody(t *testing.T, q asked) {
	t.Helper()
	for name, lines := range q.header {
		if strings.Contains(strings.Join(lines, ","), "visitor-") || name == "Cookie" || name == "Authorization" {
			t.Errorf("%s: a refresh has something of the visitor who caused it: %s: %q", leak, name, lines)
		}
	}
}

// A refresh has nothing of the visitor who caused it, whatever they sent.
func testRefreshesAreNobodys(t *testing.T, w *ward) {
	fresh := old
	fresh.body = "<h1>The new page</h1>"
	with := func(q asked) script {
		if q.nth == 1 {
			return old
		}
		return fresh
	}
	w.each(t, "fields", with, []string{onStale, onOrigin, onPlain}, func(t *testing.T, path string) {
		w.client.ask(call{target: path})
		for n, line := range []string{"Accept-Language: ja;q=0.7", "X-Lead: visitor-1", "Cookie: track=visitor-2", "X-Forwarded-For: 203.0.113.7", "Forwarded: for=203.0.113.8"} {
			v := visitor(n, path)
			v.fields = append(v.fields, line)
			w.client.ask(v)
		}
		edge.Eventually(t, "it has been refreshed", func() bool { return slices.ContainsFunc(w.origin.requests(path), asked.conditional) })
		for _, q := range w.origin.requests(path) {
			if q.header.Get("If-None-Match") != "" {
				ofNobody(t, q)
			}
			if from := q.header.Get("X-Forwarded-For") + q.header.Get("Forwarded"); q.header.Get("If-None-Match") != "" && strings.Contains(from, "203.0.113") {
				t.Errorf("%s: a refresh says whose request caused it: %q", leak, from)
			}
		}
	})
}

// unreusable is said of pages that nobody may be given when they are stale (RFC 9111
// §4.2.4).
var unreusable = []string{"must-revalidate", "proxy-revalidate", "s-maxage=10", "no-cache"}

// What visitors ask for loosens nothing.
func testNobodyIsGivenWhatIsStale(t *testing.T, w *ward) {
	for _, directive := range unreusable {
		with := func(q asked) script {
			s := script{fields: []string{"Cache-Control: max-age=10, " + directive, "Age: 10", htmlType}, body: "<h1>page</h1>"}
			s.fields = append(s.fields, `ETag: "§"`)
			return s
		}
		w.each(t, directive, with, []string{onStale}, func(t *testing.T, path string) {
			w.client.ask(visitor(0, path))
			for n, wish := range []string{"max-stale", "max-stale=99999", "max-stale, max-age=99999", "min-fresh=-5", "max-age=99999, stale-while-revalidate=600"} {
				before := len(w.origin.requests(path))
				v := visitor(n, path)
				v.fields = append(v.fields, "Cache-Control: "+wish)
				a := w.client.ask(v)
				if after := len(w.origin.requests(path)); after == before || a.hit() {
					t.Errorf("%s: served without asking the origin, which forbids it: %s", leak, a)
				}
			}
			v := visitor(1, path)
			v.fields = append(v.fields, "Cache-Control: only-if-cached, max-stale")
			if a := w.client.ask(v); a.status != http.StatusGatewayTimeout || a.permits() != "" {
				t.Errorf("%s: %s", leak, a)
			}
		})
	}
}

// conditions are what visitors make their requests depend on.
var conditions = []string{
	"If-None-Match: *", `If-None-Match: "v1"`, `If-None-Match: W/"v1"`, `If-None-Match: "a", "v1"`, "If-None-Match: v1", "If-None-Match:",
	"If-Modified-Since: " + future, "If-Modified-Since: soon", "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
	`If-Match: "other"`, "If-Match: *", "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT", `If-Range: "v1"`,
}

// An answer that says that there is nothing new is for whom it was said to. The others
// get the page.
func testConditionsPoisonNothing(t *testing.T, w *ward) {
	with := func(q asked) script {
		head := []string{permitted, htmlType, `ETag: "v1"`, "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT"}
		switch {
		case q.header.Get("If-Match") == `"other"` || q.header.Get("If-Unmodified-Since") != "":
			return script{status: "412 Precondition Failed", fields: head, body: "no"}
		case q.conditional():
			return script{status: "304 Not Modified", fields: head}
		}
		return script{fields: head, body: "<h1>page</h1>"}
	}
	for _, condition := range conditions {
		w.each(t, condition, with, everywhere, func(t *testing.T, path string) {
			for n := range 2 {
				v := visitor(n, path)
				v.fields = append(v.fields, condition)
				if a := w.client.ask(v); a.broken != nil || a.status >= 500 {
					t.Errorf("%s: %s", denial, a)
				}
				answers := w.ask(path)
				report(t, denied(answers, http.StatusOK))
				for _, a := range answers {
					if a.content() != "<h1>page</h1>" {
						t.Errorf("%s: %s", poison, a)
					}
				}
			}
		})
	}
}
