package policies

import (
	"fmt"
	"strings"
	"testing"
)

// TestLimits holds that input of unreasonable shape is refused, with a reason,
// before it can exhaust the stack or the memory.
func TestLimits(t *testing.T) {
	const many = 200_000
	keys := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "k%d: 1\n", i)
		}
		return b.String()
	}
	bomb := "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("b%d: &a%d [%s]\n", i, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 10))
	}
	staircase := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.Repeat(" ", i) + "a:\n")
		}
		return b.String()
	}
	tests := []struct {
		name string
		read func() (*Policy, error)
		want string
	}{
		{"too long", func() (*Policy, error) { return ParseYAML("f", make([]byte, maxPolicyBytes+1)) }, "longer than 8 MiB"},
		{"JSON too long", func() (*Policy, error) { return ParseJSON("f", make([]byte, maxPolicyBytes+1)) }, "longer than 8 MiB"},
		{"not UTF-8", func() (*Policy, error) { return ParseYAML("f", []byte("mode: \xff")) }, "not valid UTF-8"},
		{"JSON not UTF-8", func() (*Policy, error) { return ParseJSON("f", []byte("{\"mode\": \"\xff\"}")) }, "not valid UTF-8"},
		{"deep flow sequences", yamlInput(strings.Repeat("[", many)), "nests deeper than 32"},
		{"deep flow mappings", yamlInput(strings.Repeat("{a: ", many)), "nests deeper than 32"},
		{"deep block sequences", yamlInput(strings.Repeat("- ", many)), "nests deeper than 32"},
		{"deep block mappings", yamlInput(staircase(100)), "nests deeper than 32"},
		{"deep complex keys", yamlInput(strings.Repeat("? ", many)), "complex keys"},
		{"many tags", yamlInput(strings.Repeat("!a ", many)), "tags"},
		{"many anchors", yamlInput(strings.Repeat("&a ", many)), "two anchors"},
		{"many keys", yamlInput(keys(many)), "more than 1000 keys"},
		{"alias bomb", yamlInput(bomb), "expand to more than 100000 values"},
		{"deep JSON", func() (*Policy, error) {
			return ParseJSON("f", []byte(strings.Repeat("[", 40)+strings.Repeat("]", 40)))
		}, "nests deeper than 32"},
		{"very deep JSON", func() (*Policy, error) {
			return ParseJSON("f", []byte(strings.Repeat("[", many)+strings.Repeat("]", many)))
		}, "exceeded max depth"},
		{"deep blocks", func() (*Policy, error) {
			return ParseTokens(tokenize("f", strings.Repeat("identity {\n", many)))
		}, "nest deeper than 32"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.read()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %.200v, want it to contain %q", err, tt.want)
			}
		})
	}
}

func yamlInput(text string) func() (*Policy, error) {
	return func() (*Policy, error) { return ParseYAML("f", []byte(text)) }
}

// TestDepthIsEnough holds that the limits leave room for real policies.
func TestDepthIsEnough(t *testing.T) {
	var b strings.Builder
	b.WriteString("routes:\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "  - name: r%d\n    match:\n      paths:\n      - /r%d\n    cache:\n      ttl: 5m\n    headers:\n      key:\n        - name: X-A\n          values:\n            - a\n", i, i)
	}
	p, err := ParseYAML("f", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Validate(); err != nil || len(p.Routes) != 2000 {
		t.Fatalf("%d routes, %v", len(p.Routes), err)
	}
}

// BenchmarkParseYAML reads and validates ten thousand routes.
func BenchmarkParseYAML(b *testing.B) {
	var text strings.Builder
	text.WriteString("routes:\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "  - name: r%d\n    match: {hosts: [hapitas.example], paths: [/r%d/*]}\n    cache: {ttl: 5m, stale_while_revalidate: 30s}\n    params: {key: [ref, source], strip: [\"@analytics\"], others: bypass}\n", i, i)
	}
	data := []byte(text.String())
	for b.Loop() {
		p, err := ParseYAML("f", data)
		if err != nil {
			b.Fatal(err)
		}
		if err := p.Validate(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestLines: what tells the lines of a Caddyfile apart.
func TestLines(t *testing.T) {
	tests := []struct {
		name   string
		tokens []Token
		want   string
	}{
		{"lines of different files with the same number", []Token{
			{File: "a", Line: 3, Text: "mode"}, {File: "a", Line: 3, Text: "observe"},
			{File: "b", Line: 3, Text: "default"}, {File: "b", Line: 3, Text: "origin"},
		}, `{"mode":"observe","default":"origin"}`},
		{"imported lines come from above", []Token{
			{File: "a", Line: 9, Text: "mode"}, {File: "a", Line: 9, Text: "observe"},
			{File: "a", Line: 3, Text: "default"}, {File: "a", Line: 3, Text: "origin"},
		}, `{"mode":"observe","default":"origin"}`},
		{"quoted braces are words", []Token{
			{File: "a", Line: 1, Text: "identity"}, {File: "a", Line: 1, Text: "{"},
			{File: "a", Line: 2, Text: "cookie"}, {File: "a", Line: 2, Text: "{", Quoted: true}, {File: "a", Line: 2, Text: "}", Quoted: true},
			{File: "a", Line: 3, Text: "}"},
		}, `{"identity":{"cookies":["{","}"]}}`},
		{"nothing", nil, `{}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := ParseTokens(tt.tokens)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(mustJSON(t, p)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
