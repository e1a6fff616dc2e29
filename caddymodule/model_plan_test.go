package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// plan is a sequence. What becomes of it is in the model's trace, so a failure does
// not print it, too.
type plan []planStep

func (plan) GoString() string { return "see above" }

// planStep is a step of a sequence: the clock goes on, the origin changes, requests are made, in
// this order.
type planStep struct {
	wait     time.Duration
	path     string     // of what changes
	behave   *behaviour // nil: as before
	content  bool       // the content changes
	down     bool       // the origin fails for the path in this step
	requests []request
}

type request struct {
	method, target string
	header         http.Header
	condition      string // filled in when it is sent: "current", "old", "any", "date"
	demands        demands
	after          time.Duration
}

func seconds(n int) *time.Duration { d := time.Duration(n) * time.Second; return &d }

// worded is a piece of a header and what a person who has read the RFC takes it for.
type worded struct {
	text  string
	means controls
}

// lifetimes, others and damage are what Cache-Control is drawn from.
var (
	lifetimes = []worded{
		{"max-age=5", controls{maxAge: seconds(5)}},
		{"max-age=60", controls{maxAge: seconds(60)}},
		{"max-age=5, stale-while-revalidate=60", controls{maxAge: seconds(5), swr: time.Minute}},
		{"max-age=5, stale-if-error=300", controls{maxAge: seconds(5), sie: 5 * time.Minute}},
		{"Max-Age=100", controls{maxAge: seconds(100)}},
		{"max-age=99999999999999999999", controls{maxAge: seconds(1 << 31)}},
		{"max-age=0", controls{maxAge: seconds(0)}},
		{"max-age=100, max-age=5", controls{maxAge: seconds(5)}},
		{"s-maxage=20", controls{sMaxAge: seconds(20)}},
		{"s-maxage=100, max-age=5", controls{sMaxAge: seconds(100), maxAge: seconds(5)}},
		{"s-maxage=5, max-age=100", controls{sMaxAge: seconds(5), maxAge: seconds(100)}},
		{"s-maxage=5, stale-while-revalidate=20", controls{sMaxAge: seconds(5), swr: 20 * time.Second}},
		{"s-maxage=5, stale-if-error=40", controls{sMaxAge: seconds(5), sie: 40 * time.Second}},
	}
	others = []worded{
		{"public", controls{public: true}},
		{"public", controls{public: true}},
		{"immutable", controls{}},
		{"ext=\"private thing\"", controls{private: true}},
		{"stale-while-revalidate=20", controls{swr: 20 * time.Second}},
		{"stale-while-revalidate=20", controls{swr: 20 * time.Second}},
		{"stale-if-error=40", controls{sie: 40 * time.Second}},
		{"must-revalidate", controls{mustRevalidate: true}},
		{"proxy-revalidate", controls{mustRevalidate: true}},
		{"no-cache", controls{noCache: true}},
		{"no-cache=\"X-Foo\"", controls{noCache: true}},
		{"private", controls{private: true}},
		{"private=\"X-Foo\"", controls{private: true}},
		{"no-store", controls{noStore: true}},
		{"must-understand, no-store", controls{mustUnderstand: true, noStore: true}},
		{"PRIVATE", controls{private: true}},
	}
	damage = []worded{
		{"max-age=abc", controls{maxAge: seconds(0)}},
		{"max-age=-1", controls{maxAge: seconds(0)}},
		{"max-age", controls{maxAge: seconds(0)}},
		{"max-age=60; private", controls{damaged: true}},
		{"public max-age=60", controls{damaged: true}},
		{"ext=\"no end, no-store", controls{damaged: true}},
		{"private=x", controls{private: true}},
	}
	targets = []worded{
		{"max-age=40", controls{sMaxAge: seconds(40)}},
		{"max-age=40;x=1", controls{sMaxAge: seconds(40)}},
		{"max-age=0", controls{sMaxAge: seconds(0)}},
		{"s-maxage=10, max-age=40", controls{sMaxAge: seconds(10)}},
		{"public, max-age=40", controls{public: true, sMaxAge: seconds(40)}},
		{"max-age=10, stale-while-revalidate=30", controls{sMaxAge: seconds(10), swr: 30 * time.Second}},
		{"max-age=10, must-revalidate", controls{sMaxAge: seconds(10), mustRevalidate: true}},
		{"no-store", controls{noStore: true}},
		{"private, max-age=40", controls{private: true, sMaxAge: seconds(40)}},
		{"no-cache", controls{noCache: true}},
		{"max-age=\"40\"", controls{damaged: true}},
		{"max-age=40, =", controls{damaged: true}},
	}
)

