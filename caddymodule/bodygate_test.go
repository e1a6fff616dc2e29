package caddymodule

import (
	"crypto/md5"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// rendered is an origin that writes a page about the request.
func rendered(write func(w io.Writer, r *http.Request), headers ...string) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		var page strings.Builder
		write(&page, r)
		return say(200, page.String(), headers...)(w, r)
	}
}

// object is a field of the last audit record of an event that holds an object, such as
// divergence; or of the first of a list, such as findings.
func (c *ruled) object(event, field string) map[string]any {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	for i := len(c.log.records) - 1; i >= 0; i-- {
		record := c.log.records[i]
		if record["event"] != event {
			continue
		}
		switch v := record[field].(type) {
		case map[string]any:
			return v
		case []any:
			if len(v) > 0 {
				return v[0].(map[string]any)
			}
		}
		return nil
	}
	return nil
}

// has fails the test if the object has not all of these members: pairs of name and
// value.
func has(t *testing.T, what string, object map[string]any, members ...any) {
	t.Helper()
	for i := 0; i+1 < len(members); i += 2 {
		if got := object[members[i].(string)]; fmt.Sprint(got) != fmt.Sprint(members[i+1]) {
			t.Errorf("%s: %s is %v, want %v; all of it: %v", what, members[i], got, members[i+1], object)
		}
	}
}

// keepsSecret fails the test if a record has the value.
func (c *ruled) keepsSecret(t *testing.T, value string) {
	t.Helper()
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	for _, record := range c.log.records {
		if text := fmt.Sprint(record); strings.Contains(text, value) {
			t.Errorf("a record tells a value: %s", text)
		}
	}
}

// TestDivergenceIsExplained: the record of a refused page says what differs, where, and
// by what of the visitor's.
func TestDivergenceIsExplained(t *testing.T) {
	const secret = "REF-Alice-774411"
	var lead atomic.Int64
	lead.Store(1000)
	for _, tt := range []struct {
		name    string
		write   func(w io.Writer, r *http.Request)
		headers []string
		reasons string
		members []any
	}{
		{"the founding incident", func(w io.Writer, _ *http.Request) {
			fmt.Fprintf(w, `<form action="/register"><input type="hidden" name="lead" value="%d"></form>`, lead.Add(1))
		}, nil, "[divergent]", []any{"class", "counter", "near", "input lead", "shape", "decimal-4"}},
		{"a parameter", func(w io.Writer, r *http.Request) {
			fmt.Fprintf(w, `<p>Invited by <b id="who">%s</b></p>`, r.URL.Query().Get("ref"))
		}, nil, "[divergent reflects-input]", []any{"class", "reflected-input", "input", "param ref", "near", "b who"}},
		{"a cookie", func(w io.Writer, r *http.Request) {
			c, _ := r.Cookie("lead")
			if c == nil {
				c = new(http.Cookie)
			}
			fmt.Fprintf(w, `<script>var state = {"lead": %q};</script>`, c.Value)
		}, nil, "[divergent reflects-input]", []any{"class", "reflected-input", "input", "cookie lead", "near", "lead"}},
		{"the Referer, in a link", func(w io.Writer, r *http.Request) {
			fmt.Fprintf(w, `<a id="back" href="%s">back</a>`, r.Referer())
		}, nil, "[divergent reflects-input]", []any{"class", "reflected-input", "input", "header Referer", "near", "a href"}},
		{"the address", func(w io.Writer, r *http.Request) {
			fmt.Fprintf(w, `<p id="you">Your address is %s.</p>`, hostOf(r.RemoteAddr))
		}, nil, "[divergent reflects-input]", []any{"class", "reflected-input", "input", "address", "near", "p you"}},
		{"a token for each request", func(w io.Writer, _ *http.Request) {
			fmt.Fprintf(w, `<meta name="csrf" content="%x">`, md5.Sum(fmt.Append(nil, lead.Add(1))))
		}, nil, "[divergent]", []any{"class", "token", "near", "meta csrf"}},
		{"the time", func(w io.Writer, _ *http.Request) {
			fmt.Fprintf(w, `<!-- generated at %s -->`, time.Unix(1800000000+lead.Add(1), 0).UTC().Format(time.RFC3339))
		}, nil, "[divergent]", []any{"class", "clock", "near", "comment"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withRoute(t, "cache: 5m\nparams: {others: strip}\ncookies: {others: strip}", func(t *testing.T, c *ruled) {
				c.origin = rendered(func(w io.Writer, r *http.Request) {
					io.WriteString(w, "<!doctype html><title>Join</title>"+strings.Repeat("<p>Welcome to everybody.</p>", 20))
					tt.write(w, r)
					io.WriteString(w, strings.Repeat("<p>Good bye.</p>", 20))
				}, tt.headers...)
				a := c.get("/?ref=param-"+secret, "Cookie", "lead=cookie-"+secret, "Referer", "https://friend.example/"+secret)
				if !strings.Contains(a.body, "Welcome") || c.objects() != 0 {
					t.Fatalf("%d %q, %d objects", a.status, a.body, c.objects())
				}
				if got := last(c.logged("diverge", "reasons")); got != tt.reasons {
					t.Errorf("reasons %s, want %s", got, tt.reasons)
				}
				has(t, "divergence", c.object("diverge", "divergence"), tt.members...)
				c.keepsSecret(t, secret)
			})
		})
	}
}

