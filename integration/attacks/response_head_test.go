package attacks

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

const permitted = "Cache-Control: public, max-age=3600, s-maxage=3600"

const htmlType = "Content-Type: text/html; charset=utf-8"

// stateInHead are answers in whose head, before it or behind it is the state of one
// visitor. Their bodies are the same for everybody, and they permit their being shared.
var stateInHead = []script{
	{name: "set-cookie", fields: []string{"Set-Cookie: sid=§; Path=/"}},
	{name: "set-cookie in lower case", fields: []string{"set-cookie: sid=§"}},
	{name: "set-cookie in odd case", fields: []string{"sEt-COOkie: sid=§"}},
	{name: "set-cookie empty, then one", fields: []string{"Set-Cookie:", "Set-Cookie: sid=§"}},
	{name: "set-cookie nameless", fields: []string{"Set-Cookie: §"}},
	{name: "set-cookie joined", fields: []string{"Set-Cookie: theme=dark, sid=§"}},
	{name: "set-cookie folded", fields: []string{"Set-Cookie: theme=dark;\r\n sid=§"}},
	{name: "set-cookie in many lines", fields: []string{"Set-Cookie: a=1", "Set-Cookie: b=2", "Set-Cookie: sid=§"}},
	{name: "set-cookie that expires", fields: []string{"Set-Cookie: sid=§; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}},
	{name: "set-cookie2", fields: []string{"Set-Cookie2: sid=§"}},
	{name: "set-cookie and no-cache that names it", fields: []string{"Set-Cookie: sid=§", `Cache-Control: no-cache="Set-Cookie"`}},
	{name: "set-cookie in 103", interim: []string{"103 Early Hints\nSet-Cookie: sid=§"}},
	{name: "set-cookie in 102", interim: []string{"102 Processing\nSet-Cookie: sid=§"}},
	{name: "set-cookie in a 1xx nobody knows", interim: []string{"142 Odd\nSet-Cookie: sid=§"}},
	{name: "set-cookie in the second of two 103", interim: []string{"103 Early Hints\nLink: </a.css>; rel=preload", "103 Early Hints\nSet-Cookie: sid=§"}},
	{name: "private in 103", interim: []string{"103 Early Hints\nCache-Control: private\nX-Lead: §"}},
	{name: "token in 103", interim: []string{"103 Early Hints\nX-Auth-Token: §"}},
	{name: "set-cookie in an announced trailer", fields: []string{"Trailer: Set-Cookie"}, trailers: []string{"Set-Cookie: sid=§"}},
	{name: "set-cookie in a trailer", trailers: []string{"Set-Cookie: sid=§"}},
	{name: "no-store in a trailer", trailers: []string{"Cache-Control: no-store", "X-Lead: §"}},
	{name: "token in a trailer", trailers: []string{"X-Auth-Token: §"}},
	{name: "authentication-info", fields: []string{`Authentication-Info: nextnonce="§"`}},
	{name: "proxy-authentication-info", fields: []string{`Proxy-Authentication-Info: nextnonce="§"`}},
	{name: "www-authenticate", fields: []string{`WWW-Authenticate: Digest realm="shop", nonce="§"`}},
	{name: "authorization", fields: []string{"Authorization: Bearer §"}},
	{name: "x-auth-token", fields: []string{"X-Auth-Token: §"}},
	{name: "x-csrf-token", fields: []string{"X-CSRF-Token: §"}},
	{name: "x-xsrf-token", fields: []string{"X-XSRF-TOKEN: §"}},
	{name: "x-access-token", fields: []string{"X-Access-Token: §"}},
	{name: "x-session-id", fields: []string{"X-Session-Id: §"}},
	{name: "x-user-id", fields: []string{"X-User-Id: §"}},
	{name: "clear-site-data", fields: []string{`Clear-Site-Data: "cookies"`}},
	{name: "refresh", fields: []string{"Refresh: 0; url=/?sid=§"}},
	{name: "sec-session-registration", fields: []string{`Sec-Session-Registration: (ES256);challenge="§"`}},
	{name: "set-login", fields: []string{"Set-Login: logged-in"}},
	{name: "allow-origin of one", fields: []string{"Access-Control-Allow-Origin: https://partner.example"}},
	{name: "allow-credentials", fields: []string{"Access-Control-Allow-Origin: *", "Access-Control-Allow-Credentials: true"}},
}

// Whatever has the state of one visitor in its head is given to nobody else, on no
// kind of route, although it permits it, and its body is the same for all.
func testStateInHead(t *testing.T, w *ward) {
	for _, s := range stateInHead {
		s.fields = append([]string{permitted, htmlType}, s.fields...)
		s.body = "<h1>The same for everybody</h1>"
		w.refusedOn(t, s, everywhere...)
	}
}

// harmlessHeads have a value of one request in their head, which is no state: it goes
// to whom the answer was made for, and is not stored with it.
var harmlessHeads = []script{
	{name: "request id", fields: []string{"X-Request-Id: §"}},
	{name: "server timing", fields: []string{`Server-Timing: app;dur=12;desc="§"`}},
	{name: "traceparent", fields: []string{"Traceparent: 00-§"}},
	{name: "rate limit", fields: []string{"RateLimit-Remaining: 10", "RateLimit: §"}},
	{name: "103 with a link", interim: []string{"103 Early Hints\nLink: </a.css?§>; rel=preload"}},
	{name: "100 without anything", interim: []string{"100 Continue"}},
	{name: "security fields", fields: []string{"Strict-Transport-Security: max-age=63072000", "X-Frame-Options: DENY", "Content-Security-Policy: default-src 'self'"}},
	{name: "allow-origin of all", fields: []string{"Access-Control-Allow-Origin: *"}},
	{name: "link to a style sheet", fields: []string{"Link: </a.css>; rel=preload; as=style"}},
	{name: "vary on the coding", fields: []string{"Vary: Accept-Encoding"}},
	{name: "in many lines", fields: []string{"Cache-Control: immutable", "cache-control: stale-if-error=60"}},
}

// What is the same for everybody is stored and served from the store.
func testHarmlessHeads(t *testing.T, w *ward) {
	for _, s := range harmlessHeads {
		s.fields = append([]string{permitted, htmlType}, s.fields...)
		s.body = "<h1>The same for everybody</h1>"
		w.sharedOn(t, s, onDuration, onTrusted, onOrigin, onPlain)
	}
}

// Cookies that a route strips reach nobody, and the page without them is shared.
func testStrippedCookies(t *testing.T, w *ward) {
	s := script{name: "set-cookie", fields: []string{permitted, htmlType, "Set-Cookie: server=§"}, body: "<h1>The same for everybody</h1>"}
	w.each(t, s.name, always(s), []string{onStripped}, func(t *testing.T, path string) {
		answers := append(w.ask(path), w.settle(t, path))
		for _, a := range answers {
			if a.header["Set-Cookie"] != nil {
				t.Errorf("%s: a cookie on a route that strips them\n  %s", leak, a)
			}
		}
		report(t, denied(answers, 200))
	})
}

// Whatever stands around it, in whatever order and number, state is state and a
// refusal a refusal.
func testGeneratedHeads(t *testing.T, w *ward) {
	w.generated(t, func(r *rapid.T, w *ward) {
		s := rapid.SampledFrom(slices.Concat(stateInHead, refusals)).Draw(r, "script")
		fields := append([]string{permitted, htmlType}, s.fields...)
		for _, around := range rapid.SliceOfN(rapid.SampledFrom(harmlessHeads), 0, 4).Draw(r, "around") {
			fields = append(fields, around.fields...)
			s.interim = append(slices.Clone(s.interim), around.interim...)
		}
		for n := range rapid.IntRange(0, 20).Draw(r, "more") {
			fields = append(fields, fmt.Sprintf("X-More-%d: %d", n%7, n))
		}
		s.fields = rapid.Permutation(fields).Draw(r, "fields")
		s.coding = rapid.SampledFrom(codings).Draw(r, "coding")
		s.cut = rapid.Bool().Draw(r, "cut")
		s.body = "<h1>The same for everybody</h1>"
		path := w.path(t, rapid.SampledFrom([]string{onDuration, onTrusted, onOrigin}).Draw(r, "route"))
		w.origin.answer(path, always(s))
		answers := w.ask(path)
		for _, finding := range slices.Concat(refused(answers), denied(answers, statusOf(s))) {
			r.Error(finding)
		}
	})
}