// among draws one of the values.
func among[T any](t *rapid.T, label string, values ...T) T {
	return values[rapid.IntRange(0, len(values)-1).Draw(t, label)]
}

// oneIn is true once in n times; when a failure is made small, never.
func oneIn(t *rapid.T, label string, n int) bool {
	return rapid.IntRange(0, n-1).Draw(t, label) == n-1
}

// drawControl draws a Cache-Control, in one line or two, and notes what it means.
func (m *model) drawControl(t *rapid.T, h http.Header) {
	chosen := []worded{among(t, "lifetime", lifetimes...)}
	if oneIn(t, "no lifetime", 8) {
		chosen = nil
	}
	if oneIn(t, "directive", 2) {
		chosen = append(chosen, among(t, "other", others...))
	}
	if oneIn(t, "damage", 14) {
		chosen = append(chosen, among(t, "damaged", damage...))
	}
	if len(chosen) == 0 {
		return
	}
	var means controls
	var texts []string
	for _, w := range chosen {
		texts, means = append(texts, w.text), means.and(w.means)
	}
	lines := []string{strings.Join(texts, ", ")}
	if len(texts) > 1 && oneIn(t, "lines", 4) {
		lines = texts
	}
	h["Cache-Control"] = lines
	m.meanings[meaningKey("Cache-Control", lines)] = means
}

func (m *model) drawBehaviour(t *rapid.T) *behaviour {
	b := &behaviour{fields: make(http.Header)}
	b.status = among(t, "status", 200, 200, 200, 200, 200, 200, 200, 203, 204, 301, 404, 500, 503, 206)
	if m.route.operator > 0 && rapid.Bool().Draw(t, "page") {
		// What is refused there is refused for long, and nothing else would happen.
		b.status, b.etag, b.length = http.StatusOK, "strong", true
		return b
	}
	m.drawControl(t, b.fields)
	if oneIn(t, "targeted", 6) {
		target := among(t, "target", targets...)
		target.means.targeted = true
		b.fields["Cdn-Cache-Control"] = []string{target.text}
		m.meanings[meaningKey("Cdn-Cache-Control", b.fields["Cdn-Cache-Control"])] = target.means
	}
	if vary := among(t, "vary", "", "", "", "Accept-Language", "X-Foo", "X-Foo, accept-language", "Accept-Encoding"); vary != "" {
		b.fields.Set("Vary", vary)
	}
	b.date = among(t, "date", "0", "0", "", "-30", "100", "=yesterday")
	b.expires = among(t, "expires", "", "", "", "60", "-60", "=0")
	b.etag = among(t, "etag", "strong", "", "weak", "strong")
	b.dated, b.length = rapid.Bool().Draw(t, "last-modified"), rapid.Bool().Draw(t, "length")
	if age := among(t, "age", "", "", "", "0", "20", "400", "junk", "10, 20"); age != "" {
		b.fields.Set("Age", age)
	}
	b.terse = oneIn(t, "terse", 4)
	b.changes = among(t, "changes", "", "/a", "/b")
	b.delay = among(t, "delay", 0, time.Second, 2*time.Second)
	b.trickle = among(t, "trickle", 0, 0, time.Second)
	switch rapid.IntRange(0, 23).Draw(t, "oddity") {
	case 23:
		b.fields.Set("Set-Cookie", "session=1")
	case 22:
		b.fields.Set("Vary", among(t, "no vary", "*", "Cookie", "Authorization", "X-Foo, *"))
	case 21:
		name := among(t, "field", "Www-Authenticate", "X-Auth-Token", "Clear-Site-Data", "Retry-After", "Pragma")
		b.fields.Set(name, "no-cache")
	case 20:
		b.lives = "refuses"
	case 17:
		b.lives = "breaks"
	case 16:
		b.lives, b.length = "short", true
	case 15:
		b.alone = true
	}
	return b
}

