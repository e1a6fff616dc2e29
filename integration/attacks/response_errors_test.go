package attacks

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// aboutOneRequest are the statuses that are never shared, whatever permits it: each is
// about one request, one client, or one moment.
var aboutOneRequest = []int{206, 304, 401, 407, 416, 426, 428, 429, 431, 511}

// What an error says is for whom it was said to, even where a rule of the origin has
// put a lifetime on all that it sends.
func testCachedErrors(t *testing.T, w *ward) {
	for _, status := range aboutOneRequest {
		w.refusedOn(t, script{
			name: strconv.Itoa(status), status: fmt.Sprintf("%d %s", status, http.StatusText(status)),
			fields: []string{permitted, htmlType, `ETag: "v1"`}, body: "<p>§</p>",
		}, everywhere...)
	}
	w.refusedOn(t, script{
		name: "503 with a time to come back", status: "503 Service Unavailable",
		fields: []string{permitted, "Retry-After: 2"}, body: "<p>§</p>",
	}, everywhere...)
	for status := 201; status < 600; status++ {
		if http.StatusText(status) == "" {
			continue
		}
		// What an operator declares shareable is only what they had in mind.
		w.refusedOn(t, script{
			name: "declared " + strconv.Itoa(status), status: fmt.Sprintf("%d %s", status, http.StatusText(status)),
			fields: []string{permitted, htmlType, "Location: /elsewhere"}, body: "<p>the same for all</p>",
		}, onTrusted)
	}
}

// An error that the origin permits to be kept for an hour is kept for seconds.
func testErrorsAreForgotten(t *testing.T, w *ward) {
	for _, status := range []int{400, 500, 502, 503, 504, 599} {
		with := always(script{status: fmt.Sprintf("%d Odd", status), fields: []string{permitted, htmlType}, body: "<p>sorry</p>"})
		w.each(t, strconv.Itoa(status), with, []string{onOrigin}, func(t *testing.T, path string) {
			for _, a := range w.ask(path) {
				if lifetime := a.lifetime(); lifetime > 5*time.Second {
					t.Errorf("%s: an error is kept for %s\n  %s", denial, lifetime, a)
				}
			}
		})
	}
}

// lifetime is how long the store says that it keeps what it has served.
func (a *answered) lifetime() time.Duration {
	_, rest, found := strings.Cut(a.detail(), "ttl=")
	if !found {
		return 0
	}
	digits, _, _ := strings.Cut(rest, ";")
	seconds, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// badMoments are what an origin may answer once, when it is not well.
var badMoments = []script{
	{name: "500", status: "500 Internal Server Error", fields: []string{permitted, htmlType}, body: "<p>sorry</p>"},
	{name: "503", status: "503 Service Unavailable", fields: []string{permitted, htmlType}, body: "<p>sorry</p>"},
	{name: "429", status: "429 Too Many Requests", fields: []string{permitted, htmlType, "Retry-After: 60"}, body: "<p>slow down</p>"},
	{name: "403", status: "403 Forbidden", fields: []string{permitted, htmlType}, body: "<p>blocked</p>"},
	{name: "404", status: "404 Not Found", fields: []string{permitted, htmlType}, body: "<p>not found</p>"},
	{name: "414", status: "414 URI Too Long", fields: []string{permitted, htmlType}, body: "<p>too long</p>"},
	{name: "405", status: "405 Method Not Allowed", fields: []string{permitted, htmlType}, body: "<p>no</p>"},
	{name: "302 to the login", status: "302 Found", fields: []string{permitted, "Location: /login"}},
	{name: "204", status: "204 No Content", fields: []string{permitted}},
	{name: "soft error", fields: []string{permitted, htmlType}, body: "<p>Something went wrong</p>"},
	{name: "nothing at all", fields: []string{permitted, htmlType}},
}

// On a route with a duration, what one visitor has got once is no page for the others:
// their answers are right at once, and the right one is stored soon.
func testSoftErrors(t *testing.T, w *ward) {
	right := script{fields: []string{permitted, htmlType}, body: "<h1>The page</h1>"}
	for _, bad := range badMoments {
		with := func(q asked) script {
			if q.nth == 1 {
				return bad
			}
			return right
		}
		w.each(t, bad.name, with, []string{onDuration}, func(t *testing.T, path string) {
			first := w.client.ask(visitor(0, path))
			if first.status != statusOf(bad) && first.status != http.StatusOK {
				t.Errorf("%s: %s", denial, first)
			}
			answers := w.ask(path)
			report(t, denied(answers, http.StatusOK))
			for _, a := range answers {
				if a.broken == nil && a.content() != right.body {
					t.Errorf("%s: %s", poison, a)
				}
			}
		})
	}
}

// Where the origin's headers govern, an error does not take the place of a page that
// is there, and has not gone when the error has.
func testErrorsReplaceNothing(t *testing.T, w *ward) {
	right := script{fields: []string{"Cache-Control: public, max-age=3600", htmlType, `ETag: "v1"`}, body: "<h1>The page</h1>"}
	for _, bad := range badMoments[:3] {
		with := func(q asked) script {
			if q.nth == 2 {
				return bad
			}
			return right
		}
		w.each(t, bad.name, with, []string{onOrigin}, func(t *testing.T, path string) {
			w.settle(t, path)
			reload := visitor(1, path)
			reload.fields = append(reload.fields, "Cache-Control: no-cache")
			w.client.ask(reload)
			for _, a := range w.ask(path) {
				if a.content() != right.body || a.status != http.StatusOK {
					t.Errorf("%s: %s", poison, a)
				}
			}
		})
	}
}
