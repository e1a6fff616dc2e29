package caddymodule

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// would asks for a target, and returns what the record says that it would have been, with
// the reasons.
func (c *ruled) would(t *testing.T, method, target string, headers ...string) string {
	t.Helper()
	before := len(c.logged("bypass", "would"))
	c.do(method, target, headers...)
	c.written(t)
	all := c.logged("bypass", "would")
	if len(all) != before+1 {
		t.Fatalf("%s %s: %d records, want one", method, target, len(all)-before)
	}
	if got := last(c.logged("bypass", "outcome")); got != "observe" {
		t.Errorf("%s %s: outcome %q", method, target, got)
	}
	reasons := strings.Trim(last(c.logged("bypass", "reasons")), "[]")
	return strings.TrimSpace(last(all) + " " + reasons)
}

// written waits for the records that there are.
func (c *ruled) written(t *testing.T) {
	t.Helper()
	if err := c.audit.Flush(context.Background()); err != nil {
		t.Error(err)
	}
}

// seen is a request and what it would have been.
type seen struct {
	after   time.Duration
	method  string
	target  string
	headers []string
	origin  caddyhttp.HandlerFunc // nil: as before
	want    string
}

func (s seen) GET(target string, headers ...string) seen {
	s.method, s.target, s.headers = "GET", target, headers
	return s
}

