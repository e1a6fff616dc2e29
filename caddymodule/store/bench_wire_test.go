package store

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// wirePage is a page as sites have them.
func wirePage(size int) *Object {
	now := time.Now()
	return &Object{
		Parts: "2 https example.com /register/lp ref=0123456789 source=newsletter", ID: NewID(), Route: "landing",
		Status: http.StatusOK,
		Header: FieldsOf(http.Header{
			"Content-Type": {"text/html; charset=utf-8"}, "Etag": {`"0123456789abcdef"`}, "Vary": {"Accept-Encoding"},
			"Cache-Control": {"public, max-age=300"}, "Last-Modified": {"Tue, 03 Feb 2026 04:05:06 GMT"},
			"Content-Security-Policy": {"default-src 'self'"}, "X-Frame-Options": {"DENY"},
			"Link": {"</a.css>; rel=preload", "</b.js>; rel=preload"},
		}),
		Body: make([]byte, size), Requested: now, Received: now, Expires: now.Add(5 * time.Minute),
		Tags: []Tag{TagOf(TagURI, "example.com/register/lp"), TagOf(TagName, "landing")}, Generation: 7,
	}
}

func BenchmarkAppendWire(b *testing.B) {
	for _, size := range []int{4 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("body=%dKiB", size>>10), func(b *testing.B) {
			o, now := wirePage(size), time.Now()
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				o.AppendWire(nil, now, now)
			}
		})
	}
}

// BenchmarkReadWire reads the object, whose body is elsewhere.
func BenchmarkReadWire(b *testing.B) {
	o, now := wirePage(4<<10), time.Now()
	wire, parts := o.AppendWire(nil, now, now), []byte(o.Parts)
	b.ReportMetric(float64(len(wire)), "wire-bytes")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ReadWire(wire, o.Key, parts, now, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBodyIs(b *testing.B) {
	page := make([]byte, 4<<10)
	body := BodyOf(page)
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		if !body.Is(page) {
			b.Fatal("another body")
		}
	}
}
