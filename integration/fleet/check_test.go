package fleet

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// answer is what was asked of an edge, and what came of it.
type answer struct {
	node           int
	path, who      string // who is the visitor, in requests for pages of their own
	held           string // the ETag that was sent in If-None-Match
	sent, received time.Time

	status int
	header http.Header
	body   []byte
	err    error
}

func (a answer) hit() bool {
	return strings.Contains(strings.Join(a.header["Cache-Status"], ","), "; hit")
}

// checker looks at answers, and keeps what is wrong with them.
type checker struct {
	journal *journal
	origin  *origin
	// excused says whether an edge may have closed connections at some moment in that
	// time: it was killed, or takes another configuration.
	excused func(node int, from, until time.Time) bool
	// postsTravel: what a POST at one edge has changed, the others are told of.
	postsTravel bool

	answers, hits, notModified, broken atomic.Int64
	hitsOf                             [8]atomic.Int64 // by edge

	mu    sync.Mutex
	found []string
	count int
}

const (
	// maxFindings is how many are kept in words: of one fault there may be many before
	// the first of another.
	maxFindings = 1000
	// shownFindings is how many a test that fails shows.
	shownFindings = 20
)

func (c *checker) say(a *answer, wrong error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count++; len(c.found) < maxFindings {
		c.found = append(c.found, fmt.Sprintf("%s edge %d, %s: %v (status %d, Cache-Status %q, Age %q, sent %s before the answer)",
			a.received.Format("15:04:05.000"), a.node+1, a.path, wrong, a.status, a.header["Cache-Status"], a.header.Get("Age"), a.received.Sub(a.sent)))
	}
}

// findings are what is wrong, and how many there were.
func (c *checker) findings() ([]string, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.found), c.count
}

// report fails the test for what was found.
func (c *checker) report(t testing.TB) {
	t.Helper()
	found, n := c.findings()
	for _, f := range found[:min(len(found), shownFindings)] {
		t.Error(f)
	}
	if n > shownFindings {
		t.Errorf("and %d more", n-shownFindings)
	}
}

// take looks at the answer to a GET, and says whether it is a page.
func (c *checker) take(a *answer) (content, bool) {
	if a.err != nil {
		if c.excused == nil || !c.excused(a.node, a.sent, a.received) {
			c.say(a, a.err)
		} else {
			c.broken.Add(1)
		}
		return content{}, false
	}
	c.answers.Add(1)
	if a.hit() {
		c.hits.Add(1)
		c.hitsOf[a.node].Add(1)
	}
	page, err := c.check(a)
	if err != nil {
		c.say(a, err)
	}
	return page, err == nil
}

// check says what is wrong with an answer.
func (c *checker) check(a *answer) (content, error) {
	page := content{path: a.path, who: a.who}
	switch {
	case a.status == http.StatusNotModified && a.held != "":
		c.notModified.Add(1)
		if _, err := fmt.Sscanf(a.held[strings.LastIndexByte(a.held, '-'):], `-%d"`, &page.version); err != nil {
			return page, fmt.Errorf("304 for %s: %w", a.held, err)
		}
		if len(a.body) > 0 || a.header.Get("ETag") != a.held {
			return page, fmt.Errorf("304 with %d bytes, for %s with %q", len(a.body), a.held, a.header.Get("ETag"))
		}
	case a.status != http.StatusOK:
		return page, fmt.Errorf("the origin did not answer so: %.100q", a.body)
	default:
		var err error
		if page, err = parseContent(a.body); err != nil {
			return page, err
		}
		switch {
		case page.path != a.path:
			return page, fmt.Errorf("ANOTHER PAGE: %s", page)
		case page.who != a.who:
			return page, fmt.Errorf("LEAK: what is given to %s is %s", a.who, page)
		case !page.is(a.body):
			return page, fmt.Errorf("%d bytes are not the body of %s, which has %d", len(a.body), page, size(page.path))
		case a.who == everyone && a.header.Get("ETag") != page.etag():
			return page, fmt.Errorf("%s has the ETag %s", page, a.header.Get("ETag"))
		}
	}
	if now := c.origin.version(a.path); page.version > now {
		return page, fmt.Errorf("version %d, and the page is in %d", page.version, now)
	}
	if f := c.journal.required(a.path, a.node, a.sent); page.version < f.version {
		return page, fmt.Errorf("STALE: version %d, sent %s after the last moment at which less than %d was allowed, by %s",
			page.version, a.sent.Sub(f.from), f.version, f.why)
	}
	if a.who != everyone {
		if a.hit() || !strings.Contains(a.header.Get("Cache-Control"), "private") {
			return page, fmt.Errorf("a page of %s own is sent with Cache-Control %q", a.who, a.header.Get("Cache-Control"))
		}
		return page, nil
	}
	route, _ := partsOf(a.path)
	if route == brief {
		// The edge counts from when it has the answer, at the latest.
		if old := a.sent.Sub(c.origin.madeAt(a.path, page.version)); a.hit() && old > (briefly+1)*time.Second {
			return page, fmt.Errorf("TOO OLD: made %s ago", old)
		}
	}
	if since, tripped := c.journal.isTripped(route, a.sent, a.received); tripped && a.hit() {
		return page, fmt.Errorf("TRIPPED: a hit, sent %s after the last moment at which one was allowed", a.sent.Sub(since))
	}
	return page, nil
}

