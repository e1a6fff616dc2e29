package policies

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml/lexer"
	"pgregory.net/rapid"
)

// sameNodes says where two trees differ, or nothing.
func sameNodes(a, b *node) string {
	switch {
	case a.kind != b.kind || a.form != b.form || a.text != b.text || a.pos != b.pos:
		return a.pos.String() + " " + a.String() + " and " + b.pos.String() + " " + b.String()
	case len(a.fields) != len(b.fields) || len(a.items) != len(b.items):
		return a.pos.String() + ": another length"
	}
	for i := range a.fields {
		if a.fields[i].key != b.fields[i].key || a.fields[i].pos != b.fields[i].pos {
			return "key " + a.fields[i].pos.String() + " " + a.fields[i].key + " and " + b.fields[i].pos.String() + " " + b.fields[i].key
		}
		if d := sameNodes(a.fields[i].value, b.fields[i].value); d != "" {
			return d
		}
	}
	for i := range a.items {
		if d := sameNodes(a.items[i], b.items[i]); d != "" {
			return d
		}
	}
	return ""
}

// holdPlain fails where plainYAML reads a text and the parser reads it otherwise, or not.
func holdPlain(t interface {
	Helper()
	Fatalf(string, ...any)
}, text string) (plain bool) {
	t.Helper()
	if checkBytes("f", []byte(text)) != nil || strings.Contains(text, "\r") {
		return false
	}
	tokens := lexer.Tokenize(text)
	if checkYAMLTokens("f", tokens) != nil {
		return false
	}
	got, ok := plainYAML("f", tokens)
	if !ok {
		return false
	}
	want, err := parsedYAML("f", tokens)
	if err != nil {
		t.Fatalf("%q is read plainly, but the parser says: %v", text, err)
	}
	if d := sameNodes(got, want); d != "" {
		t.Fatalf("%q is read in two ways: %s", text, d)
	}
	return true
}

func FuzzPlainYAML(f *testing.F) {
	for _, text := range plainTexts {
		f.Add(text.yaml)
	}
	f.Add(string(largePolicyYAML(25)))
	f.Fuzz(func(t *testing.T, text string) { holdPlain(t, text) })
}

var plainTexts = []struct {
	name, yaml string
	plain      bool
}{
	{"block mapping", "a: 1\nb: x\n", true},
	{"nested", "a:\n  b:\n    c: d\n  e: f\ng: h\n", true},
	{"list below its key", "a:\n  - b\n  - c\nd: e\n", true},
	{"list in the column of its key", "a:\n- b\n- c\nd: e\n", true},
	{"list of mappings", "a:\n  - b: c\n    d: e\n  - b: f\n", true},
	{"brackets", "a: [b, \"c d\", 'e']\nf: {g: h, i: [j, {k: l}]}\n", true},
	{"empty brackets", "a: []\nb: {}\n", true},
	{"comments", "# one\na: b # two\n# three\nc:\n  # four\n  - d # five\n  # six\n  - e\n", true},
	{"quoted keys", "\"a\": b\n'c': d\n", true},
	{"number, bool as keys", "404: 10s\ntrue: x\n1.5: y\n", true},
	{"text of several lines", "a: b\n  c\nd: e\n", false},
	{"key behind a quote of two lines", "x:\n  a: \"b\n\" c: d\n", false},
	{"value on the next line", "a:\n  b\nc: d\n", true},
	{"scalar alone", "a\n", true},
	{"nothing", "a:\nb: c\n", false},
	{"null", "a: null\n", false},
	{"anchor and alias", "a: &x b\nc: *x\n", false},
	{"literal", "a: |\n  b\n", false},
	{"brackets of two lines", "a: [b,\n  c]\n", false},
	{"comma at the end", "a: [b,]\n", false},
	{"pair in a list", "a: [b: c]\n", false},
	{"lists in lists", "a:\n  - - b\n", false},
	{"wrong column", "a:\n    b: c\n  d: e\n", false},
	{"two documents", "a: b\n---\nc: d\n", false},
	{"empty", "", false},
}

func TestPlainYAML(t *testing.T) {
	for _, test := range plainTexts {
		if got := holdPlain(t, test.yaml); got != test.plain {
			t.Errorf("%s: plain is %v, want %v", test.name, got, test.plain)
		}
	}
	if !holdPlain(t, string(largePolicyYAML(200))) {
		t.Error("a policy as people write it is not plain")
	}
}

// Texts made of what the grammar is made of find more than bytes would.
func TestPlainYAMLAsParsed(t *testing.T) {
	pieces := []string{
		"a", "b", "1", "true", "1.5", "~", "-", "- ", ":", ": ", " ", "  ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ", ", ",",
		"\"q\"", "'s'", "# c", "#", "a: ", "a:\n", "- a\n", "&x ", "*x", "|\n", "---\n", "x y", "@z", "\"\n\"", "a:b", "null", "?", "! ", "%",
	}
	rapid.Check(t, func(t *rapid.T) {
		holdPlain(t, strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 16).Draw(t, "pieces"), ""))
	})
}
