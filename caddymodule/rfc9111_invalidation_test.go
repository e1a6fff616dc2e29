package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// unsafe answers GET and HEAD with a page and everything else with one answer.
func unsafe(status int, headers ...string) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return say(status, "done", headers...)(w, r)
		}
		return say(200, "page "+r.URL.String(), "Cache-Control", "max-age=3600", "Etag", `"v1"`)(w, r)
	}
}

// keeps asks for a target again and says whether it is still stored. The second
// before is there because what is requested at the moment of an invalidation counts
// as requested before it.
func (c *ruled) keeps(target string, headers ...string) bool {
	time.Sleep(time.Second)
	c.asked()
	a := c.get(target, headers...)
	if a.hit() != (len(c.asked()) == 0) {
		c.t.Errorf("%s: %s and the origin was asked", target, a.header["Cache-Status"])
	}
	return a.hit()
}

// TestInvalidationByMethod: RFC 9111 §4.4. A request with a method that is not known
// to be safe, and no error for an answer, invalidates its URI.
func TestInvalidationByMethod(t *testing.T) {
	for _, test := range []struct {
		method  string
		status  int
		dropped bool
	}{
		{"POST", 200, true}, {"POST", 201, true}, {"POST", 204, true}, {"POST", 303, true}, {"POST", 304, true}, {"POST", 399, true},
		{"PUT", 200, true}, {"DELETE", 204, true}, {"PATCH", 200, true}, {"FROB", 200, true}, {"post", 200, true},
		{"POST", 400, false}, {"POST", 404, false}, {"POST", 500, false}, {"POST", 503, false}, {"DELETE", 405, false}, {"FROB", 501, false},
		{"OPTIONS", 200, false}, {"TRACE", 200, false}, {"HEAD", 200, false}, {"GET", 200, false},
	} {
		t.Run(fmt.Sprintf("%s %d", test.method, test.status), func(t *testing.T) {
			withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
				c.origin = unsafe(test.status)
				c.get("/x")
				c.get("/other")
				time.Sleep(time.Second)
				c.asked()
				a := c.do(test.method, "/x", "Cookie", "session=1")
				if a.err != nil || a.status != test.status {
					t.Errorf("%d, %v", a.status, a.err)
				}
				c.reached(t, "the request", 1)
				if kept := c.keeps("/x"); kept == test.dropped {
					t.Errorf("still stored: %t", kept)
				}
				if !c.keeps("/other") {
					t.Error("another URI is dropped, too")
				}
			})
		})
	}
}

// TestInvalidationOnADeadOrigin: RFC 9111 §4.4. Without an answer there is nothing to
// invalidate for.
func TestInvalidationOnADeadOrigin(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = unsafe(200)
		c.get("/x")
		c.origin = dead
		if a := c.do("POST", "/x"); a.err == nil {
			t.Error("the error is lost")
		}
		c.origin = unsafe(200)
		if !c.keeps("/x") {
			t.Error("dropped")
		}
	})
}

// TestInvalidationOfTheStoredURI: RFC 9111 §4.4. The target's URI is the one under
// which it is stored: without what the route strips, and in all of its variants.
func TestInvalidationOfTheStoredURI(t *testing.T) {
	withRoute(t, "cache: origin\nparams: {strip: [\"utm_*\"], bypass: [preview]}\nheaders: {key: [X-Plan]}\ncookies: {key: [lang]}", func(t *testing.T, c *ruled) {
		pages := unsafe(200)
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Vary", "Accept-Language")
			return pages(w, r)
		}
		all := [][]string{{"Accept-Language", "en"}, {"Accept-Language", "ja"}, {"X-Plan", "pro"}, {"Cookie", "lang=en"}, nil}
		fill := func() {
			for _, headers := range all {
				c.get("/x", headers...)
			}
			c.get("/x?b=1")
			time.Sleep(time.Second)
		}
		gone := func(what string) {
			t.Helper()
			for _, headers := range all {
				if c.keeps("/x", headers...) {
					t.Errorf("%s: %q is still stored", what, headers)
				}
			}
			if !c.keeps("/x?b=1") {
				t.Errorf("%s: another query is dropped, too", what)
			}
		}
		fill()
		for _, headers := range all {
			if !c.keeps("/x?utm_source=a", headers...) {
				t.Fatalf("%q is not stored", headers)
			}
		}
		c.do("POST", "/x?utm_source=a", "Accept-Language", "fr")
		gone("with a stripped parameter")
		fill()
		c.do("POST", "/x", "Authorization", "Bearer token", "Host", "EXAMPLE.com")
		gone("with Authorization")
	})
}

