package caddymodule

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// oldPage is a page with both validators, fresh for a minute.
func oldPage(body string, headers ...string) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		all := append([]string{"Etag", `"v1"`, "Last-Modified", "Fri, 31 Dec 1999 10:00:00 GMT"}, headers...)
		if !slices.Contains(headers, "Cache-Control") {
			all = append(all, "Cache-Control", "max-age=60")
		}
		return say(200, body, all...)(w, r)
	}
}

// TestValidation: RFC 9111 §4.3.1, §4.3.4. What is stale is asked about with its own
// validators, a 304 updates it, and it stays the object that it was.
func TestValidation(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = oldPage("the page", "X-Old", "1", "X-Kept", "1")
		c.get("/").check(t, "fill", 200, "the page", "fwd=uri-miss", "stored")
		c.asked()
		time.Sleep(61 * time.Second)
		c.origin = say(304, "", "Etag", `"v1"`, "Cache-Control", "max-age=100", "X-Old", "2")
		a := c.get("/", "If-None-Match", `"visitor"`, "If-Modified-Since", "Fri, 31 Dec 1999 09:00:00 GMT", "X-Foo", "visitor")
		a.check(t, "validated", 200, "the page", "fwd=stale", "fwd-status=304", "ttl=100")
		sent := c.reached(t, "a validation", 1)
		if h := sent[0].Header; h.Get("If-None-Match") != `"v1"` || h.Get("If-Modified-Since") != "Fri, 31 Dec 1999 10:00:00 GMT" ||
			len(h["If-None-Match"]) != 1 || len(h["If-Modified-Since"]) != 1 || h.Get("X-Foo") != "" || !canonical(sent[0]) {
			t.Errorf("the origin was sent %v", h)
		}
		a = c.get("/")
		a.check(t, "hit", 200, "the page", "hit", "ttl=100")
		if a.header.Get("X-Old") != "2" || a.header.Get("X-Kept") != "1" || a.header.Get("Etag") != `"v1"` || a.header.Get("Content-Length") != "8" {
			t.Errorf("after the 304: %v", a.header)
		}
		if got := c.logged("serve", "outcome"); !slices.Equal(got, []string{"fill", "revalidated", "hit"}) {
			t.Errorf("outcomes %q", got)
		}
		id := last(c.logged("store", "object"))
		for _, other := range append(c.logged("serve", "object"), c.logged("refresh", "object")...) {
			if other != id || id == "" {
				t.Errorf("object %s in a record, stored was %s", other, id)
			}
		}
	})
}

// TestValidationOfOneValidator: RFC 9111 §4.3.1. Only validators that the stored
// response has are sent, and a response with none is asked for anew.
func TestValidationOfOneValidator(t *testing.T) {
	for _, test := range []struct{ name, value, condition string }{
		{"Etag", `W/"v1"`, "If-None-Match"},
		{"Last-Modified", "Fri, 31 Dec 1999 10:00:00 GMT", "If-Modified-Since"},
		{"X-Other", "1", ""},
		{"Etag", "v1", ""}, // no entity tag
		{"Last-Modified", "yesterday", ""},
	} {
		t.Run(test.name+" "+test.value, func(t *testing.T) {
			withRoute(t, "cache: {ttl: origin, stale_if_error: 1h}", func(t *testing.T, c *ruled) {
				c.origin = say(200, "the page", "Cache-Control", "max-age=60", test.name, test.value)
				c.get("/")
				c.asked()
				time.Sleep(61 * time.Second)
				c.get("/", "If-None-Match", `"visitor"`, "If-Modified-Since", "Fri, 31 Dec 1999 09:00:00 GMT")
				h := c.reached(t, "stale", 1)[0].Header
				for _, name := range []string{"If-None-Match", "If-Modified-Since"} {
					want := ""
					if name == test.condition {
						want = test.value
					}
					if h.Get(name) != want {
						t.Errorf("%s is %q, want %q", name, h.Get(name), want)
					}
				}
			})
		})
	}
}

// TestValidationBringsAnother: RFC 9111 §4.3.3. A full response replaces the stored
// one, and answers the visitor by their own conditions.
func TestValidationBringsAnother(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = oldPage("version 1")
		c.get("/")
		time.Sleep(61 * time.Second)
		c.origin = say(200, "version 2", "Etag", `"v2"`, "Cache-Control", "max-age=60")
		c.get("/", "If-None-Match", `"v1"`).check(t, "replaced", 200, "version 2", "fwd=stale", "fwd-status=200", "stored")
		c.get("/").check(t, "hit", 200, "version 2", "hit")
		time.Sleep(61 * time.Second)
		c.get("/", "If-None-Match", `"v2"`).check(t, "not modified", 304, "", "fwd=stale", "fwd-status=200")
		if ids := c.logged("store", "object"); len(ids) != 3 || ids[0] == ids[1] {
			t.Errorf("objects %q", ids)
		}
	})
}

