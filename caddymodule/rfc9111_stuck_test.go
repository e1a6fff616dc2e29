package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const staleOnError = "cache: {ttl: origin, stale_if_error: 1h}"

// TestRefusedHeadLeavesThePage: RFC 9110 §9.3.2. That the answer to a HEAD is refused
// is no refusal of the page: whoever sends one every second keeps nobody from it.
func TestRefusedHeadLeavesThePage(t *testing.T) {
	withRoute(t, staleOnError, func(t *testing.T, c *ruled) {
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			if r.Method == http.MethodHead {
				return say(405, "")(w, r)
			}
			return say(200, "the page", "Cache-Control", "public, max-age=3600")(w, r)
		}
		c.get("/").check(t, "fill", 200, "the page", "stored")
		for range 60 {
			if a := c.do("HEAD", "/", "Cache-Control", "no-cache"); a.status != 405 {
				t.Fatalf("HEAD: %d, %s", a.status, a.header["Cache-Status"])
			}
			c.get("/").check(t, "after a HEAD", 200, "the page", "hit")
			time.Sleep(time.Second)
		}
		c.do("HEAD", "/cold")
		c.get("/cold").check(t, "a cold key after a HEAD", 200, "the page", "stored")
	})
}

// TestAuthorizedRefusalsArePutAside: RFC 9111 §3.5. Whoever sends Authorization again
// and again, and is refused each time, keeps the page from nobody else.
func TestAuthorizedRefusalsArePutAside(t *testing.T) {
	withRoute(t, "cache: origin\nauthorization: {rule: rfc9111, reason: test}", func(t *testing.T, c *ruled) {
		c.origin = say(200, "the page", "Cache-Control", "max-age=10")
		for i := range 300 {
			c.get("/", "Authorization", "Bearer x")
			if i%5 == 0 {
				if a := c.get("/"); !a.hit() && !a.says("stored") {
					t.Fatalf("after %d requests: %s", i, a.header["Cache-Status"])
				}
			}
			time.Sleep(200 * time.Millisecond)
		}
	})
}

// TestFillThatEndsWithoutAnAnswer: a time limit of ours, and the end of the config that
// a fill was sent for, are no reason to give a visitor an error, whether a fill
// would have been their own answer or not. Neither is an origin that writes nothing.
func TestFillThatEndsWithoutAnAnswer(t *testing.T) {
	for _, address := range []string{"strip", "{rule: forward, reason: test}"} {
		for _, test := range []struct {
			name, body string
			takes      time.Duration // an answer of the origin
			unload     bool
		}{
			{"time limit", "the page", 70 * time.Second, false},
			{"unloading", "the page", 5 * time.Second, true},
			{"nothing written", "", 0, false},
		} {
			t.Run(test.name+", address "+address, func(t *testing.T) {
				withRoute(t, staleOnError+"\nheaders: {others: vary}\naddress: "+address, func(t *testing.T, c *ruled) {
					c.origin = func(w http.ResponseWriter, r *http.Request) error {
						if err := pause(r.Context(), test.takes); err != nil || test.body == "" {
							return err
						}
						return say(200, test.body)(w, r)
					}
					var wg sync.WaitGroup
					wg.Go(func() {
						a := c.send("GET", "/")
						if a.err != nil || a.status != 200 || a.body != test.body || !a.says("detail=fill-aborted") {
							t.Errorf("%d %q, %s, %v", a.status, a.body, a.header["Cache-Status"], a.err)
						}
						onlyForbidden(t, a.header)
					})
					time.Sleep(time.Second)
					if test.unload {
						if err := c.Cleanup(); err != nil {
							t.Error(err)
						}
					}
					wg.Wait()
					synctest.Wait()
					c.idle(t)
				})
			})
		}
	}
}

// idle fails the test if a flight or memory of a fill was not given back.
func (c *ruled) idle(t *testing.T) {
	t.Helper()
	flights := c.shared.flights
	flights.mu.Lock()
	defer flights.mu.Unlock()
	if n, used := len(flights.byKey)+flights.lone, c.shared.budget.used.Load(); n != 0 || used != 0 {
		t.Errorf("%d keys are being judged, %d bytes were not given back", n, used)
	}
}

