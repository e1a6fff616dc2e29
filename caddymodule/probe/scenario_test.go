package probe

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// meddler is something between the visitors and the rest of the rig.
type meddler struct {
	http.Handler
	// change is called with each answer before it goes on; n counts them from 0. It may
	// return another body.
	change func(n int64, r *http.Request, status *int, h http.Header, body string) string
	n      atomic.Int64
}

func (m *meddler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := httptest.NewRecorder()
	m.Handler.ServeHTTP(answer, r)
	h, status := answer.Header(), answer.Code
	body := m.change(m.n.Add(1)-1, r, &status, h, answer.Body.String())
	for name, lines := range h {
		if name != "Content-Length" {
			w.Header()[name] = lines
		}
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// keep changes nothing.
func keep(_ int64, _ *http.Request, _ *int, _ http.Header, body string) string { return body }

// TestNoFalseAlarm: what looks like a leak and is none.
func TestNoFalseAlarm(t *testing.T) {
	own := []Input{{Kind: KindHeader, Name: "Referer"}, {Kind: KindHeader, Name: "User-Agent"}, {Kind: KindCookie, Name: "cacheward_probe"}, {Kind: KindParam, Name: "ref"}}
	for _, test := range []struct {
		name    string
		edge    edgeLike
		cache   *frontCache
		warm    bool // real visitors have been there
		change  func(int64, *http.Request, *int, http.Header, string) string
		verdict []Verdict
	}{
		{name: "a page with a clock and all that its visitor sent", edge: edgeLike{clock: true, repeats: own}, cache: &frontCache{Query: true}, change: keep, verdict: []Verdict{Isolated}},
		{name: "receipts get lost, and the edge gives what it has stored",
			edge: edgeLike{stores: true},
			change: func(n int64, _ *http.Request, _ *int, h http.Header, body string) string {
				h.Set("Cache-Status", "Cacheward; hit")
				h.Set("Age", "41")
				if n%3 == 1 {
					h.Del(ReceiptField)
				}
				return body
			}, verdict: []Verdict{Shared}},
		{name: "receipts get lost, and a cache behind the edge says that it hit",
			change: func(n int64, _ *http.Request, _ *int, h http.Header, body string) string {
				h.Set("X-Cache", "HIT")
				h.Set("Age", "41")
				if n%3 == 1 {
					h.Del(ReceiptField)
				}
				return body
			}, verdict: []Verdict{Isolated}},
		{name: "a cache that has what it may have from real visitors", edge: edgeLike{shared: true}, cache: &frontCache{Query: true, Says: "X-Cache"}, warm: true,
			change: keep, verdict: []Verdict{Shared}},
		{name: "and tells browsers not to store it", edge: edgeLike{shared: true}, cache: &frontCache{Query: true, Says: "X-Cache"}, warm: true,
			change: func(_ int64, _ *http.Request, _ *int, h http.Header, body string) string {
				h.Set("Cache-Control", "private, no-store")
				return body
			}, verdict: []Verdict{Shared}},
		{name: "errors and guards of the CDN", edge: edgeLike{clock: true},
			change: func(n int64, _ *http.Request, status *int, h http.Header, body string) string {
				if n%4 != 3 {
					return body
				}
				h.Del(ReceiptField)
				h.Set("X-Cache", "Error from cloudfront, HIT")
				h.Set("Age", "7")
				h.Set("Cache-Control", "private, no-store")
				*status = []int{403, 429, 502, 503}[n/4%4]
				return "<h1>Attention required</h1>"
			}, verdict: []Verdict{Isolated}},
		{name: "a challenge", edge: edgeLike{clock: true},
			change: func(n int64, _ *http.Request, _ *int, h http.Header, body string) string {
				if n%4 != 3 {
					return body
				}
				h.Del(ReceiptField)
				h.Set("Cf-Mitigated", "challenge")
				h.Set("Cf-Cache-Status", "HIT")
				return "just a moment"
			}, verdict: []Verdict{Isolated}},
		{name: "the host and text like canaries in the page", edge: edgeLike{clock: true},
			change: func(_ int64, r *http.Request, _ *int, _ http.Header, body string) string {
				return body + r.Host + " cwabcdefghijklmn cw234567abcdefgh CWZZZZZZZZZZZZZZ"
			}, verdict: []Verdict{Isolated}},
		{name: "an inner cache that is not told of by receipts", edge: edgeLike{stores: true}, change: keep, verdict: []Verdict{Shared}},
		{name: "the CDN has from visitors what the edge had stored, and tells browsers not to store it", edge: edgeLike{clock: true},
			change: func(n int64, _ *http.Request, _ *int, h http.Header, body string) string {
				if n%4 == 3 {
					h.Del(ReceiptField)
					h.Set("Cache-Status", "Cacheward; hit; ttl=50")
					h.Set("X-Cache", "HIT")
				}
				return body
			}, verdict: []Verdict{Shared}},
		{name: "a page of the CDN itself", edge: edgeLike{clock: true},
			change: func(n int64, _ *http.Request, status *int, h http.Header, body string) string {
				if n%4 != 3 {
					return body
				}
				clear(h)
				h.Set("X-Cache", "HIT")
				h.Set("Cache-Control", "private, no-store")
				*status = []int{200, 302, 404}[n/4%3]
				return "<h1>We are back soon</h1>"
			}, verdict: []Verdict{Isolated}},
		{name: "errors that the CDN keeps for some seconds", edge: edgeLike{clock: true},
			change: replays(func(n int64, status *int) bool { *status = 502; return n%4 == 3 }), verdict: []Verdict{Isolated}},
		{name: "what the CDN has had confirmed", edge: edgeLike{clock: true, later: true},
			change: replays(func(n int64, _ *int) bool { return n%4 == 3 }), verdict: []Verdict{Shared}},
		{name: "a parameter that the CDN takes away", edge: edgeLike{shared: true}, cache: &frontCache{Strips: true}, change: keep, verdict: []Verdict{Shared}},
	} {
		for _, quick := range []bool{false, true} {
			t.Run(fmt.Sprint(test.name, " quick ", quick), func(t *testing.T) {
				e := signedEdge(t, test.edge.edge())
				m := &meddler{change: test.change}
				r := newMeddledRig(e, test.cache, m)
				defer r.close()
				if test.warm {
					for range 2 {
						visit(t, r.url+"/lp?ref=A1")
					}
				}
				report := r.probe(t, func(o *Options) { o.Quick = quick }, "/lp?ref=A1")
				u := report.URLs[0]
				if u.LeakCount > 0 || u.Verdict == Leak {
					t.Fatalf("%+v", u.Leaks)
				}
				for _, v := range test.verdict {
					if v != u.Verdict {
						t.Errorf("%s: %+v", u.Verdict, u)
					}
				}
			})
		}
	}
}

// replays gives some visitors the receipt of the one before.
func replays(which func(n int64, status *int) bool) func(int64, *http.Request, *int, http.Header, string) string {
	var mu sync.Mutex
	last := ""
	return func(n int64, _ *http.Request, status *int, h http.Header, body string) string {
		mu.Lock()
		defer mu.Unlock()
		have := h.Get(ReceiptField)
		if was := *status; !which(n, status) || last == "" {
			*status = was
		} else {
			h.Set(ReceiptField, last)
		}
		last = have
		return body
	}
}

// edgeLike is what an edge is to be like.
type edgeLike struct {
	clock, shared, stores bool
	later                 bool
	repeats               []Input
	repeatsLast           bool
}

func (e edgeLike) edge() *fakeEdge {
	return &fakeEdge{app: &app{clock: e.clock, repeats: e.repeats, repeatsLast: e.repeatsLast}, shared: e.shared, stores: e.stores, keyed: []string{"ref"}, ttl: 60, later: e.later}
}

func newMeddledRig(e *fakeEdge, c *frontCache, m *meddler) *rig {
	if c == nil {
		m.Handler = e
		return newRigBefore(m, e)
	}
	c = &frontCache{Query: c.Query, Cookies: c.Cookies, Headers: c.Headers, Passes: c.Passes, Deaf: c.Deaf, Coalesces: c.Coalesces, Strips: c.Strips, Says: c.Says}
	m.Handler = c
	return newRigBehind(e, c, m)
}

// visit is a real visitor.
func visit(t *testing.T, url string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
}

// TestFinds: leaks that are not seen at first sight.
func TestFinds(t *testing.T) {
	referer := []Input{{Kind: KindHeader, Name: "Referer"}}
	set := func(name, value string) func(int64, *http.Request, *int, http.Header, string) string {
		return func(_ int64, _ *http.Request, _ *int, h http.Header, body string) string {
			h.Add(name, value)
			return body
		}
	}
	deaf := &frontCache{Deaf: true, Says: "X-Cache"}
	elsewhere, err := mustSecret(t, "another secret of the same length").Seal(Receipt{Nonce: NewNonce()})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name      string
		edge      edgeLike
		cache     *frontCache
		unsigned  bool
		warm      bool
		before    bool // an earlier probe has been there
		change    func(int64, *http.Request, *int, http.Header, string) string
		options   func(*Options)
		kind, who string
	}{
		{name: "a real visitor's page, and no receipt ever arrives", cache: deaf, warm: true, change: keep,
			options: func(o *Options) { o.EdgeGives = true }, kind: EvidenceRefused, who: WhoCDN},
		{name: "a real visitor's page, among receipts", cache: &frontCache{Query: true, Deaf: true, Says: "X-Cache"}, warm: true, change: keep, kind: EvidenceRefused, who: WhoCDN},
		{name: "and Age alone tells", cache: &frontCache{Query: true, Deaf: true, Says: "age"}, warm: true, change: keep, kind: EvidenceRefused, who: WhoCDN},
		{name: "the order of Cache-Status tells", cache: deaf, warm: true, change: set("Cache-Status", `"Some Edge"; hit`), kind: EvidenceRefused, who: WhoCDN},
		{name: "an earlier probe's receipt", cache: deaf, before: true, change: keep, kind: EvidenceReceipt, who: WhoCDN},
		{name: "a receipt of before a restart", cache: nil, change: func(n int64, _ *http.Request, _ *int, h http.Header, body string) string {
			if n%4 == 3 {
				h.Set(ReceiptField, elsewhere)
			}
			return body
		}, kind: EvidenceRefused, who: WhoCDN},
		{name: "an earlier probe's value", cache: deaf, edge: edgeLike{repeats: referer}, unsigned: true, before: true, change: keep, kind: EvidenceCanary, who: WhoUnknown},
		{name: "in capitals", cache: deaf, edge: edgeLike{repeats: referer}, unsigned: true,
			change: func(_ int64, _ *http.Request, _ *int, _ http.Header, body string) string {
				return strings.ToUpper(body)
			},
			kind: EvidenceCanary, who: WhoUnknown},
		{name: "in a field", cache: deaf, edge: edgeLike{repeats: referer}, unsigned: true,
			change: func(_ int64, _ *http.Request, _ *int, h http.Header, body string) string {
				h.Set("Set-Cookie", "from="+string(canaryLike.Find([]byte(body))))
				return "<p>hello"
			},
			kind: EvidenceCanary, who: WhoUnknown},
		{name: "in JSON, in base64", cache: deaf, edge: edgeLike{repeats: referer}, unsigned: true,
			change: func(_ int64, _ *http.Request, _ *int, _ http.Header, body string) string {
				return `{"state": "` + base64Of(`{"from": "`+string(canaryLike.Find([]byte(body)))+`"}`) + `"}`
			},
			kind: EvidenceCanary, who: WhoUnknown},
		{name: "the edge is asked, and does not leak", cache: deaf, edge: edgeLike{repeats: referer}, unsigned: true, change: keep, options: askEdge, kind: EvidenceCanary, who: WhoCDN},
		{name: "the edge is asked, and leaks", edge: edgeLike{stores: true, repeats: referer}, unsigned: true, change: keep, options: askEdge, kind: EvidenceCanary, who: WhoEdge},
		{name: "the edge is asked, and the app leaks", edge: edgeLike{repeatsLast: true}, unsigned: true, change: keep, options: askEdge, kind: EvidenceCanary, who: WhoApp},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := test.edge.edge()
			if !test.unsigned {
				signedEdge(t, e)
			}
			r := newMeddledRig(e, test.cache, &meddler{change: test.change})
			defer r.close()
			if test.warm {
				visit(t, r.url+"/lp?ref=A1")
			}
			options := func(o *Options) {
				if o.Edge = ""; test.options != nil {
					test.options(o)
				}
				if o.Edge != "" {
					o.Edge = r.edge
				}
			}
			if test.before {
				r.probe(t, options, "/lp?ref=A1")
			}
			report := r.probe(t, options, "/lp?ref=A1")
			u := report.URLs[0]
			if u.Verdict != Leak {
				t.Fatalf("%+v", u)
			}
			first := u.Leaks[0]
			if first.Kind != test.kind || first.Who != test.who || test.before && first.Giver != "" {
				t.Errorf("%+v", first)
			}
		})
	}
}

