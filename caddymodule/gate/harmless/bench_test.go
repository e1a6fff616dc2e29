package harmless

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

// BenchmarkPlaces reads bodies of 64 KiB, as is done where two answers differ.
func BenchmarkPlaces(b *testing.B) {
	var page, data strings.Builder
	data.WriteString(`{"items":[`)
	for i := 0; page.Len() < 64<<10; i++ {
		fmt.Fprintf(&page, "<li class=\"item\"><a href=\"/item/%d\">Item %d</a> <span id=stamp>12:01</span></li>\n", i, i)
	}
	for i := 0; data.Len() < 64<<10; i++ {
		fmt.Fprintf(&data, `{"number":%d,"title":"Item number %d","at":"2026-01-01"},`, i, i)
	}
	data.WriteString(`{}]}`)
	for _, bench := range []struct {
		name, contentType, body string
		rule                    policies.Harmless
	}{
		{"html", "text/html", page.String(), policies.Harmless{HTML: "span#stamp"}},
		{"json", "application/json", data.String(), policies.Harmless{JSON: "$.items[*].at"}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s := compiled(b, bench.rule)
			body := []byte(bench.body)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if len(s.Places(bench.contentType, body)) < 100 {
					b.Fatal("no places")
				}
			}
		})
	}
}
