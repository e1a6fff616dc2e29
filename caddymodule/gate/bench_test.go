package gate

import (
	"strings"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

// page64 is a page of 64 KiB that compresses like one.
var page64 = func() []byte {
	var b strings.Builder
	for i := 0; b.Len() < 64<<10; i++ {
		b.WriteString(`<li class="item"><a href="/items/`)
		b.WriteString(strings.Repeat(string(rune('a'+i*7%26)), 1+i*13%9))
		b.WriteString(`">Item</a></li>`)
	}
	return []byte(b.String()[:64<<10])
}()

func BenchmarkCheck(b *testing.B) {
	h := Head{Status: 200, Header: header(
		"Cache-Control", "public, max-age=300",
		"Content-Type", "text/html; charset=utf-8",
		"Content-Length", "65536",
		"Date", "Mon, 01 Mar 2027 12:00:00 GMT",
		"Etag", `"5f-1"`,
		"Server", "app",
		"Vary", "Accept-Encoding",
		"X-Frame-Options", "DENY",
	)}
	r := originRules()
	b.ReportAllocs()
	for b.Loop() {
		if got := Check(h, r); got != nil {
			b.Fatal(got)
		}
	}
}

func BenchmarkRecorder(b *testing.B) {
	for _, coding := range []string{"identity", "gzip", "br", "zstd"} {
		b.Run(coding, func(b *testing.B) {
			coded, field := encode(b, page64, coding), []string{coding}
			b.SetBytes(int64(len(page64)))
			b.ReportAllocs()
			for b.Loop() {
				if got := record(field, ample, coded); !got.Readable {
					b.Fatal("unreadable")
				}
			}
		})
	}
}

func BenchmarkCompare(b *testing.B) {
	page := string(page64)
	once := strings.Replace(page, "Item", "1tem", 1)
	often := strings.ReplaceAll(page, "aaaa", "aaab")
	html := []string{"Content-Type", "text/html", "Etag", `"5f-1"`, "Vary", "Accept-Encoding", "X-Frame-Options", "DENY"}
	inputs := Context{Inputs: []policies.Input{
		param("ref", "blog-77"), cookie("session", "q8Zx1TTmYk3aa0AAZx1TTmYk"), cookie("_ga", "GA1.2.1234567890.1800000000"),
		{Kind: policies.InputHeader, Name: "User-Agent", Value: "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"},
		{Kind: policies.InputHeader, Name: "Referer", Value: "https://blog.example/posts/2027/03/01?utm_source=a"},
		{Kind: policies.InputAddress, Value: "203.0.113.9"},
	}}
	for _, bm := range []struct {
		name string
		fill string
		c    Context
	}{
		{"equal", page, Context{}},
		{"equal, with inputs", page, inputs},
		{"divergent", once, Context{}},
		{"divergent, with inputs", once, inputs},
		{"many spans", often, inputs},
		{"all of it", strings.ToUpper(page), inputs},
	} {
		b.Run(bm.name, func(b *testing.B) {
			own, fill := answer(page, html...), answer(bm.fill, html...)
			b.SetBytes(int64(len(page)))
			b.ReportAllocs()
			for b.Loop() {
				if got := Compare(own, fill, bm.c); (got == nil) != (bm.fill == page) {
					b.Fatal(got)
				}
			}
		})
	}
}
