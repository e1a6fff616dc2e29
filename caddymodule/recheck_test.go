package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// withdrawals counts the loud records of pages that are shared no more.
func (c *ruled) withdrawals() int { return len(c.logged("withdraw", "object")) }

// TestPageThatBeginsToDiffer: a page was shareable and begins to hold something for
// each visitor. It is noticed at the next fill, dropped, refused from then on, and said
// aloud; whoever makes only their own answer differ achieves nothing of that.
func TestPageThatBeginsToDiffer(t *testing.T) {
	var n atomic.Int64
	personal := rendered(func(w io.Writer, _ *http.Request) {
		fmt.Fprintf(w, `<p>the page</p><input name="lead" value="%d">`, n.Add(1))
	})
	steady := say(200, "<p>the page</p>")
	for _, tt := range []struct {
		name, route string
		after       time.Duration
	}{
		{"by a visitor", "cache: 5m", 6 * time.Minute},
		{"in the background", "cache: {ttl: 5m, stale_while_revalidate: 1h}", 6 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withRoute(t, tt.route, func(t *testing.T, c *ruled) {
				c.origin = steady
				c.get("/")
				if a := c.get("/"); !a.hit() {
					t.Fatal(a.header)
				}
				before := c.metrics.route("page").withdrawn.Load()
				c.origin = personal
				time.Sleep(tt.after)
				c.get("/")
				if c.withdrawals() != 1 || c.objects() != 0 {
					t.Fatalf("%d withdrawals, %d objects", c.withdrawals(), c.objects())
				}
				has(t, "divergence", c.object("withdraw", "divergence"), "class", "counter", "near", "input lead")
				if id := last(c.logged("withdraw", "object")); id == "" || id != c.logged("store", "object")[0] {
					t.Errorf("the object is %q", id)
				}
				if got := c.metrics.route("page").withdrawn.Load(); got != before+1 {
					t.Errorf("the metric went from %d to %d", before, got)
				}
				if c.logs.FilterMessageSnippet("is so no more").Len() != 1 {
					t.Error("nobody was told")
				}
				// Refused from then on, for longer each time, and told of once.
				for range 3 {
					c.get("/")
					time.Sleep(time.Minute)
				}
				if c.withdrawals() != 1 || c.objects() != 0 {
					t.Errorf("%d withdrawals, %d objects", c.withdrawals(), c.objects())
				}
			})
		})
	}
	t.Run("only for one visitor", func(t *testing.T) {
		withRoute(t, "cache: 5m\nparams: {others: strip}", func(t *testing.T, c *ruled) {
			c.origin = func(w http.ResponseWriter, r *http.Request) error {
				return say(200, "<p>the page</p>"+r.URL.Query().Get("x"))(w, r)
			}
			c.get("/")
			time.Sleep(6 * time.Minute)
			c.get("/?x=made-by-me")
			if c.withdrawals() != 0 {
				t.Error("a visitor had a page withdrawn")
			}
			time.Sleep(visitorRefusal + time.Second)
			c.get("/")
			if a := c.get("/"); !a.hit() {
				t.Error(a.header)
			}
		})
	})
}

