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

	"github.com/caddyserver/caddy/v2"

	"github.com/cacheward/cacheward/caddymodule/store"
)

// TestUpdateThatComesTooLate: RFC 9111 §4.3.4, §4.3.5. An update is of what was stored
// when it was asked for. If that is gone by now, or another, nothing comes back.
func TestUpdateThatComesTooLate(t *testing.T) {
	for _, test := range []struct {
		name, control string // of the answer that overtakes the update
		gone          bool
	}{
		{"dropped", "private", true},
		{"replaced", "max-age=60", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
				c.origin = oldPage("v1")
				c.get("/")
				time.Sleep(61 * time.Second)
				c.origin = func(w http.ResponseWriter, r *http.Request) error {
					if r.Method == http.MethodHead {
						time.Sleep(5 * time.Second)
						return oldPage("v1", "Cache-Control", "max-age=600")(w, r)
					}
					return say(200, "v2", "Cache-Control", test.control, "Etag", `"v2"`)(w, r)
				}
				var wg sync.WaitGroup
				wg.Go(func() { c.send("HEAD", "/") })
				time.Sleep(time.Second)
				c.send("GET", "/").check(t, "overtaking", 200, "v2")
				wg.Wait()
				synctest.Wait()
				if n := c.objects(); (n == 0) != test.gone {
					t.Errorf("%d objects are stored", n)
				}
				for range 2 {
					if a := c.get("/"); a.body != "v2" {
						t.Errorf("%q, %s", a.body, a.header["Cache-Status"])
					}
				}
			})
		})
	}
}

// TestAuthorizedAnswerOvertaken: RFC 9111 §3.5, §4.3.4. The same holds for one who is
// signed in and waits for nobody.
func TestAuthorizedAnswerOvertaken(t *testing.T) {
	withRoute(t, "cache: origin\nauthorization: {rule: rfc9111, reason: test}", func(t *testing.T, c *ruled) {
		c.origin = oldPage("v1", "Cache-Control", "public, max-age=60")
		c.get("/")
		time.Sleep(61 * time.Second)
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			if r.Header["Authorization"] == nil {
				return say(200, "v2", "Cache-Control", "private")(w, r)
			}
			time.Sleep(5 * time.Second)
			return inTurn(say(304, "", "Etag", `"v1"`, "Cache-Control", "public, max-age=600"), say(200, "theirs", "Cache-Control", "private"))(w, r)
		}
		var wg sync.WaitGroup
		wg.Go(func() { c.send("GET", "/", "Authorization", bearer).check(t, "signed in", 200, "theirs") })
		time.Sleep(time.Second)
		c.send("GET", "/").check(t, "overtaking", 200, "v2")
		wg.Wait()
		synctest.Wait()
		if a := c.get("/"); a.body != "v2" || c.objects() != 0 {
			t.Errorf("%q, %s, %d objects", a.body, a.header["Cache-Status"], c.objects())
		}
	})
}

// TestHeadOfAnotherVariant: RFC 9111 §4.1, §4.3.5. A HEAD whose answer varies on what
// the stored response was not selected by says nothing of its content.
func TestHeadOfAnotherVariant(t *testing.T) {
	withRoute(t, "cache: origin\nheaders: {others: vary}", func(t *testing.T, c *ruled) {
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			return say(200, "foo="+r.Header.Get("X-Foo"), "Cache-Control", "max-age=60", "Etag", `"v1"`)(w, r)
		}
		c.get("/", "X-Foo", "1")
		time.Sleep(61 * time.Second)
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			return say(200, "foo="+r.Header.Get("X-Foo"), "Cache-Control", "max-age=60", "Vary", "X-Foo")(w, r)
		}
		c.do("HEAD", "/", "X-Foo", "2")
		for range 2 {
			c.get("/", "X-Foo", "2").check(t, "the variant", 200, "foo=2")
		}
	})
}