// TestWould: every outcome there is, in both admissions, and why.
func TestWould(t *testing.T) {
	const corroborated, once = "cache: 5m\nparams: {key: [p], strip: [ref], deny: [attack]}", "cache: origin\nparams: {key: [p], strip: [ref], deny: [attack]}"
	get := seen{}.GET
	say1 := say(200, "<p>one</p>", "Cache-Control", "public, max-age=300", "Etag", `"1"`)
	say2 := say(200, "<p>two</p>", "Cache-Control", "public, max-age=300", "Etag", `"2"`)
	cookie := say(200, "<p>one</p>", "Cache-Control", "public, max-age=300", "Set-Cookie", "lead=1")
	csrf := say(200, `<form><input type="hidden" name="csrf_token" value="q8Zr2LmX0vTn5KdYp1Wc"></form>`, "Cache-Control", "public, max-age=300")
	large := say(200, strings.Repeat("x", 9<<20), "Cache-Control", "public, max-age=300", "Content-Type", "image/png")
	image := say(200, "\x89PNG one", "Cache-Control", "public, max-age=300", "Content-Type", "image/png")
	image2 := say(200, "\x89PNG two", "Cache-Control", "public, max-age=300", "Content-Type", "image/png")
	with := func(s seen, origin caddyhttp.HandlerFunc, after time.Duration, want string) seen {
		s.origin, s.after, s.want = origin, after, want
		return s
	}
	then := func(s seen, want string) seen { return with(s, nil, time.Second, want) }
	for _, tt := range []struct {
		name, route string
		steps       []seen
	}{
		{"denied", corroborated, []seen{with(get("/?attack=1"), say1, 0, "deny denied")}},
		{"bypass", corroborated, []seen{with(get("/", "Cookie", "cart=1"), say1, 0, "bypass cookie-bypass"), then(get("/"), "fill")}},
		{"never", "cache: never", []seen{with(get("/"), say1, 0, "bypass route-never")}},
		{"method", corroborated, []seen{with(seen{method: "POST", target: "/"}, say1, 0, "bypass method")}},
		{"corroborated", corroborated, []seen{with(get("/"), say1, 0, "fill"), then(get("/"), "hit"), then(get("/?ref=a"), "hit"), then(get("/?p=1"), "fill"), then(get("/?p=1"), "hit")}},
		{"once", once, []seen{with(get("/"), say1, 0, "fill"), then(get("/"), "hit"), then(get("/?p=1"), "fill")}},
		{"lifetime of the policy", corroborated, []seen{with(get("/"), say1, 0, "fill"), with(get("/"), nil, 299*time.Second, "hit"), with(get("/"), nil, time.Second, "fill")}},
		{"lifetime of the origin", once, []seen{with(get("/"), say(200, "x", "Cache-Control", "max-age=60", "Age", "20"), 0, "fill"), with(get("/"), nil, 39*time.Second, "hit"), with(get("/"), nil, time.Second, "fill")}},
		{"divergent", corroborated, []seen{with(get("/"), say1, 0, "fill"), with(get("/"), say2, time.Second, "pass divergent"),
			then(get("/"), "pass divergent remembered-refusal"), with(get("/"), nil, visitorRefusal, "fill"), then(get("/"), "hit")}},
		{"changed when admitted", corroborated, []seen{with(get("/"), say1, 0, "fill"), then(get("/"), "hit"), with(get("/"), say2, time.Second, "hit")}},
		{"refused by the head", once, []seen{with(get("/"), cookie, 0, "pass set-cookie"), with(get("/"), say1, time.Second, "pass set-cookie remembered-refusal"), with(get("/"), nil, visitorRefusal, "fill")}},
		{"a refusal does no harm", once, []seen{with(get("/"), say1, 0, "fill"), with(get("/"), cookie, time.Second, "hit set-cookie"), with(get("/"), say1, time.Second, "hit")}},
		{"refused by the body", once, []seen{with(get("/"), csrf, 0, "pass state-in-body"), then(get("/"), "pass state-in-body remembered-refusal")}},
		{"the same mark for all", corroborated, []seen{with(get("/"), csrf, 0, "fill"), then(get("/"), "hit")}},
		{"not fresh", once, []seen{with(get("/"), say(200, "x", "Cache-Control", "max-age=0"), 0, "pass not-fresh")}},
		{"validated each time", once, []seen{with(get("/"), say(200, "x", "Cache-Control", "max-age=0", "Etag", `"1"`), 0, "fill"), then(get("/"), "fill"),
			with(get("/"), say(200, "x", "Cache-Control", "no-cache, max-age=60", "Etag", `"1"`), 0, "fill"), then(get("/"), "fill")}},
		{"status", corroborated, []seen{with(get("/"), say(403, "no"), 0, "pass status")}},
		{"the origin fails", corroborated, []seen{with(get("/"), say(502, "bad"), 0, "pass status"), with(get("/"), say1, time.Second, "fill")}},
		{"an error that says nothing of the page", corroborated, []seen{with(get("/"), say1, 0, "fill"), with(get("/"), say(429, "slow down"), time.Second, "pass status"), with(get("/"), say1, time.Second, "hit")}},
		{"too large", once, []seen{with(get("/"), large, 0, "pass too-large")}},
		{"images", corroborated, []seen{with(get("/"), image, 0, "fill"), then(get("/"), "hit"), with(get("/?p=1"), image, 0, "fill"), with(get("/?p=1"), image2, 0, "pass divergent")}},
		{"not inspected", corroborated + "\ninspect: {rule: off, reason: why}", []seen{with(get("/"), say1, 0, "fill"), then(get("/"), "hit"), with(get("/?p=1"), say1, 0, "fill"), with(get("/?p=1"), say2, 0, "pass divergent")}},
		{"not inspected, in a coding that nobody knows", corroborated + "\ninspect: {rule: off, reason: why}", []seen{with(get("/"), say(200, "%%", "Content-Encoding", "x-own"), 0, "fill"), then(get("/"), "hit")}},
		{"declared", corroborated + "\nignore: [{html: time, reason: why}, {header: X-Node, reason: why}]", []seen{
			with(get("/"), say(200, "<time>1</time>", "X-Node", "a"), 0, "fill"), with(get("/"), say(200, "<time>22</time>", "X-Node", "bb"), 0, "hit"),
			with(get("/?p=1"), say(200, "<time>1</time>"), 0, "fill"), with(get("/?p=1"), say(200, "<time>1</time>!"), 0, "pass divergent")}},
		{"declared and not inspected", corroborated + "\ninspect: {rule: off, reason: why}\nignore: [{html: time, reason: why}]", []seen{
			with(get("/"), say(200, "<time>1</time>"), 0, "fill"), with(get("/"), say(200, "<time>22</time>"), 0, "hit")}},
		{"HEAD", corroborated, []seen{with(seen{method: "HEAD", target: "/"}, say1, 0, "fill"), then(get("/"), "fill"), then(seen{method: "HEAD", target: "/"}, "fill"), then(get("/"), "hit"), then(seen{method: "HEAD", target: "/"}, "hit")}},
		{"conditional", once, []seen{with(get("/", "If-None-Match", `"1"`), say(304, "", "Etag", `"1"`), 0, "fill"), with(get("/"), say1, 0, "fill"), with(get("/", "If-None-Match", `"1"`), say(304, "", "Etag", `"1"`), 0, "hit")}},
		{"range", once, []seen{with(get("/", "Range", "bytes=0-1"), say(206, "<p", "Content-Range", "bytes 0-1/9"), 0, "fill"), with(get("/"), say1, 0, "fill")}},
		{"varying", once, []seen{with(get("/", "Accept-Language", "ja"), say1, 0, "fill"), then(get("/", "Accept-Language", "JA"), "hit"), then(get("/", "Accept-Language", "en"), "fill"), then(get("/"), "fill")}},
		{"signed in", once + "\nauthorization: {rule: rfc9111, reason: why}", []seen{with(get("/", "Authorization", "Bearer x"), say1, 0, "fill"), then(get("/"), "fill"), then(get("/", "Authorization", "Bearer y"), "hit"),
			then(get("/", "Authorization", "Bearer x", "Accept-Language", "ja"), "fill"), then(get("/", "Accept-Language", "ja"), "fill"),
			with(get("/?p=1", "Authorization", "Bearer x"), say(200, "x", "Cache-Control", "max-age=300"), 0, "pass authorization")}},
		{"demands", once, []seen{with(get("/", "Cache-Control", "only-if-cached"), say1, 0, "deny only-if-cached"), then(get("/"), "fill"), then(get("/", "Cache-Control", "only-if-cached"), "hit"),
			then(get("/", "Cache-Control", "no-cache"), "fill"), then(get("/", "Cache-Control", "max-age=1"), "fill"), then(get("/", "Cache-Control", "max-age=30"), "hit"),
			then(get("/", "Cache-Control", "min-fresh=299"), "fill"), then(get("/", "Cache-Control", "no-store"), "bypass request-no-store")}},
		{"demands that are not obeyed", corroborated, []seen{with(get("/"), say1, 0, "fill"), then(get("/"), "hit"), then(get("/", "Cache-Control", "no-cache"), "hit")}},
		{"nobody answers", corroborated, []seen{with(get("/"), func(http.ResponseWriter, *http.Request) error { return nil }, 0, "pass fill-aborted"), with(get("/"), say1, 0, "fill")}},
		{"broken off", corroborated, []seen{with(get("/"), func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "begin")
			return io.ErrUnexpectedEOF
		}, 0, "pass fill-aborted"), with(get("/"), say1, 0, "fill")}},
		{"a cookie before the head", once, []seen{with(get("/"), func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Set-Cookie", "lead=1")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Set-Cookie")
			return say1(w, r)
		}, 0, "pass set-cookie")}},
		{"a cookie after the body", once, []seen{with(get("/"), func(w http.ResponseWriter, r *http.Request) error {
			err := say1(w, r)
			w.Header().Set(http.TrailerPrefix+"Set-Cookie", "lead=1")
			return err
		}, 0, "pass set-cookie")}},
		{"a value of the visitor's", corroborated, []seen{with(get("/?ref=REF-Carol-5520917"), say(200, "<p>by REF-Carol-5520917</p>"), 0, "pass reflects-input"), then(get("/"), "pass reflects-input remembered-refusal")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withRoute(t, tt.route+"\nmode: observe", func(t *testing.T, c *ruled) {
				for i, s := range tt.steps {
					time.Sleep(s.after)
					if s.origin != nil {
						c.origin = s.origin
					}
					if got := c.would(t, s.method, s.target, s.headers...); got != s.want {
						t.Errorf("request %d, %s %s %q, would have been %q, want %q", i, s.method, s.target, s.headers, got, s.want)
					}
				}
				if c.objects() != 0 {
					t.Error("something is stored")
				}
				if used := c.shared.observed.used.Load(); used != 0 {
					t.Errorf("%d bytes were not given back", used)
				}
				if n := len(c.asked()); n != len(tt.steps) {
					t.Errorf("the origin was asked %d times by %d requests", n, len(tt.steps))
				}
			})
		})
	}
}

