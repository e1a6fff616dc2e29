package caddymodule

import (
	"net/http"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestHeadFromAFreshObject: RFC 9110 §9.3.2, RFC 9111 §4. A stored GET answers HEAD.
func TestHeadFromAFreshObject(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = oldPage("the page", "X-Kept", "1")
		c.get("/")
		c.asked()
		a := c.do("HEAD", "/")
		a.check(t, "HEAD", 200, "", "hit")
		if a.header.Get("Content-Length") != "8" || a.header.Get("X-Kept") != "1" || a.header.Get("Age") != "0" {
			t.Errorf("%v", a.header)
		}
		c.do("HEAD", "/", "If-None-Match", `"v1"`).check(t, "conditional HEAD", 304, "", "hit")
		c.do("HEAD", "/", "Range", "bytes=0-1").check(t, "HEAD of a range", 200, "", "hit")
		c.reached(t, "hits", 0)
	})
}

// TestHeadOnAColdKey: RFC 9111 §4.3.5, §4. One HEAD at the origin, and no object.
func TestHeadOnAColdKey(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = oldPage("the page")
		a := c.do("HEAD", "/", "If-None-Match", `"other"`, "X-Foo", "visitor")
		a.check(t, "cold HEAD", 200, "", "fwd=uri-miss", "fwd-status=200")
		if a.says("stored") || a.header.Get("Content-Length") != "8" {
			t.Errorf("%v", a.header)
		}
		sent := c.reached(t, "cold HEAD", 1)
		if sent[0].Method != http.MethodHead || sent[0].Header.Get("X-Foo") != "" || sent[0].Header.Get("If-None-Match") != "" {
			t.Errorf("%s with %v", sent[0].Method, sent[0].Header)
		}
		if n := c.objects(); n != 0 {
			t.Errorf("%d objects are stored", n)
		}
		c.get("/").check(t, "GET after it", 200, "the page", "fwd=uri-miss", "stored")
		if sent := c.reached(t, "GET after it", 1); sent[0].Method != http.MethodGet {
			t.Errorf("%s", sent[0].Method)
		}
	})
}

// TestHeadOnAStaleObject: RFC 9111 §4.3.5. A HEAD that agrees with the stored
// response freshens it; one that does not makes it useless.
func TestHeadOnAStaleObject(t *testing.T) {
	for _, test := range []struct {
		name    string
		headers []string // of the answer to HEAD, beside Cache-Control
		status  int
		fresh   bool // afterwards
		kept    bool // afterwards, to be validated
	}{
		{"agrees", []string{"Etag", `"v1"`, "Last-Modified", "Fri, 31 Dec 1999 10:00:00 GMT"}, 200, true, true},
		{"says nothing of validators", nil, 200, true, true},
		{"another tag", []string{"Etag", `"v2"`}, 200, false, false},
		{"another date", []string{"Last-Modified", "Fri, 31 Dec 1999 11:00:00 GMT"}, 200, false, false},
		{"agrees, but is private", []string{"Etag", `"v1"`, "Cache-Control", "private"}, 200, false, false},
		{"agrees, but sets a cookie", []string{"Etag", `"v1"`, "Set-Cookie", "a=b"}, 200, false, false},
		{"is an error", nil, 500, false, true},
		{"is not allowed", nil, 405, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
				c.origin = oldPage("the page")
				c.get("/")
				time.Sleep(61 * time.Second)
				c.asked()
				c.origin = say(test.status, "the page", append([]string{"Cache-Control", "max-age=100", "X-New", "1"}, test.headers...)...)
				if a := c.do("HEAD", "/"); a.err != nil || a.status != test.status || a.body != "" || a.hit() {
					t.Errorf("HEAD: %d %q, %s, %v", a.status, a.body, a.header["Cache-Status"], a.err)
				}
				for _, r := range c.asked() {
					if r.Method != http.MethodHead {
						t.Errorf("a %s for a HEAD", r.Method)
					}
				}
				time.Sleep(10 * time.Second) // what was refused is forgotten
				c.origin = inTurn(say(304, "", "Etag", `"v1"`, "Cache-Control", "max-age=60"), say(200, "the next", "Cache-Control", "max-age=60"))
				switch a := c.get("/"); {
				case test.fresh:
					a.check(t, "GET", 200, "the page", "hit", "ttl=90")
					if a.header.Get("X-New") != "1" || a.header.Get("Etag") != `"v1"` || a.header.Get("Content-Length") != "8" {
						t.Errorf("%v", a.header)
					}
				case test.kept:
					a.check(t, "GET", 200, "the page", "fwd=stale", "fwd-status=304")
				default:
					a.check(t, "GET", 200, "the next", "fwd=uri-miss")
				}
			})
		})
	}
}