// TestRestrictionOutlivesAValidation: RFC 9111 §4.3.4, RFC 9213 §2.1. A 304 that leaves
// a field out changes nothing of it, also where it is one for other caches.
func TestRestrictionOutlivesAValidation(t *testing.T) {
	withRoute(t, staleOnError, func(t *testing.T, c *ruled) {
		c.origin = inTurn(say(304, "", "Etag", `"v1"`),
			say(200, "the page", "Etag", `"v1"`, "Cache-Control", "max-age=60", "Surrogate-Control", "max-age=600, must-revalidate"))
		c.get("/")
		time.Sleep(61 * time.Second)
		c.get("/").check(t, "validated", 200, "the page", "fwd-status=304")
		c.get("/").check(t, "and fresh", 200, "the page", "hit")
		time.Sleep(61 * time.Second)
		c.origin = dead
		if a := c.get("/"); a.body != "" || a.err == nil {
			t.Errorf("%q stale in spite of must-revalidate, %s, %v", a.body, a.header["Cache-Status"], a.err)
		}
	})
}

// TestNotModifiedOfAnotherDate: RFC 9111 §4.3.4. Where no entity tag says which version
// a 304 is about, its modification date does.
func TestNotModifiedOfAnotherDate(t *testing.T) {
	const older, newer = "Fri, 31 Dec 1999 10:00:00 GMT", "Fri, 31 Dec 1999 11:00:00 GMT"
	for date, ours := range map[string]bool{older: true, newer: false} {
		withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
			c.origin = say(200, "version 1", "Last-Modified", older, "Cache-Control", "max-age=60")
			c.get("/")
			time.Sleep(61 * time.Second)
			c.origin = inTurn(say(304, "", "Last-Modified", date, "Cache-Control", "max-age=60"),
				say(200, "version 2", "Last-Modified", newer, "Cache-Control", "max-age=60"))
			want := "version 2"
			if ours {
				want = "version 1"
			}
			c.get("/").check(t, date, 200, want)
			c.get("/").check(t, date+", again", 200, want)
		})
	}
}

// TestWaiterLeavesTheOldOne: RFC 9111 §4.1, §4.3.1. One who has waited and finds that
// theirs is another variant has nothing to do any more with what they found first.
func TestWaiterLeavesTheOldOne(t *testing.T) {
	const before, after = "Fri, 31 Dec 1999 10:00:00 GMT", "Fri, 31 Dec 1999 10:01:00 GMT"
	withRoute(t, staleOnError+"\nheaders: {others: vary}", func(t *testing.T, c *ruled) {
		plan := func(body string, headers ...string) func(http.ResponseWriter, *http.Request) error {
			return func(w http.ResponseWriter, r *http.Request) error {
				return say(200, body+r.Header.Get("X-Plan"), append(headers, "Cache-Control", "max-age=60")...)(w, r)
			}
		}
		c.origin = plan("old page for ", "Vary", "Accept-Language", "Last-Modified", before)
		c.get("/", "X-Plan", "gold", "Accept-Language", "en")
		time.Sleep(61 * time.Second)
		c.asked()
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			time.Sleep(time.Second)
			if r.Header.Get("X-Plan") == "free" && r.Header["If-Modified-Since"] != nil {
				return say(304, "", "Vary", "Accept-Language, X-Plan", "Cache-Control", "max-age=60", "Last-Modified", before)(w, r)
			}
			return plan("new page for ", "Vary", "Accept-Language, X-Plan", "Last-Modified", after)(w, r)
		}
		var wg sync.WaitGroup
		for _, name := range []string{"gold", "free"} {
			wg.Go(func() {
				c.send("GET", "/", "X-Plan", name, "Accept-Language", "en").check(t, name, 200, "new page for "+name)
			})
			synctest.Wait()
		}
		wg.Wait()
		synctest.Wait()
		c.get("/", "X-Plan", "free", "Accept-Language", "en").check(t, "another free", 200, "new page for free", "hit")
		for _, r := range c.asked() {
			if r.Header.Get("X-Plan") == "free" && r.Header["If-Modified-Since"] != nil {
				t.Error("the origin was asked about another variant's page")
			}
		}
	})
}

