package attacks

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// stateInBody are pieces of pages with the state of one visitor in them, and with a mark
// by which it can be told where the origin calls the page shareable.
var stateInBody = []script{
	{name: "rails", body: `<meta name="csrf-token" content="§"><input type="hidden" name="authenticity_token" value="§">`},
	{name: "django", body: `<input type="hidden" name="csrfmiddlewaretoken" value="§§§">`},
	{name: "laravel", body: `<input type="hidden" name="_token" value="§§">`},
	{name: "asp.net", body: `<input name="__RequestVerificationToken" type="hidden" value="§§">`},
	{name: "lead", body: `<input type="hidden" name="lead_token" value="§">`},
	{name: "session id in a link", body: `<a href="/basket;jsessionid=§">Basket</a><a href="/x?PHPSESSID=§">x</a>`},
	{name: "session id in a script", body: `<script>window.__STATE__ = {"sessionId": "§"}</script>`},
	{name: "access token in JSON", body: `<script>var config = {"access_token": "§§"}</script>`},
	{name: "next.js", body: `<script id="__NEXT_DATA__" type="application/json">{"props":{"pageProps":{"session":{"user":{"email":"ann@mail.example","id":"§"}}}}}</script>`},
}

var codings = []string{"", "gzip", "br", "deflate", "zstd"}

// A page with the state of one visitor in it is shared on no kind of route, though its
// head permits it, in whatever coding it comes and wherever it is cut.
func testStateInBody(t *testing.T, w *ward) {
	for _, s := range stateInBody {
		piece := s.body
		name := s.name
		s.fields = []string{permitted, htmlType}
		for i, coding := range codings {
			s.coding, s.cut = coding, i%2 == 0
			s.trailers = nil
			if i > 1 {
				s.trailers = []string{} // chunked
			}
			s.name = name + "/" + coding
			s.body = "<!doctype html><title>Shop</title>" + strings.Repeat("<p>Words that are the same for all.</p>", 1<<(2*i)) + piece + "</body>"
			w.refusedOn(t, s, everywhere...)
		}
	}
}

// oddCodings are bodies in which nobody can look for state, or only some can.
var oddCodings = []script{
	{name: "unknown coding", fields: []string{"Content-Encoding: x-secret"}, body: "§"},
	{name: "gzip that is none", fields: []string{"Content-Encoding: gzip"}, body: "<p>§</p>"},
	{name: "gzip named twice", fields: []string{"Content-Encoding: gzip, gzip"}, body: string(encoded("gzip", "<p>once</p>")) + mint},
	{name: "gzip and something behind it", fields: []string{"Content-Encoding: gzip"}, body: string(encoded("gzip", "<p>page</p>")) + mint},
	{name: "gzip that is cut", fields: []string{"Content-Encoding: gzip"}, body: string(encoded("gzip", "<p>page</p>")[:20]) + mint},
	{name: "gzip in two lines", fields: []string{"Content-Encoding: gzip", "Content-Encoding: br"}, body: "§"},
	{name: "a coding that must stay", fields: []string{"Cache-Control: no-transform"}, coding: "gzip", body: "§"},
	{name: "event stream", fields: []string{"Content-Type: text/event-stream"}, body: "data: §\n\n"},
	{name: "parts", fields: []string{"Content-Type: multipart/mixed; boundary=x"}, body: "--x\r\n\r\n§\r\n--x--"},
}

// What cannot be looked into is not shared.
func testOddCodings(t *testing.T, w *ward) {
	for _, s := range oddCodings {
		s.fields = append([]string{permitted}, s.fields...)
		w.refusedOn(t, s, everywhere...)
	}
}

// pagesForAll are the same for everybody, in all codings.
func testPagesForAll(t *testing.T, w *ward) {
	for i, coding := range codings {
		w.sharedOn(t, script{
			name: "coding " + coding, fields: []string{permitted, htmlType}, coding: coding, cut: i%2 == 1,
			body: "<!doctype html><title>Shop</title><form action=/search><input name=q></form>" + strings.Repeat("<p>Words.</p>", 500),
		}, onDuration, onTrusted, onOrigin, onPlain)
	}
	w.sharedOn(t, script{name: "json", fields: []string{permitted, "Content-Type: application/json"}, body: `{"items":[{"name":"tea","price":3}]}`},
		onDuration, onTrusted, onOrigin, onPlain)
	w.sharedOn(t, script{name: "nothing in it", fields: []string{permitted, htmlType}}, onDuration, onTrusted, onOrigin, onPlain)
	w.sharedOn(t, script{name: "chunked", fields: []string{permitted, htmlType}, body: "<p>page</p>", trailers: []string{}}, onDuration, onTrusted, onOrigin, onPlain)
}

// A route with a duration shares no page in which anything differs, wherever it
// stands and however it comes: nobody need know what it is.
func testDifferingBodies(t *testing.T, w *ward) {
	places := []string{"<p>§</p>", "<!-- § -->", "<img src=/p.gif?§>", "<style>.x§{}</style>", "§", "\x00§", `{"a":"§"}`}
	types := []string{htmlType, "Content-Type: text/plain", "Content-Type: application/json", "Content-Type: application/octet-stream", "Content-Type: image/png", "X-None: 1"}
	w.generated(t, func(r *rapid.T, w *ward) {
		filler := strings.Repeat("words ", rapid.IntRange(0, 4000).Draw(r, "before"))
		s := script{
			fields: []string{permitted, rapid.SampledFrom(types).Draw(r, "type")},
			body:   filler + rapid.SampledFrom(places).Draw(r, "place") + strings.Repeat(" more", rapid.IntRange(0, 4000).Draw(r, "after")),
			coding: rapid.SampledFrom(codings).Draw(r, "coding"),
			cut:    rapid.Bool().Draw(r, "cut"),
		}
		if rapid.Bool().Draw(r, "chunked") {
			s.trailers = []string{}
		}
		path := w.path(t, onDuration)
		w.origin.answer(path, always(s))
		answers := w.ask(path)
		for _, f := range append(refused(answers), denied(answers, 200)...) {
			r.Error(f)
		}
	})
}

// A page that differs by something of the visitor's, and not from one request to the
// next, is shared with nobody who would have been given another one; so is one that
// has state in it for some visitors only.
func testBodiesThatDifferByVisitor(t *testing.T, w *ward) {
	plain := func(body string) script { return script{fields: []string{permitted, htmlType}, body: body} }
	for name, with := range map[string]func(q asked) script{
		"by user agent": func(q asked) script { return plain("<p>for " + q.header.Get("User-Agent") + "</p>") },
		"by cookie":     func(q asked) script { return plain("<p>for " + q.header.Get("Cookie") + "</p>") },
		"by referrer":   func(q asked) script { return plain("<p>for " + q.header.Get("Referer") + "</p>") },
		"state in every other answer": func(q asked) script {
			return plain("<p>page</p>" + strings.Repeat("<p>§</p>", q.nth%2))
		},
		"by connection": func(q asked) script { return plain(fmt.Sprintf("<p>%d §</p>", q.conn)) },
	} {
		w.each(t, name, with, []string{onDuration}, func(t *testing.T, path string) {
			answers := w.ask(path)
			report(t, refused(answers))
			report(t, denied(answers, 200))
		})
	}
}