// TestHeadOfAnotherLength: RFC 9111 §4.3.5. Content-Length is compared as well.
func TestHeadOfAnotherLength(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = oldPage("the page")
		c.get("/")
		time.Sleep(61 * time.Second)
		c.origin = oldPage("the longer page")
		c.do("HEAD", "/").check(t, "HEAD", 200, "", "fwd=stale")
		if n := c.objects(); n != 0 {
			t.Errorf("%d objects are stored", n)
		}
		c.get("/").check(t, "GET", 200, "the longer page", "fwd=uri-miss")
	})
}

// TestHeadRefreshes: RFC 5861 §3. A HEAD that is answered with what is stale causes a
// GET in the background, for it is what a GET brings that is refreshed.
func TestHeadRefreshes(t *testing.T) {
	withRoute(t, "cache: {ttl: origin, stale_while_revalidate: 1h}", func(t *testing.T, c *ruled) {
		c.origin = oldPage("version 1")
		c.get("/")
		time.Sleep(61 * time.Second)
		c.asked()
		c.origin = oldPage("version 2")
		c.do("HEAD", "/").check(t, "HEAD", 200, "", "hit")
		if sent := c.reached(t, "refresh", 1); sent[0].Method != http.MethodGet || sent[0].Header.Get("If-None-Match") != `"v1"` {
			t.Errorf("%s with %v", sent[0].Method, sent[0].Header)
		}
		c.get("/").check(t, "GET", 200, "version 2", "hit")
	})
}

// TestHeadSpeaksForItself: RFC 9110 §9.3.2. Many origins answer HEAD otherwise than
// GET. What may not be shared of that answer is no refusal of the page.
func TestHeadSpeaksForItself(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer caddyhttp.HandlerFunc
	}{
		{"405", say(405, "", "Allow", "GET")},
		{"404", say(404, "")},
		{"no lifetime", say(200, "")},
	} {
		t.Run(test.name, func(t *testing.T) {
			withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
				c.origin = func(w http.ResponseWriter, r *http.Request) error {
					if r.Method == http.MethodHead {
						return test.answer(w, r)
					}
					return say(200, "the page", "Cache-Control", "max-age=60", "Etag", `"v1"`)(w, r)
				}
				for range 3 {
					c.do("HEAD", "/")
				}
				c.get("/").check(t, "GET", 200, "the page", "fwd=uri-miss", "stored")
				c.get("/").check(t, "GET again", 200, "the page", "hit")
			})
		})
	}
}

// TestHeadWithoutALifetime: RFC 9111 §4.3.5. A HEAD that agrees with what is stored
// and has no Cache-Control takes nothing away from it.
func TestHeadWithoutALifetime(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = oldPage("the page")
		c.get("/")
		time.Sleep(61 * time.Second)
		c.origin = say(200, "the page", "Etag", `"v1"`)
		if a := c.do("HEAD", "/"); a.err != nil || a.status != 200 || a.body != "" {
			t.Errorf("HEAD: %d %q, %v", a.status, a.body, a.err)
		}
		c.origin = inTurn(say(304, "", "Etag", `"v1"`), say(200, "the next", "Cache-Control", "max-age=60"))
		c.get("/").check(t, "GET", 200, "the page")
	})
}