// TestTokenInTheLastBytes: a page of 5 MB that differs in its last bytes only is seen
// through, and explained.
func TestTokenInTheLastBytes(t *testing.T) {
	filler := strings.Repeat("<p>All of this is the same for everybody.</p>\n", 5<<20/46)
	var n atomic.Int64
	withRoute(t, "cache: 5m", func(t *testing.T, c *ruled) {
		c.origin = func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", "text/html")
			for rest := filler; len(rest) > 0; rest = rest[min(len(rest), 64<<10):] {
				if _, err := io.WriteString(w, rest[:min(len(rest), 64<<10)]); err != nil {
					return err
				}
				_ = http.NewResponseController(w).Flush()
			}
			_, err := fmt.Fprintf(w, `<input name="state" value="%024x">`, n.Add(1)*0x9e3779b97f4a7)
			return err
		}
		c.get("/")
		if c.objects() != 0 {
			t.Fatal("it was stored")
		}
		has(t, "divergence", c.object("diverge", "divergence"),
			"class", "token", "near", "input state", "shape", "hex-24", "offset", len(filler)+len(`<input name="state" value="`))
	})
}

// TestMarkers: what the origin declares shareable is looked into all the same; what two
// answers had alike is only remarked upon.
func TestMarkers(t *testing.T) {
	page := rendered(func(w io.Writer, _ *http.Request) {
		io.WriteString(w, `<form method="post"><input type="hidden" name="authenticity_token" value="q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k="></form>`)
	}, "Cache-Control", "public, max-age=300")
	t.Run("once", func(t *testing.T) {
		withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
			c.origin = page
			for range 2 {
				if a := c.get("/"); a.hit() || a.status != 200 || !strings.Contains(a.body, "authenticity_token") {
					t.Errorf("%d %s", a.status, a.header["Cache-Status"])
				}
			}
			if got := last(c.logged("refuse", "reasons")); got != "[state-in-body]" || c.objects() != 0 {
				t.Errorf("refused for %s, %d objects", got, c.objects())
			}
			has(t, "finding", c.object("refuse", "findings"), "kind", "marker", "near", "authenticity_token")
			c.keepsSecret(t, "q83vASNF")
		})
	})
	t.Run("corroborated", func(t *testing.T) {
		withRoute(t, "cache: 5m", func(t *testing.T, c *ruled) {
			c.origin = page
			c.get("/")
			if a := c.get("/"); !a.hit() {
				t.Errorf("two answers agreed: %s", a.header["Cache-Status"])
			}
			has(t, "finding", c.object("store", "findings"), "kind", "marker")
		})
	})
	t.Run("trusted", func(t *testing.T) {
		withRoute(t, "cache: origin\ninspect: {rule: off, reason: test}", func(t *testing.T, c *ruled) {
			c.origin = page
			c.get("/")
			if a := c.get("/"); !a.hit() {
				t.Error(a.header["Cache-Status"])
			}
		})
	})
}

