package caddymodule

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const (
	sharesAuthorized = "cache: {ttl: origin, stale_while_revalidate: 1h, stale_if_error: 1h}\nauthorization: {rule: rfc9111, reason: test}"
	bearer           = "Bearer 0123456789abcdef"
)

// signedIn answers those who have Authorization with another page than others.
func signedIn(headers ...string) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		return say(200, fmt.Sprintf("signed in: %t", r.Header["Authorization"] != nil), headers...)(w, r)
	}
}

// TestAuthorization: RFC 9111 §3.5. What the origin must have said for an answer to
// be shared with or by requests that have Authorization.
func TestAuthorization(t *testing.T) {
	for _, test := range []struct {
		control string
		shared  bool
	}{
		{"public, max-age=60", true},
		{"s-maxage=60", true},
		{"public, s-maxage=60, must-revalidate", true},
		{"max-age=60", false},
		{"max-age=60, must-revalidate", false},
		{"max-age=60, proxy-revalidate", false},
		{"max-age=60, immutable", false},
		{"max-age=60, foo=\"public\"", false},
	} {
		t.Run(test.control, func(t *testing.T) {
			withRoute(t, sharesAuthorized, func(t *testing.T, c *ruled) {
				c.origin = signedIn("Cache-Control", test.control)
				// One who is signed in comes first.
				c.get("/a", "Authorization", bearer).check(t, "signed in", 200, "signed in: true")
				if a := c.get("/a", "Authorization", "Basic other"); a.hit() != test.shared || a.body != "signed in: true" {
					t.Errorf("another: %q, %s", a.body, a.header["Cache-Status"])
				}
				if a := c.get("/a"); a.hit() != test.shared || a.body != fmt.Sprintf("signed in: %t", test.shared) {
					t.Errorf("not signed in: %q, %s", a.body, a.header["Cache-Status"])
				}
				// One who is not comes first.
				c.get("/b").check(t, "not signed in", 200, "signed in: false", "stored")
				if a := c.get("/b", "Authorization", bearer); a.hit() != test.shared || a.body != fmt.Sprintf("signed in: %t", !test.shared) {
					t.Errorf("signed in: %q, %s", a.body, a.header["Cache-Status"])
				}
				c.get("/b").check(t, "not signed in again", 200, "signed in: false", "hit")
			})
		})
	}
}

// TestAuthorizationReason: RFC 9111 §3.5. The refusal says why.
func TestAuthorizationReason(t *testing.T) {
	withRoute(t, sharesAuthorized, func(t *testing.T, c *ruled) {
		c.origin = signedIn("Cache-Control", "max-age=60, must-revalidate")
		c.get("/", "Authorization", bearer).check(t, "signed in", 200, "signed in: true", "detail=authorization")
		if n := c.objects(); n != 0 {
			t.Errorf("%d objects are stored", n)
		}
	})
}

// TestAuthorizationStale: RFC 9111 §3.5 with §4.2.4. What may not be shared with one
// who is signed in is not served to them stale either, nor while it is refreshed.
func TestAuthorizationStale(t *testing.T) {
	withRoute(t, sharesAuthorized, func(t *testing.T, c *ruled) {
		c.origin = signedIn("Cache-Control", "max-age=60", "Etag", `"v1"`)
		c.get("/")
		time.Sleep(61 * time.Second)
		c.get("/", "Authorization", bearer).check(t, "stale", 200, "signed in: true")
		c.origin = dead
		if a := c.get("/", "Authorization", bearer); a.err == nil || a.body != "" {
			t.Errorf("from a dead origin: %q, %s", a.body, a.header["Cache-Status"])
		}
		c.get("/").check(t, "not signed in", 200, "signed in: false")
	})
}

// TestAuthorizationOnValidation: RFC 9111 §3.5, §4.3. A 304 to one who is
// signed in is no word about others' copies: their own answer is.
func TestAuthorizationOnValidation(t *testing.T) {
	withRoute(t, "cache: origin\nauthorization: {rule: rfc9111, reason: test}", func(t *testing.T, c *ruled) {
		c.origin = inTurn(say(304, "", "Etag", `"v1"`), signedIn("Cache-Control", "max-age=60", "Etag", `"v1"`))
		c.get("/")
		time.Sleep(61 * time.Second)
		c.asked()
		c.get("/", "Authorization", bearer).check(t, "signed in", 200, "signed in: true")
		for _, r := range c.asked() {
			if r.Header["If-None-Match"] != nil {
				t.Errorf("asked with a validator of what is not theirs: %v", r.Header)
			}
		}
	})
}

