package lint

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkLint10000 reads and judges a policy of 10,000 sensible routes: parsing,
// compiling, all rules.
func BenchmarkLint10000(b *testing.B) {
	var text strings.Builder
	text.WriteString("version: 1\nidentity: {cookies: [session]}\nroutes:\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, `  - name: r%d
    match: {hosts: [s%d.example], paths: [/section-%d/*]}
    cache: 5m
    params: {key: [page, sort], strip: ["@analytics"], others: bypass}
    cookies: {strip: ["@analytics"], others: bypass}
`, i, i%50, i)
	}
	data := []byte(text.String())
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			if u := Load("policy.yaml", data); len(u.Faults) > 0 {
				b.Fatal(u.Faults)
			}
		}
	})
	u := Load("policy.yaml", data)
	b.Run("rules", func(b *testing.B) {
		for b.Loop() {
			if found := Run(u, nil); len(found) > 0 {
				b.Fatal(found[0])
			}
		}
	})
}
