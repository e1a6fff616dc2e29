package attribution

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

// app is a site with a landing page. It knows nothing of the edge but what a site that
// has been given one reads anyway: its host name says where it takes a visitor's code
// from (see site), when they sign up. It is safe for concurrent use.
type app struct {
	http.ServeMux
	db       *database
	receiver receiver

	mu   sync.Mutex
	seen []sighting // by in-process tests only
	keep bool
}

// sighting is a request as the app got it.
type sighting struct {
	method, host, uri string
	header, trailer   http.Header
}

// The pages. They say nothing of their visitor.
const (
	landingPage = `<!doctype html><title>Points</title><h1>Collect points</h1><a id="about" href="/about">About us</a>` + signUpForm
	aboutPage   = `<!doctype html><title>About us</title><h1>About us</h1><a id="back" href="/lp">Back</a>` + signUpForm
	signUpForm  = `<form id="form" action="/register" method="post"><input id="member" name="member"><button id="join">Join</button></form>`
	thanksPage  = `<!doctype html><title>Welcome</title><h1 id="welcome">Welcome</h1>`
)

// pageTag is the entity tag of every page.
const pageTag = `"1"`

// newApp opens the app's database, or makes one.
func newApp(file string) (*app, error) {
	rows, err := readDatabase(file)
	if err != nil {
		return nil, err
	}
	db, err := openDatabase(file)
	if err != nil {
		return nil, err
	}
	a := &app{db: db}
	a.receiver.open(db, rows)
	a.HandleFunc("GET /lp", a.show(landingPage))
	a.HandleFunc("GET /about", a.show(aboutPage))
	a.HandleFunc("/lp/{case}", a.reflect)
	a.HandleFunc("POST /register", a.signUp)
	a.HandleFunc("POST /register/{case}", a.signUp)
	a.HandleFunc("POST /beacons", a.receiver.receive)
	a.HandleFunc("GET /landings", a.receiver.count)
	return a, nil
}

// startApp runs an app in this process, which remembers what it is asked.
func startApp(t testing.TB) (a *app, address, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "app.db")
	a, err := newApp(file)
	if err != nil {
		t.Fatal(err)
	}
	a.keep = true
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	return a, s.Listener.Addr().String(), file
}

// appVerb is the first argument with which the test binary is an app, at an address and
// with a database, until it is killed.
const appVerb = "serve-the-app"

func serveApp(address, file string) int {
	a, err := newApp(file)
	if err == nil {
		err = http.ListenAndServe(address, a)
	}
	fmt.Fprintln(os.Stderr, err)
	return 2
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.keep {
		// A trailer is known when the body has been read.
		_ = r.ParseForm()
		a.mu.Lock()
		a.seen = append(a.seen, sighting{r.Method, r.Host, r.RequestURI, r.Header.Clone(), r.Trailer.Clone()})
		a.mu.Unlock()
	}
	a.ServeMux.ServeHTTP(w, r)
}

// sightings are the requests so far that fit.
func (a *app) sightings(fits func(sighting) bool) (found []sighting) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.seen {
		if fits(s) {
			found = append(found, s)
		}
	}
	return found
}

func (a *app) fault(format string, args ...any) {
	// Without a disk there is no test.
	if err := a.db.write(row{Kind: rowFault, Text: fmt.Sprintf(format, args...)}); err != nil {
		panic(err)
	}
}

// show shows a page, which is asked for without anything of who wants to see it.
func (a *app) show(page string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" {
			a.fault("%s was asked for with the query %q", r.URL.Path, r.URL.RawQuery)
		}
		a.checkFields(r)
		for name := range r.Header {
			if strings.HasPrefix(name, policies.AttributionField) {
				a.fault("%s was asked for with the field %s: %q", r.URL.Path, name, r.Header[name])
			}
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("ETag", pageTag)
		fmt.Fprint(w, page)
	}
}

// checkFields: the edge's cookies are its own business.
func (a *app) checkFields(r *http.Request) {
	for _, c := range r.Cookies() {
		if c.Name == policies.AttributionCookie || c.Name == policies.AttributionCookiePlain {
			a.fault("%s was asked for with the cookie %s", r.URL.Path, c.Name)
		}
	}
}

// reflect shows whatever it can find that could be somebody's. A number at the front of
// the path's last segment is the status.
func (a *app) reflect(w http.ResponseWriter, r *http.Request) {
	a.checkFields(r)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("X-Query", url.QueryEscape(r.URL.RawQuery))
	w.Header().Set("X-Fields", url.QueryEscape(fmt.Sprint(r.Header["Cookie"], r.Header["Referer"], r.Header[policies.AttributionField])))
	first, _, _ := strings.Cut(r.PathValue("case"), "-")
	if status, err := strconv.Atoi(first); err == nil {
		w.Header().Set("Location", "/about")
		w.WriteHeader(status)
	}
	fmt.Fprintf(w, "<!doctype html><title>Reflection</title><p>%q", []any{r.URL.RawQuery, r.Header["Cookie"], r.Header["Referer"], r.Header[policies.AttributionField]})
}

// signUp ties a new member to who sent them.
func (a *app) signUp(w http.ResponseWriter, r *http.Request) {
	a.checkFields(r)
	got := row{
		Kind: rowSignUp, Host: r.Host, Member: r.PostFormValue("member"), Values: map[string]string{},
		Referer: r.Header.Get(policies.AttributionRefererField), Landing: r.Header.Get(policies.AttributionLandingField),
	}
	var from url.Values
	switch as := policies.DeliverAs(siteOf(r.Host).as); as {
	case policies.AsHeader:
		var err error
		if from, err = url.ParseQuery(r.Header.Get(policies.AttributionField)); err != nil {
			a.fault("%s: %v", policies.AttributionField, err)
		}
	case policies.AsQuery:
		from = r.URL.Query()
	case policies.AsCookie:
		from = url.Values{}
		for _, c := range r.Cookies() {
			from.Add(c.Name, c.Value)
		}
	}
	for name, values := range from {
		if len(values) > 1 {
			a.fault("%s has the values %q", name, values)
		}
		got.Values[name] = values[0]
	}
	if err := a.db.write(got); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, thanksPage)
}
