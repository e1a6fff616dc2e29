package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
)

// visitor asks for pages, one after the other, and looks at everything that they are
// given.
type visitor struct {
	number, steps int
	site          *site
	origin        *origin
	plan          *plan
	client        *http.Client
	tally         *tally
}

func newVisitor(number int, s *site, o *origin, p *plan, all *tally) *visitor {
	transport := &http.Transport{DisableCompression: true}
	v := &visitor{
		number: number, site: s, origin: o, plan: p, tally: all,
		client: &http.Client{Timeout: edge.Patience, Transport: transport},
	}
	if v.protocol() == "HTTP/2" {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	return v
}

func (v *visitor) protocol() string {
	if v.number%4 == 0 {
		return "HTTP/2"
	}
	return "HTTP/1.1"
}

// visit goes on until it is to stop.
func (v *visitor) visit(stop *atomic.Bool) {
	for !stop.Load() {
		if v.steps++; v.steps%200 == 0 {
			v.client.CloseIdleConnections()
		}
		v.take(v.plan.next())
	}
}

// marker is the visitor's, and this step's alone.
func (v *visitor) marker() string { return fmt.Sprintf("v%d-%d", v.number, v.steps) }

// take takes a step.
func (v *visitor) take(s step) {
	f := v.origin.families[s.family]
	w := wish{method: http.MethodGet, path: f.path(s.page), who: everyone}
	if f.personal {
		w.who = v.marker()
	}
	header := make(http.Header)
	switch s.kind {
	case head:
		w.method = http.MethodHead
	case member:
		w.who = v.marker()
		header.Set("Cookie", "session="+v.marker())
	case part:
		w.part = true
		size := f.size(s.page)
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", int(s.from*float64(size)), int(s.to*float64(size))))
	case post:
		v.post(s.kind, f, s.page, w.path)
		return
	case land, register:
		v.land(s, f, w)
		return
	}
	if s.family == "coded" && s.kind != conditional && s.coding != "" {
		header.Set("Accept-Encoding", s.coding)
	}
	if s.tracked {
		w.path += "?utm_campaign=" + v.marker()
	}
	r, ok := v.ask(s, f, w, header)
	if s.kind == conditional && ok {
		if w.etag = r.header.Get("ETag"); w.etag == "" {
			v.tally.fault("%s: no ETag", w.path)
			return
		}
		header.Set("If-None-Match", w.etag)
		v.ask(s, f, w, header)
	}
}

// ask asks for a page and checks the answer. ok: there is one.
func (v *visitor) ask(s step, f *family, w wish, header http.Header) (r reply, ok bool) {
	ctx := context.Background()
	if s.kind == leave {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.patience)
		defer cancel()
	}
	w.floor = f.floors[s.page].Load()
	began := time.Now()
	count := v.tally.of(s.kind)
	count.asked.Add(1)
	r, err := v.request(ctx, w.method, w.path, header)
	w.newest = f.versions[s.page].Load()
	died := f.name == "fragile" && v.site.deaths.touch(began)
	switch {
	case s.kind == leave && ctx.Err() != nil:
		count.left.Add(1)
		return r, false
	case died && (err != nil || r.status >= 500):
		v.tally.died.Add(1)
		return r, false
	case f.name == "broken" && err != nil && !isTimeout(err):
		v.tally.broken.Add(1)
		return r, false
	case err != nil:
		v.tally.fault("%s %s (%s): %v", w.method, w.path, s.kind, err)
		return r, false
	}
	url := w.path
	w.path, _, _ = strings.Cut(url, "?")
	if err := w.check(r); err != nil {
		v.tally.fault("%s %s (%s) %v: %v; Cache-Status %q", w.method, url, s.kind, header, err, r.header["Cache-Status"])
		return r, false
	}
	count.count(r)
	return r, true
}

// request asks. Where the server is being replaced it may close a connection that it had
// accepted just before, without a word (net/http's Server.Shutdown); then the request is
// sent again, as a client may (RFC 9112 section 9.3.1).
func (v *visitor) request(ctx context.Context, method, path string, header http.Header) (r reply, err error) {
	for {
		began := time.Now()
		q, err := http.NewRequestWithContext(ctx, method, "http://"+v.site.address+path, nil)
		if err != nil {
			return r, err
		}
		for name, lines := range header {
			q.Header[name] = lines
		}
		q.Header.Set("X-Visitor", v.marker())
		q.Header["Idempotency-Key"] = nil // net/http may send what changes a page again, too
		res, err := v.client.Do(q)
		if err != nil {
			if closedEarly(err) && v.site.reloads.touch(began) {
				v.tally.sentAgain(v.protocol(), err)
				continue
			}
			return r, err
		}
		r = reply{status: res.StatusCode, header: res.Header}
		r.body, err = io.ReadAll(res.Body)
		res.Body.Close()
		v.tally.bytes.Add(int64(len(r.body)))
		return r, err
	}
}

// post changes a page. Once it is answered, nobody may be given what was before.
func (v *visitor) post(k kind, f *family, page int, path string) {
	count := v.tally.of(k)
	count.asked.Add(1)
	r, err := v.request(context.Background(), http.MethodPost, path, nil)
	changes, _ := v.origin.changed.LoadAndDelete(v.marker())
	if err != nil || r.status != http.StatusNoContent || changes == nil {
		v.tally.fault("POST %s: status %d: %v", path, r.status, err)
		return
	}
	settled(changes.([]change))
	count.count(r)
}

// land comes with a code, is given the page that everyone is given, and, who registers, is
// told by the app which code that was.
func (v *visitor) land(s step, f *family, w wish) {
	code := "ref=" + v.marker()
	w.path += "?" + code
	r, ok := v.ask(s, f, w, nil)
	if !ok {
		return
	}
	v.tally.landed.Add(1)
	cookies := (&http.Response{Header: r.header}).Cookies()
	if len(cookies) != 1 || cookies[0].Name != "cacheward" {
		v.tally.fault("who lands at %s is given the cookies %v; Cache-Status %q", w.path, cookies, r.header["Cache-Status"])
		return
	}
	if s.kind != register {
		return
	}
	r, err := v.request(context.Background(), http.MethodPost, "/register", http.Header{"Cookie": {"cacheward=" + cookies[0].Value}})
	if err != nil {
		v.tally.fault("POST /register: %v", err)
		return
	}
	who := wish{method: http.MethodPost, path: "/register", who: code}
	if err := who.check(r); err != nil {
		v.tally.fault("POST /register: %v; Cache-Status %q", err, r.header["Cache-Status"])
	}
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}
