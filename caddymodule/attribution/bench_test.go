package attribution

import (
	"testing"
)

func BenchmarkSeal(b *testing.B) {
	c := openCodec(b)
	touch := visit("A1B2C3D4", false, 0)
	for name, encrypt := range map[string]bool{"signed": false, "sealed": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Seal(touch, host, noon.Add(window), encrypt); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(sealed(b, c, touch, encrypt))), "cookie-B")
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	c := openCodec(b)
	for name, encrypt := range map[string]bool{"signed": false, "sealed": true} {
		text := sealed(b, c, visit("A1B2C3D4", false, 0), encrypt)
		forged := text[:40] + "A" + text[41:]
		if forged == text {
			forged = text[:40] + "B" + text[41:]
		}
		for name, text := range map[string]string{name: text, name + "-forged": forged} {
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c.Open(text, host, noon)
				}
			})
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, bench := range []struct{ name, raw, referer string }{
		{"nothing", "", ""},
		{"own-referer", "", "https://shop.example/page"},
		{"others", "page=2&sort=price", ""},
		{"ref", "ref=A1B2C3D4", ""},
		{"utm-and-referer", "utm_source=mail&utm_medium=cpc&utm_campaign=spring%20sale&page=2", "https://search.example/find?q=shoes"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Read(bench.raw, bench.referer, host, utm, false, unpaid, noon)
			}
		})
	}
}

func BenchmarkStripQuery(b *testing.B) {
	for _, bench := range []struct{ name, raw string }{
		{"nothing", ""},
		{"others", "page=2&sort=price"},
		{"ref", "ref=A1B2C3D4"},
		{"middle", "page=2&ref=A1B2C3D4&sort=price"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				StripQuery(bench.raw, utm)
			}
		})
	}
}

func BenchmarkCrawler(b *testing.B) {
	const agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
	b.ReportAllocs()
	for b.Loop() {
		Crawler(agent)
	}
}