// TestCheck: each fault is found, and nothing else is one.
func TestCheck(t *testing.T) {
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	o := newOrigin(t)
	path := pagePath(news, 1, 2)
	for range 5 {
		o.change(path, "/v/mine/1")
	}
	j := newJournal(100 * time.Millisecond)
	j.purged(map[string]int64{path: 3}, at(0), "a purge")
	j.changed(path, 5, 1, at(300), false)
	j.tripped(news, at(500))
	j.reset(news, at(700))
	j.tripped(news, at(900))
	sent := func(ms, took int) func(*answer) {
		return func(a *answer) { a.sent, a.received = at(ms), at(ms+took) }
	}
	o.change(pagePath(brief, 0, 0))
	o.made.Store(content{pagePath(brief, 0, 0), 1, everyone}, at(0))
	aged := func(ms int) func(*answer) {
		return func(a *answer) {
			c := content{pagePath(brief, 0, 0), 1, everyone}
			a.path, a.body = c.path, c.body()
			a.header.Set("ETag", c.etag())
			sent(ms, 1)(a)
		}
	}
	give := func(version int64, more func(*answer)) answer {
		c := content{path, version, everyone}
		a := answer{path: path, who: everyone, sent: at(50), received: at(60), status: 200, body: c.body(),
			header: http.Header{"Etag": {c.etag()}, "Cache-Status": {"Cacheward; hit; ttl=5"}}}
		if more != nil {
			more(&a)
		}
		return a
	}
	own := content{"/v/mine/1", 4, "v1"}
	mine := func(more func(*answer)) answer {
		return give(0, func(a *answer) {
			a.path, a.who, a.body = own.path, own.who, own.body()
			a.header = http.Header{"Cache-Control": {"private, no-store"}, "Cache-Status": {"Cacheward; fwd=bypass"}}
			if more != nil {
				more(a)
			}
		})
	}
	for _, tt := range []struct {
		name string
		a    answer
		want string
	}{
		{"the old one, before it is in force", give(2, sent(99, 500)), ""},
		{"the old one, later", give(2, sent(101, 1)), "STALE"},
		{"the new one", give(3, sent(101, 1)), ""},
		{"after a POST there", give(4, func(a *answer) { a.node = 1; sent(301, 1)(a) }), "STALE"},
		{"after a POST elsewhere", give(4, sent(301, 1)), ""},
		{"of the future", give(6, nil), "version 6"},
		{"a hit, before the trip is in force", give(5, sent(599, 10)), ""},
		{"a hit while it is tripped", give(5, sent(601, 10)), "TRIPPED"},
		{"no hit while it is tripped", give(5, func(a *answer) { delete(a.header, "Cache-Status"); sent(601, 10)(a) }), ""},
		{"a hit as the trip ends", give(5, sent(650, 60)), ""},
		{"a hit after it", give(5, sent(710, 10)), ""},
		{"a hit in the next trip", give(5, sent(1001, 10)), "TRIPPED"},
		{"another page", give(5, func(a *answer) { a.path = pagePath(news, 1, 3) }), "ANOTHER PAGE"},
		{"half of it", give(5, func(a *answer) { a.body = a.body[:len(a.body)/2] }), "are not the body"},
		{"a changed byte", give(5, func(a *answer) { a.body[len(a.body)-1] ^= 1 }), "are not the body"},
		{"nothing", give(5, func(a *answer) { a.body = nil }), "says nothing"},
		{"another ETag", give(5, func(a *answer) { a.header.Set("ETag", `"x-4"`) }), "has the ETag"},
		{"an error", give(5, func(a *answer) { a.status = 502 }), "did not answer so"},
		{"a broken connection", give(5, func(a *answer) { a.err = http.ErrAbortHandler }), "abort"},
		{"confirmed", give(5, func(a *answer) { a.status, a.held, a.body = 304, a.header.Get("ETag"), nil }), ""},
		{"the old one, confirmed", give(2, func(a *answer) {
			a.status, a.held, a.body = 304, a.header.Get("ETag"), nil
			sent(101, 1)(a)
		}), "STALE"},
		{"confirmed, unasked", give(5, func(a *answer) { a.status, a.body = 304, nil }), "did not answer so"},
		{"fresh", give(0, aged(2500)), ""},
		{"not fresh any more", give(0, aged(3500)), "TOO OLD"},
		{"my own", mine(nil), ""},
		{"my own, as a hit", mine(func(a *answer) { a.header.Set("Cache-Status", "Cacheward; hit") }), "own is sent"},
		{"my own, for everybody", mine(func(a *answer) { a.header.Set("Cache-Control", "public, max-age=60") }), "own is sent"},
		{"another visitor's", mine(func(a *answer) { a.who = "v2" }), "LEAK"},
		{"everybody is given mine", mine(func(a *answer) { a.who = everyone }), "LEAK"},
	} {
		c := &checker{journal: j, origin: o}
		_, ok := c.take(&tt.a)
		found, n := c.findings()
		got := strings.Join(found, "\n")
		if ok != (tt.want == "") || n > 1 || (n == 1) != (tt.want != "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	excused := &checker{journal: j, origin: o, excused: func(int, time.Time, time.Time) bool { return true }}
	a := give(5, func(a *answer) { a.err = http.ErrAbortHandler })
	if excused.take(&a); excused.count != 0 || excused.broken.Load() != 1 {
		t.Errorf("%d findings", excused.count)
	}
}
