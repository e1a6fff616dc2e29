package caddymodule

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// storedFor fills a key and says for how long the answer is reused, and if not at all
// why. It fails the test if that is not what Cache-Status says.
func (c *ruled) storedFor(t *testing.T, target string) (time.Duration, string) {
	t.Helper()
	first := c.get(target)
	if c.objects() == 0 {
		line := last(first.header["Cache-Status"])
		_, detail, _ := strings.Cut(line, "detail=")
		return 0, detail
	}
	var seconds int64
	a := c.get(target)
	if _, err := fmt.Sscanf(last(a.header["Cache-Status"]), "Cacheward; hit; ttl=%d", &seconds); err != nil {
		t.Fatalf("%q after %q", a.header["Cache-Status"], first.header["Cache-Status"])
	}
	life := time.Duration(seconds) * time.Second
	time.Sleep(life - time.Millisecond)
	if a := c.get(target); !a.hit() || a.status != first.status || a.body != first.body {
		t.Errorf("at the end of its life: %d %q, %s", a.status, a.body, a.header["Cache-Status"])
	}
	time.Sleep(time.Millisecond)
	if a := c.get(target); a.hit() {
		t.Errorf("after its life: %s", a.header["Cache-Status"])
	}
	return life, ""
}

// TestLifetimes: RFC 9111 §3, §4.2. For how long an answer is stored on routes that
// follow the origin, by status, headers and what the route adds.
func TestLifetimes(t *testing.T) {
	const plain, guess, declared = "cache: origin", "cache: origin\nheuristic: on", "cache: {ttl: origin, statuses: {404: 10s, 302: 20s}}"
	const old = "Fri, 31 Dec 1999 14:00:00 GMT" // ten hours before the bubble's time
	for _, test := range []struct {
		name    string
		route   string
		status  int
		headers []string
		life    time.Duration
		reason  string
	}{
		{"§4.2.1 s-maxage first", plain, 200, []string{"Cache-Control", "max-age=10, s-maxage=30"}, 30 * time.Second, ""},
		{"§4.2.1 max-age before Expires", plain, 200, []string{"Cache-Control", "max-age=10", "Expires", "Sat, 01 Jan 2000 00:01:00 GMT"}, 10 * time.Second, ""},
		{"§4.2.1 Expires", plain, 200, []string{"Expires", "Sat, 01 Jan 2000 00:01:00 GMT"}, time.Minute, ""},
		{"§5.3 Expires: 0", plain, 200, []string{"Expires", "0"}, 0, "not-fresh"},
		{"§4.2.1 the smaller of two", plain, 200, []string{"Cache-Control", "max-age=30", "Cache-Control", "max-age=10"}, 10 * time.Second, ""},
		{"§4.2.1 no number", plain, 200, []string{"Cache-Control", "max-age=x"}, 0, "header-malformed"},
		{"§5.2.2 malformed", plain, 200, []string{"Cache-Control", "max-age=60, ;"}, 0, "header-malformed"},
		{"§5.4 Pragma alone", plain, 200, []string{"Pragma", "no-cache", "Expires", "Sat, 01 Jan 2000 00:01:00 GMT"}, 0, "no-cache"},
		{"§3 no lifetime", plain, 200, nil, 0, "not-explicit"},
		{"§3 public is no lifetime", plain, 200, []string{"Cache-Control", "public"}, 0, "not-explicit"},
		{"§3 no lifetime, heuristic off", plain, 200, []string{"Last-Modified", old}, 0, "not-explicit"},
		{"§4.2.2 heuristic", guess, 200, []string{"Last-Modified", old}, time.Hour, ""},
		{"§4.2.2 no more than a day", guess, 200, []string{"Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT"}, 24 * time.Hour, ""},
		{"§4.2.2 without a date", guess, 200, nil, 0, "not-explicit"},
		{"§4.2.2 explicit wins", guess, 200, []string{"Cache-Control", "max-age=10", "Last-Modified", old}, 10 * time.Second, ""},
		{"§4.2.2 404", guess, 404, []string{"Last-Modified", old}, time.Hour, ""},
		{"§4.2.2 no 302", guess, 302, []string{"Last-Modified", old, "Location", "/x"}, 0, "not-explicit"},
		{"§4.2.2 no 500", guess, 500, []string{"Last-Modified", old}, 0, "origin-error"},
		{"§4.2.2 private", guess, 200, []string{"Last-Modified", old, "Cache-Control", "private"}, 0, "private"},
		{"§3 302", plain, 302, []string{"Cache-Control", "max-age=30", "Location", "/x"}, 30 * time.Second, ""},
		{"§3 204", plain, 204, []string{"Cache-Control", "max-age=30"}, 5 * time.Second, ""},
		{"§3 404", plain, 404, []string{"Cache-Control", "max-age=30"}, 30 * time.Second, ""},
		{"statuses give", declared, 404, nil, 10 * time.Second, ""},
		{"statuses give no more", declared, 404, []string{"Cache-Control", "max-age=30"}, 10 * time.Second, ""},
		{"statuses give no more than the origin", declared, 404, []string{"Cache-Control", "max-age=3"}, 3 * time.Second, ""},
		{"statuses against no-store", declared, 404, []string{"Cache-Control", "no-store"}, 0, "no-store"},
		{"statuses against nought", declared, 404, []string{"Cache-Control", "max-age=0"}, 0, "not-fresh"},
		{"statuses of a redirect", declared, 302, []string{"Location", "/x"}, 20 * time.Second, ""},
		{"statuses leave 200 alone", declared, 200, nil, 0, "not-explicit"},
		{"statuses leave others alone", declared, 410, nil, 0, "not-explicit"},
		{"an error is capped", plain, 500, []string{"Cache-Control", "max-age=60"}, 5 * time.Second, ""},
		{"a short error is not", plain, 500, []string{"Cache-Control", "max-age=2"}, 2 * time.Second, ""},
		{"an unknown status", plain, 299, []string{"Cache-Control", "max-age=60"}, 5 * time.Second, ""},
		{"another cap", "cache: origin\nerror_ttl: 30s", 500, []string{"Cache-Control", "max-age=60"}, 30 * time.Second, ""},
		{"no errors", "cache: origin\nerror_ttl: 0s", 500, []string{"Cache-Control", "max-age=60"}, 0, "origin-error"},
		{"no errors, 400", "cache: origin\nerror_ttl: 0s", 400, []string{"Cache-Control", "max-age=60"}, 0, "status"},
		{"an error without lifetime", plain, 500, nil, 0, "origin-error"},
		{"RFC 6585 §4 429", plain, 429, []string{"Cache-Control", "max-age=60"}, 0, "status"},
		{"RFC 9110 §15.6.4 503 with Retry-After", plain, 503, []string{"Cache-Control", "max-age=60", "Retry-After", "5"}, 0, "origin-error"},
		{"503 without", plain, 503, []string{"Cache-Control", "max-age=60"}, 5 * time.Second, ""},
		{"§3.3 206", plain, 206, []string{"Cache-Control", "max-age=60", "Content-Range", "bytes 0-7/8"}, 0, "status"},
		{"§3 401", plain, 401, []string{"Cache-Control", "max-age=60"}, 0, "status"},
	} {
		t.Run(test.name, func(t *testing.T) {
			withRoute(t, test.route, func(t *testing.T, c *ruled) {
				body := "the page"
				if test.status == 204 {
					body = ""
				}
				c.origin = say(test.status, body, test.headers...)
				life, reason := c.storedFor(t, "/")
				if life != test.life || test.life == 0 && reason != test.reason {
					t.Errorf("stored for %s, reason %q; want %s, %q", life, reason, test.life, test.reason)
				}
			})
		})
	}
}

// TestErrorsAreNotServedStale: RFC 5861 §4. An error is not what a visitor is to see
// when the origin fails again, or while it is asked again.
func TestErrorsAreNotServedStale(t *testing.T) {
	withRoute(t, "cache: {ttl: origin, stale_while_revalidate: 1h, stale_if_error: 1h}", func(t *testing.T, c *ruled) {
		c.origin = say(500, "sorry", "Cache-Control", "max-age=60, stale-if-error=600, stale-while-revalidate=600")
		c.get("/")
		time.Sleep(6 * time.Second)
		c.origin = say(200, "the page", "Cache-Control", "max-age=60")
		c.get("/").check(t, "when all is well", 200, "the page")
	})
}