// drawDemand draws a request's Cache-Control.
func drawDemand(t *rapid.T, h http.Header) demands {
	d := among(t, "demand", []struct {
		text string
		demands
	}{
		{"max-age=0", demands{maxAge: seconds(0)}},
		{"no-cache", demands{noCache: true}},
		{"max-age=10", demands{maxAge: seconds(10)}},
		{"min-fresh=20", demands{minFresh: seconds(20)}},
		{"max-stale=30", demands{maxStale: seconds(30)}},
		{"max-stale=200", demands{maxStale: seconds(200)}},
		{"max-stale=200", demands{maxStale: seconds(200)}},
		{"max-stale=200", demands{maxStale: seconds(200)}},
		{"max-stale", demands{maxStale: seconds(1 << 31)}},
		{"max-stale=abc", demands{}},
		{"max-age=x", demands{maxAge: seconds(0)}},
		{"max-age=10, max-stale=100", demands{maxAge: seconds(10), maxStale: seconds(100)}},
		{"only-if-cached", demands{onlyIfCached: true}},
		{"only-if-cached, max-stale=20", demands{onlyIfCached: true, maxStale: seconds(20)}},
		{"no-store", demands{noStore: true}},
		{"nothing-to-see-here", demands{}},
	}...)
	h.Set("Cache-Control", d.text)
	return d.demands
}

func drawRequest(t *rapid.T, focus string) request {
	r := request{method: http.MethodGet, target: focus, header: make(http.Header)}
	if oneIn(t, "elsewhere", 5) {
		r.target = among(t, "target", "/a", "/b", "/p", "/p?q=1")
	}
	if r.target == "/p" && rapid.Bool().Draw(t, "tracked") {
		r.target = among(t, "utm", "/p?utm=1", "/p?utm=2")
	}
	if oneIn(t, "other method", 6) {
		r.method = among(t, "method", http.MethodHead, http.MethodPost, http.MethodDelete)
	}
	if language := among(t, "language", "", "", "en", "ja", "EN ,ja", "en,ja"); language != "" {
		r.header.Set("Accept-Language", language)
	}
	if foo := among(t, "x-foo", "", "", "", "1", "2"); foo != "" {
		r.header.Set("X-Foo", foo)
	}
	switch rapid.IntRange(0, 13).Draw(t, "identity") {
	case 13:
		r.header.Set("Authorization", "Bearer t")
	case 12:
		r.header.Set("Cookie", "session=1")
	}
	if oneIn(t, "demands", 4) {
		r.demands = drawDemand(t, r.header)
	}
	if oneIn(t, "conditional", 5) {
		r.condition = among(t, "condition", "current", "old", "any", "date", "late")
	}
	if oneIn(t, "partial", 4) {
		r.header.Set("Range", among(t, "range", "bytes=3-9", "bytes=-5", "bytes=0-1,10-12", "bytes=0-1,10-12,-3", "bytes=9999-", "bytes=x"))
	}
	return r
}

// drawPlan draws a sequence. It begins with a behaviour for every path.
func (m *model) drawPlan(t *rapid.T) plan {
	paths := []string{"/a", "/b", "/p"}
	var steps plan
	for _, path := range paths {
		steps = append(steps, planStep{path: path, behave: m.drawBehaviour(t)})
	}
	for range among(t, "steps", 1, 3, 8, 20, 40, 60, 60, 60) {
		var s planStep
		s.wait = time.Duration(among(t, "wait", 0, 0, 1, 3, 6, 6, 12, 25, 50, 200)) * time.Second
		s.path = among(t, "path", paths...)
		if oneIn(t, "behaves", 6) {
			s.behave = m.drawBehaviour(t)
		}
		s.content, s.down = oneIn(t, "content", 8), oneIn(t, "down", 10)
		crowd := 1
		if oneIn(t, "crowd", 3) {
			crowd = rapid.IntRange(2, 4).Draw(t, "size")
		}
		for range crowd {
			r := drawRequest(t, s.path)
			if crowd > 1 {
				r.after = time.Duration(rapid.IntRange(0, 3).Draw(t, "after")) * 500 * time.Millisecond
			}
			s.requests = append(s.requests, r)
		}
		steps = append(steps, s)
	}
	return steps
}

func (b *behaviour) String() string {
	return fmt.Sprintf("%d %v date %q expires %q etag %q dated %t terse %t %s alone %t delay %s+%s changes %q",
		b.status, b.fields, b.date, b.expires, b.etag, b.dated, b.terse, b.lives, b.alone, b.delay, b.trickle, b.changes)
}
