package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/store"
)

// byToken answers each token, and nobody, with what the function makes of it.
func byToken(answer func(token string) caddyhttp.HandlerFunc) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		return answer(r.Header.Get("Authorization"))(w, r)
	}
}

const publicly = "public, max-age=60"

// TestRecheckOfSigned: RFC 9111 §3.5. What an app says to everybody who is signed in, and
// is each one's own, is noticed when a second one is given it, and then refused to all of
// them; what is the same for all, or new, is not.
func TestRecheckOfSigned(t *testing.T) {
	own := byToken(func(token string) caddyhttp.HandlerFunc {
		return say(200, "<p>for "+token[max(0, len(token)-3):]+"</p>", "Cache-Control", publicly)
	})
	signedOnly := func(then caddyhttp.HandlerFunc) caddyhttp.HandlerFunc {
		return byToken(func(token string) caddyhttp.HandlerFunc {
			if token == "" {
				return say(401, "sign in", "Www-Authenticate", "Bearer")
			}
			return then
		})
	}
	page := func(text string) caddyhttp.HandlerFunc { return say(200, text, "Cache-Control", publicly) }
	theirs := func(then caddyhttp.HandlerFunc) caddyhttp.HandlerFunc { // second is answered otherwise
		return byToken(func(token string) caddyhttp.HandlerFunc {
			if strings.HasSuffix(token, "two") {
				return then
			}
			return page("<p>all</p>")
		})
	}
	for _, tt := range []struct {
		name        string
		first, then caddyhttp.HandlerFunc
		fills       int
		result      string
		kept        bool
		withdrawals int
		refused     time.Duration
		nobody      bool // it is nobody's hit
	}{
		{"each one's own", own, own, 2, recheckWithdrawn, false, 1, store.MaxRefusal, false},
		{"each one's own, nobody may see it", signedOnly(own), signedOnly(own), 2, recheckWithdrawn, false, 0, signedRefusal, false},
		{"each one's own, and nobody's hit", own, own, 2, recheckChanged, false, 0, 0, true},
		{"the same for all", page("<p>all</p>"), page("<p>all</p>"), 1, recheckSame, true, 0, 0, false},
		{"the same for all who may see it", signedOnly(page("<p>all</p>")), signedOnly(page("<p>all</p>")), 1, recheckSame, true, 0, 0, false},
		{"new for all", page("<p>old</p>"), page("<p>new</p>"), 2, recheckChanged, false, 0, 0, false},
		{
			"new for those who may see it", signedOnly(page("<p>old</p>")), byToken(func(token string) caddyhttp.HandlerFunc {
				if token == "" {
					return say(403, "sign in", "Cache-Control", publicly)
				}
				return page("<p>new</p>")
			}), 2, recheckWithdrawn, false, 0, 0, false,
		},
		{"one is answered privately", page("<p>all</p>"), theirs(say(200, "<p>mine</p>", "Cache-Control", "private")), 1, recheckFailed, true, 0, 0, false},
		{"one is turned away", page("<p>all</p>"), theirs(say(403, "<p>no</p>", "Cache-Control", publicly)), 1, recheckFailed, true, 0, 0, false},
		{"one is repeated what they sent", page("<p>all</p>"), theirs(page("<p>Bearer token-two</p>")), 1, recheckFailed, true, 0, 0, false},
		{"dead", page("<p>all</p>"), dead, 1, recheckFailed, true, 0, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withRoute(t, sharesAuthorized+"\nrecheck: 100%", func(t *testing.T, c *ruled) {
				one, two := []string{"Authorization", "Bearer token-one"}, []string{"Authorization", "Bearer token-two", "X-Mine", "secret"}
				if tt.nobody {
					two = nil
				}
				c.origin = tt.first
				c.get("/", one...)
				if c.objects() != 1 {
					t.Fatal("nothing is stored")
				}
				c.asked()
				c.origin = tt.then
				before := counted(rechecksFamily, "page", tt.result)
				if a := c.get("/", two...); !a.hit() {
					t.Fatal(a.header)
				}
				for i, r := range c.reached(t, "the recheck", tt.fills) {
					want := ""
					if i == 0 && !tt.nobody {
						want = two[1]
					}
					if got := r.Header.Get("Authorization"); got != want || r.Header.Get("If-None-Match") != "" ||
						strings.Contains(fmt.Sprint(r.Header, r.RemoteAddr), "secret") || r.RemoteAddr == visitorAddress {
						t.Errorf("request %d had %v from %s", i, r.Header, r.RemoteAddr)
					}
				}
				if got := counted(rechecksFamily, "page", tt.result); got != before+1 {
					t.Errorf("%s went from %d to %d", tt.result, before, got)
				}
				if kept := c.objects() == 1; kept != tt.kept || c.withdrawals() != tt.withdrawals {
					t.Errorf("kept %t, %d withdrawals", kept, c.withdrawals())
				}
				if tt.refused == 0 {
					return
				}
				// Refused from then on: to those who are signed in, and to those who are not.
				if tt.withdrawals == 0 {
					if got := last(c.logged("diverge", "reasons")); got != "[divergent]" {
						t.Errorf("recorded for %q", got)
					}
				}
				for _, wait := range []time.Duration{0, tt.refused - time.Second} {
					time.Sleep(wait)
					for _, headers := range [][]string{one, two, nil, {"Authorization", "Bearer token-three"}} {
						a := c.get("/", headers...)
						if a.hit() || c.objects() != 0 {
							t.Errorf("after %s: %q, %s, %d objects", wait, a.body, a.header["Cache-Status"], c.objects())
						}
						if token := strings.Join(headers[:min(2, len(headers))], " "); a.status == 200 && token != "" && !strings.Contains(a.body, token[len(token)-3:]) {
							t.Errorf("%s got %q", token, a.body)
						}
					}
				}
			})
		})
	}
}
