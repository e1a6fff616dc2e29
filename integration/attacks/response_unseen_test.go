package attacks

import (
	"net/http"
	"testing"
)

// nominated are answers that name, as fields of the connection, those that refuse their
// being shared (RFC 9110 §7.6.1 forbids it).
var nominated = []script{
	{name: "private", fields: []string{"Connection: Cache-Control", "Cache-Control: private", "Expires: " + future}},
	{name: "no-store for the CDN", fields: []string{permitted, "Connection: CDN-Cache-Control", "CDN-Cache-Control: no-store"}},
	{name: "a cookie", fields: []string{permitted, "Connection: close, Set-Cookie", "Set-Cookie: sid=§"}},
	{name: "vary", fields: []string{permitted, "Connection: Vary", "Vary: Cookie"}},
	{name: "a token", fields: []string{permitted, "Connection: X-Auth-Token", "X-Auth-Token: §"}},
}

// A refusal holds also where the answer has it removed on the way.
func testNominatedFields(t *testing.T, w *ward) {
	for _, s := range nominated {
		s.fields = append([]string{htmlType}, s.fields...)
		s.body = "<h1>One page</h1>"
		w.refusedOn(t, s, onDuration, onTrusted, onOrigin, onPlain)
	}
}

// Of an answer that ends with the connection nobody can say whether it is whole. One
// that was cut must not be kept for the page.
func testCloseDelimited(t *testing.T, w *ward) {
	right := script{fields: []string{permitted, htmlType}, body: "<h1>The page</h1><p>and its end</p>"}
	for name, raw := range map[string]string{"HTTP/1.1": rawHead + "Connection: close\r\n\r\n<h1>The", "HTTP/1.0": "HTTP/1.0" + rawHead[8:] + "\r\n<h1>The"} {
		with := func(q asked) script {
			if q.nth == 1 {
				return script{raw: raw}
			}
			return right
		}
		w.each(t, name, with, []string{onTrusted, onOrigin, onPlain}, func(t *testing.T, path string) {
			w.client.ask(visitor(0, path))
			answers := w.ask(path)
			report(t, denied(answers, http.StatusOK))
			for _, a := range answers {
				if a.content() != right.body {
					t.Errorf("%s: the cut page is kept: %s", poison, a)
				}
			}
		})
	}
}
