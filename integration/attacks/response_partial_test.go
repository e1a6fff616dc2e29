package attacks

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const wholePage = "0123456789abcdefghijklmnopqrstuvwxyz"

// parts are answers of an origin that gives a part, or says that it does, to whoever
// asks for the whole.
var parts = []script{
	{name: "206 unasked", status: "206 Partial Content", fields: []string{"Content-Range: bytes 0-9/36"}, body: wholePage[:10]},
	{name: "206 without a range", status: "206 Partial Content", body: wholePage[:10]},
	{name: "206 of the whole", status: "206 Partial Content", fields: []string{"Content-Range: bytes 0-35/36", `ETag: "v1"`}, body: wholePage},
	{name: "206 of many parts", status: "206 Partial Content", fields: []string{"Content-Type: multipart/byteranges; boundary=x"}, body: "--x\r\nContent-Range: bytes 0-1/36\r\n\r\n01\r\n--x--\r\n"},
	{name: "200 with a range", fields: []string{"Content-Range: bytes 0-9/36"}, body: wholePage[:10]},
	{name: "200 with an odd range", fields: []string{"content-range: bytes */36"}, body: wholePage[:10]},
	{name: "200 of many parts", fields: []string{"Content-Type: multipart/byteranges; boundary=x"}, body: "--x\r\n\r\n01\r\n--x--\r\n"},
	{name: "416", status: "416 Range Not Satisfiable", fields: []string{"Content-Range: bytes */36"}, body: "no such range"},
}

// A part is not kept for the whole.
func testPartsAreNotShared(t *testing.T, w *ward) {
	for _, s := range parts {
		s.fields = append([]string{permitted}, s.fields...)
		w.refusedOn(t, s, everywhere...)
	}
}

// ranges are what visitors ask for; none of it says anything of what the others get.
var ranges = []string{"bytes=0-0", "bytes=5-9", "bytes=-3", "bytes=30-", "bytes=0-1,4-5", "bytes=99-", "bytes=0-", "lines=1-2", "bytes=-0", "bytes=18446744073709551616-", "bytes=0-0,0-0,0-0,0-0"}

// careless answers ranges as many origins do: with one part of what it takes them to
// mean, permitted to be kept.
func careless(q asked) script {
	var from, to int
	asked := q.header.Get("Range")
	switch n, _ := fmt.Sscanf(asked, "bytes=%d-%d", &from, &to); {
	case asked == "":
		return script{fields: []string{permitted, htmlType, `ETag: "v1"`}, body: wholePage}
	case n == 2 && from >= 0 && from <= to && to < len(wholePage):
		return script{
			status: "206 Partial Content", body: wholePage[from : to+1],
			fields: []string{permitted, htmlType, `ETag: "v1"`, fmt.Sprintf("Content-Range: bytes %d-%d/%d", from, to, len(wholePage))},
		}
	}
	return script{status: "416 Range Not Satisfiable", fields: []string{permitted, fmt.Sprintf("Content-Range: bytes */%d", len(wholePage))}, body: "§"}
}

// Visitors who ask for parts come first, and among those who want the whole. The whole
// is what these get, and a part is what it says it is.
func testRangesPoisonNothing(t *testing.T, w *ward) {
	w.each(t, "ranges", careless, everywhere, func(t *testing.T, path string) {
		var answers []*answered
		for i, r := range ranges {
			for n := range 2 {
				v := visitor(i+n, path)
				v.fields = append(v.fields, "Range: "+r)
				if i%3 == 2 {
					v.fields = append(v.fields, `If-Range: "v1"`)
				}
				answers = append(answers, w.client.ask(v))
			}
			whole := w.ask(path)
			report(t, denied(whole, http.StatusOK))
			for _, a := range whole {
				if string(a.body) != wholePage {
					t.Errorf("%s: %s", poison, a)
				}
			}
		}
		report(t, shared(answers))
		for _, a := range answers {
			checkPart(t, a)
		}
	})
}

// checkPart sees that an answer is the part that it says it is.
func checkPart(t *testing.T, a *answered) {
	t.Helper()
	var from, to, size int
	switch {
	case a.broken != nil || a.status >= 500:
		t.Errorf("%s: %s", denial, a)
	case a.status == http.StatusOK && string(a.body) != wholePage:
		t.Errorf("%s: %s", poison, a)
	case a.status == http.StatusPartialContent && !strings.HasPrefix(a.header.Get("Content-Type"), "multipart/"):
		n, _ := fmt.Sscanf(a.header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &size)
		if n != 3 || to >= len(wholePage) || size != len(wholePage) || string(a.body) != wholePage[from:to+1] {
			t.Errorf("%s: the part is not what it says: %s", poison, a)
		}
	}
}