// TestInvalidationOfAnEmptyQuery: RFC 9111 §4.4. /x and /x? are two URIs.
func TestInvalidationOfAnEmptyQuery(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = unsafe(200)
		c.get("/x?")
		time.Sleep(time.Second)
		c.do("POST", "/x?")
		if c.keeps("/x?") {
			t.Error("still stored")
		}
	})
}

// TestInvalidationByReference: RFC 9111 §4.4. Location and Content-Location are
// candidates if they are of the same origin, relative ones too.
func TestInvalidationByReference(t *testing.T) {
	for _, test := range []struct {
		reference string
		dropped   bool
	}{
		{"/dir/made", true},
		{"http://example.com/dir/made", true},
		{"HTTP://Example.COM/dir/made", true},
		{"//example.com/dir/made", true},
		{"made", true},
		{"./made", true},
		{"../dir/made", true},
		{"/dir/made#part", true},
		{"made?utm_source=a", true},
		{"http://other.example/dir/made", false},
		{"//other.example/dir/made", false},
		{"https://example.com/dir/made", false},
		{"http://example.com:8080/dir/made", false},
		{"http://user@example.com/dir/made", false},
		{"http://example.com.other.example/dir/made", false},
		{"/made", false},
		{"made?b=1", false},
		{"http:made", false},
		{"http://[::1/dir/made", false},
	} {
		for _, field := range []string{"Location", "Content-Location"} {
			t.Run(field+" "+test.reference, func(t *testing.T) {
				withRoute(t, "cache: origin\nparams: {strip: [\"utm_*\"]}", func(t *testing.T, c *ruled) {
					c.origin = unsafe(201, field, test.reference)
					c.get("/dir/made")
					time.Sleep(time.Second)
					c.do("POST", "/dir/form")
					if kept := c.keeps("/dir/made"); kept == test.dropped {
						t.Errorf("still stored: %t", kept)
					}
					// An error invalidates nothing, and neither does a GET.
					c.get("/dir/made")
					c.origin = unsafe(500, field, test.reference)
					c.do("POST", "/dir/form")
					c.origin = say(200, "the page", "Cache-Control", "max-age=60", field, test.reference)
					c.get("/dir/another")
					if !c.keeps("/dir/made") {
						t.Error("dropped by an error or by a GET")
					}
				})
			})
		}
	}
}

// TestInvalidationAnywhere: RFC 9111 §4.4. An unsafe request invalidates on whatever
// route it comes: one that never caches, only observes, or has other rules.
func TestInvalidationAnywhere(t *testing.T) {
	const pages = "  - name: pages\n    match: {paths: [\"/*\"]}\n    cache: origin\n"
	for _, test := range []struct{ name, route, target string }{
		{"never, the same path", "match: {paths: [\"/*\"], methods: [POST]}\n    cache: never", "/x"},
		{"never", "match: {paths: [/form]}\n    cache: never", "/form"},
		{"observed", "match: {paths: [/form]}\n    cache: origin\n    mode: observe", "/form"},
		{"duration", "match: {paths: [/form]}\n    cache: 1m", "/form"},
	} {
		t.Run(test.name, func(t *testing.T) {
			withRoutes(t, "  - name: changes\n    "+test.route+"\n"+pages, func(t *testing.T, c *ruled) {
				c.origin = unsafe(200, "Location", "/x")
				c.get("/x")
				time.Sleep(time.Second)
				c.do("POST", test.target)
				if c.keeps("/x") {
					t.Error("still stored")
				}
			})
		})
	}
}

