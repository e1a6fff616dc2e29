package caddymodule

import (
	"testing"
	"time"
)

// TestTargetedFields: RFC 9213 §2. Which field governs, in both orders, and for how
// long (nought: nothing is stored, for the reason).
func TestTargetedFields(t *testing.T) {
	for _, test := range []struct {
		name            string
		headers         []string
		refusal         time.Duration // refusal-first
		reason          string
		target          time.Duration // rfc9213
		targetsReason   string
		hitCacheControl string // under downstream: origin
	}{
		{"longer than Cache-Control", []string{"Cache-Control", "max-age=10", "CDN-Cache-Control", "max-age=600"}, 600, "", 600, "", "max-age=10"},
		{"shorter", []string{"Cache-Control", "max-age=600", "CDN-Cache-Control", "max-age=10"}, 10, "", 10, "", "max-age=10"},
		{"alone", []string{"CDN-Cache-Control", "max-age=60"}, 60, "", 60, "", "private, no-store"},
		{"with parameters", []string{"CDN-Cache-Control", "max-age=60;foo=bar, public"}, 60, "", 60, "", "private, no-store"},
		{"Age applies", []string{"CDN-Cache-Control", "max-age=60", "Age", "50"}, 10, "", 10, "", "private, no-store"},
		{"Expires does not count", []string{"CDN-Cache-Control", "max-age=60", "Expires", "0"}, 60, "", 60, "", ""},
		{"beside no-store", []string{"Cache-Control", "no-store", "CDN-Cache-Control", "max-age=60"}, 0, "no-store", 60, "", "no-store"},
		{"beside private", []string{"Cache-Control", "private", "CDN-Cache-Control", "max-age=60"}, 0, "private", 60, "", "private"},
		{"refuses with no-store", []string{"Cache-Control", "max-age=60", "CDN-Cache-Control", "no-store"}, 0, "no-store", 0, "no-store", ""},
		{"refuses with private", []string{"Cache-Control", "public, max-age=60", "CDN-Cache-Control", "max-age=60, private"}, 0, "private", 0, "private", ""},
		{"refuses with nought", []string{"Cache-Control", "max-age=60", "CDN-Cache-Control", "max-age=0"}, 0, "not-fresh", 0, "not-fresh", ""},
		{"malformed", []string{"Cache-Control", "max-age=60", "CDN-Cache-Control", "max-age=600, ="}, 60, "", 60, "", "max-age=60"},
		{"malformed and alone", []string{"CDN-Cache-Control", "max-age=600, ="}, 0, "not-explicit", 0, "not-explicit", ""},
		{"a string for a number", []string{"CDN-Cache-Control", `max-age="60"`}, 0, "not-explicit", 0, "not-explicit", ""},
		{"malformed, and refuses", []string{"Cache-Control", "max-age=60", "CDN-Cache-Control", "no-store, ="}, 0, "no-store", 0, "no-store", ""},
		{"empty", []string{"Cache-Control", "max-age=60", "CDN-Cache-Control", ""}, 60, "", 60, "", "max-age=60"},
		{"for another cache", []string{"Cache-Control", "max-age=10", "Other-Cache-Control", "max-age=600"}, 10, "", 10, "", "max-age=10"},
		{"another cache's alone", []string{"Other-Cache-Control", "max-age=600"}, 0, "not-explicit", 0, "not-explicit", ""},
		{"refuses to another cache", []string{"Cache-Control", "max-age=60", "Other-Cache-Control", "no-store"}, 0, "no-store", 0, "no-store", ""},
	} {
		for _, order := range []string{"refusal-first", "rfc9213"} {
			t.Run(test.name+", "+order, func(t *testing.T) {
				withRoute(t, "cache: origin\ntargeted: {order: "+order+"}\ndownstream: origin", func(t *testing.T, c *ruled) {
					life, reason := test.refusal, test.reason
					if order == "rfc9213" {
						life, reason = test.target, test.targetsReason
					}
					c.origin = say(200, "the page", test.headers...)
					first := c.get("/")
					if life == 0 {
						first.check(t, "refused", 200, "the page", "detail="+reason)
						if n := c.objects(); n != 0 {
							t.Errorf("%d objects are stored", n)
						}
						if first.header.Get("Cdn-Cache-Control") == "max-age=60" {
							t.Errorf("a permission for this cache is passed on: %v", first.header)
						}
						// A refusal goes on to the next cache that reads it.
						if reason == "no-store" && test.headers[3] == "no-store" && first.header.Get(test.headers[2]) != "no-store" {
							t.Errorf("the refusal is not passed on: %v", first.header)
						}
						return
					}
					first.check(t, "fill", 200, "the page", "stored")
					time.Sleep((life - 1) * time.Second)
					a := c.get("/")
					a.check(t, "hit", 200, "the page", "hit", "ttl=1")
					if test.hitCacheControl != "" && a.header.Get("Cache-Control") != test.hitCacheControl {
						t.Errorf("Cache-Control %q, want %q", a.header["Cache-Control"], test.hitCacheControl)
					}
					for _, name := range []string{"Cdn-Cache-Control", "Other-Cache-Control"} {
						if first.header[name] != nil || a.header[name] != nil {
							t.Errorf("%s is passed on: %v, %v", name, first.header, a.header)
						}
					}
					time.Sleep(time.Second)
					if a := c.get("/"); a.hit() {
						t.Errorf("after its lifetime: %s", a.header["Cache-Status"])
					}
				})
			})
		}
	}
}

// TestTargetList: RFC 9213 §2.2. Of several targets the first that is there and
// valid governs.
func TestTargetList(t *testing.T) {
	for _, test := range []struct {
		headers []string
		ttl     string
	}{
		{[]string{"Our-Cache-Control", "max-age=20", "CDN-Cache-Control", "max-age=600"}, "ttl=20"},
		{[]string{"Our-Cache-Control", "max-age=600", "CDN-Cache-Control", "max-age=20"}, "ttl=600"},
		{[]string{"Our-Cache-Control", "", "CDN-Cache-Control", "max-age=20"}, "ttl=20"},
		{[]string{"CDN-Cache-Control", "max-age=20"}, "ttl=20"},
		{[]string{"Cache-Control", "max-age=20"}, "ttl=20"},
	} {
		withRoute(t, "cache: origin\ntargeted: {fields: [Our-Cache-Control, CDN-Cache-Control], order: rfc9213}", func(t *testing.T, c *ruled) {
			c.origin = say(200, "the page", test.headers...)
			c.get("/")
			c.get("/").check(t, test.headers[1], 200, "the page", "hit", test.ttl)
		})
	}
}

// TestTargetSurvivesAValidation: RFC 9111 §4.3.4, RFC 9213 §2.2. A 304 that leaves
// the targeted field out does not take it away; one that has it changes it.
func TestTargetSurvivesAValidation(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = say(200, "the page", "Etag", `"v1"`, "Cache-Control", "max-age=10", "CDN-Cache-Control", "max-age=100")
		c.get("/")
		time.Sleep(101 * time.Second)
		c.origin = say(304, "", "Etag", `"v1"`)
		c.get("/").check(t, "left out", 200, "the page", "fwd-status=304", "ttl=100")
		time.Sleep(101 * time.Second)
		c.origin = say(304, "", "Etag", `"v1"`, "CDN-Cache-Control", "max-age=50")
		c.get("/").check(t, "changed", 200, "the page", "fwd-status=304", "ttl=50")
		time.Sleep(51 * time.Second)
		c.origin = say(304, "", "Etag", `"v1"`)
		c.get("/").check(t, "left out again", 200, "the page", "fwd-status=304", "ttl=50")
	})
}
