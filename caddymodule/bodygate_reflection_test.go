package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// other headers beside it crowd the value out of what is looked for.
func TestNeedlesAreNotCrowdedOut(t *testing.T) {
	for _, padding := range []int{0, 40, 300} {
		withRoute(t, "cache: origin\nheaders: {others: vary}", func(t *testing.T, c *ruled) {
			c.origin = rendered(func(w io.Writer, r *http.Request) {
				fmt.Fprintf(w, `<script src="%s"></script>`, r.Header.Get("X-Theme-Base"))
			}, "Cache-Control", "max-age=600")
			headers := []string{"X-Theme-Base", "//evil7.example/x.js"}
			for i := range padding {
				headers = append(headers, fmt.Sprintf("X-Pad-%d", i), strings.Repeat("日本語", 9)+fmt.Sprintf("%090d", i*7919+1))
			}
			c.get("/", headers...)
			if a := c.get("/"); a.hit() {
				t.Errorf("%d more headers: a visitor was served %q", padding, a.body)
			}
		})
	}
}

// The Referer is forwarded; the page greets by a parameter of it, the 25th.
func TestRefererWithManyParameters(t *testing.T) {
	for _, before := range []int{0, 24} {
		withRoute(t, "cache: 5m\nheaders: {forward: [{name: Referer, reason: statistics}]}", func(t *testing.T, c *ruled) {
			c.origin = rendered(func(w io.Writer, r *http.Request) {
				_, code, _ := strings.Cut(r.Referer(), "code=")
				fmt.Fprintf(w, `<p>the page</p><input type=hidden name=source value="%s">`, code)
			})
			ref := "https://friend.example/?"
			for i := range before {
				ref += fmt.Sprintf("p%d=value%d&", i, i)
			}
			c.get("/", "Referer", ref+"code=REF-Alice-774411")
			if a := c.get("/", "Referer", "https://other.example/?code=REF-Bob-1"); strings.Contains(a.body, "Alice") {
				t.Errorf("%d parameters before it: Bob was served %q", before, a.body)
			}
		})
	}
}

// What is in a charset in which nothing is found has not been looked into.
func TestUTF16IsNotLookedInto(t *testing.T) {
	page := `<input type="hidden" name="csrfmiddlewaretoken" value="4yQkZ2Rl9cVn0bXo3sT7uWp1aEr6iGm8hJ5fKdLzNqYxBtCvSwUgOyPjMkHaRe2D">`
	for _, tt := range []struct{ name, kind, body string }{
		{"declared", "text/html; charset=utf-16le", utf16le(page)},
		{"byte order mark", "text/html", "\xff\xfe" + utf16le(page)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
				c.origin = say(200, tt.body, "Content-Type", tt.kind, "Cache-Control", "max-age=600")
				c.get("/")
				if c.objects() != 0 {
					t.Errorf("%s: a page with a CSRF token was stored", tt.name)
				}
			})
		})
	}
}

// memory there is.
func TestTrustedReflectionWithoutMemory(t *testing.T) {
	for _, limit := range []int64{64 << 20, 100 << 10} {
		withRoute(t, "cache: origin\nheaders: {others: vary}\ninspect: {rule: off, reason: test}", func(t *testing.T, c *ruled) {
			c.shared.budget.limit.Store(limit)
			c.origin = func(w http.ResponseWriter, r *http.Request) error {
				body := string(gzipped("<p>" + r.Header.Get("X-Theme-Base")))
				return say(200, body, "Content-Encoding", "gzip", "Cache-Control", "max-age=600")(w, r)
			}
			c.get("/", "X-Theme-Base", "//evil7.example/x.js")
			if a := c.get("/"); a.hit() {
				t.Errorf("memory for %d: the next visitor got it", limit)
			}
		})
	}
}

// repeats of them without a Vary is one visitor's, whatever most browsers send.
func TestNegotiationHeaderReflected(t *testing.T) {
	for _, tt := range [][2]string{
		{"Accept-Language", `ja"><script src="//evil7.example/x.js"></script>`},
		{"Accept-Language", "ja,REF-Alice-774411"},
		{"Accept", `text/html"><script src="//evil7.example/x.js"></script>`},
	} {
		t.Run(tt[0], func(t *testing.T) {
			withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
				c.origin = rendered(func(w io.Writer, r *http.Request) {
					fmt.Fprintf(w, `<html lang="%s"><p>the page</p>`, r.Header.Get(tt[0]))
				}, "Cache-Control", "public, max-age=600")
				c.get("/", tt[0], tt[1])
				if a := c.get("/", tt[0], "en"); strings.Contains(a.body, "evil") || strings.Contains(a.body, "Alice") {
					t.Errorf("another visitor was served %q", a.body)
				}
			})
		})
	}
}

// A page repeats a part of a forwarded value.
func TestPartOfForwardedValue(t *testing.T) {
	for _, tt := range [][2]string{
		{"structured", "id=REF-Alice-774411; lang=ja"},
		{"long", strings.Repeat("x", 100) + "|id=REF-Alice-774411"},
	} {
		t.Run(tt[0], func(t *testing.T) {
			withRoute(t, "cache: 5m\nheaders: {forward: [{name: X-Client, reason: statistics}]}", func(t *testing.T, c *ruled) {
				c.origin = rendered(func(w io.Writer, r *http.Request) {
					_, id, _ := strings.Cut(r.Header.Get("X-Client"), "id=")
					id, _, _ = strings.Cut(id, ";")
					fmt.Fprintf(w, `<p>the page</p><input type=hidden name=source value="%s">`, id)
				})
				c.get("/", "X-Client", tt[1])
				if a := c.get("/", "X-Client", "id=REF-Bob-1"); strings.Contains(a.body, "Alice") {
					t.Errorf("Bob was served %q", a.body)
				}
			})
		})
	}
}

// A host of words is no word: whoever names it has the page load their script.
func TestWordsThatAreAHost(t *testing.T) {
	withRoute(t, "cache: origin\nheaders: {others: vary}", func(t *testing.T, c *ruled) {
		c.origin = rendered(func(w io.Writer, r *http.Request) {
			fmt.Fprintf(w, `<script src="%s"></script>`, r.Header.Get("X-Theme-Base"))
		}, "Cache-Control", "public, max-age=600")
		c.get("/", "X-Theme-Base", "//evil.example/x.js")
		if a := c.get("/"); strings.Contains(a.body, "evil") {
			t.Errorf("another visitor was served %q", a.body)
		}
	})
}

func utf16le(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(s[i])
		b.WriteByte(0)
	}
	return b.String()
}
