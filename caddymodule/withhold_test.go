package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
)

// TestNamesMadeOfKeyedValues: an app makes names of what is in the key. They are in
// every answer that is compared, and in no record.
func TestNamesMadeOfKeyedValues(t *testing.T) {
	const secret = "doramiller"
	var n atomic.Int64
	for _, tt := range []struct{ name, route, kind, page string }{
		{"a parameter in JSON", "params: {key: [u]}", "application/json", `{"users":{"%[1]s":{"count":%[2]d}}}`},
		{"a parameter in HTML", "params: {key: [u]}", "text/html", `<p>page</p><input name="%[1]s" value="%[2]d">`},
		{"a cookie", "cookies: {key: [u]}", "application/json", `{"groups":{"%[1]s":%[2]d}}`},
		{"a header's name", "params: {key: [u]}", "text/html", "<p>page</p>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withRoute(t, "cache: 5m\n"+tt.route, func(t *testing.T, c *ruled) {
				c.origin = func(w http.ResponseWriter, r *http.Request) error {
					value := r.URL.Query().Get("u")
					if cookie, err := r.Cookie("u"); err == nil {
						value = cookie.Value
					}
					if tt.name == "a header's name" {
						w.Header().Set("X-"+value, fmt.Sprint(n.Add(1)))
						return say(200, tt.page)(w, r)
					}
					return say(200, fmt.Sprintf(tt.page, value, n.Add(1)), "Content-Type", tt.kind)(w, r)
				}
				if tt.name == "a cookie" {
					c.get("/", "Cookie", "u="+secret)
				} else {
					c.get("/?u=" + secret)
				}
				if len(c.logged("diverge", "reasons")) != 1 {
					t.Fatal("no divergence")
				}
				c.keepsSecret(t, secret)
				c.keepsSecret(t, "Doramiller")
			})
		})
	}
}

// TestNamesThatLookDrawn: of a name that is made of a token only the rest is told.
func TestNamesThatLookDrawn(t *testing.T) {
	const drawn = "89843f4ebc0c0bb4"
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = rendered(func(w io.Writer, _ *http.Request) {
			fmt.Fprintf(w, `<form><input type="hidden" name="csrf_token_%s" value="q83vASNFZ4mrze8BI0VniavN7wEjRWeJ"></form>`, drawn)
		}, "Cache-Control", "max-age=60")
		c.get("/")
		if c.objects() != 0 {
			t.Fatal("stored")
		}
		c.keepsSecret(t, drawn)
	})
}

// TestHeadOnlyDifferenceIsNoVariant: answers with one body that differ in a field are
// not two of a few bodies.
func TestHeadOnlyDifferenceIsNoVariant(t *testing.T) {
	var n atomic.Int64
	withRoute(t, "cache: 5m", func(t *testing.T, c *ruled) {
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			return say(200, "<p>page</p>", "X-Greeting", []string{"hello", "good morning"}[n.Add(1)%2])(w, r)
		}
		c.get("/")
		has(t, "divergence", c.object("diverge", "divergence"), "class", "content", "part", "header", "field", "X-Greeting")
	})
}
