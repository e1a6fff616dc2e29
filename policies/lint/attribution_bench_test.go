package lint

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

// BenchmarkAttributions10000 judges a policy in which every route has an attribution and
// most rules about it have something to find.
func BenchmarkAttributions10000(b *testing.B) {
	var text strings.Builder
	text.WriteString("routes:\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "  - {name: r%d, match: {hosts: [h%d.example], paths: [/x%d/lp]}, cache: 5m, params: {key: [page, k%d], strip: [\"c*\"]}, downstream: 60s, "+
			"attribution: {params: [ref, member_id, \"at_*\"], model: last-paid, carry: both, deliver: {paths: [/register, /x%d/*]}, beacon: {url: \"http://a.example/\"}, consent: {cookie: banner}}}\n", i, i%50, i, i, i)
	}
	p, err := policies.ParseYAML("many.yaml", []byte(text.String()))
	if err != nil {
		b.Fatal(err)
	}
	c, err := policies.Compile(p, "lint")
	if err != nil {
		b.Fatal(err)
	}
	u := &Unit{Name: "many.yaml", Scopes: []Scope{{Policy: p, Compiled: c}}}
	for b.Loop() {
		if found := Run(u, func(r Rule) bool { return r.Family() == "attribution" }); len(found) < 10_000 {
			b.Fatalf("only %d findings", len(found))
		}
	}
}
