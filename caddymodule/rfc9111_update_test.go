package caddymodule

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestNotModifiedIsAnothers: RFC 9111 §4.3.4. A 304 with a strong validator that the
// stored response does not have is about another one: it must not update ours.
func TestNotModifiedIsAnothers(t *testing.T) {
	for _, test := range []struct {
		name    string
		headers []string
		ours    bool
	}{
		{"no validator", nil, true},
		{"our tag", []string{"Etag", `"v1"`}, true},
		{"our date", []string{"Last-Modified", "Fri, 31 Dec 1999 10:00:00 GMT"}, true},
		{"another tag", []string{"Etag", `"v2"`}, false},
		{"another tag, our date", []string{"Etag", `"v2"`, "Last-Modified", "Fri, 31 Dec 1999 10:00:00 GMT"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
				c.origin = oldPage("version 1")
				c.get("/")
				time.Sleep(61 * time.Second)
				c.origin = inTurn(say(304, "", append([]string{"Cache-Control", "max-age=60"}, test.headers...)...),
					say(200, "version 2", "Etag", `"v2"`, "Cache-Control", "max-age=60"))
				want := "version 2"
				if test.ours {
					want = "version 1"
				}
				c.get("/").check(t, "on the 304", 200, want)
				time.Sleep(10 * time.Second)
				c.get("/").check(t, "later", 200, want)
			})
		})
	}
}

// TestUpdateLeavesTheContent: RFC 9111 §3.2. What a 304 says of content that it does
// not have is not said of ours.
func TestUpdateLeavesTheContent(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = oldPage("the page")
		c.get("/")
		time.Sleep(61 * time.Second)
		c.origin = say(304, "", "Etag", `"v1"`, "Cache-Control", "max-age=60", "Content-Length", "3", "Content-Encoding", "gzip",
			"Content-Type", "text/plain", "X-New", "1", "Date", "Sat, 01 Jan 2000 00:01:01 GMT")
		c.get("/").check(t, "validated", 200, "the page", "fwd-status=304")
		a := c.get("/")
		a.check(t, "hit", 200, "the page", "hit")
		for name, want := range map[string]string{
			"Content-Length": "8", "Content-Encoding": "", "X-New": "1", "Date": "Sat, 01 Jan 2000 00:01:01 GMT", "Etag": `"v1"`,
		} {
			if got := strings.Join(a.header[name], "|"); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	})
}

// TestCrowdOnAStaleObject: RFC 9111 §4.3, §4 (collapsed requests). One validation is
// enough for all who come meanwhile.
func TestCrowdOnAStaleObject(t *testing.T) {
	for _, status := range []int{200, 304} {
		withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
			c.origin = oldPage("the page")
			c.get("/")
			c.asked()
			time.Sleep(61 * time.Second)
			answer := say(status, "the page", "Etag", `"v1"`, "Cache-Control", "max-age=60")
			c.origin = func(w http.ResponseWriter, r *http.Request) error {
				time.Sleep(time.Second)
				return answer(w, r)
			}
			var wg sync.WaitGroup
			var collapsed atomic.Int64
			for range 20 {
				wg.Go(func() {
					a := c.send("GET", "/")
					a.check(t, "stale", 200, "the page", "fwd=stale")
					if a.says("collapsed") {
						collapsed.Add(1)
					}
				})
			}
			wg.Wait()
			c.reached(t, "a crowd", 1)
			if collapsed.Load() != 19 {
				t.Errorf("%d of 20 shared one validation", collapsed.Load())
			}
		})
	}
}

// TestStaleOnArrival: RFC 9111 §4.2.4. An answer that is too old when it comes is
// given to who caused it; nobody who waited is given it without the origin's word.
func TestStaleOnArrival(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		answer := inTurn(say(304, "", "Etag", `"v1"`, "Cache-Control", "max-age=60", "Age", "100"), say(200, "the page", "Etag", `"v1"`, "Cache-Control", "max-age=60", "Age", "100"))
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			time.Sleep(time.Second)
			return answer(w, r)
		}
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if a := c.send("GET", "/"); a.shared() || a.body != "the page" {
					t.Errorf("%q, %s", a.body, a.header["Cache-Status"])
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		c.asked()
		c.get("/").check(t, "the next", 200, "the page", "fwd=stale", "fwd-status=304")
		c.reached(t, "the next", 1)
	})
}

// TestErrorInTheBackground: RFC 5861 §3. An error that comes instead of a refresh does
// not take the place of what is served meanwhile, whatever lifetime it has.
func TestErrorInTheBackground(t *testing.T) {
	for _, validator := range []string{"Etag", "X-None"} {
		t.Run(validator, func(t *testing.T) {
			withRoute(t, "cache: {ttl: origin, stale_while_revalidate: 1h}", func(t *testing.T, c *ruled) {
				c.origin = say(200, "the page", validator, `"v1"`, "Cache-Control", "max-age=60")
				c.get("/")
				time.Sleep(61 * time.Second)
				c.origin = say(500, "sorry", "Cache-Control", "max-age=60")
				for range 3 {
					c.get("/").check(t, "stale", 200, "the page", "hit")
				}
			})
		})
	}
}

// TestRangeOfAStaleObject: RFC 9111 §4.3.1 with §3.3. It is validated without the
// visitor's range, and the part is cut out of what it turns out to be.
func TestRangeOfAStaleObject(t *testing.T) {
	for _, test := range []struct {
		answer caddyhttp.HandlerFunc
		body   string
		status string
	}{
		{say(304, "", "Etag", `"v1"`, "Cache-Control", "max-age=60"), "23", "fwd-status=304"},
		{say(200, "abcdefghij", "Etag", `"v2"`, "Cache-Control", "max-age=60"), "cd", "fwd-status=200"},
	} {
		withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
			c.origin = oldPage(digits)
			c.get("/")
			time.Sleep(61 * time.Second)
			c.asked()
			c.origin = test.answer
			c.get("/", "Range", "bytes=2-3").check(t, test.status, 206, test.body, "fwd=stale", test.status)
			if sent := c.reached(t, test.status, 1); sent[0].Header["Range"] != nil || sent[0].Header.Get("If-None-Match") != `"v1"` {
				t.Errorf("%v", sent[0].Header)
			}
		})
	}
}