func askEdge(o *Options) { o.Edge = "its address" }

// TestTheAppRepeats: a page that shows what other visitors have sent is a leak, and no
// cache's.
func TestTheAppRepeats(t *testing.T) {
	e := signedEdge(t, edgeLike{repeatsLast: true}.edge())
	r := newRig(e, nil)
	defer r.close()
	u := r.probe(t, func(o *Options) { o.Visitors = 2 }, "/lp").URLs[0]
	if u.Verdict != Leak || u.Leaks[0].Who != WhoApp || u.Cache.Obeys == no {
		t.Errorf("%+v", u)
	}
}

// TestPlantedCanary: whoever has seen a canary of an earlier probe cannot make a leak of it.
func TestPlantedCanary(t *testing.T) {
	e := signedEdge(t, edgeLike{}.edge())
	old := newCanary(e.secret)
	r := newRigBefore(&meddler{Handler: e, change: func(_ int64, _ *http.Request, _ *int, _ http.Header, body string) string {
		return body + string(old)
	}}, e)
	defer r.close()
	u := r.probe(t, nil, "/lp").URLs[0]
	if u.Verdict == Leak || !strings.Contains(strings.Join(u.Notes, "\n"), "a page has a value of an earlier probe in it") {
		t.Errorf("%+v", u)
	}
}

