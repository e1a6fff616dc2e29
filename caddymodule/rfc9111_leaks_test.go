package caddymodule

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/policies"
)

const (
	relaysAll   = "cache: origin\ndownstream: origin"
	relaysWhole = relaysAll + "\nheaders: {others: vary}\naddress: {rule: forward, reason: test}"
)

// reflecting repeats what it was sent: an answer for one visitor that says of itself
// that it is everybody's.
func reflecting(headers ...string) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		body := fmt.Sprintf("for %s %s %s", r.RemoteAddr, r.Header["Cookie"], r.Header["X-Trace"])
		return say(200, body, append([]string{"Cache-Control", "public, max-age=60"}, headers...)...)(w, r)
	}
}

// TestPermissionNeedsAdmission: RFC 9111 §5.2.2, with downstream: origin. A response
// that is not admitted, on our own account, carries no permission of the origin's:
// neither when it is filled nor when the refusal is remembered.
func TestPermissionNeedsAdmission(t *testing.T) {
	for _, test := range []struct {
		name, lines string
		request     []string
		origin      caddyhttp.HandlerFunc
		holds       string // of the visitor's, in the body
	}{
		{"a withheld cookie", relaysAll + "\ncookies: {others: strip}", []string{"Cookie", "session=alice"}, reflecting("Set-Cookie", "session=new"), "alice"},
		{"a withheld cookie, Vary", relaysAll + "\ncookies: {others: strip}", []string{"Cookie", "session=alice"}, reflecting("Vary", "Cookie"), "alice"},
		{"a withheld cookie, Vary: *", relaysAll + "\ncookies: {others: strip}", []string{"Cookie", "session=alice"}, reflecting("Vary", "*"), "alice"},
		{"the address", relaysWhole, nil, func(w http.ResponseWriter, r *http.Request) error {
			return say(200, "you are "+strings.TrimSuffix(r.RemoteAddr, ":1234"), "Cache-Control", "public, max-age=60")(w, r)
		}, "203.0.113.7"},
		{"a forwarded header", relaysAll + "\nheaders: {others: vary, forward: [{name: X-Trace, reason: test}]}\naddress: {rule: forward, reason: test}",
			[]string{"X-Trace", "alice"}, reflecting(), "alice"},
		{"a trailer", relaysWhole, nil, func(w http.ResponseWriter, r *http.Request) error {
			err := say(200, "alice", "Cache-Control", "public, max-age=60")(w, r)
			w.Header().Set(http.TrailerPrefix+"X-Auth-Token", "secret")
			return err
		}, "alice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			withRoute(t, test.lines, func(t *testing.T, c *ruled) {
				c.origin = test.origin
				for _, what := range []string{"fill", "remembered"} {
					a := c.get("/", test.request...)
					if a.err != nil || !strings.Contains(a.body, test.holds) || a.hit() {
						t.Fatalf("%s: %q, %s, %v", what, a.body, a.header["Cache-Status"], a.err)
					}
					onlyForbidden(t, a.header)
				}
				if n := c.objects(); n != 0 {
					t.Errorf("%d objects are stored", n)
				}
			})
		})
	}
}

// TestPermissionOfAStatus: RFC 9111 §3. Nor does one whose status is of one request or
// of the moment, whatever lifetime it gives itself.
func TestPermissionOfAStatus(t *testing.T) {
	for _, status := range []int{206, 401, 429, 431} {
		withRoute(t, relaysWhole, func(t *testing.T, c *ruled) {
			c.origin = say(status, "theirs", "Cache-Control", "public, max-age=60")
			a := c.get("/")
			a.check(t, "their own", status, "theirs", "detail=status")
			onlyForbidden(t, a.header)
			c.reached(t, "a fill that is the visitor's own answer", 1)
		})
	}
}

// TestPermissionNeedsCorroboration: on a route that admits what a second answer
// corroborates, the first visitor's own one has not been corroborated.
func TestPermissionNeedsCorroboration(t *testing.T) {
	withRoute(t, relaysAll+"\nadmission: corroborated", func(t *testing.T, c *ruled) {
		var n atomic.Int64
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			return say(200, fmt.Sprintf("record %d of %s", n.Add(1), r.UserAgent()), "Cache-Control", "public, max-age=60")(w, r)
		}
		a := c.get("/")
		if !strings.HasSuffix(a.body, "of visitor") {
			t.Errorf("%q", a.body)
		}
		onlyForbidden(t, a.header)
		if got := c.logged("diverge", "reasons"); len(got) != 1 || c.objects() != 0 {
			t.Errorf("diverged: %q, %d objects", got, c.objects())
		}
	})
}

// TestPermissionForAuthorized: RFC 9111 §3.5. Caches further on share what is said to
// one who is signed in if a directive lets them. Where we refuse it, none does.
func TestPermissionForAuthorized(t *testing.T) {
	const forbidden = "private, no-store"
	for _, test := range []struct{ lines, control, fill, remembered string }{
		{relaysWhole, "max-age=60", "max-age=60", forbidden}, // lets nobody
		{relaysWhole, "max-age=60, must-revalidate", forbidden, forbidden},
		{relaysAll, "max-age=60, must-revalidate", forbidden, forbidden},
	} {
		t.Run(test.control, func(t *testing.T) {
			withRoute(t, test.lines+"\nauthorization: {rule: rfc9111, reason: test}", func(t *testing.T, c *ruled) {
				c.origin = signedIn("Cache-Control", test.control)
				for _, want := range []string{test.fill, test.remembered} {
					a := c.get("/", "Authorization", bearer)
					if got := strings.Join(a.header["Cache-Control"], "|"); a.body != "signed in: true" || a.hit() || got != want {
						t.Errorf("%q, Cache-Control %q, want %q, %s", a.body, got, want, a.header["Cache-Status"])
					}
				}
			})
		})
	}
}