// TestInvalidationOfAFillUnderWay: RFC 9111 §4.4. What was asked for before the
// change is not stored after it.
func TestInvalidationOfAFillUnderWay(t *testing.T) {
	for _, lines := range []string{"cache: origin", "cache: 1h"} {
		t.Run(lines, func(t *testing.T) {
			withRoute(t, lines, func(t *testing.T, c *ruled) {
				var changed atomic.Bool
				c.origin = func(w http.ResponseWriter, r *http.Request) error {
					if r.Method == http.MethodPost {
						changed.Store(true)
						return say(200, "done")(w, r)
					}
					version := "old"
					if changed.Load() {
						version = "new"
					}
					answer := say(200, version, "Cache-Control", "max-age=3600")
					time.Sleep(10 * time.Second)
					return answer(w, r)
				}
				var wg sync.WaitGroup
				for range 2 {
					wg.Go(func() {
						if a := c.send("GET", "/x"); a.body != "old" && a.body != "new" {
							t.Errorf("%q, %v", a.body, a.err)
						}
					})
				}
				time.Sleep(5 * time.Second)
				c.send("POST", "/x")
				wg.Wait()
				synctest.Wait()
				if n := c.objects(); n != 0 {
					t.Errorf("%d objects are stored", n)
				}
				if got := c.logged("refuse", "reasons"); !slices.Contains(got, "[invalidated]") {
					t.Errorf("refused for %q", got)
				}
				c.get("/x").check(t, "the next", 200, "new", "fwd=uri-miss")
				c.get("/x").check(t, "and the one after", 200, "new", "hit")
			})
		})
	}
}

// TestInvalidationOfAValidationUnderWay: RFC 9111 §4.4. A 304 for a request from
// before the change does not bring the old response back.
func TestInvalidationOfAValidationUnderWay(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = oldPage("old")
		c.get("/x")
		time.Sleep(61 * time.Second)
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			switch {
			case r.Method == http.MethodPost:
				return say(200, "done")(w, r)
			case r.Header.Get("If-None-Match") != "":
				time.Sleep(10 * time.Second)
				return say(304, "", "Etag", `"v1"`, "Cache-Control", "max-age=3600")(w, r)
			}
			return say(200, "new", "Cache-Control", "max-age=3600")(w, r)
		}
		var wg sync.WaitGroup
		wg.Go(func() { c.send("GET", "/x").check(t, "while it changed", 200, "new") })
		time.Sleep(5 * time.Second)
		c.send("POST", "/x")
		wg.Wait()
		synctest.Wait()
		if n := c.objects(); n != 0 {
			t.Errorf("%d objects are stored", n)
		}
		c.get("/x").check(t, "the next", 200, "new")
	})
}

// TestInvalidationByGroup: RFC 9875 §3. The answer to an unsafe request may name
// groups, of its own origin.
func TestInvalidationByGroup(t *testing.T) {
	for _, test := range []struct {
		name, method, host string
		status             int
		groups             string
		dropped            []string
	}{
		{"one group", "POST", "example.com", 200, `"a"`, []string{"/a", "/ab"}},
		{"two groups", "DELETE", "example.com", 204, `"a", "b"`, []string{"/a", "/b", "/ab"}},
		{"letters count", "POST", "example.com", 200, `"A"`, nil},
		{"no strings", "POST", "example.com", 200, `a`, nil},
		{"another origin", "POST", "other.example", 200, `"a"`, nil},
		{"an error", "POST", "example.com", 500, `"a"`, nil},
		{"a GET", "GET", "example.com", 200, `"a"`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
				pages := map[string]string{"/a": `"a"`, "/b": `"b"`, "/ab": `"a", "b"`, "/none": ""}
				c.origin = func(w http.ResponseWriter, r *http.Request) error {
					return say(200, "the page", "Cache-Control", "max-age=3600", "Cache-Groups", pages[r.URL.Path])(w, r)
				}
				for target := range pages {
					c.get(target)
				}
				time.Sleep(time.Second)
				pagesOrigin := c.origin
				c.origin = say(test.status, "done", "Cache-Group-Invalidation", test.groups)
				c.do(test.method, "/changes", "Host", test.host)
				c.origin = pagesOrigin
				for target := range pages {
					if kept := c.keeps(target); kept == slices.Contains(test.dropped, target) {
						t.Errorf("%s is still stored: %t", target, kept)
					}
				}
			})
		})
	}
}
