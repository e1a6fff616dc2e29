package probe

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// app is a site. It repeats what it is told to.
type app struct {
	repeats []Input
	clock   bool // no two of its pages are the same
	status  int
	n       atomic.Int64
	// repeatsLast: it shows where the last visitor came from.
	repeatsLast bool
	last        atomic.Value
}

func (a *app) page(r *http.Request) string {
	page := "<html><body><h1>Welcome</h1>"
	for _, in := range a.repeats {
		got := ""
		switch in.Kind {
		case KindParam:
			got = r.URL.Query().Get(in.Name)
		case KindCookie:
			if c, err := r.Cookie(in.Name); err == nil {
				got = c.Value
			}
		case KindHeader:
			got = r.Header.Get(in.Name)
		}
		page += fmt.Sprintf("<input name=lead value=%q>", got)
	}
	if a.repeatsLast {
		if last, ok := a.last.Swap(r.Referer()).(string); ok {
			page += "the last one came from " + last
		}
	}
	if a.clock {
		page += strconv.FormatInt(a.n.Add(1), 10)
	}
	return page
}

// fakeEdge plays the part of Cacheward that a probe sees.
type fakeEdge struct {
	app      *app
	verifier *Verifier // nil: no receipts
	secret   *Secret
	// shared: pages are permitted to be shared, and made of the keyed parameters alone.
	shared bool
	keyed  []string
	ttl    int64
	// stores: it gives what it has stored. blind: without regard to what it keys.
	stores, blind bool
	later         bool // its pages may be given to others once they have been asked about
	coding        string
	// back is by how much every second receipt says that it is older than it is.
	back  time.Duration
	count atomic.Int64

	mu     sync.Mutex
	stored map[string]string
}

func (e *fakeEdge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mark := r.Header.Get(SignatureField)
	r.Header.Del(SignatureField)
	receipt := Receipt{
		Method: r.Method, Scheme: "http", Host: r.Host, URI: r.RequestURI, Received: make(map[string]string),
		Route: "landing", Outcome: "bypass", Shared: e.shared, TTL: e.ttl, Later: e.later,
	}
	for name, lines := range r.Header {
		if e.secret != nil {
			receipt.Received[strings.ToLower(name)] = e.secret.Digest(joined(lines))
		}
	}
	page := ""
	switch {
	case e.shared:
		receipt.Outcome = "fill"
		for _, name := range e.keyed {
			receipt.Keyed = append(receipt.Keyed, "param "+name)
		}
		canonical := httptest.NewRequest(http.MethodGet, "http://"+r.Host+r.URL.Path, nil)
		query := url.Values{}
		for _, name := range e.keyed {
			if r.URL.Query().Has(name) {
				query.Set(name, r.URL.Query().Get(name))
			}
		}
		canonical.URL.RawQuery = query.Encode()
		page = e.fill(canonical, &receipt)
		w.Header().Set("Cache-Control", "public, s-maxage="+strconv.FormatInt(e.ttl, 10))
	case e.stores:
		page = e.fill(r, &receipt)
		w.Header().Set("Cache-Control", "private, no-store")
	default:
		page = e.app.page(r)
		w.Header().Set("Cache-Control", "private, no-store")
	}
	w.Header().Set("Cache-Status", "Cacheward; fwd=bypass")
	if fromStore(&receipt) || receipt.Shared {
		w.Header().Set("Cache-Status", "Cacheward; hit")
	}
	if e.verifier != nil && mark != "" {
		if nonce, err := e.verifier.Verify(mark, time.Now()); err == nil {
			receipt.Nonce, receipt.At = nonce, time.Now().UnixMilli()
			if e.count.Add(1)%2 == 0 {
				receipt.At -= e.back.Milliseconds()
			}
			sealed, err := e.secret.Seal(receipt)
			if err != nil {
				panic(err)
			}
			w.Header().Set(ReceiptField, sealed)
		}
	}
	w.Header().Set("Content-Type", "text/html")
	coded := encoded(e.coding, page)
	if e.coding != "" {
		w.Header().Set("Content-Encoding", e.coding)
	}
	if e.app.status != 0 {
		w.WriteHeader(e.app.status)
	}
	_, _ = w.Write(coded)
}

