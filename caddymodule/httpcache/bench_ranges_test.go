package httpcache

import (
	"io"
	"net/http"
	"testing"
	"time"
)

func BenchmarkConditional(b *testing.B) {
	req := header("Accept: */*", "Accept-Language: en", `If-Range: "a"`)
	b.ReportAllocs()
	for b.Loop() {
		if Conditional(req) {
			b.Fatal("it is not")
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	stored := header(`Etag: "a"`, "Last-Modified: "+at(-time.Hour), "Date: "+at(0))
	for _, bb := range []struct {
		name string
		req  http.Header
		want Precondition
	}{
		{"unconditional", header("Accept: */*"), Proceed},
		{"tag", header(`If-None-Match: "x", W/"y", "a"`), NotModified},
		{"date", header("If-Modified-Since: " + at(-time.Hour)), NotModified},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if Evaluate("GET", bb.req, stored) != bb.want {
					b.Fatal("another outcome")
				}
			}
		})
	}
}

func BenchmarkSelectRanges(b *testing.B) {
	for _, bb := range []struct {
		name string
		req  http.Header
		want Selection
	}{
		{"none", header("Accept: */*"), Whole},
		{"one", header("Range: bytes=0-1023"), Partial},
		{"sixteen", header("Range: bytes=0-1,2-3,4-5,6-7,8-9,10-11,12-13,14-15,16-17,18-19,20-21,22-23,24-25,26-27,28-29,30-31"), Partial},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, got := SelectRanges("GET", bb.req, nil, 64<<10); got != bb.want {
					b.Fatal("another selection")
				}
			}
		})
	}
}

func BenchmarkMultipart(b *testing.B) {
	body := make([]byte, 64<<10)
	ranges := []ByteRange{{0, 1024}, {32 << 10, 1024}}
	b.ReportAllocs()
	for b.Loop() {
		m := NewMultipart("text/html", ranges, int64(len(body)))
		if n, err := m.Write(io.Discard, body); n != m.Length() || err != nil {
			b.Fatal(n, err)
		}
	}
}
