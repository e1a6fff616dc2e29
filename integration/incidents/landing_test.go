package incidents

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
)

// landingApp is the reward site of 2017. To show the landing page is to save a lead: who
// referred the visitor. Who registers sends the handle of a lead, and is tied to its
// referrer. It is safe for concurrent use.
type landingApp struct {
	http.ServeMux

	// turned says that /turning, which was the same for all, saves leads as well.
	turned atomic.Bool

	mu        sync.Mutex
	leads     []string          // referrers, by handle less 1001
	shown     map[string]int    // how often, by host and path
	referrers map[string]string // by member
}

func newLandingApp() *landingApp {
	a := &landingApp{shown: map[string]int{}, referrers: map[string]string{}}
	a.HandleFunc("/{carrier}/{input}/{control}/{at}/register/lp", a.landing)
	a.HandleFunc("POST /register", a.registration)
	a.HandleFunc("/terms", func(w http.ResponseWriter, r *http.Request) {
		page(w, "<h1>Terms of "+r.Host+"</h1>")
	})
	a.HandleFunc("/turning", func(w http.ResponseWriter, r *http.Request) {
		form := ""
		if a.turned.Load() {
			form = fmt.Sprintf(`<input type="hidden" name="lead" value="%d">`, a.save(r.Host+r.URL.Path, ""))
		}
		page(w, "<form>"+form+"</form>")
	})
	stamped := func(w http.ResponseWriter, r *http.Request) {
		page(w, fmt.Sprintf("<h1>News</h1><!-- rendered at %s -->", time.Now().Format(time.RFC3339Nano)))
	}
	a.HandleFunc("/stamped", stamped)
	a.HandleFunc("/declared", stamped)
	return a
}

func page(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	fmt.Fprint(w, "<!doctype html><title>Points</title>"+body)
}

func (a *landingApp) save(url, referrer string) (handle int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shown[url]++
	a.leads = append(a.leads, referrer)
	return 1000 + len(a.leads)
}

// landing shows the page as the case in its path has it.
func (a *landingApp) landing(w http.ResponseWriter, r *http.Request) {
	var referrer string
	switch r.PathValue("input") {
	case "query":
		referrer = r.URL.Query().Get("i")
	case "cookie":
		if c, err := r.Cookie("ref"); err == nil {
			referrer = c.Value
		}
	case "referer":
		referrer = strings.TrimPrefix(r.Referer(), "https://blog.test/")
	}
	lead := a.save(r.Host+r.URL.Path, referrer)
	if r.PathValue("at") == "at-once" {
		time.Sleep(50 * time.Millisecond) // it takes a while to make, so that others come meanwhile
	}
	switch r.PathValue("control") {
	case "public":
		w.Header().Set("Cache-Control", "public, max-age=300")
	case "private":
		w.Header().Set("Cache-Control", "private")
	}
	switch r.PathValue("carrier") {
	case "hidden":
		page(w, fmt.Sprintf(`<form action="/register" method="post"><input type="hidden" name="lead" value="%d"></form>`, lead))
	case "set-cookie":
		w.Header().Set("Set-Cookie", fmt.Sprintf("lead=%d; Path=/", lead))
		page(w, `<form action="/register" method="post"></form>`)
	case "link":
		page(w, fmt.Sprintf(`<a href="/register?lead=%d">Register</a>`, lead))
	case "script":
		page(w, fmt.Sprintf(`<script>window.state = {"lead": %d};</script>`, lead))
	}
}

func (a *landingApp) registration(w http.ResponseWriter, r *http.Request) {
	var handle int
	_, err := fmt.Sscan(r.PostFormValue("lead"), &handle)
	a.mu.Lock()
	defer a.mu.Unlock()
	if handle -= 1001; err != nil || handle < 0 || handle >= len(a.leads) {
		http.Error(w, "no such lead", http.StatusBadRequest)
		return
	}
	a.referrers[r.PostFormValue("member")] = a.leads[handle]
}

func (a *landingApp) referrerOf(member string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.referrers[member]
}

// saved is how many leads the page saved.
func (a *landingApp) saved(url string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.shown[url]
}

// checkLandingReasons: the log says of each case why its page was not shared, and where
// the app's answers differed.
func checkLandingReasons(t *testing.T, s *stage, cases []landingCase) {
	missing := map[string]string{}
	for _, c := range cases {
		switch {
		case c.carrier == "set-cookie":
			missing[c.name()] = "set-cookie"
		case c.control == "private":
			missing[c.name()] = "private"
		default:
			missing[c.name()] = "divergent"
		}
	}
	near := map[string]string{"hidden": "input lead", "link": "a href", "script": "lead"}
	edge.Eventually(t, "a reason for each case in the log", func() bool {
		for _, r := range s.records(t) {
			want, wanted := missing[r.Route]
			if !wanted || !r.has(want) {
				continue
			}
			delete(missing, r.Route)
			carrier, _, _ := strings.Cut(r.Route, "-")
			if want == "divergent" && (r.Divergence == nil || r.Divergence.Shape != "decimal-4" || r.Divergence.Near != near[carrier]) {
				t.Errorf("%s: divergence %+v; want decimal-4 near %q", r.Route, r.Divergence, near[carrier])
			}
		}
		return len(missing) == 0
	})
}

// checkSitesApart: what both sites have at one path is kept for each of them.
func checkSitesApart(t *testing.T, s *stage) {
	for _, host := range []string{"hapitas.jp", "sp.hapitas.jp"} {
		a := s.untilHit(t, request{host: host, target: "/terms"})
		if !strings.Contains(a.body, "Terms of "+host+"<") {
			t.Errorf("%s was given %q", host, a.body)
		}
	}
}

// checkTermsServed: of a page that was shared, everybody who got it can be listed.
func checkTermsServed(t *testing.T, s *stage) {
	s.checkServed(t, request{host: "hapitas.jp", target: "/terms"}, 7)
}

// checkTurning: a page that everybody shared, and that then is made for each visitor, is
// withdrawn when it is made the next time; nobody is given another visitor's.
func checkTurning(t *testing.T, s *stage) {
	s.untilHit(t, request{host: "hapitas.jp", target: "/turning"})
	s.app.(*landingApp).turned.Store(true)
	seen := map[string]bool{}
	edge.Eventually(t, "the withdrawal", func() bool {
		if lead := leadHandle.FindString(s.ask(t, request{host: "hapitas.jp", target: "/turning"}).body); lead != "" {
			if seen[lead] {
				t.Fatalf("two visitors were given %q", lead)
			}
			seen[lead] = true
		}
		for _, r := range s.records(t) {
			if r.Event == "withdraw" && r.Route == "turning" {
				return true
			}
		}
		return false
	})
}

// checkStamp: a page that tells when it was made is not shared, unless that is declared
// to be nobody's.
func checkStamp(t *testing.T, s *stage) {
	s.untilHit(t, request{host: "hapitas.jp", target: "/declared"})
	for range 5 {
		if a := s.ask(t, request{host: "hapitas.jp", target: "/stamped"}); a.hit() {
			t.Error("the page with an undeclared stamp was shared")
		}
	}
}
