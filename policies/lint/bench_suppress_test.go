package lint

import (
	"fmt"
	"strings"
	"testing"
)

// manyRoutes is a policy of n routes, each with a finding and a comment that suppresses
// it.
func manyRoutes(n int) []byte {
	var b strings.Builder
	b.WriteString("routes:\n")
	for i := range n {
		fmt.Fprintf(&b, "  # cacheward:ignore CW006 -- why\n  - name: route%d\n    match: {paths: [/a%d, /a%d]}\n    cache: 5m\n", i, i, i)
		b.WriteString("    params:\n      key: [ref]\n      strip: [utm_source, \"utm_*\"]\n")
	}
	return []byte(b.String())
}

// BenchmarkGeneral judges 10,000 routes by the rules of names and comments, suppresses,
// knows everything from a baseline and picks the edits. Reading the policy is left out.
func BenchmarkGeneral(b *testing.B) {
	u := Load("f.yaml", manyRoutes(10_000))
	if len(u.Faults) > 0 {
		b.Fatal(u.Faults[0])
	}
	for b.Loop() {
		u.sources = nil
		found := Suppress(u, Run(u, onlyGeneral), today, true)
		PickEdits(u.Name, Run(u, onlyGeneral))
		if Fingerprints(found); len(found) != 20_000 {
			b.Fatal(len(found))
		}
	}
}
