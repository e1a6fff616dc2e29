package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// origin is the app behind all contenders: another process of this program, so that what
// it costs is not theirs.
//
//	/page/<bytes>/<kind>/<delay>/…   a page of so many bytes
//	/big/<bytes>                     so many bytes that mean nothing, as they are read
//	/count                           how many requests there were, this kind not counted
//
// The kinds of pages: shared may be stored by all for an hour; private says that it must
// not be; quiet says nothing; visitor says nothing and holds a value of its own.
type origin struct {
	*process
	address string
}

const (
	kindShared  = "shared"
	kindPrivate = "private"
	kindQuiet   = "quiet"
	kindVisitor = "visitor"
	kindVaries  = "varies" // shared, a variant for each Accept-Language
)

func pagePath(size int, kind string, delay time.Duration) string {
	return fmt.Sprintf("/page/%d/%s/%s/", size, kind, delay)
}

// startOrigin runs this program once more, as the origin.
func (b *bench) startOrigin() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	p, err := b.spawn("the origin", loadCore, b.dir, []string{originVar + "=" + address}, self)
	if err != nil {
		return err
	}
	b.origin = &origin{process: p, address: address}
	return p.listens(address)
}

// originVar is set to where it listens in the environment of the origin's process.
const originVar = "CACHEWARD_BENCH_ORIGIN"

// count is how many requests the origin has answered.
func (o *origin) count() (int64, error) {
	res, err := http.Get("http://" + o.address + "/count")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(text), 10, 64)
}

// serveOrigin is the origin's process.
func serveOrigin(ctx context.Context, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: new(app), ReadHeaderTimeout: patience}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}

type app struct {
	requests atomic.Int64
	pages    sync.Map // size to page
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/count" {
		fmt.Fprint(w, a.requests.Load())
		return
	}
	n := a.requests.Add(1)
	words := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	size, err := strconv.Atoi(at(words, 1))
	switch {
	case err != nil:
		http.NotFound(w, r)
	case words[0] == "big":
		w.Header().Set("Content-Length", words[1])
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Cache-Control", "public, max-age=3600")
		_, _ = io.CopyN(w, zeros{}, int64(size)) // the visitor left
	default:
		a.page(w, size, at(words, 2), at(words, 3), n)
	}
}

func at(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return ""
}

func (a *app) page(w http.ResponseWriter, size int, kind, delay string, n int64) {
	if d, err := time.ParseDuration(delay); err == nil && d > 0 {
		time.Sleep(d)
	}
	made, ok := a.pages.Load(size)
	if !ok {
		made, _ = a.pages.LoadOrStore(size, page(size))
	}
	body := made.([]byte)
	h := w.Header()
	h["Content-Type"] = []string{"text/html; charset=utf-8"}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	switch kind {
	case kindShared:
		h["Cache-Control"] = []string{"public, max-age=3600"}
		h["Etag"] = []string{`"33a64df551425fcc55e4d42a148795d9f25f89d4"`}
	case kindVaries:
		h["Cache-Control"] = []string{"public, max-age=3600"}
		h["Vary"] = []string{"Accept-Language"}
	case kindPrivate:
		h["Cache-Control"] = []string{"private"}
	case kindVisitor:
		mark := fmt.Sprintf("<p>You are visitor number %012d.</p>", n)
		h["Content-Length"] = []string{strconv.Itoa(len(body) + len(mark))}
		body = append(body[:len(body):len(body)], mark...)
	}
	_, _ = w.Write(body) // the visitor left
}

// page is HTML of exactly n bytes, as shops have it. There are no braces in it, so that
// Caddy's respond takes it for what it is.
func page(n int) []byte {
	var b strings.Builder
	b.WriteString(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title></head><body>`)
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `<article class="card" id="item-%d"><a href="/items/%d"><img src="/img/%x.jpg" alt="A thing"></a><h2>Thing number %d</h2><p>It is a good thing, and costs %d.%02d.</p></article>`, i, i, uint32(i*2654435761), i, i%97, i%100)
	}
	const end = `</body></html>`
	if n < len(end) {
		return []byte(b.String()[:n])
	}
	return []byte(b.String()[:n-len(end)] + end)
}

// zeros is as many of them as anybody reads.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
