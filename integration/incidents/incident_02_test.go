package incidents

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cacheward/cacheward/policies"
)

// A market place changed its CDN. The new one took a page without private for one that
// may be kept, if only for 0 seconds; and whoever had come while another visitor's page
// was under way was given that. Asked for one after another, the pages were right.
func TestMercari(t *testing.T) {
	// Private is obeyed; cookies make no difference. Varnish never gives anybody what has
	// a lifetime of 0; with a millisecond it does what that CDN did: nobody who comes
	// later is given the page, and everybody who waits for it.
	collapsing := varnish(`
		sub vcl_recv { return (hash); }
		sub vcl_backend_response {
			if (beresp.http.Cache-Control ~ "private") {
				set beresp.uncacheable = true;
			}
			if (beresp.ttl <= 0s) {
				set beresp.ttl = 1ms;
				set beresp.keep = 10s; // until the last of those who wait has been woken
			}
			return (deliver);
		}`)
	reproduce(t, incident{
		number: 2, who: "Mercari", when: "June 2017",
		harm:  "were shown the page of whoever had asked first",
		names: []property{isolation, proof, refusalWins},
		forms: []form{{
			name: "cacheable for no time", cache: collapsing,
			policy: `
				route mypage {
					path /mypage/*
					cache origin
					cookie others strip
				}
				route ruled {
					path /ruled/*
					cache 5m
					cookie others strip
				}`,
			scene:   mypageScene,
			stopped: []string{"no-cache", "not-fresh"},
			shows:   []property{isolation},
			checks: []check{
				{"who waited was given nothing but the verdict", proof, checkWaited},
				{"nobody is given the answer of one who failed, left, or has only begun", proof, checkLeaders},
				{"a rule of the operator's changes nothing", refusalWins, checkRuled},
			},
		}},
	})
}

// mypages are what the app said of its pages: what it said in 2017, and what comes to
// the same.
var mypages = map[string]http.Header{
	"no-cache": {"Cache-Control": {"no-cache"}, "Expires": {"Thu, 01 Jan 1970 00:00:01 GMT"}},
	"expired":  {"Expires": {"Thu, 01 Jan 1970 00:00:01 GMT"}},
	"zero":     {"Cache-Control": {"max-age=0"}},
}

// mypageApp shows whose session it is, after a while.
type mypageApp struct {
	pause atomic.Int64 // of the answers
}

// ServeHTTP answers for /mypage/<what it says of caching>/…, or /ruled/….
func (a *mypageApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	session := "nobody"
	if c, err := r.Cookie("session"); err == nil {
		session = c.Value
	}
	time.Sleep(time.Duration(a.pause.Load())) // it takes a while to make, so that others come meanwhile
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	says := strings.Split(r.URL.Path, "/")[2]
	for name, values := range mypages[says] {
		h[name] = values
	}
	if strings.Contains(r.URL.Path, "/fails/") && session == "visitor-0" {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "<h1>The page of %s.</h1>", session)
	if strings.Contains(r.URL.Path, "/slow/") {
		_ = http.NewResponseController(w).Flush() // what comes after it goes out later then
		time.Sleep(50 * time.Millisecond)
	}
	fmt.Fprint(w, "<p>Bank account …</p>")
}

func mypageScene() scene {
	app := new(mypageApp)
	return scene{app: app, visit: func(t *testing.T, s *stage) {
		for says := range mypages {
			for _, waiters := range []int{2, 50, 500} {
				if waiters > 50 && says != "no-cache" {
					continue // the many are for what was said in 2017
				}
				t.Run(fmt.Sprintf("%s/%d", says, waiters), func(t *testing.T) {
					hurt := app.atOnce(t, s, "/mypage/"+says, waiters+1)
					s.count(t, t.Name(), hurt, waiters)
				})
			}
		}
	}}
}

// atOnce has visitors come at once, and returns how many of them were given another
// one's page. Without Cacheward they come again while some were too late to wait, and
// the app takes longer then.
func (a *mypageApp) atOnce(t *testing.T, s *stage, path string, visitors int) (hurt int) {
	t.Helper()
	a.pause.Store(int64(100 * time.Millisecond))
	for try := range 8 {
		requests := make([]request, visitors)
		for i := range requests {
			requests[i] = request{
				host:   "market.test",
				target: fmt.Sprintf("%s/%d/%d", path, visitors, try),
				cookie: fmt.Sprintf("session=visitor-%d", i),
			}
		}
		hurt = others(t, s.askAll(t, requests))
		if s.position != without || hurt == visitors-1 {
			return hurt
		}
		a.pause.Store(2 * a.pause.Load())
	}
	return hurt
}

// others is how many visitors were given a page that is not their own.
func others(t *testing.T, answers []answer) (n int) {
	t.Helper()
	for _, a := range answers {
		own := strings.TrimPrefix(a.cookie, "session=")
		switch {
		case a.status != 200:
			t.Errorf("%s got status %d", own, a.status)
		case !strings.Contains(a.body, "The page of "+own+"."):
			n++
		}
	}
	return n
}

// checkWaited: the visits at once were at once. Who waited for the verdict on another
// one's answer caused no fill, and is told the reason without that having been
// remembered.
func checkWaited(t *testing.T, s *stage) {
	waited := 0
	for _, r := range s.records(t) {
		if r.Outcome == "pass" && len(r.Reasons) > 0 && classes[r.Reasons[0]] != policies.InCache {
			waited++
		}
	}
	if waited == 0 {
		t.Error("nobody waited for the verdict on another one's answer: the visits at once were not at once")
	}
}

// checkRuled: the same with a lifetime that the operator has set.
func checkRuled(t *testing.T, s *stage) {
	for _, waiters := range []int{2, 50, 500} {
		t.Run(fmt.Sprint(waiters), func(t *testing.T) {
			if hurt := s.app.(*mypageApp).atOnce(t, s, "/ruled/no-cache", waiters+1); hurt > 0 {
				t.Errorf("%d of %d were given another one's page", hurt, waiters)
			}
		})
	}
}

// checkLeaders: whoever waits is let go as soon as the first one's answer has failed,
// has been left, or has only begun.
func checkLeaders(t *testing.T, s *stage) {
	for _, waiters := range []int{2, 50, 500} {
		for _, fate := range []string{"slow", "left", "fails"} {
			t.Run(fmt.Sprintf("%s/%d", fate, waiters), func(t *testing.T) { checkLeader(t, s, fate, waiters) })
		}
	}
}

func checkLeader(t *testing.T, s *stage, fate string, waiters int) {
	requests := make([]request, waiters+1)
	for i := range requests {
		requests[i] = request{
			host: "market.test", target: fmt.Sprintf("/mypage/no-cache/%s/%d", fate, waiters),
			cookie: fmt.Sprintf("session=visitor-%d", i),
		}
	}
	var rest []answer
	if fate == "left" || fate == "fails" {
		// The first one gets no answer, and the others must get theirs.
		ctx, leave := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer leave()
		var first sync.WaitGroup
		first.Go(func() { _, _ = s.try(ctx, requests[0]) })
		rest = s.askAll(t, requests[1:])
		first.Wait()
	} else {
		rest = s.askAll(t, requests)
	}
	if n := others(t, rest); n > 0 {
		t.Errorf("%d of %d were given another one's page", n, waiters)
	}
}
