package caddymodule

import (
	"strings"
	"testing"
	"time"
)

// TestNoTransformOnAHit: RFC 9111 §5.2.2.6. What the origin forbids intermediaries to change,
// those further on may not change either, whatever else they are told.
func TestNoTransformOnAHit(t *testing.T) {
	for _, test := range []struct {
		name, route string
		age         time.Duration
		fields      []string
		want        string // Cache-Control
	}{
		{"forbidden", "cache: origin", 0, nil, "private, no-store"},
		{"permitted", "cache: origin\ndownstream: 30s", 0, nil, "public, max-age=0, must-revalidate"},
		{"browsers", "cache: origin\ndownstream: {ttl: 30s, browser: 10s}", 0, nil, "public, max-age=10"},
		{"in Cache-Control", "cache: origin\ndownstream: {ttl: 30s, profile: nginx}", 0, nil, "public, max-age=0, must-revalidate, s-maxage=30"},
		{"held", "cache: {ttl: 1m, stale_while_revalidate: 1h}\ndownstream: 30s", 0, nil, "public, max-age=0, must-revalidate"},
		{"stale", "cache: {ttl: 1m, stale_while_revalidate: 1h}\ndownstream: 30s", 61 * time.Second, nil, "private, no-store"},
		{"not modified", "cache: origin\ndownstream: 30s", 0, []string{"If-None-Match", `"v1"`}, "public, max-age=0, must-revalidate"},
		{"relayed", "cache: origin\ndownstream: origin", 0, nil, "max-age=60"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, ask := range []struct{ method, said string }{{"GET", ""}, {"GET", ", no-transform"}, {"HEAD", ", no-transform"}} {
				withRoute(t, test.route, func(t *testing.T, c *ruled) {
					c.origin = say(200, "the page", "Cache-Control", "max-age=60"+ask.said, "Etag", `"v1"`)
					c.get("/")
					time.Sleep(test.age)
					a := c.do(ask.method, "/", test.fields...)
					if got := strings.Join(a.header["Cache-Control"], "|"); !a.hit() || got != test.want+ask.said {
						t.Errorf("%s: Cache-Control %q, want %q; %q", ask.method, got, test.want+ask.said, a.header["Cache-Status"])
					}
				})
			}
		})
	}
}

// TestNoTransformOfA304: RFC 9111 §4.3.4. The answer that updates what is stored has the last word.
func TestNoTransformOfA304(t *testing.T) {
	withRoute(t, "cache: origin\ndownstream: 30s", func(t *testing.T, c *ruled) {
		c.origin = say(200, "the page", "Cache-Control", "max-age=60", "Etag", `"v1"`)
		c.get("/")
		time.Sleep(61 * time.Second)
		c.origin = say(304, "", "Cache-Control", "max-age=60, no-transform", "Etag", `"v1"`)
		c.get("/")
		a := c.get("/")
		a.check(t, "updated", 200, "the page", "hit")
		if got := a.header.Get("Cache-Control"); got != "public, max-age=0, must-revalidate, no-transform" {
			t.Errorf("Cache-Control %q", got)
		}
	})
}
