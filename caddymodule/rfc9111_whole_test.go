package caddymodule

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// wholeRoute withholds nothing from the origin but what a request says about a
// cookie that is stripped, or about who was on the way.
const wholeRoute = "cache: origin\nheaders: {others: vary}\ncookies: {strip: [_ga]}\naddress: {rule: forward, reason: test}"

// TestWholeFill: where a fill withholds nothing of the visitor's request, it is the
// answer to it. If it is refused they are given it with everything in it, and nobody
// else is; the origin is asked once.
func TestWholeFill(t *testing.T) {
	for _, test := range []struct {
		name    string
		headers []string
		asked   int
	}{
		{"nothing withheld", nil, 1},
		{"headers that may vary", []string{"Accept-Language", "en", "X-Foo", "1", "Accept", "text/html"}, 1},
		{"what is the cache's own", []string{"Cache-Control", "max-age=10", "Accept-Encoding", "gzip"}, 1},
		{"a stripped cookie", []string{"Cookie", "_ga=1"}, 2},
		{"proxies on the way", []string{"X-Forwarded-For", "198.51.100.9"}, 2},
		{"a trace", []string{"Traceparent", "00-trace"}, 2},
		{"a condition", []string{"If-None-Match", `"v9"`}, 2},
		{"a range", []string{"Range", "bytes=0-1"}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			withRoute(t, wholeRoute, func(t *testing.T, c *ruled) {
				n := 0
				c.origin = func(w http.ResponseWriter, r *http.Request) error {
					n++
					return say(200, fmt.Sprintf("answer %d", n), "Set-Cookie", fmt.Sprintf("session=%d", n), "Set-Cookie", "b=1",
						"Cache-Control", "public, max-age=60", "X-Request-Id", "1", "CDN-Cache-Control", "max-age=60", "Age", "3")(w, r)
				}
				a := c.get("/", test.headers...)
				a.check(t, "theirs", 200, fmt.Sprintf("answer %d", test.asked), "detail=set-cookie", "fwd-status=200")
				if got := a.header["Set-Cookie"]; len(got) != 2 || got[0] != fmt.Sprintf("session=%d", test.asked) {
					t.Errorf("Set-Cookie %q", got)
				}
				if h := a.header; h.Get("X-Request-Id") != "1" || h.Get("Content-Length") != "8" {
					t.Errorf("%v", h)
				}
				onlyForbidden(t, a.header)
				sent := c.reached(t, "the request", test.asked)
				if sent[0].RemoteAddr != visitorAddress {
					t.Errorf("the fill came from %s", sent[0].RemoteAddr)
				}
				if k := c.objects(); k != 0 {
					t.Errorf("%d objects are stored", k)
				}
			})
		})
	}
}

// TestWholeFillIsNobodyElses: those who waited for it go on with their own requests.
func TestWholeFillIsNobodyElses(t *testing.T) {
	withRoute(t, wholeRoute, func(t *testing.T, c *ruled) {
		var asked atomic.Int64
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			time.Sleep(time.Second)
			return say(200, fmt.Sprintf("answer %d", asked.Add(1)), "Cache-Control", "private")(w, r)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		seen := make(map[string]bool)
		for range 20 {
			wg.Go(func() {
				a := c.send("GET", "/")
				mu.Lock()
				defer mu.Unlock()
				if seen[a.body] || a.err != nil || a.shared() {
					t.Errorf("%q, %s, %v", a.body, a.header["Cache-Status"], a.err)
				}
				seen[a.body] = true
			})
		}
		wg.Wait()
		if asked.Load() != 20 {
			t.Errorf("the origin was asked %d times", asked.Load())
		}
	})
}

// TestWholeFillThatFails: an error, and no answer at all, are the visitor's as well.
func TestWholeFillThatFails(t *testing.T) {
	withRoute(t, wholeRoute, func(t *testing.T, c *ruled) {
		c.origin = say(503, "sorry", "Retry-After", "5", "Cache-Control", "max-age=60")
		a := c.get("/503")
		a.check(t, "503", 503, "sorry", "fwd=uri-miss", "fwd-status=503")
		if a.header.Get("Retry-After") != "5" {
			t.Errorf("%v", a.header)
		}
		c.reached(t, "503", 1)
		c.origin = dead
		if a := c.get("/dead"); a.err == nil || a.body != "" || a.header.Get("Cache-Control") != "private, no-store" {
			t.Errorf("%q, %v, %v", a.body, a.header, a.err)
		}
		c.reached(t, "dead", 1)
	})
}

// TestWholeFillOfHead: RFC 9110 §9.3.2. The same holds for HEAD.
func TestWholeFillOfHead(t *testing.T) {
	withRoute(t, wholeRoute, func(t *testing.T, c *ruled) {
		c.origin = say(200, "the page", "Set-Cookie", "a=b")
		a := c.do("HEAD", "/")
		a.check(t, "HEAD", 200, "", "detail=set-cookie")
		if a.header.Get("Set-Cookie") != "a=b" || a.header.Get("Content-Length") != "8" {
			t.Errorf("%v", a.header)
		}
		c.reached(t, "HEAD", 1)
	})
}

// TestWholeFillOnValidation: RFC 9111 §4.3.3. The condition of a fill is not the
// visitor's, but a full answer to it is theirs; a 304 never is.
func TestWholeFillOnValidation(t *testing.T) {
	for _, status := range []int{200, 304} {
		withRoute(t, wholeRoute, func(t *testing.T, c *ruled) {
			c.origin = oldPage("the page")
			c.get("/")
			time.Sleep(61 * time.Second)
			c.asked()
			c.origin = inTurn(say(status, "personal", "Etag", `"v1"`, "Cache-Control", "private"), say(200, "their own", "Cache-Control", "private"))
			body, asked := "personal", 1
			if status == 304 {
				body, asked = "their own", 2
			}
			c.get("/").check(t, fmt.Sprint(status), 200, body, "detail=private")
			c.reached(t, fmt.Sprint(status), asked)
		})
	}
}

// TestAddressOverTheWire: what reverse_proxy makes of a fill's address, with the
// visitor's forwarded and without.
func TestAddressOverTheWire(t *testing.T) {
	for _, test := range []struct{ name, line, want string }{
		{"forwarded", `address forward "test"`, "127.0.0.1"},
		{"stripped", "", "192.0.2.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got atomic.Value
			e := startEdge(t, `cacheward {
				route page {
					path /*
					cache origin
					`+test.line+`
				}
			}
			reverse_proxy `+newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
				got.Store(r.Header.Get("X-Forwarded-For"))
				page(w, "the page")
			}))
			e.stored("/")
			if got.Load() != test.want {
				t.Errorf("X-Forwarded-For %q, want %q", got.Load(), test.want)
			}
		})
	}
}