// encoded is the page in a content coding.
func encoded(coding, page string) []byte {
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		w, _ = zstd.NewWriter(&b) // fails for wrong options only
	default:
		return []byte(page)
	}
	_, _ = io.WriteString(w, page)
	_ = w.Close()
	return b.Bytes()
}

// decoded is the page that encoded has made this of.
func decoded(coding, body string) string {
	var src io.Reader = strings.NewReader(body)
	var err error
	switch coding {
	case "gzip":
		src, err = gzip.NewReader(src)
	case "deflate":
		src, err = zlib.NewReader(src)
	case "br":
		src = brotli.NewReader(src)
	case "zstd":
		src, err = zstd.NewReader(src)
	}
	if err != nil {
		panic(err)
	}
	page, err := io.ReadAll(src)
	if err != nil {
		panic(err)
	}
	return string(page)
}

func (e *fakeEdge) fill(r *http.Request, receipt *Receipt) string {
	if !e.stores {
		return e.app.page(r)
	}
	key := r.URL.RequestURI()
	if e.blind {
		key = r.URL.Path
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if page, ok := e.stored[key]; ok {
		receipt.Outcome = "hit"
		return page
	}
	if e.stored == nil {
		e.stored = make(map[string]string)
	}
	e.stored[key] = e.app.page(r)
	return e.stored[key]
}

// counting counts the requests that are under way.
type counting struct {
	http.RoundTripper
	inFlight *atomic.Int64
}

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.inFlight.Add(1)
	defer c.inFlight.Add(-1)
	return c.RoundTripper.RoundTrip(r)
}

const testSecret = "a text that both of them have, and nobody else"

func mustSecret(t testingT, text string) *Secret {
	s, err := NewSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// testingT is a test, or one of many of a property.
type testingT interface {
	Helper()
	Context() context.Context
	Fatal(...any)
}

// rig is a whole site: a cache, an edge and an app.
type rig struct {
	url, edge string
	options   Options
	close     func()
}

// newRig starts it. A nil cache: the edge is asked itself.
func newRig(e *fakeEdge, c *frontCache) *rig { return newRigBehind(e, c, c) }

// newRigBefore starts one without a cache, and with something before the edge.
func newRigBefore(before http.Handler, e *fakeEdge) *rig {
	r := newRig(e, nil)
	front := httptest.NewServer(before)
	r.url = front.URL
	closeEdge := r.close
	r.close = func() {
		front.Close()
		closeEdge()
	}
	return r
}

// newRigBehind starts it with something before the cache.
func newRigBehind(e *fakeEdge, c *frontCache, before http.Handler) *rig {
	r := new(rig)
	edge := httptest.NewServer(e)
	r.url, r.edge, r.close = edge.URL, edge.Listener.Addr().String(), edge.Close
	inFlight := new(atomic.Int64)
	if c != nil {
		c.origin, c.inFlight = edge.URL, inFlight
		c.stored, c.flights = make(map[string]*copied), make(map[string]*flight)
		c.client = &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 32}}
		front := httptest.NewServer(before)
		r.url = front.URL
		r.close = func() {
			front.Close()
			c.client.CloseIdleConnections()
			edge.Close()
		}
	}
	o := Options{Timeout: time.Minute}
	r.options = Options{
		Secret: e.secret, Rate: 1e6, Timeout: time.Minute,
		Client: &http.Client{Transport: counting{o.newTransport(""), inFlight}},
	}
	return r
}

// probe runs, for paths of the site.
func (r *rig) probe(t testingT, change func(*Options), paths ...string) *Report {
	t.Helper()
	o := r.options
	for _, path := range paths {
		o.URLs = append(o.URLs, r.url+path)
	}
	if change != nil {
		change(&o)
	}
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func (u URLReport) input(name string) InputReport {
	i := slices.IndexFunc(u.Inputs, func(in InputReport) bool { return in.Input == name })
	if i < 0 {
		return InputReport{}
	}
	return u.Inputs[i]
}

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
