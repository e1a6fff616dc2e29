package caddymodule

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// codings are the content codings that are undone.
var codings = map[string]func(body string) []byte{
	"gzip": gzipped,
	"br": func(body string) []byte {
		var b bytes.Buffer
		w := brotli.NewWriter(&b)
		_, _ = io.WriteString(w, body)
		_ = w.Close()
		return b.Bytes()
	},
	"deflate": func(body string) []byte {
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		_, _ = io.WriteString(w, body)
		_ = w.Close()
		return b.Bytes()
	},
	"zstd": func(body string) []byte {
		w, _ := zstd.NewWriter(nil)
		return w.EncodeAll([]byte(body), nil)
	},
}

// TestCodedUnasked: an app that compresses whatever it is asked is looked into as any
// other, and what is stored has no coding.
func TestCodedUnasked(t *testing.T) {
	page := strings.Repeat("<p>the page</p>", 300)
	for _, route := range []string{"cache: 5m", "cache: origin"} {
		for coding, encode := range codings {
			t.Run(route+" "+coding, func(t *testing.T) {
				withRoute(t, route, func(t *testing.T, c *ruled) {
					c.origin = say(200, string(encode(page)), "Content-Encoding", coding, "Cache-Control", "max-age=60", "Etag", `"v1"`)
					first := c.get("/")
					if coded := first.header.Get("Content-Encoding") == coding; coded != (first.body == string(encode(page))) || !coded && first.body != page {
						t.Errorf("the first visitor got %q", first.header)
					}
					a := c.get("/")
					if !a.hit() || a.body != page || a.header.Get("Content-Encoding") != "" || a.header.Get("Etag") != `W/"v1"` {
						t.Errorf("%s, %d bytes, %v", a.header["Cache-Status"], len(a.body), a.header)
					}
					if n := a.header.Get("Content-Length"); n != fmt.Sprint(len(page)) {
						t.Errorf("Content-Length %s of %d bytes", n, len(page))
					}
				})
			})
		}
	}
}

// TestCodedState: a coding hides nothing.
func TestCodedState(t *testing.T) {
	for coding, encode := range codings {
		t.Run(coding, func(t *testing.T) {
			withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
				body := encode(`<input type="hidden" name="csrfmiddlewaretoken" value="4yQkZ2Rl9cVn0bXo3sT7uWp1aEr6iGm8hJ5fKdLzNqYxBtCvSwUgOyPjMkHaRe2D">`)
				c.origin = say(200, string(body), "Content-Encoding", coding, "Cache-Control", "max-age=60")
				a := c.get("/")
				if a.header.Get("Content-Encoding") != coding || a.body != string(body) {
					t.Errorf("the visitor got %v", a.header)
				}
				if got := last(c.logged("refuse", "reasons")); got != "[state-in-body]" || c.objects() != 0 {
					t.Errorf("refused for %s, %d objects", got, c.objects())
				}
			})
		})
	}
}

// TestUnreadable: what cannot be looked into is nobody else's, unless the route trusts
// the origin.
func TestUnreadable(t *testing.T) {
	bomb := string(gzipped(strings.Repeat("\x00", 4<<20)))
	for _, tt := range []struct{ name, coding, body string }{
		{"unknown coding", "aws-chunked", "the page"},
		{"no gzip at all", "gzip", "the page"},
		{"gzip cut short", "gzip", string(gzipped("the page"))[:15]},
		{"bomb", "gzip", bomb},
		{"three codings", "gzip, gzip, gzip", string(gzipped(string(gzipped(string(gzipped("the page"))))))},
	} {
		for _, route := range []string{"cache: 5m", "cache: origin"} {
			t.Run(route+" "+tt.name, func(t *testing.T) {
				withRoute(t, route, func(t *testing.T, c *ruled) {
					c.origin = say(200, tt.body, "Content-Encoding", tt.coding, "Cache-Control", "max-age=60")
					for range 2 {
						if a := c.get("/"); a.hit() || a.status != 200 || a.body != tt.body {
							t.Errorf("%d %v", a.status, a.header)
						}
					}
					if got := last(c.logged("refuse", "reasons")); got != "[encoding-unreadable]" || c.objects() != 0 {
						t.Errorf("refused for %s, %d objects", got, c.objects())
					}
				})
				withRoute(t, route+"\ninspect: {rule: off, reason: test}", func(t *testing.T, c *ruled) {
					c.origin = say(200, tt.body, "Content-Encoding", tt.coding, "Cache-Control", "max-age=60")
					c.get("/")
					a := c.get("/")
					// Two answers in a coding that is broken are not known to be the same.
					want := route == "cache: origin" || tt.coding == "aws-chunked" || strings.Contains(tt.name, "three")
					if a.hit() != want || a.body != tt.body || a.header.Get("Content-Encoding") != tt.coding {
						t.Errorf("trusted: %v", a.header)
					}
				})
			})
		}
	}
}

// TestNoTransform: RFC 9111 §5.2.2.6. A coding that must stay is not undone.
func TestNoTransform(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = say(200, string(gzipped("the page")), "Content-Encoding", "gzip", "Cache-Control", "max-age=60, no-transform")
		if c.get("/"); c.objects() != 0 {
			t.Error("stored")
		}
	})
}

// TestCodedUpdates: a 304 and a HEAD speak of what is stored in its coding.
func TestCodedUpdates(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		headers := []string{"Content-Encoding", "gzip", "Cache-Control", "max-age=60, stale-while-revalidate=0", "Etag", `"v1"`}
		c.origin = inTurn(say(304, "", headers[2:]...), say(200, string(gzipped("the page")), headers...))
		c.get("/")
		c.do(http.MethodHead, "/")
		if a := c.get("/"); !a.hit() || a.body != "the page" {
			t.Errorf("after a HEAD: %v", a.header)
		}
		c.get("/", "Cache-Control", "no-cache").check(t, "validated", 200, "the page")
		a := c.get("/")
		if !a.hit() || a.body != "the page" || a.header.Get("Etag") != `W/"v1"` || a.header.Get("Content-Encoding") != "" {
			t.Errorf("after a 304: %v", a.header)
		}
	})
}
