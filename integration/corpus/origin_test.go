package corpus

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/template"

	"github.com/andybalholm/brotli"
)

//go:embed pages
var files embed.FS

// origin is the application. It serves /<kind>/<page>/<form>.
type origin struct {
	templates *template.Template
	products  []product
	book      book

	kept sync.Map // of strings by the template's name

	leads, turns, looks atomic.Int64
}

// streamed is how many bytes of a streamed page are sent at a time.
const streamed = 32 << 10

func newOrigin(t *testing.T) *origin {
	t.Helper()
	o := &origin{book: book{values: map[*page]map[string]bool{}}}
	for n := range 400 {
		o.products = append(o.products, makeProduct(n))
	}
	var err error
	if o.templates, err = template.ParseFS(files, "pages/*.*", "pages/parts/*.*"); err != nil {
		t.Fatal(err)
	}
	return o
}

// serve runs the origin until the test ends, and returns its address.
func (o *origin) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(o)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	name, form, _ := strings.Cut(rest, "/")
	p := pageNamed(name)
	if p == nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", mediaTypes[path.Ext(p.file)])
	if kind == once || !p.silent {
		h.Set("Cache-Control", "public, max-age=300")
	}
	v := &view{PerVisitor: form == perVisitor, page: p, origin: o, r: r, header: h, fresh: map[string]string{}}
	if p.stream {
		o.stream(w, v)
		return
	}
	body := new(bytes.Buffer)
	if err := o.templates.ExecuteTemplate(body, p.file, v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if p.compress {
		h.Add("Vary", "Accept-Encoding")
		if coding := wanted(r.Header.Get("Accept-Encoding")); coding != "" {
			h.Set("Content-Encoding", coding)
			body = compress(coding, body)
		}
	}
	h.Set("Content-Length", fmt.Sprint(body.Len()))
	_, _ = w.Write(body.Bytes()) // the visitor may have left
}

// stream sends the page in chunks, as it is made.
func (o *origin) stream(w http.ResponseWriter, v *view) {
	if err := o.templates.ExecuteTemplate(&chunks{w: w}, v.page.file, v); err != nil {
		panic(http.ErrAbortHandler) // the head is gone: only an incomplete answer can tell
	}
}

// chunks flushes now and then.
type chunks struct {
	w    http.ResponseWriter
	sent int
}

func (c *chunks) Write(p []byte) (n int, err error) {
	for part := range slices.Chunk(p, streamed) {
		written, err := c.w.Write(part)
		if n += written; err != nil {
			return n, err
		}
		if c.sent += written; c.sent >= streamed {
			c.sent = 0
			_ = http.NewResponseController(c.w).Flush() // it goes out later then
		}
	}
	return n, nil
}

var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".json": "application/json",
	".js":   "text/javascript; charset=utf-8",
	".rss":  "application/rss+xml; charset=utf-8",
	".xml":  "application/xml; charset=utf-8",
}

// wanted chooses br before gzip, as servers do that have both.
func wanted(accept string) string {
	for _, coding := range []string{"br", "gzip"} {
		if strings.Contains(accept, coding) {
			return coding
		}
	}
	return ""
}

func compress(coding string, body *bytes.Buffer) *bytes.Buffer {
	compressed := new(bytes.Buffer)
	var w io.WriteCloser = gzip.NewWriter(compressed)
	if coding == "br" {
		w = brotli.NewWriterLevel(compressed, 4)
	}
	_, _ = body.WriteTo(w) // from memory into memory
	_ = w.Close()
	return compressed
}

// book has every value that pages were ever given, by page: true for one request's,
// false for one visitor's. It is safe for concurrent use.
type book struct {
	mu     sync.Mutex
	values map[*page]map[string]bool
}

func (b *book) note(p *page, value string, one bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.values[p] == nil {
		b.values[p] = map[string]bool{}
	}
	b.values[p][value] = one
}

// of returns the page's values so far.
func (b *book) of(p *page) map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.values[p])
}
