package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/probe"
)

const probeSecret = "a secret of thirty-two characters"

// probed starts an edge that knows the secret, in front of an origin that reports every
// request field that it was sent.
func probed(t *testing.T, route string) (*edge, *probe.Secret, *atomic.Value) {
	t.Helper()
	seen := new(atomic.Value)
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.Header.Clone())
		switch {
		case strings.HasPrefix(r.URL.Path, "/broken"):
			panic(http.ErrAbortHandler)
		case strings.HasPrefix(r.URL.Path, "/hinted"):
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "the page of ", r.URL.Path, r.URL.Query().Get("site"))
	}))
	t.Cleanup(origin.Close)
	t.Setenv("PROBE_SECRET", probeSecret)
	e := startEdgeWith(t, "cacheward {\n probe {\n secret {env.PROBE_SECRET}\n }\n}", fmt.Sprintf(`cacheward {
		route never {
			path /never/*
			cache never
		}
		route page {
			path /*
			%s
		}
	}
	reverse_proxy %s`, route, origin.Listener.Addr()))
	secret, err := probe.NewSecret(probeSecret)
	if err != nil {
		t.Fatal(err)
	}
	return e, secret, seen
}

// receiptOf opens the only receipt of an answer.
func receiptOf(t *testing.T, s *probe.Secret, a answer) probe.Receipt {
	t.Helper()
	lines := a.header[probe.ReceiptField]
	if len(lines) != 1 {
		t.Fatalf("%d receipts: %v", len(lines), a.header)
	}
	r, err := s.Open(lines[0])
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReceipts: a signed probe is answered as the visitor whom it plays, and its receipt
// says what the edge received and permitted.
func TestReceipts(t *testing.T) {
	const route = "cache origin\ndownstream 60s\nparam key site\nparam strip ref\nheader vary Accept-Language"
	e, secret, seen := probed(t, route)
	ask := func(target string, fields ...string) (answer, probe.Receipt, probe.Nonce) {
		n := probe.NewNonce()
		a := e.get(target, append(fields, probe.SignatureField, secret.Sign(n, time.Now()))...)
		return a, receiptOf(t, secret, a), n
	}

	a, r, n := ask("/p?site=a&ref=1", "X-Mark", "one")
	if r.Nonce != n || r.Route != "page" || r.URI != "/p?site=a&ref=1" || r.Method != "GET" || r.Scheme != "http" || r.Host != "example.com" {
		t.Errorf("%+v", r)
	}
	if got := r.Received["x-mark"]; got != secret.Digest("one") {
		t.Errorf("x-mark was received as %q", got)
	}
	if !slices.Equal(r.Keyed, []string{"param site"}) {
		t.Errorf("keyed: %q", r.Keyed)
	}
	if r.Shared {
		t.Errorf("the first visitor's own answer is permitted to be shared: %v", a.header)
	}
	if h := seen.Load().(http.Header); len(h[probe.SignatureField]) != 0 {
		t.Errorf("the origin was sent the mark: %v", h)
	}

	// An ordinary visitor is given the object: what is stored has no receipt in it.
	settled(t)
	plain := e.get("/p?site=a&ref=2")
	if !plain.hit() || plain.header.Get(probe.ReceiptField) != "" {
		t.Errorf("an ordinary visitor: %v", plain.header)
	}
	hit, r2, _ := ask("/p?site=a&ref=3")
	if !hit.hit() || r2.Outcome != "hit" || !r2.Shared || r2.TTL <= 0 || r2.Key != r.Key {
		t.Errorf("a hit: %+v", r2)
	}
	if _, other, _ := ask("/p?site=b"); other.Key == r.Key {
		t.Error("another keyed value has the same key in its receipt")
	}
	if a, r, _ := ask("/never/x"); r.Shared || r.Route != "never" || r.Outcome != "bypass" || a.status != 200 {
		t.Errorf("never: %+v", r)
	}
	if a, r, _ := ask("/hinted"); a.status != 200 || r.Route != "page" {
		t.Errorf("after a 103: %+v", r)
	}
	if a, r, _ := ask("/p?site=a&site=b"); a.status != 200 || len(r.Reasons) == 0 {
		t.Errorf("an ambiguous request: %d %+v", a.status, r)
	}
	// An answer that is an error's page has one too.
	if a, r, _ := ask("/broken"); a.status != http.StatusBadGateway || r.Shared {
		t.Errorf("a broken origin: %d %+v", a.status, r)
	}
}

// TestNoReceipt: who is not signed, or not well, or was before, is an ordinary visitor, and
// the mark itself changes nothing.
func TestNoReceipt(t *testing.T) {
	e, secret, seen := probed(t, "cache 5m\nheader others bypass")
	other, err := probe.NewSecret("another secret of the same length")
	if err != nil {
		t.Fatal(err)
	}
	used := secret.Sign(probe.NewNonce(), time.Now())
	if a := e.get("/p", probe.SignatureField, used); a.header.Get(probe.ReceiptField) == "" {
		t.Fatalf("no receipt: %v", a.header)
	}
	for name, fields := range map[string][]string{
		"no mark":        nil,
		"replayed":       {probe.SignatureField, used},
		"junk":           {probe.SignatureField, "junk"},
		"empty":          {probe.SignatureField, ""},
		"another secret": {probe.SignatureField, other.Sign(probe.NewNonce(), time.Now())},
		"too old":        {probe.SignatureField, secret.Sign(probe.NewNonce(), time.Now().Add(-probe.Window-2*time.Second))},
		"of the future":  {probe.SignatureField, secret.Sign(probe.NewNonce(), time.Now().Add(probe.Window+2*time.Second))},
		"two marks":      {probe.SignatureField, secret.Sign(probe.NewNonce(), time.Now()), probe.SignatureField, secret.Sign(probe.NewNonce(), time.Now())},
		"lower case":     {"cacheward-probe", "junk"},
	} {
		a := e.get("/p", fields...)
		if got := a.header.Get(probe.ReceiptField); got != "" {
			t.Errorf("%s: a receipt", name)
		}
		if strings.Contains(a.header.Get("Cache-Status"), "header-bypass") {
			t.Errorf("%s: the mark is an input: %v", name, a.header)
		}
		if h := seen.Load().(http.Header); len(h[probe.SignatureField]) != 0 {
			t.Errorf("%s: the origin was sent the mark", name)
		}
	}
}

// TestUnknownSecret: an edge without a secret takes the field for one of a visitor's.
func TestUnknownSecret(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		_, _ = io.WriteString(w, r.Header.Get(probe.SignatureField))
	}))
	t.Cleanup(origin.Close)
	e := start(t, corroboratedPage, origin.Listener.Addr().String())
	if a := e.get("/p", probe.SignatureField, "v1.1.x.y"); a.header.Get(probe.ReceiptField) != "" {
		t.Error("a receipt")
	}
}