// TestRecheck: hits are held against the origin in the background.
func TestRecheck(t *testing.T) {
	var n atomic.Int64
	stored := say(200, "<p>old</p>", "Cache-Control", "public, max-age=600")
	for _, tt := range []struct {
		name   string
		then   caddyhttp.HandlerFunc
		fills  int
		result string
		kept   bool
	}{
		{"nothing new", stored, 1, recheckSame, true},
		{"new content", say(200, "<p>new</p>", "Cache-Control", "public, max-age=600"), 2, recheckChanged, true},
		{"a page for each", rendered(func(w io.Writer, _ *http.Request) { fmt.Fprintf(w, "<p>old</p><i id=%d>", n.Add(1)) }, "Cache-Control", "public, max-age=600"), 2, recheckWithdrawn, false},
		{"private now", say(200, "<p>old</p>", "Cache-Control", "private"), 1, recheckWithdrawn, false},
		{"a cookie now", say(200, "<p>old</p>", "Cache-Control", "public, max-age=600", "Set-Cookie", "a=b"), 1, recheckWithdrawn, false},
		{"an error", say(500, "sorry"), 1, recheckFailed, true},
		{"too many requests", say(429, "sorry"), 1, recheckFailed, true},
		{"dead", dead, 1, recheckFailed, true},
	} {
		for _, route := range []string{"cache: 5m", "cache: origin"} {
			t.Run(route+" "+tt.name, func(t *testing.T) {
				withRoute(t, route+"\nrecheck: 100%\non_leak: warn", func(t *testing.T, c *ruled) {
					c.origin = stored
					c.get("/", "Cookie", "")
					c.asked()
					c.origin = tt.then
					before := counted(rechecksFamily, "page", tt.result)
					a := c.get("/")
					if !a.hit() || a.body != "<p>old</p>" {
						t.Fatalf("%v", a.header)
					}
					for _, r := range c.reached(t, "the recheck", tt.fills) {
						if !canonical(r) || r.Header.Get("If-None-Match") != "" {
							t.Errorf("it was asked %v", r.Header)
						}
					}
					if got := counted(rechecksFamily, "page", tt.result); got != before+1 {
						t.Errorf("%s went from %d to %d", tt.result, before, got)
					}
					if kept := c.objects() == 1; kept != tt.kept || (c.withdrawals() == 0) != tt.kept {
						t.Errorf("kept %t, %d withdrawals", kept, c.withdrawals())
					}
					if a := c.get("/"); a.hit() != tt.kept {
						t.Errorf("afterwards: %s", a.header["Cache-Status"])
					}
				})
			})
		}
	}
}

// TestRecheckIsSampled: the share holds, roughly, and no recheck waits for another.
func TestRecheckIsSampled(t *testing.T) {
	withRoute(t, "cache: 24h\nrecheck: 10%", func(t *testing.T, c *ruled) {
		c.origin = say(200, "<p>page</p>")
		c.get("/")
		c.asked()
		const hits = 1000
		for range hits {
			c.get("/")
		}
		// With 1,000 draws at 10 % it is within these by more than 9 deviations.
		if n := len(c.asked()); n < 10 || n > 200 {
			t.Errorf("%d rechecks of %d hits", n, hits)
		}
	})
	withRoute(t, "cache: 24h\nrecheck: 100%", func(t *testing.T, c *ruled) {
		c.origin = say(200, "<p>page</p>")
		c.get("/")
		c.asked()
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			if err := pause(r.Context(), time.Second); err != nil {
				return err
			}
			return say(200, "<p>page</p>")(w, r)
		}
		for range 50 {
			c.send(http.MethodGet, "/")
		}
		time.Sleep(10 * time.Second)
		c.reached(t, "50 hits at once", 1)
	})
}

// TestRecheckIsNobodys: nothing of the visitor whose hit it was goes along.
func TestRecheckIsNobodys(t *testing.T) {
	withRoute(t, "cache: origin\nheaders: {others: vary}\nrecheck: 100%", func(t *testing.T, c *ruled) {
		c.origin = say(200, "<p>page</p>", "Cache-Control", "max-age=600", "Vary", "Accept-Language")
		c.get("/", "Accept-Language", "ja", "X-Mine", "secret-of-mine")
		c.asked()
		if a := c.get("/", "Accept-Language", "ja", "X-Mine", "secret-of-mine"); !a.hit() {
			t.Fatal(a.header)
		}
		r := c.reached(t, "the recheck", 1)[0]
		if r.Header.Get("Accept-Language") != "ja" || strings.Contains(fmt.Sprint(r.Header, r.RemoteAddr), "secret-of-mine") || strings.HasPrefix(r.RemoteAddr, "203.") {
			t.Errorf("it was asked %v from %s", r.Header, r.RemoteAddr)
		}
	})
}