// TestWouldWithoutMemory: what could not be looked into to its end is not foreseen to be
// shared, and is remembered as little as anything else that is refused.
func TestWouldWithoutMemory(t *testing.T) {
	withRoute(t, "cache: 5m\nmode: observe", func(t *testing.T, c *ruled) {
		c.shared.observed.limit.Store(1)
		c.origin = say(200, strings.Repeat("<p>page</p>", 100))
		for _, want := range []string{"pass inspection-incomplete", "pass inspection-incomplete remembered-refusal"} {
			if got := c.would(t, "GET", "/"); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		time.Sleep(visitorRefusal)
		c.shared.observed.limit.Store(1 << 20)
		if got := c.would(t, "GET", "/"); got != "fill" {
			t.Errorf("with memory: %q", got)
		}
	})
}

// TestWouldBeforeAPanic: what was decided before the origin broke off stays so.
func TestWouldBeforeAPanic(t *testing.T) {
	withRoute(t, "cache: 5m\nmode: observe", func(t *testing.T, c *ruled) {
		breaks := func(want string) {
			t.Helper()
			origin := c.origin
			c.origin = func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) }
			func() {
				defer func() { _ = recover() }()
				c.get("/")
			}()
			c.origin = origin
			c.written(t)
			if got := last(c.logged("bypass", "would")); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		c.origin = say(200, "<p>page</p>")
		breaks("pass")
		c.would(t, "GET", "/")
		c.would(t, "GET", "/")
		breaks("hit")
	})
}

