package caddymodule

import (
	"strings"
	"testing"
	"time"
)

// TestRelay: RFC 9111 §5.2.2, with downstream: origin. What caches further on are
// told when a response is filled, and when it is a hit ("" where there is none).
func TestRelay(t *testing.T) {
	const forbidden = "private, no-store"
	for _, test := range []struct {
		name      string
		headers   []string
		fill, hit string // Cache-Control
	}{
		{"a permission", []string{"Cache-Control", "public, max-age=60, s-maxage=120"}, "public, max-age=60, s-maxage=120", "public, max-age=60, s-maxage=120"},
		{"two lines", []string{"Cache-Control", "public", "Cache-Control", "max-age=60"}, "public|max-age=60", "public|max-age=60"},
		{"Expires alone", []string{"Expires", "Sat, 01 Jan 2000 00:01:00 GMT"}, "", ""},
		{"private", []string{"Cache-Control", "private, max-age=60"}, "private, max-age=60", ""},
		{"no-store", []string{"Cache-Control", "no-store"}, "no-store", ""},
		{"no-cache without a validator", []string{"Cache-Control", "no-cache"}, forbidden, ""}, // the visitor's own, and they sent an address,
		{"silence", nil, forbidden, ""},
		{"an empty field", []string{"Cache-Control", ""}, forbidden, ""},
		{"a cookie", []string{"Cache-Control", "public, max-age=60", "Set-Cookie", "a=b"}, forbidden, ""},
		{"a token", []string{"Cache-Control", "public, max-age=60", "X-Auth-Token", "t"}, forbidden, ""},
		{"for one origin", []string{"Cache-Control", "public, max-age=60", "Access-Control-Allow-Origin", "https://one.example"}, forbidden, ""},
		{"Vary: *", []string{"Cache-Control", "public, max-age=60", "Vary", "*"}, forbidden, ""},
		{"malformed", []string{"Cache-Control", "public, max-age=60, ;"}, forbidden, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			withRoute(t, "cache: origin\nidentity: {cookies: [session]}\ndownstream: origin", func(t *testing.T, c *ruled) {
				c.origin = say(200, "the page", test.headers...)
				told := func(what string, a reply, want string) {
					t.Helper()
					if got := strings.Join(a.header["Cache-Control"], "|"); got != want {
						t.Errorf("%s: Cache-Control %q, want %q", what, got, want)
					}
				}
				told("fill", c.get("/"), test.fill)
				a := c.get("/")
				if stored := c.objects() > 0; a.hit() != stored || stored != (test.hit != "" || test.name == "Expires alone") {
					t.Errorf("%d objects, %s", c.objects(), a.header["Cache-Status"])
				}
				if a.hit() {
					told("hit", a, test.hit)
					if test.name == "Expires alone" && a.header.Get("Expires") != test.headers[1] {
						t.Errorf("Expires %q", a.header["Expires"])
					}
				} else {
					told("remembered", a, test.fill)
				}
				told("bypass", c.get("/", "Cookie", "session=1"), forbidden)
				told("by method", c.do("POST", "/"), forbidden)
			})
		})
	}
}

// TestRelayOnAHit: RFC 9111 §5.1. The permission is counted from when the origin made
// the response, so Age goes with it, and Date stays the origin's.
func TestRelayOnAHit(t *testing.T) {
	withRoute(t, "cache: origin\ndownstream: origin", func(t *testing.T, c *ruled) {
		c.origin = say(200, "the page", "Cache-Control", "max-age=60", "Expires", "Sat, 01 Jan 2000 00:01:00 GMT", "Age", "10")
		c.get("/")
		time.Sleep(20 * time.Second)
		h := c.get("/").header
		for name, want := range map[string]string{
			"Cache-Control": "max-age=60", "Expires": "Sat, 01 Jan 2000 00:01:00 GMT", "Age": "30", "Date": "Sat, 01 Jan 2000 00:00:00 GMT",
		} {
			if got := strings.Join(h[name], "|"); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	})
}

const innerStatus = "Inner; hit; ttl=5"

// statusIs fails the test if Cache-Status is another list of members.
func statusIs(t *testing.T, what string, a reply, want string) {
	t.Helper()
	if got := strings.Join(a.header["Cache-Status"], ", "); got != want {
		t.Errorf("%s: Cache-Status %q, want %q", what, got, want)
	}
}

// TestCacheStatusIsAppended: RFC 9211 §2. What a cache nearer to the origin said of
// this request stays before what we say.
func TestCacheStatusIsAppended(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = say(200, "the page", "Cache-Control", "private", "Cache-Status", innerStatus)
		statusIs(t, "bypass", c.do("POST", "/"), innerStatus+", Cacheward; fwd=method; fwd-status=200; detail=method")
		statusIs(t, "refused", c.get("/"), innerStatus+", Cacheward; fwd=uri-miss; fwd-status=200; detail=private")
		statusIs(t, "remembered", c.get("/"), innerStatus+", Cacheward; fwd=miss; fwd-status=200; detail=private")
	})
}

// TestCacheStatusOfAFill: RFC 9211 §2. It stays with the visitor who caused a fill.
func TestCacheStatusOfAFill(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = say(200, "the page", "Cache-Control", "max-age=60", "Cache-Status", innerStatus)
		statusIs(t, "fill", c.get("/"), innerStatus+", Cacheward; fwd=uri-miss; fwd-status=200; stored")
	})
}

// TestCacheStatusOfAHit: RFC 9211 §2. Of this request the other cache said nothing.
func TestCacheStatusOfAHit(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = say(200, "the page", "Cache-Control", "max-age=60", "Cache-Status", innerStatus)
		c.get("/")
		statusIs(t, "hit", c.get("/"), "Cacheward; hit; ttl=60")
	})
}

// TestWarningIsDropped: RFC 9111 §5.5. The field is obsolete and was about one answer.
func TestWarningIsDropped(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = say(200, "the page", "Etag", `"v1"`, "Cache-Control", "max-age=60", "Warning", `110 - "Response is Stale"`)
		c.get("/")
		a := c.get("/")
		if a.check(t, "hit", 200, "the page", "hit"); a.header["Warning"] != nil {
			t.Errorf("Warning %q on a hit", a.header["Warning"])
		}
		time.Sleep(61 * time.Second)
		c.origin = say(304, "", "Etag", `"v1"`, "Cache-Control", "max-age=60", "Warning", `299 - "other"`)
		a = c.get("/")
		if a.check(t, "validated", 200, "the page", "fwd-status=304"); a.header["Warning"] != nil {
			t.Errorf("Warning %q after a 304", a.header["Warning"])
		}
	})
}

// TestUnknownFieldsAreKept: RFC 9111 §3.1. Fields that nobody knows are stored; those
// of one connection, and those that Connection names, are not.
func TestUnknownFieldsAreKept(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = say(200, "the page", "Cache-Control", "max-age=60, foo, bar=\"1, 2\"", "X-Unknown", "1", "X-Unknown", "2",
			"Keep-Alive", "timeout=5", "Proxy-Foo", "1")
		c.get("/")
		a := c.get("/")
		a.check(t, "hit", 200, "the page", "hit")
		if got := strings.Join(a.header["X-Unknown"], "|"); got != "1|2" || a.header["Keep-Alive"] != nil || a.header["Proxy-Foo"] != nil {
			t.Errorf("%v", a.header)
		}
	})
}
