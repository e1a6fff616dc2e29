package caddymodule

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// varied answers with the values of the request headers that its Vary names.
func varied(names ...string) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		headers := []string{"Cache-Control", "max-age=300"}
		body := "for"
		for _, name := range names {
			headers = append(headers, "Vary", name)
			body += fmt.Sprintf(" %q", r.Header[name])
		}
		return say(200, body, headers...)(w, r)
	}
}

// TestVariantsSideBySide: RFC 9111 §4.1. What was stored for one language answers
// nobody who asks for another.
func TestVariantsSideBySide(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = varied("Accept-Language")
		const en, ja, fr = `for ["en"]`, `for ["ja"]`, `for ["fr"]`
		c.get("/", "Accept-Language", "en").check(t, "en first", 200, en, "fwd=uri-miss", "fwd-status=200", "stored")
		c.get("/", "Accept-Language", "ja").check(t, "ja first", 200, ja, "fwd=vary-miss", "fwd-status=200", "stored")
		c.reached(t, "two languages", 2)
		for range 2 {
			c.get("/", "Accept-Language", "en").check(t, "en again", 200, en, "hit")
			c.get("/", "Accept-Language", "ja").check(t, "ja again", 200, ja, "hit")
		}
		c.reached(t, "stored languages", 0)
		c.get("/", "Accept-Language", "fr").check(t, "a third language", 200, fr, "fwd=vary-miss")
		c.get("/").check(t, "no language", 200, "for []", "fwd=vary-miss")
		c.get("/").check(t, "no language again", 200, "for []", "hit")
		c.get("/", "Accept-Language", "en").check(t, "en at last", 200, en, "hit")
	})
}

// TestVariantsNormalized: RFC 9111 §4.1. White space and the case of letters do not
// matter in a list of languages; their order does.
func TestVariantsNormalized(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = varied("Accept-Language")
		first := c.get("/", "Accept-Language", "en-US,ja;q=0.5").body
		for _, spelling := range []string{"en-US , ja;q=0.5", "EN-us,\tJA; q=0.5", " en-us,ja ;q=0.5 "} {
			c.get("/", "Accept-Language", spelling).check(t, spelling, 200, first, "hit")
		}
		c.get("/", "Accept-Language", "en-US", "Accept-Language", "ja;q=0.5").check(t, "two lines", 200, first, "hit")
		c.reached(t, "one language", 1)
		for _, other := range []string{"ja;q=0.5,en-US", "en-US", "en-US,ja;q=0.6"} {
			if a := c.get("/", "Accept-Language", other); !a.says("fwd=vary-miss") || a.body == first {
				t.Errorf("%s: %q, %s", other, a.body, a.header["Cache-Status"])
			}
		}
	})
}