// TestWouldOfFieldsFromAbove: what handlers above set for each visitor is in no fill.
func TestWouldOfFieldsFromAbove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, "mode: observe\nroutes: [{name: page, match: {paths: [/*]}, cache: 5m}]", Limits{})
		defer b.close()
		var got []string
		for i := range 3 {
			w := &visitor{header: http.Header{"X-Visitor": {fmt.Sprint(i)}}}
			x := b.begin(w, preparedRequest(w), caddyhttp.HandlerFunc(say(200, "<p>page</p>")), nil)
			x.rule = b.policy.Route(&x.req)
			x.to(routed)
			x.rule.Dispose(&x.req, &x.parts)
			if err := x.observe(); err != nil {
				t.Fatal(err)
			}
			got = append(got, x.would)
			x.end()
			if w.sent.Get("X-Visitor") != fmt.Sprint(i) {
				t.Error("the field is gone")
			}
		}
		if fmt.Sprint(got) != "[fill hit hit]" {
			t.Errorf("they would have been %v", got)
		}
	})
}

// preparedRequest is a visitor's request as Caddy hands it to handlers.
func preparedRequest(w http.ResponseWriter) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("User-Agent", "visitor")
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
}

// TestWouldConcurrently: many visitors of a few pages at once, some of whose pages are
// made for each. No page that is made for each is ever a hit.
func TestWouldConcurrently(t *testing.T) {
	withRoute(t, "cache: 5m\nparams: {key: [p]}\nmode: observe", func(t *testing.T, c *ruled) {
		var mu sync.Mutex
		n := 0
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			mu.Lock()
			n++
			lead := n
			mu.Unlock()
			if r.URL.Query().Get("p") == "own" {
				return say(200, fmt.Sprintf("<p>lead %d</p>", lead))(w, r)
			}
			return say(200, "<p>page</p>")(w, r)
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for range 10 {
					c.send("GET", "/?p=own")
					c.send("GET", "/?p=all")
				}
			})
		}
		wg.Wait()
		c.written(t)
		seen := make(map[string]int)
		urls, would := c.logged("bypass", "url"), c.logged("bypass", "would")
		if len(would) != 400 {
			t.Fatalf("%d records", len(would))
		}
		keys := c.logged("bypass", "key")
		own := ""
		for i := range would {
			seen[keys[i]+" "+would[i]]++
			if would[i] == string(OutcomePass) {
				own = keys[i]
			}
		}
		if own == "" || seen[own+" hit"] != 0 || len(seen) < 3 {
			t.Errorf("%v, urls %v", seen, urls[:2])
		}
		if c.shared.shadow.len() != 2 || c.objects() != 0 {
			t.Errorf("%d keys, %d objects", c.shared.shadow.len(), c.objects())
		}
	})
}

