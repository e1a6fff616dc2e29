package caddymodule

import (
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestHeadIsOnesOwn: handlers above write into the lines of a header in place, as header
// does where it replaces, and append to them. Nobody else's answer changes by that, nor
// another field of the same one.
func TestHeadIsOnesOwn(t *testing.T) {
	h, r, w := stepped(t, "none", nil)
	next := storePage(t, h, r, w)
	vars := varsOf(r)
	ask := func() http.Header {
		t.Helper()
		w.header = http.Header{"Server": {"Caddy"}}
		clear(vars)
		if err := h.ServeHTTP(w, r, next); err != nil {
			t.Fatal(err)
		}
		return w.header
	}
	first := ask()
	second := first.Clone()
	for name, lines := range first {
		_ = append(lines, "appended to "+name)
		for i := range lines {
			lines[i] = "written into " + name
		}
	}
	for name, lines := range first {
		if len(lines) != 1 || lines[0] != "written into "+name {
			t.Errorf("%s has become %q", name, lines)
		}
	}
	third := ask()
	for name, lines := range second {
		if name != "Age" && name != "Cache-Status" && (len(third[name]) != 1 || third[name][0] != lines[0]) {
			t.Errorf("%s is %q, was %q", name, third[name], lines)
		}
	}
	if third.Get("Age") == "" || len(third) != len(second) {
		t.Errorf("no hit like the first: %v, then %v", second, third)
	}
}

// TestHitAllocates: the lines and the text of the head, and nothing else. The race detector
// has the pool lose an exchange now and then, which is three more.
func TestHitAllocates(t *testing.T) {
	h, r, w := stepped(t, "none", nil)
	next := storePage(t, h, r, w)
	vars := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	n := testing.AllocsPerRun(200, func() {
		clear(w.header)
		clear(vars)
		if err := h.ServeHTTP(w, r, next); err != nil {
			t.Fatal(err)
		}
	})
	if n > 5 {
		t.Errorf("a hit allocates %v times", n)
	}
}
