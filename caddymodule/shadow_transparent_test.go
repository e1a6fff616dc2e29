package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"pgregory.net/rapid"
)

// act is a thing that an origin does.
type act struct {
	what, name, value string
	status            int
}

// drawnOrigin draws what an origin does, in its order, right or not.
func drawnOrigin(r *rapid.T) []act {
	field := rapid.Custom(func(r *rapid.T) act {
		a := act{what: rapid.SampledFrom([]string{"set", "set", "add", "delete"}).Draw(r, "how")}
		a.name = rapid.SampledFrom([]string{"Cache-Control", "Set-Cookie", "Content-Type", "Content-Length", "Content-Encoding", "Vary", "Etag", "X-Lead", "Trailer", "Trailer:X-Late", "Date"}).Draw(r, "name")
		a.value = rapid.SampledFrom([]string{"public, max-age=60", "private", "a=1", "text/html", "image/png", "text/html; charset=utf-16", "9", "gzip", "br", "*", "Accept-Language", `"1"`, "X-Late", ""}).Draw(r, "value")
		return a
	})
	write := rapid.Custom(func(r *rapid.T) act {
		return act{what: rapid.SampledFrom([]string{"write", "write", "copy"}).Draw(r, "how"), value: rapid.SampledFrom([]string{
			"", "<p id=stamp>page</p>", `<input name="csrf_token" value="q8Zr2LmX0vTn5KdYp1Wc">`, "visitor=REF-Carol-5520917", string(gzipped("<p>page</p>")), strings.Repeat("page ", 20_000),
		}).Draw(r, "body")}
	})
	status := rapid.Custom(func(r *rapid.T) act {
		return act{what: "status", status: rapid.SampledFrom([]int{200, 200, 204, 206, 301, 304, 404, 429, 500, 103}).Draw(r, "status")}
	})
	end := rapid.Custom(func(r *rapid.T) act {
		return act{what: rapid.SampledFrom([]string{"flush", "fail", "panic", "return"}).Draw(r, "end")}
	})
	acts := rapid.SliceOfN(field, 0, 4).Draw(r, "fields")
	acts = append(acts, rapid.SliceOfN(rapid.OneOf(status, write, field), 0, 5).Draw(r, "body")...)
	return append(acts, rapid.SliceOfN(rapid.OneOf(end, write), 0, 2).Draw(r, "end")...)
}

var errOrigin = errors.New("origin failed")

func plays(acts []act) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) error {
		h := w.Header()
		for _, a := range acts {
			switch a.what {
			case "set":
				h.Set(a.name, a.value)
			case "add":
				h.Add(a.name, a.value)
			case "delete":
				h.Del(a.name)
			case "status":
				w.WriteHeader(a.status)
			case "write":
				_, _ = io.WriteString(w, a.value)
			case "copy":
				_, _ = io.Copy(w, struct{ io.Reader }{strings.NewReader(a.value)})
			case "flush":
				_ = http.NewResponseController(w).Flush()
			case "fail":
				return errOrigin
			case "panic":
				panic(http.ErrAbortHandler)
			case "return":
				return nil
			}
		}
		return nil
	}
}

// gets is what a visitor gets of a handler: everything that is written, how it ends, and
// what is left in the header, which may become trailers.
func gets(r *http.Request, serve func(http.ResponseWriter, *http.Request) error) (got string) {
	w := &visitor{header: http.Header{"X-Above": {"1"}}}
	var err error
	defer func() {
		v := recover()
		got = fmt.Sprintln(w.status, w.sent, w.interim, w.header, err, v) + w.body.String()
	}()
	r = caddyhttp.PrepareRequest(r.Clone(context.Background()), caddy.NewReplacer(), w, nil)
	err = serve(w, r)
	return ""
}

// TestObserveChangesNothing: whatever an origin does, visitors get of it what they would
// get without Cacheward, to the byte, time and again; and nothing is stored.
func TestObserveChangesNothing(t *testing.T) {
	foreseen := make(map[string]int)
	rapid.Check(t, func(r *rapid.T) {
		origins := rapid.SliceOfN(rapid.Custom(drawnOrigin), 1, 4).Draw(r, "origins")
		cache := rapid.SampledFrom([]string{"5m", "origin"}).Draw(r, "cache")
		extra := rapid.SampledFrom([]string{"", ", inspect: {rule: off, reason: why}", ", ignore: [{html: \"p#stamp\", reason: why}], admission: corroborated", ", set_cookie: {rule: strip, reason: why}", ", downstream: 60s"}).Draw(r, "extra")
		method := rapid.SampledFrom([]string{"GET", "GET", "GET", "HEAD", "POST"}).Draw(r, "method")
		headers := rapid.SampledFrom([][2]string{{}, {}, {"Cookie", "visitor=REF-Carol-5520917"}, {"Range", "bytes=0-1"}, {"If-None-Match", `"1"`}, {"Accept-Language", "ja"}}).Draw(r, "header")
		var wrong string
		withRoutes(t, "  - {name: page, match: {paths: [\"/*\"]}, mode: observe, cache: "+cache+extra+"}\n", func(t *testing.T, c *ruled) {
			for range 2 {
				for _, acts := range origins {
					request := httptest.NewRequest(method, "/", nil)
					if headers[0] != "" {
						request.Header.Set(headers[0], headers[1])
					}
					without := gets(request, plays(acts))
					with := gets(request, func(w http.ResponseWriter, r *http.Request) error { return c.ServeHTTP(w, r, plays(acts)) })
					if with != without {
						wrong = fmt.Sprintf("with observe:\n%.2000s\nwithout:\n%.2000s", with, without)
					}
				}
			}
			c.written(t)
			for _, would := range c.logged("bypass", "would") {
				foreseen[would]++
			}
			if c.objects() != 0 || c.shared.observed.used.Load() != 0 || c.shared.budget.used.Load() != 0 {
				wrong += "something is stored or held"
			}
		})
		if wrong != "" {
			r.Fatal(wrong)
		}
	})
	for _, would := range []Outcome{OutcomeFill, OutcomeHit, OutcomePass, OutcomeBypass} {
		if foreseen[string(would)] == 0 {
			t.Errorf("nothing would have been a %s: %v", would, foreseen)
		}
	}
	if foreseen[""] != 0 {
		t.Errorf("of %d requests nothing is foreseen", foreseen[""])
	}
}
