package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestObserveFindsReflections: in observe mode every answer is looked into, also that
// to a bypass, and passes as it is.
func TestObserveFindsReflections(t *testing.T) {
	const secret = "REF-Carol-5520917"
	for _, tt := range []struct {
		name    string
		headers []string
		write   func(w io.Writer, r *http.Request)
		reasons string
		finding []any
	}{
		{"a cookie in the page", []string{"Cookie", "visitor=" + secret}, func(w io.Writer, r *http.Request) {
			c, _ := r.Cookie("visitor")
			fmt.Fprintf(w, "<p>Hello, <b id=who>%s</b></p>", c.Value)
		}, "[cookie-bypass reflects-input]", []any{"kind", "reflection", "input", "cookie visitor", "coding", "plain", "near", "b who"}},
		{"a cookie that is not in the page", []string{"Cookie", "visitor=" + secret}, func(w io.Writer, _ *http.Request) {
			_, _ = io.WriteString(w, "<p>Hello, everybody</p>")
		}, "[cookie-bypass]", nil},
		{"the Referer, encoded", []string{"Referer", "https://friend.example/?by=" + secret}, func(w io.Writer, r *http.Request) {
			fmt.Fprintf(w, "<a href='/login?next=%s'>log in</a>", strings.NewReplacer(":", "%3A", "/", "%2F", "?", "%3F", "=", "%3D").Replace(r.Referer()))
		}, "[reflects-input]", []any{"kind", "reflection", "input", "header Referer", "near", "a href"}},
		{"nothing of the visitor's", []string{"Accept-Language", "ja,en;q=0.5", "Cookie", "theme=summer"}, func(w io.Writer, _ *http.Request) {
			_, _ = io.WriteString(w, "<p lang=ja>our summer sale, accept it</p>")
		}, "[cookie-bypass]", nil},
	} {
		for _, coding := range []string{"", "gzip"} {
			t.Run(strings.TrimSpace(tt.name+" "+coding), func(t *testing.T) {
				withRoute(t, "cache: 5m\nmode: observe", func(t *testing.T, c *ruled) {
					var sent string
					c.origin = func(w http.ResponseWriter, r *http.Request) error {
						var page strings.Builder
						tt.write(&page, r)
						if sent = page.String(); coding != "" {
							sent = string(gzipped(sent))
							return say(200, sent, "Content-Encoding", coding)(w, r)
						}
						return say(200, sent)(w, r)
					}
					a := c.get("/", tt.headers...)
					if a.body != sent || a.header.Get("Cache-Status") != "" || len(c.asked()) != 1 {
						t.Errorf("the answer was changed: %v", a.header)
					}
					if got := last(c.logged("bypass", "reasons")); got != tt.reasons && (got != "" || tt.reasons != "[]") {
						t.Errorf("reasons %s, want %s", got, tt.reasons)
					}
					found := c.object("bypass", "findings")
					if (found == nil) != (tt.finding == nil) {
						t.Errorf("findings %v", found)
					}
					if found != nil {
						has(t, "finding", found, tt.finding...)
					}
					c.keepsSecret(t, secret)
				})
			})
		}
	}
}

// TestObserveGivesMemoryBack: what is looked at is held only as long.
func TestObserveGivesMemoryBack(t *testing.T) {
	withRoute(t, "cache: 5m\nmode: observe", func(t *testing.T, c *ruled) {
		c.origin = say(200, strings.Repeat("<p>page</p>", 200_000))
		c.get("/")
		c.origin = func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) }
		func() {
			defer func() { _ = recover() }()
			c.get("/")
		}()
		c.origin = say(204, "")
		c.get("/")
		if used := c.shared.budget.used.Load(); used != 0 {
			t.Errorf("%d bytes were not given back", used)
		}
	})
}

// TestObserveSaysWhatItCouldNotLookInto: an answer that was not looked into to its end
// does not pass for one without findings, and what its head repeats is told all the same.
func TestObserveSaysWhatItCouldNotLookInto(t *testing.T) {
	const secret = "REF-Erin-3358120"
	for _, tt := range []struct {
		name, body, reasons string
		headers             []string
		memory              int64
	}{
		{"broken coding", "no gzip", "[cookie-bypass encoding-unreadable reflects-input]", []string{"Content-Encoding", "gzip"}, 1 << 20},
		{"UTF-16", utf16le("<p>page</p>"), "[cookie-bypass encoding-unreadable reflects-input]", []string{"Content-Type", "text/html; charset=utf-16le"}, 1 << 20},
		{"no memory", strings.Repeat("<p>page</p>", 100), "[cookie-bypass inspection-incomplete reflects-input]", nil, 1},
		{"all of it", "<p>page</p>", "[cookie-bypass reflects-input]", nil, 1 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withRoute(t, "cache: 5m\nmode: observe", func(t *testing.T, c *ruled) {
				c.shared.observed.limit.Store(tt.memory)
				c.origin = say(200, tt.body, append([]string{"X-Who", secret}, tt.headers...)...)
				c.get("/", "Cookie", "visitor="+secret)
				if got := last(c.logged("bypass", "reasons")); got != tt.reasons {
					t.Errorf("reasons %s, want %s", got, tt.reasons)
				}
				has(t, "finding", c.object("bypass", "findings"), "input", "cookie visitor", "field", "X-Who")
				c.keepsSecret(t, secret)
			})
		})
	}
}

// TestObserveWithholdsKeyedNames: a name that an app makes of a keyed value is not told.
func TestObserveWithholdsKeyedNames(t *testing.T) {
	withRoute(t, "cache: 5m\nmode: observe\nparams: {key: [u]}", func(t *testing.T, c *ruled) {
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			v, _ := r.Cookie("visitor")
			return say(200, fmt.Sprintf(`{"users":{%q:{"sid":%q}}}`, r.URL.Query().Get("u"), v.Value), "Content-Type", "application/json")(w, r)
		}
		c.get("/?u=doramiller", "Cookie", "visitor=REF-Fay-5520917")
		if c.object("bypass", "findings") == nil {
			t.Fatal("nothing was found")
		}
		c.keepsSecret(t, "doramiller")
		c.keepsSecret(t, "5520917")
	})
}
