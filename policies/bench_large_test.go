package policies

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// A platform team's policy: routes of hosts of their own, with exact paths, prefixes,
// globs and extensions, some with attribution.

// largePolicyYAML writes so many routes, one as people write it a field a line.
func largePolicyYAML(routes int) []byte {
	var b strings.Builder
	b.WriteString("version: 1\nidentity:\n  cookies: [session, \"remember_*\"]\n  headers: [X-Api-Key]\ndefault: never\nroutes:\n")
	for i := range routes {
		largeRoute(&b, i)
	}
	return []byte(b.String())
}

func largeRoute(b *strings.Builder, i int) {
	fmt.Fprintf(b, "  - name: route-%05d\n    match:\n      hosts: [shop%d.example, \"*.shop%d.example\"]\n", i, i%200, i%200)
	switch i % 10 {
	case 0:
		fmt.Fprintf(b, "      paths: [/m/%d, /m/%d/]\n    cache: never\n", i, i)
		return
	case 1:
		fmt.Fprintf(b, "      paths: [\"/s/%d/*.css\", \"/s/%d/*.js\"]\n    cache: origin\n    headers:\n      vary: [Accept]\n    downstream: 1d\n", i, i)
		return
	case 2, 3, 4, 5:
		fmt.Fprintf(b, "      paths: [/p/%d/index]\n    cache: 5m\n", i)
	case 6:
		fmt.Fprintf(b, "      paths: [\"/x%d/**/page\"]\n    cache: 5m\n", i)
	default:
		fmt.Fprintf(b, "      paths: [\"/area%d/*\"]\n    cache:\n      ttl: 5m\n      stale_while_revalidate: 30s\n", i)
	}
	fmt.Fprintf(b, "    params:\n      key: [page, q%d]\n      strip: [\"@analytics\"]\n      others: bypass\n", i%50)
	b.WriteString("    cookies:\n      strip: [\"@analytics\"]\n      others: bypass\n")
	if i%5 == 0 {
		b.WriteString("    headers:\n      key:\n        - {name: Accept-Language, values: [ja, en]}\n      strip: [Referer]\n")
	}
	if i%20 == 4 {
		fmt.Fprintf(b, "    attribution:\n      params: [ref, source]\n      deliver:\n        paths: [/m/%d]\n", i-4)
	}
}

const largePolicyRoutes = 10_000

// BenchmarkStepDecode10000Routes reads a policy in each of its spellings.
func BenchmarkStepDecode10000Routes(b *testing.B) {
	text := largePolicyYAML(largePolicyRoutes)
	p, err := ParseYAML("policy.yaml", text)
	if err != nil {
		b.Fatal(err)
	}
	asJSON, err := json.Marshal(p)
	if err != nil {
		b.Fatal(err)
	}
	var w caddyWriter
	w.policy(p)
	for _, spelling := range []struct {
		name  string
		bytes int
		parse func() (*Policy, error)
	}{
		{"yaml", len(text), func() (*Policy, error) { return ParseYAML("policy.yaml", text) }},
		{"json", len(asJSON), func() (*Policy, error) { return ParseJSON("policy.json", asJSON) }},
		{"caddyfile", w.text.Len(), func() (*Policy, error) { return ParseTokens(w.tokens) }},
	} {
		b.Run(spelling.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(spelling.bytes))
			for b.Loop() {
				p, err := spelling.parse()
				if err != nil || len(p.Routes) != largePolicyRoutes {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStepCompile10000Routes makes a policy ready that has been read.
func BenchmarkStepCompile10000Routes(b *testing.B) {
	p, err := ParseYAML("policy.yaml", largePolicyYAML(largePolicyRoutes))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("validate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := p.Validate(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("compile", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Compile(p, "bench"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(p); err != nil {
				b.Fatal(err)
			}
		}
	})
}
