package markers

import (
	"bytes"
	"net/http"
	"testing"
)

// repeat makes a page of at least n bytes out of one of testdata, which must have no
// markers: what is between its body tags comes again and again.
func repeat(b testing.TB, path string, n int) Page {
	b.Helper()
	page := readPage(b, path)
	from, to := bytes.Index(page.Body, []byte("<main>")), bytes.Index(page.Body, []byte("</main>"))
	if from < 0 || to < from {
		b.Fatalf("%s has no main element", path)
	}
	main, out := page.Body[from:to], bytes.Clone(page.Body[:from])
	for len(out)+len(page.Body)-to < n {
		out = append(out, main...)
	}
	page.Body = append(out, page.Body[to:]...)
	return page
}

func BenchmarkDetectNothing(b *testing.B) {
	page := repeat(b, "testdata/csrf-meta/plain-script.html", 64<<10)
	if found, whole := Detect(page, nil); len(found) > 0 || !whole {
		b.Fatalf("found %v, whole %v", found, whole)
	}
	b.SetBytes(int64(len(page.Body)))
	b.ReportAllocs()
	for b.Loop() {
		Detect(page, nil)
	}
}

func BenchmarkDetectState(b *testing.B) {
	page := repeat(b, "testdata/rails-authenticity-token/state-contact.html", 64<<10)
	b.SetBytes(int64(len(page.Body)))
	b.ReportAllocs()
	for b.Loop() {
		Detect(page, nil)
	}
}

// The worst text: nothing but beginnings of tags with a name that is an anchor.
func BenchmarkDetectAnchors(b *testing.B) {
	page := Page{http.Header{"Content-Type": {"text/html"}}, bytes.Repeat([]byte(`<input type="hidden" name="csrf_token" value="x">`), 1<<20/48)}
	b.SetBytes(int64(len(page.Body)))
	b.ReportAllocs()
	for b.Loop() {
		Detect(page, nil)
	}
}