// TestValidationTakesThePermissionBack: RFC 9111 §4.3.4. A 304 that may not be shared
// makes the stored response one that may not; the visitor gets their own answer.
func TestValidationTakesThePermissionBack(t *testing.T) {
	for _, header := range [][]string{
		{"Set-Cookie", "session=1"},
		{"Cache-Control", "private, max-age=60"},
		{"Cache-Control", "no-store"},
		{"Cache-Control", "max-age=60", "Cache-Control", "private"},
		{"CDN-Cache-Control", "no-store"},
		{"Vary", "*"},
		{"Vary", "X-Foo"},
		{"Access-Control-Allow-Origin", "https://one.example"},
		{"WWW-Authenticate", "Basic"},
	} {
		for _, visitor := range [][]string{nil, {"Accept-Language", "en"}} {
			withRoute(t, "cache: {ttl: origin, stale_if_error: 1h}", func(t *testing.T, c *ruled) {
				c.origin = oldPage("the page")
				c.get("/", visitor...)
				if c.objects() != 1 {
					t.Fatal("the page is not stored")
				}
				time.Sleep(61 * time.Second)
				c.asked()
				c.origin = inTurn(say(304, "", append([]string{"Etag", `"v1"`}, header...)...), say(200, "their own", "Cache-Control", "private"))
				if a := c.get("/", visitor...); a.err != nil || a.body != "their own" || a.hit() || a.says("fwd-status=304") {
					t.Errorf("%q for %q: %q, %s, %v", header, visitor, a.body, a.header["Cache-Status"], a.err)
				}
				if sent := c.reached(t, header[0], 2); canonical(sent[1]) {
					t.Errorf("%q: not the visitor's own request", header)
				}
				if n := c.objects(); n != 0 {
					t.Errorf("%q for %q: %d objects are stored", header, visitor, n)
				}
				c.origin = dead
				if a := c.get("/", visitor...); a.body == "the page" {
					t.Errorf("%q: the page is still served", header)
				}
			})
		}
	}
}

// TestNotModifiedUnasked: RFC 9110 §15.4.5. A 304 to a request without a condition is
// no response that could be stored, and says nothing about one that is.
func TestNotModifiedUnasked(t *testing.T) {
	withRoute(t, "cache: {ttl: origin, stale_if_error: 1h}", func(t *testing.T, c *ruled) {
		c.origin = say(304, "", "Etag", `"v1"`, "Cache-Control", "max-age=300")
		c.get("/new").check(t, "cold", 304, "", "detail=status")
		if n := c.objects(); n != 0 {
			t.Errorf("%d objects are stored", n)
		}
		c.origin = say(200, "the page", "Cache-Control", "max-age=60") // nothing to validate by
		c.get("/")
		time.Sleep(61 * time.Second)
		c.origin = say(304, "", "Cache-Control", "max-age=300")
		if a := c.get("/"); a.status != 304 || a.says("fwd-status=200") {
			t.Errorf("%d %q, %s", a.status, a.body, a.header["Cache-Status"])
		}
		c.origin = say(200, "the next", "Cache-Control", "max-age=60")
		time.Sleep(time.Minute)
		c.get("/").check(t, "later", 200, "the next")
	})
}

// TestNoCacheIsValidatedEachTime: RFC 9111 §5.2.2.4. The answer is stored, but never
// reused without the origin's word, and never shared with those who waited for it.
func TestNoCacheIsValidatedEachTime(t *testing.T) {
	for _, control := range []string{"no-cache", "no-cache, max-age=60", "max-age=0", "s-maxage=0, max-age=60", `no-cache="X-Foo", max-age=60`} {
		t.Run(control, func(t *testing.T) {
			withRoute(t, "cache: {ttl: origin, stale_while_revalidate: 1h, stale_if_error: 1h}", func(t *testing.T, c *ruled) {
				answer := inTurn(say(304, "", "Etag", `"v1"`, "Cache-Control", control), oldPage("the page", "Cache-Control", control))
				c.origin = answer
				c.get("/").check(t, "fill", 200, "the page", "fwd=uri-miss")
				for range 2 {
					c.asked()
					c.get("/").check(t, "again", 200, "the page", "fwd=stale", "fwd-status=304")
					if sent := c.reached(t, "again", 1); sent[0].Header.Get("If-None-Match") != `"v1"` {
						t.Errorf("asked with %v", sent[0].Header)
					}
				}
				// Each of several at a time asks for itself.
				c.origin = func(w http.ResponseWriter, r *http.Request) error {
					time.Sleep(time.Second)
					return answer(w, r)
				}
				for _, target := range []string{"/", "/cold"} {
					var wg sync.WaitGroup
					for range 5 {
						wg.Go(func() {
							if a := c.send("GET", target); a.shared() || a.body != "the page" {
								t.Errorf("%s at the same time: %q, %s", target, a.body, a.header["Cache-Status"])
							}
						})
					}
					wg.Wait()
					synctest.Wait()
					if n := len(c.asked()); n < 5 {
						t.Errorf("%s: the origin was asked %d times for 5", target, n)
					}
				}
				c.origin = dead
				if a := c.get("/"); a.err == nil || a.body != "" {
					t.Errorf("from a dead origin: %q, %s", a.body, a.header["Cache-Status"])
				}
			})
		})
	}
}

