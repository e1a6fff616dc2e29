package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/store"
)

// TestObservedAnswerOfATrippedRoute: what was under way on a route that observes when it
// was tripped leaves without permission, however its head is sent.
func TestObservedAnswerOfATrippedRoute(t *testing.T) {
	for name, write := range map[string]func(w http.ResponseWriter){
		"head":  func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK); _, _ = io.WriteString(w, "the page") },
		"body":  func(w http.ResponseWriter) { _, _ = io.WriteString(w, "the page") },
		"flush": func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			withRoute(t, "cache: origin\nmode: observe\ndownstream: origin", func(t *testing.T, c *ruled) {
				tripped := false
				c.origin = func(w http.ResponseWriter, _ *http.Request) error {
					if tripped {
						c.Handler.trip(control.Tripped{Route: "page", Since: time.Now(), Why: "a test"})
					}
					w.Header().Set("Cache-Control", "public, max-age=600")
					write(w)
					return nil
				}
				if a := c.get("/"); a.header.Get("Cache-Control") != "public, max-age=600" {
					t.Fatalf("observing has changed %v", a.header)
				}
				tripped = true
				if a := c.get("/"); a.header.Get("Cache-Control") != "private, no-store" {
					t.Errorf("after the trip the answer has %v", a.header)
				}
				if !processSections.settle(patience) {
					t.Error("the request is still counted")
				}
			})
		})
	}
}

// interruptedHead is a writer whose header is first asked for when something else has
// happened.
type interruptedHead struct {
	*httptest.ResponseRecorder
	before func()
}

func (w *interruptedHead) Header() http.Header {
	if w.before != nil {
		w.before()
		w.before = nil
	}
	return w.ResponseRecorder.Header()
}

// TestPurgedFillHasNoPermission: a fill that became an object, and was purged before its
// visitor was given it, does not let caches further on keep it.
func TestPurgedFillHasNoPermission(t *testing.T) {
	for _, purged := range []bool{false, true} {
		withRoute(t, "cache: origin\ndownstream: origin", func(t *testing.T, c *ruled) {
			c.origin = say(200, "<p>the page</p>", "Cache-Control", "public, max-age=600")
			w := &interruptedHead{ResponseRecorder: httptest.NewRecorder()}
			if purged {
				w.before = c.purgeAll
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("User-Agent", "visitor")
			r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
			if err := c.ServeHTTP(w, r, caddyhttp.HandlerFunc(c.next)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if w.before != nil {
				t.Fatal("it was not purged")
			}
			if got := w.Result().Header.Get("Cache-Control"); (got == "private, no-store") != purged {
				t.Errorf("purged: %t, and Cache-Control is %q", purged, got)
			}
		})
	}
}

// TestPurgeOutlastsAHangingOrigin: an object that a request holds, for the case that the
// origin fails, is not served when it was purged so long ago that the purge may be
// forgotten.
func TestPurgeOutlastsAHangingOrigin(t *testing.T) {
	withRoute(t, "cache: {ttl: 1m, stale_if_error: 1h}", func(t *testing.T, c *ruled) {
		c.origin = say(200, "<p>the page</p>")
		c.get("/")
		time.Sleep(2 * time.Minute)
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			if canonical(r) {
				return say(503, "down")(w, r)
			}
			for _, path := range []string{"example.com/", "example.org/"} {
				if _, err := c.shared.store.Purge(store.Selection{URI: path}, false); err != nil {
					t.Error(err)
				}
				time.Sleep(store.InvalidationMemory + time.Second)
			}
			return say(503, "down")(w, r)
		}
		if a := c.get("/"); a.status != 503 || a.body != "down" {
			t.Errorf("got %d %q", a.status, a.body)
		}
	})
}

// TestLeakOfOneVariantTrips: where only one variant of a page holds a visitor's state, it
// is that variant which the origin is asked for again.
func TestLeakOfOneVariantTrips(t *testing.T) {
	withRoute(t, "cache: origin\nheaders: {others: vary}\nrecheck: 100%", func(t *testing.T, c *ruled) {
		const page = "<p>page</p>"
		headers := []string{"Cache-Control", "max-age=600", "Vary", "Accept-Language"}
		c.origin = say(200, page, headers...)
		c.get("/", "Accept-Language", "ja")
		leak := 0
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			if r.Header.Get("Accept-Language") != "ja" {
				return say(200, page, headers...)(w, r)
			}
			leak++
			return say(200, fmt.Sprintf(`%s<form><input type="hidden" name="csrf_token" value="%032x"></form>`, page, leak*0x9e3779b97f4a7c1), headers...)(w, r)
		}
		if a := c.get("/", "Accept-Language", "ja"); !a.hit() {
			t.Fatal(a.header)
		}
		if c.withdrawals() != 1 {
			t.Fatalf("%d withdrawals", c.withdrawals())
		}
		if !c.breaker.tripped("page") {
			t.Error("the route was not tripped")
		}
	})
}

// TestPurgeOfARewrittenURL: where the path is rewritten before the handler, a URL is purged
// as visitors know it, with parameters that the route strips.
func TestPurgeOfARewrittenURL(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "the page") })
	e := startEdge(t, fmt.Sprintf(`rewrite /seen /app/seen
	cacheward {
		route page {
			path /app/*
			cache 5m
			param key page
			param strip ref
		}
	}
	reverse_proxy %s`, origin))
	for _, target := range []string{"/seen?ref=mail", "/seen?page=2&ref=mail"} {
		eventually(t, "the page", func() bool { return e.ok(target).hit() })
		done, err := purge(theHandlers(t), control.Purge{URL: "http://example.com" + target})
		if err != nil || done.Removed != 1 {
			t.Errorf("%s: %+v %v", target, done, err)
		}
		if e.ok(target).hit() {
			t.Errorf("%s is served from the store", target)
		}
	}
}

// TestSoftlyPurgedHasNoPermission: what the origin said when its page was stored does not
// let caches further on take it for fresh once it was purged, softly, here.
func TestSoftlyPurgedHasNoPermission(t *testing.T) {
	withRoute(t, "cache: origin\ndownstream: origin", func(t *testing.T, c *ruled) {
		c.origin = say(200, "<p>the page</p>", "Cache-Control", "public, max-age=600, stale-while-revalidate=60")
		c.get("/")
		if a := c.get("/"); !a.hit() || !strings.Contains(a.header.Get("Cache-Control"), "max-age=600") {
			t.Fatal(a.header)
		}
		if _, err := purge([]*Handler{c.Handler}, control.Purge{Route: "page", Soft: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		c.origin = say(200, "<p>the new page</p>", "Cache-Control", "public, max-age=600")
		if a := c.get("/"); a.body != "<p>the page</p>" || a.header.Get("Cache-Control") != "private, no-store" {
			t.Errorf("%q %v", a.body, a.header)
		}
		if a := c.get("/"); a.body != "<p>the new page</p>" || !strings.Contains(a.header.Get("Cache-Control"), "max-age=600") {
			t.Errorf("afterwards: %q %v", a.body, a.header)
		}
	})
}