// TestInvalidatedWhileWaiting: RFC 9111 §4.2.4, §4.4. What was found first, and has been
// invalidated since, does not stand in for a failing origin.
func TestInvalidatedWhileWaiting(t *testing.T) {
	withRoute(t, staleOnError, func(t *testing.T, c *ruled) {
		c.origin = say(200, "old page", "Cache-Control", "max-age=60")
		c.get("/")
		time.Sleep(61 * time.Second)
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			if r.Method == http.MethodPost {
				return say(200, "done")(w, r)
			}
			time.Sleep(time.Second)
			if r.Header.Get("Accept-Language") == "ja" {
				return say(503, "down")(w, r)
			}
			return say(200, "new page", "Cache-Control", "max-age=60", "Vary", "Accept-Language")(w, r)
		}
		var wg sync.WaitGroup
		wg.Go(func() { c.send("GET", "/", "Accept-Language", "en").check(t, "en", 200, "new page") })
		synctest.Wait()
		wg.Go(func() {
			if a := c.send("GET", "/", "Accept-Language", "ja"); a.status != 503 || a.body != "down" {
				t.Errorf("ja: %d %q, %s", a.status, a.body, a.header["Cache-Status"])
			}
		})
		time.Sleep(1100 * time.Millisecond) // en has it, the origin has not answered ja
		c.send("POST", "/")
		wg.Wait()
	})
}

// TestRefreshWithdraws: RFC 5861 §3, RFC 9111 §5.2.2.7. A page that the origin takes
// back when it is refreshed is served no more, be it a variant or not.
func TestRefreshWithdraws(t *testing.T) {
	for _, headers := range [][]string{nil, {"Vary", "Accept-Language"}} {
		t.Run(fmt.Sprint(headers), func(t *testing.T) {
			withRoute(t, "cache: {ttl: origin, stale_while_revalidate: 10m}", func(t *testing.T, c *ruled) {
				c.origin = say(200, "old page", append(headers, "Cache-Control", "max-age=10")...)
				c.get("/", "Accept-Language", "en")
				time.Sleep(11 * time.Second)
				c.origin = say(200, "withdrawn", append(headers, "Cache-Control", "private, no-store")...)
				c.get("/", "Accept-Language", "en").check(t, "in the window", 200, "old page", "hit")
				for range 4 {
					c.get("/", "Accept-Language", "en").check(t, "after the refresh", 200, "withdrawn", "detail=private")
					time.Sleep(2 * time.Minute)
				}
			})
		})
	}
}

// longestFill is the longest time limit that a config may give.
const longestFill = store.InvalidationMemory - time.Minute

// TestInvalidationOutlivesEveryFill: RFC 9111 §4.4. The longest fill is not stored after
// an invalidation during it, however many others came meanwhile; a time limit with
// which that could not be promised is refused.
func TestInvalidationOutlivesEveryFill(t *testing.T) {
	if err := (&Handler{Limits: &Limits{FillTimeout: caddy.Duration(longestFill + 1)}}).provisionLimits(); err == nil {
		t.Errorf("a fill may take longer than %s", longestFill)
	}
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.limits.fillTimeout = longestFill
		var version atomic.Int64
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			if r.Method == http.MethodPost {
				if r.URL.Path == "/" {
					version.Add(1)
				}
				return say(200, "done")(w, r)
			}
			v := version.Load()
			if v == 0 {
				time.Sleep(longestFill - time.Second)
			}
			return say(200, fmt.Sprint("version ", v), "Cache-Control", "max-age=3600")(w, r)
		}
		c.send("POST", "/other") // what is remembered together begins here
		time.Sleep(4 * time.Minute)
		var wg sync.WaitGroup
		wg.Go(func() { c.send("GET", "/").check(t, "the slow one", 200, "version 0") })
		time.Sleep(time.Second)
		c.send("POST", "/")
		for range 3 {
			time.Sleep(time.Minute)
			c.send("POST", "/other")
		}
		wg.Wait()
		synctest.Wait()
		if got := c.logged("refuse", "reasons"); !slices.Contains(got, "[invalidated]") {
			t.Errorf("refused for %q", got)
		}
		if a := c.get("/"); a.hit() || a.body == "version 0" {
			t.Errorf("%q, %s", a.body, a.header["Cache-Status"])
		}
	})
}