// TestStale: what is given longer than was permitted is no leak, and is told.
func TestStale(t *testing.T) {
	e := signedEdge(t, edgeLike{shared: true}.edge())
	e.back = time.Hour
	r := newMeddledRig(e, &frontCache{Query: true}, &meddler{change: keep})
	defer r.close()
	report := r.probe(t, nil, "/lp?ref=A1")
	if u := report.URLs[0]; u.Verdict != Shared || !strings.Contains(strings.Join(u.Notes, "\n"), "after the edge had permitted it for 60 s") {
		t.Errorf("%+v", u)
	}
}

// TestCleanRun: a site with visitors, whose caches do what they may, is probed again and
// again. Nothing is wrong with it at any time.
func TestCleanRun(t *testing.T) {
	for _, site := range []struct {
		name string
		edge edgeLike
		want Verdict
	}{
		{"shared", edgeLike{shared: true, stores: true}, Shared},
		{"of one's own", edgeLike{clock: true, repeats: []Input{{Kind: KindHeader, Name: "Referer"}}}, Isolated},
	} {
		t.Run(site.name, func(t *testing.T) {
			e := signedEdge(t, site.edge.edge())
			c := &frontCache{Query: true, Says: "X-Cache"}
			r := newRig(e, c)
			defer r.close()
			for i := range 40 {
				if i%3 == 0 { // their time is over
					c.mu.Lock()
					clear(c.stored)
					c.mu.Unlock()
				}
				if i%5 == 0 {
					visit(t, r.url+"/lp?ref=A1")
				}
				report := r.probe(t, func(o *Options) {
					o.Quick, o.EdgeGives = true, true
					if i%2 == 0 {
						fresh(o)
					}
				}, "/lp?ref=A1")
				if u := report.URLs[0]; u.Verdict != site.want || len(u.Errors) > 0 || u.LeakCount > 0 {
					t.Fatalf("probe %d: %+v", i, u)
				}
			}
		})
	}
}
