package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/cacheward/cacheward/caddymodule/probe"
)

// TestWatchInputs: of what a policy names, visitors differ in what a request can have and
// what harms nobody who is given the page. None of the rest keeps the watch from probing.
func TestWatchInputs(t *testing.T) {
	const route = `cache: origin
params: {strip: ["filter[x]"]}
cookies: {strip: ["ga?"]}
headers:
  key: [X-Site]
  vary: [Accept, Accept-Language]
  strip: [X-Forwarded-Host, X-Original-Url, Content-Type]`
	withRoute(t, route, func(t *testing.T, c *ruled) {
		c.others.all = []*Handler{c.Handler}
		w := &watcher{
			Watch: &Watch{Headers: []string{"Accept"}}, url: "https://example.com/lp?filter%5Bx%5D=1", handlers: c.others, logger: c.logger,
		}
		w.options = w.Watch.options(w.url, nil)
		o := w.inputsOfPolicy()
		if err := o.Check(); err != nil {
			t.Error(err)
		}
		var names []string
		for _, i := range o.Inputs {
			names = append(names, i.String()+" "+i.Policy)
		}
		want := []string{"header Accept vary", "param filter[x] strip", "header X-Site key", "header Accept-Language vary"}
		if !slices.Equal(names, want) {
			t.Errorf("%q", names)
		}
	})
}

// TestMadeSecretStays: an edge without a secret of its own knows the receipts of the
// configuration before.
func TestMadeSecretStays(t *testing.T) {
	site := fmt.Sprintf(corroboratedPage, "", "127.0.0.1:1")
	const watch = "cacheward {\n watch http://a.example/ {\n interval 1h\n }\n}"
	e := startEdgeWith(t, watch, site)
	running := func() *probe.Secret {
		app, err := caddy.ActiveContext().App("cacheward")
		if err != nil {
			t.Fatal(err)
		}
		return app.(*App).receipts.secret
	}
	before := running()
	if err := e.load(site); err != nil {
		t.Fatal(err)
	}
	sealed, err := before.Seal(probe.Receipt{Nonce: probe.NewNonce()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := running().Open(sealed); err != nil {
		t.Error(err)
	}
}

// TestWatchOfSilence: a cache in front that never answers delays neither a reload nor the
// stop, refused configurations in between leave nothing behind, and no goroutine stays.
func TestWatchOfSilence(t *testing.T) {
	hit := make(chan struct{}, 1000)
	front := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case hit <- struct{}{}:
		default:
		}
		<-r.Context().Done()
	}))
	defer front.Close()
	site := fmt.Sprintf(corroboratedPage, "", "127.0.0.1:1")
	watch := "cacheward {\n watch http://a.example/ http://b.example/ {\n interval 1s\n resolve " + front.Listener.Addr().String() + "\n timeout 1h\n }\n}"
	e := startEdgeWith(t, watch, site)
	await(t, "a probe", hit)
	before := runtime.NumGoroutine()
	began := time.Now()
	for i := range 12 {
		e.globals = watch
		if i%3 == 2 {
			e.globals = strings.Replace(watch, "timeout 1h", "timeout 1h\n }\n watch http://c.example/ http://a.example/ {\n interval 1s", 1)
			if err := e.load(site); err == nil {
				t.Fatal("a URL is given twice, and it starts")
			}
			continue
		}
		if err := e.load(site); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(watched()); n != 2 {
		t.Errorf("%d URLs are watched", n)
	}
	await(t, "a probe after the reloads", hit)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("it took %s", took)
	}
	if n := len(watched()); n != 0 {
		t.Errorf("%d URLs are watched after the stop", n)
	}
	eventually(t, "the end of what the probes began", func() bool { return runtime.NumGoroutine() <= before })
}

// TestReceiptOfRelay: a receipt says what caches in front may do with what the origin
// itself permits, in whatever words.
func TestReceiptOfRelay(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/expires":
			w.Header().Set("Expires", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		case "/asked":
			w.Header().Set("Etag", `"1"`)
			w.Header().Set("Cache-Control", "public, no-cache")
		case "/own":
			w.Header().Set("Cache-Control", "private, no-cache")
			w.Header().Set("Etag", `"1"`)
		}
		fmt.Fprint(w, "the page of ", r.URL.Path)
	}))
	t.Cleanup(origin.Close)
	e := startEdgeWith(t, "cacheward {\n probe {\n secret "+strings.ReplaceAll(probeSecret, " ", "-")+"\n }\n}", fmt.Sprintf(`cacheward {
		route page {
			path /*
			cache origin
			downstream origin
		}
	}
	reverse_proxy %s`, origin.Listener.Addr()))
	secret, err := probe.NewSecret(strings.ReplaceAll(probeSecret, " ", "-"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct{ shared, later bool }{
		"/expires": {true, false}, "/asked": {false, true}, "/own": {}, "/silent": {},
	} {
		for range 2 {
			a := e.get(path, probe.SignatureField, secret.Sign(probe.NewNonce(), time.Now()))
			r := receiptOf(t, secret, a)
			if r.Shared != want.shared || r.Later != want.later {
				t.Errorf("%s: shared %t, later %t: %v", path, r.Shared, r.Later, a.header)
			}
			settled(t)
		}
	}
}
