package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestRequestDirectives: RFC 9111 §5.2.1, §5.4. Which of them make the origin be
// asked about an object of a lifetime of 100 s, at which age.
func TestRequestDirectives(t *testing.T) {
	for _, test := range []struct {
		age     time.Duration
		headers string // name: value, lines
		asks    bool
	}{
		{30, "", false},
		{30, "Cache-Control: no-cache", true},
		{30, "Cache-Control: NO-CACHE", true},
		{30, "Cache-Control: foo, no-cache", true},
		{30, "Cache-Control: foo\nCache-Control: no-cache", true},
		{30, "Cache-Control: max-age=0", true},
		{30, "Cache-Control: max-age=29", true},
		{30, "Cache-Control: max-age=30", false},
		{30, "Cache-Control: max-age=1000, max-age=5", true},
		{30, "Cache-Control: max-age=99999999999999999999", false},
		{30, "Cache-Control: max-age=x", true},
		{30, "Cache-Control: max-age=-1", true},
		{30, "Cache-Control: min-fresh=70", false},
		{30, "Cache-Control: min-fresh=71", true},
		{30, "Cache-Control: min-fresh=x", true},
		{30, "Cache-Control: max-stale=10", false},
		{30, "Cache-Control: only-if-cached", false},
		{30, "Cache-Control: nothing-to-see-here", false},
		{30, "Pragma: no-cache", true},
		{30, "Pragma: foo", false},
		{30, "Pragma: no-cache\nCache-Control: foo", false},
		{30, "Pragma: no-cache\nCache-Control: max-age=50", false},
		{100, "", true},
		{110, "", true},
		{110, "Cache-Control: max-stale", false},
		{110, "Cache-Control: max-stale=10", false},
		{110, "Cache-Control: max-stale=9", true},
		{110, "Cache-Control: max-stale=x", true},
		{110, "Cache-Control: max-stale=100, max-stale=9", true},
		{110, "Cache-Control: max-stale, no-cache", true},
		{110, "Cache-Control: max-stale, max-age=109", true},
		{110, "Cache-Control: max-stale, max-age=110", false},
		{110, "Cache-Control: max-stale, min-fresh=1", true},
	} {
		t.Run(fmt.Sprintf("%d s, %s", test.age, test.headers), func(t *testing.T) {
			var headers []string
			for line := range strings.Lines(test.headers) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				headers = append(headers, name, value)
			}
			for _, route := range []struct {
				name, lines, control string
				asks                 bool
			}{
				{"obeyed", "cache: origin", "max-age=100", test.asks},
				{"obeyed on a duration", "cache: 100s\nadmission: {rule: once, reason: test}\nrequest_directives: obey", "max-age=5",
					test.asks || test.age >= 100}, // nothing is kept past a duration
				{"ignored", "cache: origin\nrequest_directives: ignore", "max-age=100", test.age >= 100},
				{"ignored on a duration", "cache: 100s\nadmission: {rule: once, reason: test}", "max-age=5", test.age >= 100},
				{"ignored, corroborated", "cache: 100s", "max-age=5", test.age >= 100},
				{"must-revalidate", "cache: origin", "max-age=100, must-revalidate", test.asks || test.age >= 100},
			} {
				withRoute(t, route.lines, func(t *testing.T, c *ruled) {
					c.origin = say(200, "the page", "Etag", `"v1"`, "Cache-Control", route.control)
					c.get("/")
					time.Sleep(test.age * time.Second)
					c.asked()
					a := c.get("/", headers...)
					a.check(t, route.name, 200, "the page")
					if asks := len(c.asked()) > 0; asks != route.asks || a.hit() == asks {
						t.Errorf("%s: the origin was asked: %t, want %t; %s", route.name, asks, route.asks, a.header["Cache-Status"])
					}
				})
			}
		})
	}
}

// TestValidationOnRequest: RFC 9111 §5.2.1.4. What is good but not good enough for
// this visitor is asked about, not fetched anew.
func TestValidationOnRequest(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = oldPage("the page")
		c.get("/")
		time.Sleep(30 * time.Second)
		c.origin = say(304, "", "Etag", `"v1"`, "Cache-Control", "max-age=60")
		c.get("/", "Cache-Control", "no-cache").check(t, "reload", 200, "the page", "fwd=request", "fwd-status=304", "ttl=60")
		c.get("/").check(t, "for the next, too", 200, "the page", "hit", "ttl=60")
	})
}