// TestNoCacheWithoutValidator: RFC 9111 §5.2.2.4. What cannot be asked about is not
// stored.
func TestNoCacheWithoutValidator(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = say(200, "the page", "Cache-Control", "no-cache, max-age=60")
		c.get("/").check(t, "first", 200, "the page", "detail=no-cache")
		if n := c.objects(); n != 0 {
			t.Errorf("%d objects are stored", n)
		}
	})
}

// TestErrorOnValidation: RFC 9111 §4.3.3. An error is for the visitor to see unless
// a stale response may stand in for it; it never takes that one's place.
func TestErrorOnValidation(t *testing.T) {
	for _, test := range []struct {
		name, route, control, validator string
		stale                           bool
	}{
		{"not allowed", "cache: origin", "max-age=60", `"v1"`, false},
		{"allowed by the policy", "cache: {ttl: origin, stale_if_error: 1h}", "max-age=60", `"v1"`, true},
		{"allowed by the origin", "cache: origin", "max-age=60, stale-if-error=3600", `"v1"`, true},
		{"allowed, nothing to validate by", "cache: {ttl: origin, stale_if_error: 1h}", "max-age=60", "", true},
		{"forbidden by must-revalidate", "cache: {ttl: origin, stale_if_error: 1h}", "max-age=60, must-revalidate", `"v1"`, false},
	} {
		for _, storable := range []bool{false, true} {
			t.Run(test.name, func(t *testing.T) {
				withRoute(t, test.route, func(t *testing.T, c *ruled) {
					validators := []string{"Etag", test.validator}
					if test.validator == "" {
						validators = nil
					}
					c.origin = say(200, "the page", append(validators, "Cache-Control", test.control)...)
					c.get("/")
					time.Sleep(61 * time.Second)
					control := "no-store"
					if storable {
						control = "max-age=60"
					}
					c.origin = say(500, "sorry", "Cache-Control", control)
					for range 2 {
						if a := c.get("/"); test.stale {
							a.check(t, control, 200, "the page")
						} else {
							a.check(t, control, 500, "sorry")
						}
					}
					time.Sleep(10 * time.Second)
					c.origin = inTurn(say(304, "", "Etag", test.validator, "Cache-Control", "max-age=60"), say(200, "another", "Cache-Control", "max-age=60"))
					want := "the page"
					if test.validator == "" {
						want = "another"
					}
					c.get("/").check(t, "when all is well again", 200, want)
				})
			})
		}
	}
}

// TestRefreshIsImpersonal: RFC 5861 §3. The request in the background has the stored
// validators and nothing of the visitor who caused it but what selected the variant.
func TestRefreshIsImpersonal(t *testing.T) {
	const route = `cache: {ttl: origin, stale_while_revalidate: 1h}
headers: {others: vary, forward: [{name: Traceparent, reason: test}]}
authorization: {rule: rfc9111, reason: test}
address: {rule: forward, reason: test}`
	withRoute(t, route, func(t *testing.T, c *ruled) {
		c.origin = oldPage("version 1", "Cache-Control", "public, max-age=60", "Vary", "Accept-Language")
		visitor := []string{"Accept-Language", "EN , ja", "Authorization", "Bearer token", "X-Foo", "visitor", "Traceparent", "00-trace", "Cache-Control", "max-stale"}
		c.get("/", visitor...)
		if sent := c.reached(t, "fill", 1); sent[0].Header.Get("X-Foo") != "visitor" || sent[0].RemoteAddr != visitorAddress {
			t.Errorf("the fill was sent from %s with %v", sent[0].RemoteAddr, sent[0].Header)
		}
		time.Sleep(61 * time.Second)
		c.origin = say(304, "", "Etag", `"v1"`, "Cache-Control", "public, max-age=100")
		c.get("/", visitor...).check(t, "stale", 200, "version 1", "hit", "ttl=-1")
		r := c.reached(t, "refresh", 1)[0]
		want := http.Header{
			"Accept":            {"*/*"},
			"Accept-Encoding":   {"identity"},
			"Accept-Language":   {"en,ja"},
			"If-Modified-Since": {"Fri, 31 Dec 1999 10:00:00 GMT"},
			"If-None-Match":     {`"v1"`},
			"User-Agent":        {"Cacheward"},
		}
		if r.RemoteAddr != fillAddress || len(r.Header) != len(want) {
			t.Errorf("the refresh was sent from %s with %v", r.RemoteAddr, r.Header)
		}
		for name := range want {
			if !slices.Equal(r.Header[name], want[name]) {
				t.Errorf("the refresh has %s %q, want %q", name, r.Header[name], want[name])
			}
		}
		c.get("/", visitor...).check(t, "refreshed", 200, "version 1", "hit", "ttl=100")
	})
}