// TestAuthorizationAtTheSameTime: RFC 9111 §3.5. Those who wait are given nothing
// that they could not have been given from the store.
func TestAuthorizationAtTheSameTime(t *testing.T) {
	for _, test := range []struct {
		control string
		mixed   bool // who is signed in may be given what is for others, and the other way round
	}{{"max-age=60", false}, {"public, max-age=60", true}} {
		for _, first := range []bool{false, true} {
			withRoute(t, sharesAuthorized, func(t *testing.T, c *ruled) {
				answer := signedIn("Cache-Control", test.control)
				c.origin = func(w http.ResponseWriter, r *http.Request) error {
					time.Sleep(time.Second)
					return answer(w, r)
				}
				var wg sync.WaitGroup
				for i := range 10 {
					in := i%2 == 0 == first
					wg.Go(func() {
						var headers []string
						if in {
							headers = []string{"Authorization", bearer}
						}
						if a := c.send("GET", "/", headers...); !test.mixed && a.body != fmt.Sprintf("signed in: %t", in) {
							t.Errorf("%s: signed in %t got %q, %s", test.control, in, a.body, a.header["Cache-Status"])
						} else if a.err != nil || a.status != 200 {
							t.Errorf("%d, %v", a.status, a.err)
						}
					})
					time.Sleep(time.Millisecond)
				}
				wg.Wait()
			})
		}
	}
}

// TestAuthorizationReflected: an answer in which the credentials occur is one
// visitor's, whatever it says.
func TestAuthorizationReflected(t *testing.T) {
	for _, where := range []string{"body", "header"} {
		withRoute(t, sharesAuthorized, func(t *testing.T, c *ruled) {
			c.origin = func(w http.ResponseWriter, r *http.Request) error {
				body, header := "you sent ", "nothing"
				if where == "body" {
					body += r.Header.Get("Authorization")
				} else {
					header = "token=" + r.Header.Get("Authorization")
				}
				return say(200, body, "Cache-Control", "public, max-age=60", "X-Sent", header)(w, r)
			}
			if a := c.get("/", "Authorization", bearer); a.err != nil || a.status != 200 {
				t.Errorf("%s: %d, %v", where, a.status, a.err)
			}
			if n := c.objects(); n != 0 {
				t.Errorf("%s: %d objects are stored", where, n)
			}
			if got := last(c.logged("refuse", "reasons")); got != "[reflects-input]" {
				t.Errorf("%s: refused for %q", where, got)
			}
		})
	}
}

// TestAuthorizationByDefault: RFC 9111 §3.5. Unless the route says so such requests
// have nothing to do with the cache.
func TestAuthorizationByDefault(t *testing.T) {
	for _, lines := range []string{"cache: origin", "cache: origin\nheaders: {others: vary}", "cache: 1m"} {
		withRoute(t, lines, func(t *testing.T, c *ruled) {
			c.origin = signedIn("Cache-Control", "public, s-maxage=60")
			for range 2 {
				c.get("/", "Authorization", bearer).check(t, lines, 200, "signed in: true", "fwd=bypass", "detail=authorization")
			}
			if n := c.objects(); n != 0 {
				t.Errorf("%s: %d objects are stored", lines, n)
			}
			c.get("/")
			c.get("/").check(t, lines, 200, "signed in: false", "hit")
			c.get("/", "Authorization", bearer).check(t, lines, 200, "signed in: true", "fwd=bypass")
		})
	}
}

// TestAuthorizationLeavesOthersAlone: RFC 9111 §3.5. That the answer to one who is
// signed in is not shared says nothing about those who are not.
func TestAuthorizationLeavesOthersAlone(t *testing.T) {
	withRoute(t, "cache: origin\nauthorization: {rule: rfc9111, reason: test}", func(t *testing.T, c *ruled) {
		c.origin = signedIn("Cache-Control", "max-age=60")
		c.get("/", "Authorization", bearer)
		c.get("/").check(t, "not signed in", 200, "signed in: false", "stored")
		c.get("/").check(t, "not signed in again", 200, "signed in: false", "hit")
	})
}