// TestRefreshOnceOnADeadOrigin: RFC 5861 §3. A refresh that fails is not tried again by
// every request that comes, with Authorization or without.
func TestRefreshOnceOnADeadOrigin(t *testing.T) {
	for _, headers := range [][]string{nil, {"Authorization", bearer}} {
		t.Run(fmt.Sprint(headers), func(t *testing.T) {
			withRoute(t, sharesAuthorized, func(t *testing.T, c *ruled) {
				c.origin = say(200, "the page", "Cache-Control", "public, max-age=60")
				c.get("/")
				time.Sleep(61 * time.Second)
				c.asked()
				c.origin = dead
				for range 20 {
					c.get("/", headers...).check(t, "stale", 200, "the page", "hit")
				}
				c.reached(t, "twenty requests in the window", 1)
			})
		})
	}
}

// panicky is the writer of a server that does not take the status.
type panicky struct{ *visitor }

func (panicky) WriteHeader(int) { panic("an invalid status") }

// TestPanicInTheVisitorsWriter: a fill whose visitor's writer panics is not left
// waiting for them to read, holding its memory and a place.
func TestPanicInTheVisitorsWriter(t *testing.T) {
	for _, test := range []struct {
		name, lines string
		status      int
	}{
		{"admissible", staleOnError, 200},
		{"refused, their own", staleOnError + "\naddress: {rule: forward, reason: test}", 99},
	} {
		t.Run(test.name, func(t *testing.T) {
			withRoute(t, test.lines, func(t *testing.T, c *ruled) {
				ended := false
				origin := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
					defer func() { ended = true }()
					w.Header().Set("Content-Type", "text/html")
					w.Header().Set("Cache-Control", "max-age=300")
					w.WriteHeader(test.status)
					for range 20 {
						if _, err := w.Write(make([]byte, 1<<20)); err != nil {
							return err
						}
					}
					return nil
				})
				panicked := func() (v any) {
					defer func() { v = recover() }()
					w := panicky{&visitor{header: make(http.Header)}}
					r := httptest.NewRequest(http.MethodGet, "/", nil)
					r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
					_ = c.ServeHTTP(w, r, origin)
					return nil
				}()
				time.Sleep(time.Hour)
				if synctest.Wait(); panicked == nil || !ended {
					t.Errorf("panic %v; an hour later the fill has ended: %t", panicked, ended)
				}
				c.idle(t)
			})
		})
	}
}

// TestErrorDoesNotReplace: RFC 9111 §4.2.4, RFC 5861 §4. An error, or a redirect without
// a Location, with a lifetime of its own, which one visitor may have provoked, does not
// take the place of a good response, fresh or stale.
func TestErrorDoesNotReplace(t *testing.T) {
	for _, test := range []struct {
		name, lines string
		status      int
		request     []string
	}{
		{"signed in", "cache: origin\nauthorization: {rule: rfc9111, reason: test}", 500, []string{"Authorization", bearer}},
		{"a header that may vary, 500", "cache: origin\nheaders: {others: vary}", 500, []string{"X-Foo", "1", "Cache-Control", "no-cache"}},
		{"a header that may vary, 400", "cache: origin\nheaders: {others: vary}", 400, []string{"X-Foo", "1", "Cache-Control", "no-cache"}},
		{"a header that may vary, 307 to nowhere", "cache: origin\nheaders: {others: vary}", 307, []string{"X-Foo", "1", "Cache-Control", "no-cache"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			withRoute(t, test.lines, func(t *testing.T, c *ruled) {
				c.origin = func(w http.ResponseWriter, r *http.Request) error {
					if r.Header[test.request[0]] != nil {
						return say(test.status, "bad", "Cache-Control", "public, max-age=60")(w, r)
					}
					return say(200, "good", "Cache-Control", "max-age=600")(w, r)
				}
				c.get("/").check(t, "fill", 200, "good", "stored")
				if a := c.get("/", test.request...); a.status != test.status {
					t.Errorf("their own: %d, %s", a.status, a.header["Cache-Status"])
				}
				c.get("/").check(t, "everybody else's", 200, "good", "hit")
			})
		})
	}
	for _, validator := range []string{"Etag", "X-None"} {
		t.Run("stale, "+validator, func(t *testing.T) {
			withRoute(t, staleOnError, func(t *testing.T, c *ruled) {
				c.origin = say(200, "good", "Cache-Control", "max-age=60", validator, `"v1"`)
				c.get("/")
				time.Sleep(61 * time.Second)
				c.origin = say(503, "down", "Cache-Control", "max-age=60")
				for range 3 {
					c.get("/").check(t, "while the origin is down", 200, "good", "hit")
					time.Sleep(10 * time.Second)
				}
			})
		})
	}
}
