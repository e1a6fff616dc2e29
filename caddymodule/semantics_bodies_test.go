package caddymodule

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// gzipped is a body in the gzip coding.
func gzipped(body string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, body)
	_ = w.Close()
	return b.Bytes()
}

// TestCodingsCompareEqual: the visitor's own answer is compressed, and has the
// entity tag of that form; the fill is not.
func TestCodingsCompareEqual(t *testing.T) {
	body := strings.Repeat("the page ", 1000)
	e := start(t, corroboratedPage, newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html")
		h.Set("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			h.Set("Etag", `"v1-gzip"`)
			_, _ = w.Write(gzipped(body))
			return
		}
		h.Set("Etag", `"v1"`)
		_, _ = io.WriteString(w, body)
	}))
	first := e.ok("/", "Accept-Encoding", "gzip")
	if first.header.Get("Content-Encoding") != "gzip" || first.body != string(gzipped(body)) {
		t.Errorf("the first visitor's own answer was changed: %v", first.header)
	}
	e.awaitObject(1)
	a := e.ok("/", "Accept-Encoding", "gzip")
	if !a.hit() || a.body != body || a.header.Get("Content-Encoding") != "" || a.header.Get("Etag") != `"v1"` {
		t.Errorf("%s: %v", a.header.Get("Cache-Status"), a.header)
	}
}

// TestEncodeOutside: encode compresses hits for those who want it; the object is
// not compressed.
func TestEncodeOutside(t *testing.T) {
	body := strings.Repeat("the page ", 1000)
	for _, admission := range admissions {
		t.Run(admission.name, func(t *testing.T) {
			e := start(t, "encode gzip\n"+admission.site, newOrigin(t, func(w http.ResponseWriter, _ *http.Request) { page(w, body) }))
			for _, coding := range []string{"gzip", "identity", "gzip", "identity"} {
				a := e.ok("/", "Accept-Encoding", coding)
				got := a.body
				if coding == "gzip" {
					r, err := gzip.NewReader(strings.NewReader(a.body))
					if err != nil {
						t.Fatalf("%v: %v", err, a.header)
					}
					plain, err := io.ReadAll(r)
					if err != nil {
						t.Fatal(err)
					}
					got = string(plain)
					if length := a.header.Get("Content-Length"); length != "" && length != strconv.Itoa(len(a.body)) || a.header.Get("Etag") != `"v1-gzip"` {
						t.Errorf("head of a compressed %s: %v", a.header.Get("Cache-Status"), a.header)
					}
				} else if a.header.Get("Content-Encoding") != "" || a.header.Get("Etag") != `"v1"` {
					t.Errorf("head: %v", a.header)
				}
				if got != body {
					t.Errorf("%s: %.20q…", coding, got)
				}
				e.awaitObject(1)
			}
			if a := e.get("/", "Accept-Encoding", "gzip", "If-None-Match", `"v1-gzip"`); a.status != 304 || !a.hit() {
				t.Errorf("%d, %v", a.status, a.header)
			}
			if n := len(records("store")); n != 1 {
				t.Errorf("%d objects", n)
			}
			if size := records("store")[0].SizeBytes; size != int64(len(body)) {
				t.Errorf("the object has %d bytes", size)
			}
		})
	}
}

// TestBodies: empty ones, those that arrive in chunks, and those too large to be
// stored, which reach everybody whole all the same.
func TestBodies(t *testing.T) {
	for _, c := range []struct {
		name    string
		size    int
		chunked bool
		stored  bool
	}{
		{"empty", 0, false, true},
		{"one byte in chunks", 1, true, true},
		{"just storable", 1 << 20, false, true},
		{"just storable in chunks", 1 << 20, true, true},
		{"one byte too many", 1<<20 + 1, false, false},
		{"one byte too many in chunks", 1<<20 + 1, true, false},
		{"large", 5 << 20, false, false},
		{"large in chunks", 5 << 20, true, false},
	} {
		for _, admission := range admissions {
			t.Run(c.name+" "+admission.name, func(t *testing.T) {
				body := strings.Repeat("x", c.size)
				e := start(t, admission.site, newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
					h := w.Header()
					h.Set("Content-Type", "text/html")
					h.Set("Cache-Control", "max-age=60")
					if !c.chunked {
						h.Set("Content-Length", strconv.Itoa(len(body)))
					}
					for rest := body; rest != ""; {
						n := min(len(rest), 100_000)
						_, _ = io.WriteString(w, rest[:n])
						if c.chunked {
							_ = http.NewResponseController(w).Flush()
						}
						rest = rest[n:]
					}
					if c.chunked {
						_ = http.NewResponseController(w).Flush()
					}
				}), "limits {\nmax_object 1MiB\n}")
				for range 2 {
					if a := e.ok("/"); a.err != nil || a.body != body {
						t.Fatalf("%d bytes of %d, %v", len(a.body), len(body), a.err)
					}
					settled(t)
				}
				if a := e.ok("/"); a.hit() != c.stored || a.body != body {
					t.Errorf("%s, %d bytes", a.header.Get("Cache-Status"), len(a.body))
				}
				if !c.stored {
					awaitRecord(t, "refuse", func(r logLine) bool { return r.Reasons[0] == "too-large" })
					nothingStored(t)
				}
				memoryGivenBack(t)
			})
		}
	}
}