// TestNoCacheOnADeadOrigin: RFC 9111 §5.2.1.4. Who asks for the origin's word is not
// given what is stored without it.
func TestNoCacheOnADeadOrigin(t *testing.T) {
	withRoute(t, "cache: {ttl: origin, stale_if_error: 1h}", func(t *testing.T, c *ruled) {
		c.origin = oldPage("the page")
		c.get("/")
		c.origin = dead
		if a := c.get("/", "Cache-Control", "no-cache"); a.err == nil || a.body != "" {
			t.Errorf("%q, %s", a.body, a.header["Cache-Status"])
		}
		c.get("/").check(t, "everybody else", 200, "the page", "hit")
	})
}

// TestNoStoreRequest: RFC 9111 §5.2.1.5. Such a request is neither answered from what
// is stored nor stored, on routes that ignore the others as well.
func TestNoStoreRequest(t *testing.T) {
	for _, lines := range []string{"cache: origin", "cache: origin\nrequest_directives: ignore", "cache: 1m"} {
		withRoute(t, lines, func(t *testing.T, c *ruled) {
			c.origin = oldPage("the page")
			c.get("/", "Cache-Control", "no-store").check(t, lines, 200, "the page", "fwd=bypass", "detail=request-no-store")
			if n := c.objects(); n != 0 {
				t.Errorf("%s: %d objects are stored", lines, n)
			}
			c.get("/")
			c.get("/", "Cache-Control", "No-Store").check(t, lines, 200, "the page", "fwd=bypass", "detail=request-no-store")
		})
	}
}

// TestOnlyIfCached: RFC 9111 §5.2.1.7. What is not stored, or may not be reused, is
// a 504 without a word to the origin.
func TestOnlyIfCached(t *testing.T) {
	const only = "only-if-cached"
	for _, lines := range []string{"cache: origin", "cache: origin\nrequest_directives: ignore"} {
		withRoute(t, lines, func(t *testing.T, c *ruled) {
			c.origin = varied("Accept-Language")
			timeout := func(what string, headers ...string) {
				t.Helper()
				c.asked()
				a := c.get("/", append(headers, "Cache-Control", only)...)
				he, ok := errors.AsType[caddyhttp.HandlerError](a.err)
				if !ok || he.StatusCode != http.StatusGatewayTimeout || a.body != "" {
					t.Errorf("%s: %v, %q", what, a.err, a.body)
				}
				if !a.says("detail=only-if-cached") || a.header.Get("Cache-Control") != "private, no-store" {
					t.Errorf("%s: %v", what, a.header)
				}
				c.reached(t, what, 0)
			}
			timeout("cold")
			c.get("/", "Accept-Language", "en")
			c.get("/", "Accept-Language", "en", "Cache-Control", only).check(t, "stored", 200, `for ["en"]`, "hit")
			timeout("another variant", "Accept-Language", "ja")
			time.Sleep(301 * time.Second)
			timeout("stale", "Accept-Language", "en")
			if got := c.logged("deny", "reasons"); len(got) != 3 || got[0] != "[only-if-cached]" {
				t.Errorf("recorded %q", got)
			}
		})
	}
	e := start(t, oncePage, newOrigin(t, func(http.ResponseWriter, *http.Request) { t.Error("the origin was asked") }))
	if a := e.get("/", "Cache-Control", only); a.status != 504 || a.header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("over the wire: %d, %v", a.status, a.header)
	}
}

// TestOnlyIfCachedMayBeStale: RFC 9111 §5.2.1.7 with §5.2.1.2. What the request
// accepts is stored, however old it is.
func TestOnlyIfCachedMayBeStale(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = oldPage("the page")
		c.get("/")
		c.asked()
		time.Sleep(70 * time.Second)
		c.get("/", "Cache-Control", "only-if-cached, max-stale=10").check(t, "stale", 200, "the page", "hit", "ttl=-10")
		c.reached(t, "stale", 0)
	})
}
