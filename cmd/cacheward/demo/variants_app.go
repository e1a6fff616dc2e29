package demo

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// The names of the parameters or cookies that say who referred a visitor, and of the
// token's parameter or cookie.
const (
	referrerName = "ref"
	sourceName   = "source"
	leadName     = "lead"
)

// variantApp is the sample app with another landing page: that of one variant. It is
// an http.Handler, safe for concurrent use.
type variantApp struct {
	*app
	variant variant
	mux     *http.ServeMux
	// holds are what keeps answers back, by host.
	holds atomic.Pointer[map[string]*hold]
	// moment is for how long they do that after all visitors' requests were sent.
	moment time.Duration
}

func newVariantApp(site *app, v variant) *variantApp {
	a := &variantApp{app: site, variant: v, mux: http.NewServeMux(), moment: defaultMoment}
	a.mux.HandleFunc("GET /register/lp", a.landing)
	a.mux.HandleFunc("POST /register", a.register)
	a.mux.Handle("/", site)
	return a
}

func (a *variantApp) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// landing saves the visitor's attribution, and answers with a page that carries the
// record's token.
func (a *variantApp) landing(w http.ResponseWriter, r *http.Request) {
	token, err := a.db.saveLead(r.Context(), a.variant.entrance.read(r))
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	if holds := a.holds.Load(); holds != nil {
		if h := (*holds)[r.Host]; h != nil {
			h.wait(r.Context())
		}
	}
	if a.variant.cacheControl != silent {
		w.Header().Set("Cache-Control", a.variant.cacheControl)
	}
	v := view{Title: "Become a member", Mobile: mobile(r), Token: token, Carrier: a.variant.carrier}
	if v.Carrier == carrierCookie {
		v.Token = ""
		http.SetCookie(w, &http.Cookie{Name: leadName, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
	a.renders.Add(1)
	render(w, http.StatusOK, "landing_variant.html", v)
}

// register ties the new member to the record whose token comes back.
func (a *variantApp) register(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		fail(w, http.StatusBadRequest, "the form cannot be read: "+err.Error())
		return
	}
	recorded, err := a.db.lead(r.Context(), a.variant.carrier.read(r))
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	a.join(w, r, recorded)
}

// read returns what a request for the landing page says of who referred the visitor.
func (e entrance) read(r *http.Request) attribution {
	switch e {
	case byCookie:
		return attribution{cookie(r, referrerName), cookie(r, sourceName)}
	case byReferer:
		from, err := url.Parse(r.Referer())
		if err != nil {
			return attribution{}
		}
		query := from.Query()
		return attribution{query.Get(referrerName), query.Get(sourceName)}
	default:
		query := r.URL.Query()
		return attribution{query.Get(referrerName), query.Get(sourceName)}
	}
}

// read returns the token in a registration whose form has been parsed.
func (c carrier) read(r *http.Request) string {
	switch c {
	case carrierCookie:
		return cookie(r, leadName)
	case carrierLink:
		return r.URL.Query().Get(leadName)
	default:
		return r.PostForm.Get(leadName)
	}
}

func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// hold keeps answers back until the other visitors have come.
type hold struct {
	asked   chan struct{} // closed once the first request is here
	release chan struct{} // to be closed when the answers may go
	moment  time.Duration // between the last visitor's request and that
	once    sync.Once
}

func newHold(moment time.Duration) *hold {
	return &hold{asked: make(chan struct{}), release: make(chan struct{}), moment: moment}
}

// wait returns when the answer may go, or nobody waits for it any more.
func (h *hold) wait(ctx context.Context) {
	h.once.Do(func() { close(h.asked) })
	select {
	case <-h.release:
	case <-ctx.Done():
	}
}
