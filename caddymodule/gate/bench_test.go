package gate

import (
	"strings"
	"testing"
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
	other := strings.Replace(string(page64), "Item", "1tem", 1)
	for _, bm := range []struct {
		name string
		fill Answer
	}{
		{"equal", answer(string(page64), "Content-Type", "text/html", "Etag", `"5f-1"`)},
		{"divergent", answer(other, "Content-Type", "text/html", "Etag", `"5f-1"`)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			own := answer(string(page64), "Content-Type", "text/html", "Etag", `"5f-1"`)
			b.ReportAllocs()
			for b.Loop() {
				if got := Compare(own, bm.fill); (got == nil) != (bm.name == "equal") {
					b.Fatal(got)
				}
			}
		})
	}
}