// TestVariantsOnAColdKey: RFC 9111 §4.1, §4 (collapsed requests). A crowd that does
// not yet know of the variants gets each its own, for one request a variant or so.
func TestVariantsOnAColdKey(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		answer := varied("Accept-Language")
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			time.Sleep(time.Second)
			return answer(w, r)
		}
		var wg sync.WaitGroup
		for i := range 201 {
			languages := [][]string{{"en"}, {"ja"}, nil}[i%3]
			wg.Go(func() {
				var headers []string
				if languages != nil {
					headers = []string{"Accept-Language", languages[0]}
				}
				a := c.send("GET", "/", headers...)
				if want := fmt.Sprintf("for %q", languages); a.err != nil || a.body != want {
					t.Errorf("%q got %q, %v", languages, a.body, a.err)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if n := len(c.asked()); n < 3 || n > 6 {
			t.Errorf("the origin was asked %d times", n)
		}
	})
}

// TestVariantsOfTwoHeadersOnAColdKey: RFC 9111 §4.1, with six variants and none known.
func TestVariantsOfTwoHeadersOnAColdKey(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		answer := varied("Accept-Language", "Accept")
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			time.Sleep(time.Second)
			return answer(w, r)
		}
		var wg sync.WaitGroup
		for i := range 90 {
			language := []string{"en", "ja", "fr"}[i%3]
			media := []string{"text/html", "text/plain"}[i%2]
			wg.Go(func() {
				a := c.send("GET", "/", "Accept-Language", language, "Accept", media)
				if want := fmt.Sprintf("for [%q] [%q]", language, media); a.err != nil || a.body != want {
					t.Errorf("%s, %s got %q, %v", language, media, a.body, a.err)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if n := len(c.asked()); n < 6 || n > 12 {
			t.Errorf("the origin was asked %d times", n)
		}
	})
}

// TestVariantsOnAnyHeader: RFC 9111 §4.1, with headers others vary. A field that is
// not there is not the same as one that is empty.
func TestVariantsOnAnyHeader(t *testing.T) {
	withRoute(t, "cache: origin\nheaders: {others: vary}", func(t *testing.T, c *ruled) {
		c.origin = varied("X-Foo")
		requests := [][]string{nil, {"X-Foo", ""}, {"X-Foo", "1"}, {"X-Foo", "2"}, {"X-Foo", "A"}, {"X-Foo", "a"}}
		for _, headers := range requests {
			want := fmt.Sprintf("for %q", http.Header{}["X-Foo"])
			if headers != nil {
				want = fmt.Sprintf("for %q", headers[1:])
			}
			if a := c.get("/", headers...); a.hit() || a.body != want {
				t.Errorf("%q first: %q, %s", headers, a.body, a.header["Cache-Status"])
			}
		}
		c.asked()
		for _, headers := range requests {
			// What the Vary does not name makes no difference.
			if a := c.get("/", append([]string{"X-Bar", "any"}, headers...)...); !a.hit() {
				t.Errorf("%q again: %q, %s", headers, a.body, a.header["Cache-Status"])
			}
		}
		c.reached(t, "stored variants", 0)
	})
}

// TestVaryComesAndGoes: RFC 9111 §4.1. An answer without Vary after answers with one
// takes nobody's variant away, and is not given to those who have theirs.
func TestVaryComesAndGoes(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = varied("Accept-Language")
		c.get("/", "Accept-Language", "en")
		c.origin = say(200, "for all", "Cache-Control", "max-age=300")
		c.get("/", "Accept-Language", "ja").check(t, "without Vary", 200, "for all", "fwd=vary-miss")
		c.get("/", "Accept-Language", "ja").check(t, "without Vary again", 200, "for all", "hit")
		c.get("/", "Accept-Language", "en").check(t, "the variant", 200, `for ["en"]`, "hit")

		// And the other way round: a response without Vary is replaced by a variant.
		c.get("/other", "Accept-Language", "en").check(t, "another page", 200, "for all")
		c.get("/other", "Accept-Language", "ja").check(t, "without Vary it is for all", 200, "for all", "hit")
		c.origin = varied("Accept-Language")
		time.Sleep(301 * time.Second)
		for _, language := range []string{"en", "ja"} {
			c.get("/other", "Accept-Language", language).check(t, language, 200, fmt.Sprintf("for [%q]", language))
		}
	})
}

// TestVaryWiderThanBefore: RFC 9111 §4.1. A Vary that names one header more makes
// the variants that were chosen without it answer nobody else.
func TestVaryWiderThanBefore(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = varied("Accept-Language")
		c.get("/", "Accept-Language", "en", "Accept", "text/html")
		c.origin = varied("Accept-Language", "Accept")
		c.get("/", "Accept-Language", "ja", "Accept", "text/html")
		for _, media := range []string{"text/plain", "text/html"} {
			a := c.get("/", "Accept-Language", "ja", "Accept", media)
			if want := fmt.Sprintf(`for ["ja"] [%q]`, media); a.body != want {
				t.Errorf("%s: %q, want %q", media, a.body, want)
			}
		}
	})
}

// TestVaryThatCannotBeKept: RFC 9111 §4.1. Nothing is stored that no request, or no
// request that we can tell, would select.
func TestVaryThatCannotBeKept(t *testing.T) {
	for _, c := range []struct{ vary, reason string }{
		{"*", "vary-star"},
		{"Accept-Language, *", "vary-star"},
		{"Accept Language", "vary-star"},
		{"X-Foo", "vary-undeclared"},
		{"Accept-Language, X-Foo", "vary-undeclared"},
		{"Cookie", "vary-credentials"},
		{"Authorization", "vary-credentials"},
	} {
		t.Run(c.vary, func(t *testing.T) {
			withRoute(t, "cache: origin", func(t *testing.T, ca *ruled) {
				ca.origin = say(200, "the page", "Cache-Control", "max-age=300", "Vary", c.vary)
				ca.get("/").check(t, "first", 200, "the page", "detail="+c.reason)
				ca.get("/").check(t, "second", 200, "the page", "detail="+c.reason)
				if n := ca.objects(); n != 0 {
					t.Errorf("%d objects are stored", n)
				}
			})
		})
	}
}

// TestVaryOnWhatIsNotSent: RFC 9111 §4.1. Bytes without a coding are the same for
// every Accept-Encoding, and every key has the host.
func TestVaryOnWhatIsNotSent(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = say(200, "the page", "Cache-Control", "max-age=300", "Vary", "accept-encoding, Host")
		c.get("/", "Accept-Encoding", "gzip")
		c.get("/", "Accept-Encoding", "br").check(t, "another coding", 200, "the page", "hit")
		c.get("/", "Host", "other.example").check(t, "another host", 200, "the page", "fwd=uri-miss")
	})
}