// TestTolerated: a detector that the route turns off refuses nothing; the others do.
func TestTolerated(t *testing.T) {
	const jwt = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI5MTc3MzUxMDQ0IiwiZXhwIjoxNzk1NDA0MTMwfQ.3vJ5uT0nQm2kW8xYpLrZcVbNaSdFgHjKlQwErTyUiOp"
	for route, stored := range map[string]int64{
		"cache: origin": 0,
		"cache: origin\ntolerate: [{detector: jwt, reason: a demo token}]": 1,
	} {
		withRoute(t, route, func(t *testing.T, c *ruled) {
			c.origin = say(200, `<script>var demo = "`+jwt+`";</script>`, "Cache-Control", "public, max-age=60")
			if c.get("/"); c.objects() != stored {
				t.Errorf("%s: %d objects, want %d; findings %v", route, c.objects(), stored, c.object("refuse", "findings"))
			}
		})
	}
}

// TestIgnore: a declared difference is none; everything beside it is, and so is a
// declared place that shows something of the visitor's own.
func TestIgnore(t *testing.T) {
	const route = `cache: 5m
params: {others: strip}
ignore:
  - {html: comment, matching: "generated at *", reason: a build stamp}
  - {header: X-Build, reason: which server it was}`
	var n atomic.Int64
	stamp := func() string { return time.Unix(1800000000+n.Add(1), 0).UTC().Format(time.RFC3339) }
	for _, tt := range []struct {
		name   string
		write  func(w io.Writer, r *http.Request)
		stored int64
		class  string
	}{
		{"the declared difference", func(w io.Writer, _ *http.Request) {
			fmt.Fprintf(w, "<!-- generated at %s --><p>page</p>", stamp())
		}, 1, ""},
		{"another one beside it", func(w io.Writer, _ *http.Request) {
			fmt.Fprintf(w, "<!-- generated at %s --><p>page %d</p>", stamp(), n.Add(1))
		}, 0, "counter"},
		{"another comment", func(w io.Writer, _ *http.Request) {
			fmt.Fprintf(w, "<!-- made at %s --><p>page</p>", stamp())
		}, 0, "clock"},
		{"the visitor's value in it", func(w io.Writer, r *http.Request) {
			fmt.Fprintf(w, "<!-- generated at %s --><p>page</p>", r.URL.Query().Get("ref"))
		}, 0, "reflected-input"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withRoute(t, route, func(t *testing.T, c *ruled) {
				c.origin = func(w http.ResponseWriter, r *http.Request) error {
					w.Header().Set("X-Build", fmt.Sprint("web-", n.Add(1)))
					w.Header().Set("Etag", fmt.Sprintf(`"%d"`, n.Add(1)))
					return rendered(tt.write)(w, r)
				}
				own := c.get("/?ref=REF-Bob-9917")
				if c.objects() != tt.stored {
					t.Fatalf("%d objects, want %d: %v", c.objects(), tt.stored, c.object("diverge", "divergence"))
				}
				if tt.stored == 0 {
					has(t, "divergence", c.object("diverge", "divergence"), "class", tt.class)
					return
				}
				a := c.get("/")
				if !a.hit() || a.body == own.body {
					t.Errorf("a hit with the fill's own bytes was expected: %s %q", a.header["Cache-Status"], a.body)
				}
			})
		})
	}
}

// TestVariantsAreToldApart: a page of which the same few bodies come back is not called
// personalised.
func TestVariantsAreToldApart(t *testing.T) {
	visits := 0
	bodies := []string{
		"<h1>Save money now</h1>" + strings.Repeat("<p>Blue version, as one half of all visitors see it.</p>", 30),
		"<h1>Earn points today</h1>" + strings.Repeat("<li>Green version, for the other half.</li>", 40),
	}
	withRoute(t, "cache: 5m", func(t *testing.T, c *ruled) {
		c.origin = rendered(func(w io.Writer, r *http.Request) {
			i := visits
			if canonical(r) {
				i++
			}
			_, _ = io.WriteString(w, bodies[i%2])
		})
		for range 2 {
			c.get("/")
			visits++
			time.Sleep(visitorRefusal + time.Second)
		}
		has(t, "divergence", c.object("diverge", "divergence"), "class", "variant")
	})
}
