package policies

import (
	"errors"
	"strings"
)

// Tree is a value of a YAML file as it was written, with its place. It is for other
// files that stand beside policies, such as tests of them, and has the bounds of
// [ParseYAML].
type Tree struct {
	Kind TreeKind
	Pos  Position
	// Text is that of a scalar. Everything but nothing is text: true, 200.
	Text string
	// Fields are those of a mapping, in the order of the file; keys may repeat.
	Fields []TreeField
	// Items are those of a list.
	Items []*Tree
}

// TreeField is one key of a mapping and its value.
type TreeField struct {
	Key   string
	Pos   Position
	Value *Tree
}

// TreeKind is the kind of a value.
type TreeKind uint8

// The kinds.
const (
	TreeText TreeKind = iota
	TreeNothing
	TreeMapping
	TreeList
)

// ReadTree reads YAML as [ParseYAML] does, and gives no meaning to it. Its error is
// [Diagnostics].
func ReadTree(file string, data []byte) (*Tree, error) {
	root, err := parseYAML(file, data)
	if err != nil {
		diags, _ := errors.AsType[Diagnostics](err)
		for i := range diags { // what is read may be no policy
			diags[i].Message = strings.ReplaceAll(diags[i].Message, "the policy", "the file")
			if strings.HasSuffix(diags[i].Message, "is empty") {
				diags[i].Fix = ""
			}
		}
		return nil, diags
	}
	return (&planter{made: make(map[*node]*Tree)}).tree(root), nil
}

// planter makes trees of nodes. What is aliased is shared in one as in the other.
type planter struct{ made map[*node]*Tree }

func (p *planter) tree(n *node) *Tree {
	if t, ok := p.made[n]; ok {
		return t
	}
	t := &Tree{Pos: n.pos, Text: n.text}
	p.made[n] = t
	switch {
	case n.kind == mapping:
		t.Kind = TreeMapping
	case n.kind == sequence:
		t.Kind = TreeList
	case n.form == formNull:
		t.Kind = TreeNothing
	}
	for _, f := range n.fields {
		t.Fields = append(t.Fields, TreeField{f.key, f.pos, p.tree(f.value)})
	}
	for _, item := range n.items {
		t.Items = append(t.Items, p.tree(item))
	}
	return t
}

// String says what was found, for messages that say what was expected.
func (t *Tree) String() string {
	kinds := map[TreeKind]*node{TreeNothing: {form: formNull}, TreeMapping: {kind: mapping}, TreeList: {kind: sequence}}
	if n, ok := kinds[t.Kind]; ok {
		return n.String()
	}
	return (&node{text: t.Text}).String()
}

// Suggest is the fix for a word that is not known: the accepted one that was probably
// meant, or all of them.
func Suggest(word string, accepted []string) string {
	if len(accepted) == 0 {
		return ""
	}
	const many = 12
	if fix := suggest(word, accepted); len(accepted) <= many || strings.HasPrefix(fix, "did you mean") {
		return fix
	}
	return ""
}
