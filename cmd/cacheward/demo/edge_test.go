package demo

import (
	"context"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
)

// standIn starts what handler makes of the app and the policy where Cacheward
// would be. It is here for the wiring; what Cacheward itself does is tested with
// Cacheward.
func standIn(handler func(app *httputil.ReverseProxy, policy string) http.Handler) EdgeFunc {
	return func(_ context.Context, e Edge) (string, func() error, error) {
		transport := cdnTransport(maxConnections)
		app := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: e.Upstream})
		app.Transport = transport
		running, err := listen(e.Listen, handler(app, e.Policy))
		if err != nil {
			return "", nil, err
		}
		return running.addr, func() error {
			err := running.stop()
			transport.CloseIdleConnections()
			return err
		}, nil
	}
}

// careful shares nothing under the mistaken rule, and one copy a host of the
// landing page under the right policy and the one that carries attributions.
var careful = standIn(func(app *httputil.ReverseProxy, policy string) http.Handler {
	shared := &oneCopy{app: app, pages: make(map[string][]byte)}
	switch policy {
	case RightPolicy:
		return shared
	case AttributionPolicy:
		return carried(shared)
	}
	app.ModifyResponse = func(r *http.Response) error {
		r.Header.Set("Cache-Control", "private, no-store")
		r.Header.Set("Cache-Status", "Cacheward; fwd=uri-miss; detail=divergent")
		return nil
	}
	return app
})

// careless passes everything on and leaves the CDN to itself.
var careless = standIn(func(app *httputil.ReverseProxy, _ string) http.Handler { return app })

// carried takes the query off a landing into a cookie, and puts it back on a
// registration.
func carried(next http.Handler) http.Handler {
	const name = "carried"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			http.SetCookie(w, &http.Cookie{Name: name, Value: r.URL.RawQuery})
			r.URL.RawQuery = ""
		} else {
			r.URL.RawQuery = cookie(r, name)
		}
		next.ServeHTTP(w, r)
	})
}

// oneCopy answers the landing page from memory after the first time.
type oneCopy struct {
	app   http.Handler
	mu    sync.Mutex
	pages map[string][]byte
}

func (o *oneCopy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		o.app.ServeHTTP(w, r)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	header := w.Header()
	header.Set("Cache-Control", "private, no-store") // so that the CDN asks each time
	header.Set("Cache-Status", "Cacheward; hit")
	if o.pages[r.Host] == nil {
		header.Set("Cache-Status", "Cacheward; fwd=uri-miss; stored")
		page := recorder{header: http.Header{}}
		o.app.ServeHTTP(&page, r)
		o.pages[r.Host] = page.body
	}
	_, _ = w.Write(o.pages[r.Host])
}

// recorder keeps the body of a response.
type recorder struct {
	header http.Header
	body   []byte
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(int)     {}
func (r *recorder) Write(p []byte) (int, error) {
	r.body = append(r.body, p...)
	return len(p), nil
}
