package policies

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// What a policy may be at most. Policies are written by operators, but they pass
// through pipelines and admin APIs, and reading one must end.
const (
	maxPolicyBytes = 8 << 20
	maxDepth       = 32
)

// node is a value as it was written. The three spellings become trees of nodes,
// and one decoder makes a [Policy] from those.
type node struct {
	kind   nodeKind
	pos    Position
	form   scalarForm
	text   string  // of a scalar
	fields []field // of a mapping, in the order of the file; keys may repeat
	items  []*node // of a sequence
}

// field is one key of a mapping and its value.
type field struct {
	key   string
	pos   Position
	value *node
}

type nodeKind uint8

const (
	scalar nodeKind = iota
	mapping
	sequence
)

// scalarForm tells apart what JSON tells apart. In YAML and Caddyfile everything
// but nothing is text: a parameter may well be called 1 or true.
type scalarForm uint8

const (
	formText scalarForm = iota
	formNumber
	formBool
	formNull
)

// String says what was found, for messages that say what was expected.
func (n *node) String() string {
	switch {
	case n.kind == mapping:
		return "a mapping"
	case n.kind == sequence:
		return "a list"
	case n.form == formNull:
		return "nothing"
	case n.form == formNumber:
		return "the number " + n.text
	case n.form == formBool:
		return n.text
	}
	return strconv.Quote(n.text)
}

// get returns the value of the first field with the key, or nil.
func (n *node) get(key string) *node {
	for i := range n.fields {
		if n.fields[i].key == key {
			return n.fields[i].value
		}
	}
	return nil
}

// checkBytes refuses input that no front end should be given.
func checkBytes(file string, data []byte) error {
	fault := func(message string) error {
		return Diagnostics{{Pos: Position{File: file}, Message: message}}
	}
	if len(data) > maxPolicyBytes {
		return fault(fmt.Sprintf("the policy is longer than %d MiB", maxPolicyBytes>>20))
	}
	if !utf8.Valid(data) {
		return fault("the policy is not valid UTF-8")
	}
	return nil
}
