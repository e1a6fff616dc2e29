package demo

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// pageVersion is which of its three landing pages the app serves.
type pageVersion int

const (
	// pageV1 is the page of the incident: showing it stores the visitor's
	// attribution, and the HTML carries the record's token.
	pageV1 pageVersion = 1
	// pageV2 is the same for everyone: its own script copies the attribution
	// from the address into the form, and showing it stores nothing.
	pageV2 pageVersion = 2
	// pageV3 is the same for everyone, too, but it is the app that reads the address,
	// as many do: where it names a referrer, showing the page stores the attribution
	// and sets a cookie with the record's token.
	pageV3 pageVersion = 3
)

// maxForm bounds the body of a registration, in bytes.
const maxForm = 16 << 10

//go:embed pages
var pages embed.FS

var templates = template.Must(template.ParseFS(pages, "pages/*.html"))

// app is the sample app: a point site on two hosts, with a landing page for new
// members. It is an http.Handler, safe for concurrent use.
type app struct {
	db      *database
	version pageVersion
	mux     *http.ServeMux
	renders atomic.Int64
}

// newApp makes an app with an empty database in dir.
func newApp(ctx context.Context, dir string, version pageVersion) (*app, error) {
	db, err := openDatabase(ctx, dir)
	if err != nil {
		return nil, err
	}
	a := &app{db: db, version: version, mux: http.NewServeMux()}
	a.mux.HandleFunc("GET /{$}", a.home)
	a.mux.HandleFunc("GET /register/lp", a.landing)
	a.mux.HandleFunc("POST /register", a.register)
	a.mux.HandleFunc("GET /static/site.css", a.stylesheet)
	a.mux.HandleFunc("GET /api/clock", a.clock)
	a.mux.HandleFunc("GET /account", a.account)
	a.mux.HandleFunc("GET /healthz", a.health)
	return a, nil
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// close closes the database. Call it when no request is under way.
func (a *app) close() error { return a.db.close() }

// view is what the templates are given. Nothing in it but Token, Member and
// Recorded belongs to a visitor.
type view struct {
	Title    string
	Mobile   bool
	Token    string
	Carrier  carrier // of the token, in the pages of the variants
	Member   string
	Recorded attribution
}

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=60")
	render(w, http.StatusOK, "home.html", view{Title: "Hapitas", Mobile: mobile(r)})
}

// landing shows the page to new members. In versions 1 and 3 a GET writes, and
// nothing is said about caching: both as in the incident.
func (a *app) landing(w http.ResponseWriter, r *http.Request) {
	v := view{Title: "Become a member", Mobile: mobile(r)}
	var name string
	var err error
	switch a.version {
	case pageV1:
		name = "landing_v1.html"
		v.Token, err = a.db.saveLead(r.Context(), byQuery.read(r))
	case pageV2:
		name = "landing_v2.html"
		w.Header().Set("Cache-Control", "public, max-age=300")
	case pageV3:
		name = "landing_variant.html"
		v.Carrier = carrierCookie
		err = a.remember(w, r)
	}
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	a.renders.Add(1)
	render(w, http.StatusOK, name, v)
}

// register makes a member of whoever sends the landing page's form, and ties the
// attribution to them that the form leads to.
func (a *app) register(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		fail(w, http.StatusBadRequest, "the form cannot be read: "+err.Error())
		return
	}
	var recorded attribution
	var err error
	switch a.version {
	case pageV1:
		recorded, err = a.db.lead(r.Context(), r.PostForm.Get("lead"))
	case pageV2:
		recorded = attribution{r.PostForm.Get("ref"), r.PostForm.Get("source")}
	case pageV3:
		recorded, err = a.remembered(r)
	}
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	a.join(w, r, recorded)
}

// join makes a member of whoever sent the form, which has been read, and ties the
// attribution to them.
func (a *app) join(w http.ResponseWriter, r *http.Request, recorded attribution) {
	member := strings.TrimSpace(r.PostForm.Get("member"))
	if member == "" {
		fail(w, http.StatusBadRequest, "the form's member field is empty, a name was expected")
		return
	}
	switch err := a.db.addMember(r.Context(), member, recorded); {
	case errors.Is(err, errTaken):
		fail(w, http.StatusConflict, err.Error())
	case err != nil:
		fail(w, http.StatusInternalServerError, err.Error())
	default:
		w.Header().Set("Cache-Control", "private, no-store")
		render(w, http.StatusOK, "welcome.html",
			view{Title: "Welcome", Mobile: mobile(r), Member: member, Recorded: recorded})
	}
}

func (a *app) stylesheet(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=3600")
	http.ServeFileFS(w, r, pages, "pages/site.css")
}

func (a *app) clock(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	// An error here means that the client has gone; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(map[string]string{"now": time.Now().UTC().Format(time.RFC3339Nano)})
}

// account is for members only. Any session cookie will do: the demo is about
// caches, not about signing in.
func (a *app) account(w http.ResponseWriter, r *http.Request) {
	session, err := r.Cookie("session")
	if err != nil || session.Value == "" {
		fail(w, http.StatusForbidden, "no session: send a cookie named session")
		return
	}
	w.Header().Set("Cache-Control", "private")
	render(w, http.StatusOK, "account.html",
		view{Title: "Your account", Mobile: mobile(r), Member: session.Value})
}

func (a *app) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// mobile tells the smartphone edition from the PC edition, by host, as the two
// are on the same paths.
func mobile(r *http.Request) bool {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.HasPrefix(strings.ToLower(host), "sp.")
}

// render writes a whole page or, if the template fails, an error and nothing of
// the page.
func render(w http.ResponseWriter, status int, name string, v view) {
	var page bytes.Buffer
	if err := templates.ExecuteTemplate(&page, name, v); err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}

func fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Cache-Control", "private, no-store")
	http.Error(w, message, status)
}