// TestNoPermissionWithoutValidation: RFC 9111 §5.2.2.4. What may not be reused without
// asking is not lent to caches that would not ask.
func TestNoPermissionWithoutValidation(t *testing.T) {
	withRoute(t, "cache: origin\ndownstream: {ttl: 60s}", func(t *testing.T, c *ruled) {
		headers := []string{"Etag", `"v1"`, "Cache-Control", "no-cache, max-age=60"}
		c.origin = inTurn(say(304, "", headers...), say(200, "the page", headers...))
		c.get("/")
		a := c.get("/")
		a.check(t, "validated", 200, "the page", "fwd-status=304")
		onlyForbidden(t, a.header)
	})
}

// TestEncodedReflection: RFC 9110 §8.4. A content coding is no hiding place for what
// was sent without being keyed.
func TestEncodedReflection(t *testing.T) {
	withRoute(t, "cache: origin\naddress: {rule: forward, reason: test}", func(t *testing.T, c *ruled) {
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			var body bytes.Buffer
			z := gzip.NewWriter(&body)
			_, _ = fmt.Fprintf(z, "you are %s", r.RemoteAddr)
			_ = z.Close()
			return say(200, body.String(), "Cache-Control", "max-age=60", "Content-Encoding", "gzip")(w, r)
		}
		c.get("/")
		if a := c.get("/"); a.hit() || c.objects() != 0 {
			t.Errorf("%s, %d objects", a.header["Cache-Status"], c.objects())
		}
		if got := last(c.logged("refuse", "reasons")); got != "["+policies.ReasonReflectsInput.String()+"]" {
			t.Errorf("refused for %s", got)
		}
	})
}

// TestVarsSetAbove: a fill that is refused is given as the visitor's own answer only
// if handlers above had told those below nothing that a fill does not tell them.
func TestVarsSetAbove(t *testing.T) {
	for _, address := range []string{"strip", "{rule: forward, reason: test}"} {
		t.Run(address, func(t *testing.T) {
			withRoute(t, "cache: origin\nheaders: {others: vary}\naddress: "+address, func(t *testing.T, c *ruled) {
				c.origin = func(w http.ResponseWriter, r *http.Request) error {
					return say(200, fmt.Sprint("page for ", caddyhttp.GetVar(r.Context(), "user")), "Cache-Control", "private")(w, r)
				}
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.RemoteAddr = visitorAddress
				w := &visitor{header: make(http.Header)}
				r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
				caddyhttp.SetVar(r.Context(), "user", "alice")
				err := c.ServeHTTP(w, r, caddyhttp.HandlerFunc(c.next))
				if synctest.Wait(); err != nil || w.body.String() != "page for alice" {
					t.Errorf("%q, %v", w.body.String(), err)
				}
				// The request alone is the same for both; without the variable it is whole.
				c.asked()
				if a := c.get("/other"); a.body != "page for <nil>" {
					t.Errorf("%q", a.body)
				}
				if n := len(c.asked()); (n == 1) != (address != "strip") {
					t.Errorf("the origin was asked %d times for a request without variables", n)
				}
			})
		})
	}
}

// TestAuthorizedUpdatesNothing: RFC 9111 §3.5, §4.3.4, §4.3.5. The fields of an answer
// to one who is signed in are not put on the response that others get.
func TestAuthorizedUpdatesNothing(t *testing.T) {
	for _, method := range []string{"HEAD", "GET"} {
		t.Run(method, func(t *testing.T) {
			withRoute(t, "cache: origin\nauthorization: {rule: rfc9111, reason: test}", func(t *testing.T, c *ruled) {
				c.origin = func(w http.ResponseWriter, r *http.Request) error {
					headers := []string{"Etag", `"v1"`}
					switch {
					case r.Header["Authorization"] != nil:
						headers = append(headers, "X-Account", "alice")
					case r.Header["If-None-Match"] == nil:
						headers = append(headers, "Cache-Control", "public, max-age=60")
					}
					if r.Header["If-None-Match"] != nil {
						return say(304, "", headers...)(w, r)
					}
					return say(200, "the page", headers...)(w, r)
				}
				c.get("/").check(t, "fill", 200, "the page", "stored")
				time.Sleep(61 * time.Second)
				if a := c.do(method, "/", "Authorization", bearer); a.header.Get("X-Account") != "alice" {
					t.Errorf("their own: %v", a.header)
				}
				for range 2 {
					if a := c.get("/"); a.body != "the page" || a.header["X-Account"] != nil {
						t.Errorf("%q, X-Account %q, %s", a.body, a.header["X-Account"], a.header["Cache-Status"])
					}
				}
			})
		})
	}
}

// TestInterimIsTheVisitorsCopy: RFC 9110 §15.2. Handlers above may rewrite the lines of
// a 1xx response in place, while the gate still reads what the origin sent.
func TestInterimIsTheVisitorsCopy(t *testing.T) {
	var given interim
	f := &fill{interim: func(i interim) { given = i }}
	f.writer = fillWriter{fill: f, request: t.Context(), header: http.Header{"Link": {"</a.css>; rel=preload"}}}
	f.writer.WriteHeader(http.StatusEarlyHints)
	given.header["Link"][0] = "rewritten"
	for _, h := range append(f.head().Informational, f.writer.header) {
		if got := h.Get("Link"); got != "</a.css>; rel=preload" {
			t.Errorf("Link %q", got)
		}
	}
}
