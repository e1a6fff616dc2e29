package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// told is what caches were told in the fields of an answer, one a line.
func told(h http.Header) string {
	var all []string
	for _, name := range permissions {
		for _, line := range h.Values(name) {
			all = append(all, name+": "+line)
		}
	}
	return strings.Join(all, "\n")
}

// TestRelayRestrictsAll: RFC 9213 §2.2, with downstream: origin. What one field refuses or
// shortens no other field gives to caches further on: not with the fill, not with a hit
// whose targeted fields were taken from it when it was stored, and not with an answer that
// is the visitor's own.
func TestRelayRestrictsAll(t *testing.T) {
	const ours = "\ntargeted: {fields: [Our-Cache-Control, CDN-Cache-Control], order: rfc9213}"
	for _, test := range []struct {
		name, lines string
		headers     []string
		stored      bool
		want        string
	}{
		{
			"a target refuses and is less specific", ours,
			[]string{"Our-Cache-Control", "max-age=600", "CDN-Cache-Control", "no-store", "Cache-Control", "public, max-age=60"},
			true, "Cache-Control: private, max-age=60\nCDN-Cache-Control: no-store",
		},
		{
			"a target is shorter", "",
			[]string{"Surrogate-Control", "max-age=9", "Cache-Control", "public, max-age=60, stale-while-revalidate=60"},
			true, "Cache-Control: public, max-age=9",
		},
		{
			"a target is shorter, corroborated", "\nadmission: corroborated",
			[]string{"Surrogate-Control", "max-age=9", "Cache-Control", "public, max-age=60"},
			true, "Cache-Control: public, max-age=9",
		},
		{
			"a target refuses", "",
			[]string{"CDN-Cache-Control", "private", "Cache-Control", "public, max-age=60"},
			false, "Cache-Control: private, max-age=60\nCDN-Cache-Control: no-store",
		},
		{
			"X-Accel-Expires refuses", "",
			[]string{"X-Accel-Expires", "0", "Surrogate-Control", "max-age=600", "Cache-Control", "public, s-maxage=60"},
			false, "Cache-Control: private\nX-Accel-Expires: 0",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			withRoute(t, relaysAll+test.lines, func(t *testing.T, c *ruled) {
				c.origin = say(200, "the page", test.headers...)
				check := func(what string, a reply, hit bool) {
					t.Helper()
					if a.err != nil || a.hit() != hit {
						t.Fatalf("%s: %s, %v", what, a.header["Cache-Status"], a.err)
					}
					want := test.want
					if what == "corroborated fill" {
						want = "Cache-Control: private, no-store\nCDN-Cache-Control: no-store"
					}
					if got := told(a.header); got != want {
						t.Errorf("%s: caches are told\n%s\nwant\n%s", what, got, want)
					}
				}
				first := "fill"
				if strings.Contains(test.lines, "corroborated") {
					first = "corroborated fill"
				}
				check(first, c.get("/"), false)
				check("another", c.get("/"), test.stored)
				if test.stored {
					check("HEAD", c.do(http.MethodHead, "/"), true)
					check("a part", c.get("/", "Range", "bytes=0-2"), true)
				}
			})
		})
	}
}

// TestRelayOfAnUpdate: RFC 9111 §4.3.4. A 304 that says a shorter time to other caches says
// it of what is stored.
func TestRelayOfAnUpdate(t *testing.T) {
	withRoute(t, relaysAll, func(t *testing.T, c *ruled) {
		c.origin = say(200, "the page", "Etag", `"v1"`, "Cache-Control", "max-age=60")
		c.get("/")
		time.Sleep(61 * time.Second)
		c.origin = say(304, "", "Etag", `"v1"`, "Cache-Control", "max-age=60", "Surrogate-Control", "max-age=9")
		for _, what := range []string{"fwd-status=304", "hit"} {
			a := c.get("/")
			if a.check(t, what, 200, "the page", what); told(a.header) != "Cache-Control: max-age=9" {
				t.Errorf("%s: caches are told %s", what, told(a.header))
			}
		}
	})
}

// TestRelayedPrivacyOfOwnAnswers: an answer that a visitor's own request got, with what the
// key has not, is no shared cache's if any field says so, whichever the cache reads.
func TestRelayedPrivacyOfOwnAnswers(t *testing.T) {
	for _, field := range []string{"CDN-Cache-Control", "Surrogate-Control", "Cloudflare-CDN-Cache-Control", "Edge-Control"} {
		withRoute(t, relaysAll+"\nparams: {others: strip}", func(t *testing.T, c *ruled) {
			c.origin = func(w http.ResponseWriter, r *http.Request) error {
				return say(200, fmt.Sprint("for ", r.URL.Query().Get("ref")), "Cache-Control", "public, max-age=60", field, "private")(w, r)
			}
			for range 2 {
				a := c.get("/?ref=alice")
				if a.body != "for alice" {
					t.Fatalf("%q", a.body)
				}
				if got := a.header.Get("Cache-Control"); !strings.Contains(got, "private") {
					t.Errorf("%s: private, and Cache-Control is %q", field, got)
				}
			}
		})
	}
}