// TestWouldIsWhatEnforceDoes: of an origin that answers everybody alike, what observe
// foresees is what enforce does, request by request.
func TestWouldIsWhatEnforceDoes(t *testing.T) {
	origin := func(w http.ResponseWriter, r *http.Request) error {
		if r.URL.Path == "/cookie" {
			w.Header().Set("Set-Cookie", "lead=1")
		}
		switch r.URL.Path {
		case "/short":
			return say(200, "short", "Cache-Control", "max-age=2")(w, r)
		case "/private":
			return say(200, "private", "Cache-Control", "private")(w, r)
		case "/gone":
			return say(410, "gone", "Cache-Control", "max-age=60")(w, r)
		}
		return say(200, "<p>"+r.URL.Path+"</p>", "Cache-Control", "public, max-age=60")(w, r)
	}
	targets := []string{"/a", "/b", "/a", "/short", "/a?ref=1", "/cookie", "/short", "/private", "/gone", "/a?cart=1", "/a//b", "/gone", "/cookie", "/a"}
	for _, route := range []string{"cache: 5m\nparams: {strip: [ref], bypass: [cart]}", "cache: origin\nparams: {strip: [ref], bypass: [cart]}"} {
		run := func(lines string) (would, outcomes []string) {
			withRoute(t, lines, func(t *testing.T, c *ruled) {
				c.origin = origin
				for range 3 {
					for _, target := range targets {
						time.Sleep(time.Second)
						refusals := len(c.logged("refuse", "key"))
						c.get(target)
						c.written(t)
						c.log.mu.Lock()
						var mine map[string]any
						for _, r := range c.log.records {
							if e := r["event"]; e == "bypass" || e == "serve" || e == "deny" {
								mine = r
							}
						}
						c.log.mu.Unlock()
						outcome := fmt.Sprint(mine["outcome"])
						if outcome == string(OutcomeFill) && len(c.logged("refuse", "key")) > refusals {
							outcome = string(OutcomePass) // a fill that was refused
						}
						outcomes = append(outcomes, target+" "+outcome)
						would = append(would, target+" "+fmt.Sprint(mine["would"]))
					}
				}
			})
			return would, outcomes
		}
		foreseen, _ := run(route + "\nmode: observe")
		_, happened := run(route)
		for i := range foreseen {
			if foreseen[i] != happened[i] {
				t.Errorf("request %d: %s was foreseen, and %s happened", i, foreseen[i], happened[i])
			}
		}
	}
}

// TestEnforceLeavesTheShadowAlone: on a route that enforces, the shadow sees nothing.
func TestEnforceLeavesTheShadowAlone(t *testing.T) {
	withRoute(t, "cache: 5m", func(t *testing.T, c *ruled) {
		c.origin = say(200, "<p>page</p>")
		c.get("/")
		c.get("/")
		c.written(t)
		if n := c.shared.shadow.len(); n != 0 {
			t.Errorf("%d keys", n)
		}
		for _, would := range append(c.logged("bypass", "would"), c.logged("serve", "would")...) {
			if would != "" {
				t.Errorf("a record of enforce says %q", would)
			}
		}
	})
}
