package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// hinting sends a 103 and then the answer.
func hinting(answer caddyhttp.HandlerFunc, hints ...string) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		h := w.Header()
		for i := 0; i < len(hints); i += 2 {
			h.Add(hints[i], hints[i+1])
		}
		w.WriteHeader(http.StatusEarlyHints)
		for i := 0; i < len(hints); i += 2 {
			h.Del(hints[i])
		}
		return answer(w, r)
	}
}

// TestInterim: RFC 9110 §15.2, RFC 8297. A 103 is passed on to the visitor who caused
// a fill; it is not stored, and its fields are none of the final response's.
func TestInterim(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = hinting(say(200, "the page", "Cache-Control", "max-age=60", "X-Final", "1"), "Link", "</a.css>; rel=preload", "X-Early", "1")
		a := c.get("/")
		a.check(t, "fill", 200, "the page", "stored")
		if len(a.interim) != 1 || a.interim[0].status != 103 || a.interim[0].header.Get("Link") != "</a.css>; rel=preload" || a.interim[0].header.Get("X-Final") != "" {
			t.Errorf("interim: %v", a.interim)
		}
		for _, a := range []reply{a, c.get("/")} {
			if a.header.Get("Link") != "" || a.header.Get("X-Early") != "" || a.header.Get("X-Final") != "1" {
				t.Errorf("%s: %v", a.header["Cache-Status"], a.header)
			}
		}
		a = c.get("/")
		if a.check(t, "hit", 200, "the page", "hit"); len(a.interim) != 0 {
			t.Errorf("interim of a hit: %v", a.interim)
		}
	})
}

// TestInterimOverTheWire: RFC 8297, through reverse_proxy.
func TestInterimOverTheWire(t *testing.T) {
	e := start(t, oncePage, newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := range 3 {
			w.Header().Set("Link", fmt.Sprintf("</%d.css>; rel=preload", i))
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.Header().Del("Link")
		page(w, "the page")
	}))
	early, a, _ := e.early("/")
	if len(early) != 3 || early[0].Get("Link") != "</0.css>; rel=preload" || early[2].Get("Link") != "</2.css>; rel=preload" {
		t.Errorf("early hints: %v", early)
	}
	if a.err != nil || a.body != "the page" || a.header.Get("Link") != "" {
		t.Errorf("%q, %v, %v", a.body, a.header, a.err)
	}
	e.awaitObject(1)
	if early, a, _ := e.early("/"); len(early) != 0 || !a.hit() || a.header.Get("Link") != "" {
		t.Errorf("a hit: %v, %s", early, a.header["Cache-Status"])
	}
}

// TestInterimOfOneVisitor: RFC 9110 §15.2. A 103 that may not be shared is not passed
// on from a fill and speaks against storing what follows; what the visitor gets is
// what their own request brings.
func TestInterimOfOneVisitor(t *testing.T) {
	for _, hints := range [][]string{
		{"Set-Cookie", "session=%s"},
		{"Cache-Control", "private, max-age=0", "X-Whose", "%s"},
		{"Cache-Control", "no-store", "X-Whose", "%s"},
	} {
		t.Run(hints[0]+" "+hints[1], func(t *testing.T) {
			withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
				c.origin = func(w http.ResponseWriter, r *http.Request) error {
					whose := "visitor"
					if canonical(r) {
						whose = "nobody"
					}
					filled := append([]string(nil), hints...)
					at := len(filled) - 1
					filled[at] = fmt.Sprintf(filled[at], whose)
					return hinting(say(200, "for "+whose, "Cache-Control", "public, max-age=60"), filled...)(w, r)
				}
				for range 2 {
					a := c.get("/")
					a.check(t, "own", 200, "for visitor")
					for _, i := range a.interim {
						if i.header.Get("Set-Cookie") == "session=nobody" || i.header.Get("X-Whose") == "nobody" {
							t.Errorf("an interim response of the fill: %v", i.header)
						}
					}
				}
				if n := c.objects(); n != 0 {
					t.Errorf("%d objects are stored", n)
				}
			})
		})
	}
}

// TestInterimBeforeAValidation: RFC 9110 §15.2. A 103 before a 304 spoils nothing.
func TestInterimBeforeAValidation(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = oldPage("the page")
		c.get("/")
		c.origin = hinting(say(304, "", "Etag", `"v1"`, "Cache-Control", "max-age=60"), "Link", "</a.css>; rel=preload")
		a := c.get("/", "Cache-Control", "no-cache")
		a.check(t, "validated", 200, "the page", "fwd-status=304")
		if len(a.interim) != 1 || a.header.Get("Link") != "" {
			t.Errorf("interim %v, Link %q", a.interim, a.header["Link"])
		}
		c.get("/").check(t, "hit", 200, "the page", "hit")
	})
}

// TestManyInterim: RFC 9110 §15.2. However many there are, the final one comes.
func TestManyInterim(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			for range 100 {
				w.WriteHeader(http.StatusProcessing)
			}
			w.Header().Set("Cache-Control", "max-age=60")
			w.Header().Set("Content-Type", "text/html")
			_, err := io.WriteString(w, "the page")
			return err
		}
		c.get("/").check(t, "fill", 200, "the page", "fwd=uri-miss")
		c.get("/").check(t, "hit", 200, "the page", "hit")
	})
}
