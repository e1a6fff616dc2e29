package policies

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxAliasNodes bounds what aliases expand to, all together.
const maxAliasNodes = 100_000

// ParseYAML reads a policy in YAML 1.2. The file name is for messages only. All
// mistakes are reported at once, as [Diagnostics].
//
// Of YAML, policies use mappings, lists, scalars, anchors and aliases. Tags,
// directives, merge keys (<<), complex keys and several documents in one file are
// refused. ParseYAML reads the form only; [Policy.Validate] judges the content.
func ParseYAML(file string, data []byte) (*Policy, error) {
	root, err := parseYAML(file, data)
	if err != nil {
		return nil, err
	}
	return decodePolicy(root)
}

func parseYAML(file string, data []byte) (root *node, err error) {
	if err := checkBytes(file, data); err != nil {
		return nil, err
	}
	// A parser that panics has refused its input. It must not take the server
	// down that was asked to load it.
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, Diagnostics{{Pos: Position{File: file}, Message: fmt.Sprintf("the YAML cannot be read: %v", r)}}
		}
	}()
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	// The lexer counts a line too many for each comment that ends with CR LF. To YAML
	// both are the same line break (YAML 1.2.2 §5.4).
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	if at := bytes.IndexByte(data, '\r'); at >= 0 {
		// Editors and the lexer differ on whether that is a line, and so on all places.
		return nil, Diagnostics{{
			Pos:     Position{File: file, Line: 1 + bytes.Count(data[:at], []byte("\n"))},
			Message: "a carriage return stands in the line, with no line feed behind it", Fix: "end lines with a line feed",
		}}
	}
	tokens := lexer.Tokenize(string(data))
	if fault := checkYAMLTokens(file, tokens); fault != nil {
		return nil, Diagnostics{*fault}
	}
	if root, ok := plainYAML(file, tokens); ok {
		return root, nil
	}
	return parsedYAML(file, tokens)
}

// parsedYAML reads what the YAML parser makes of the tokens.
func parsedYAML(file string, tokens token.Tokens) (*node, error) {
	tree, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, yamlError(file, err)
	}
	y := yamlReader{file: file, anchors: make(map[string]*node), budget: maxAliasNodes}
	root := y.documents(tree.Docs)
	if err := y.diags.err(); err != nil {
		return nil, err
	}
	return root, nil
}

// yamlError takes the position out of an error of the YAML parser.
func yamlError(file string, err error) error {
	d := Diagnostic{Pos: Position{File: file}, Message: err.Error()}
	if syntax, ok := errors.AsType[yaml.Error](err); ok {
		d.Message = syntax.GetMessage()
		if strings.HasPrefix(d.Message, "'@'") {
			d.Fix = `write names that begin with @ in quotes: "@analytics"`
		}
		if tk := syntax.GetToken(); tk != nil {
			d.Pos = yamlPosition(file, tk)
		}
	}
	return Diagnostics{d}
}

func yamlPosition(file string, tk *token.Token) Position {
	if tk == nil || tk.Position == nil {
		return Position{File: file}
	}
	return Position{File: file, Line: tk.Position.Line, Column: tk.Position.Column}
}

// yamlReader turns the YAML parser's tree into nodes.
type yamlReader struct {
	file    string
	anchors map[string]*node
	budget  int
	diags   Diagnostics
}

func (y *yamlReader) fault(n ast.Node, message, fix string) *node {
	return y.faultAt(yamlPosition(y.file, n.GetToken()), message, fix)
}

func (y *yamlReader) faultAt(pos Position, message, fix string) *node {
	y.diags = append(y.diags, Diagnostic{Pos: pos, Message: message, Fix: fix})
	return &node{form: formNull, pos: pos}
}

func (y *yamlReader) documents(docs []*ast.DocumentNode) *node {
	if len(docs) > 1 {
		pos := yamlPosition(y.file, docs[1].Start)
		if pos.Line == 0 {
			pos = yamlPosition(y.file, docs[1].GetToken())
		}
		return y.faultAt(pos, "the file has more than one document", "write one policy a file")
	}
	if len(docs) == 0 || docs[0].Body == nil || docs[0].Body.Type() == ast.NullType || docs[0].Body.Type() == ast.CommentType {
		return y.faultAt(Position{File: y.file}, "the policy is empty", "write at least default: never")
	}
	return y.node(docs[0].Body)
}

func (y *yamlReader) node(n ast.Node) *node {
	if n == nil {
		return &node{form: formNull, pos: Position{File: y.file}}
	}
	pos := yamlPosition(y.file, n.GetToken())
	switch n := n.(type) {
	case *ast.MappingNode:
		return y.mapping(n.Start, n.Values, pos)
	case *ast.MappingValueNode:
		return y.mapping(nil, []*ast.MappingValueNode{n}, pos)
	case *ast.SequenceNode:
		out := &node{kind: sequence, pos: pos}
		for _, item := range n.Values {
			out.items = append(out.items, y.node(item))
		}
		return out
	case *ast.AnchorNode:
		value := y.node(n.Value)
		y.anchors[n.Name.GetToken().Value] = value // only now: an anchor cannot contain itself
		return value
	case *ast.AliasNode:
		return y.alias(n)
	case *ast.NullNode:
		return &node{form: formNull, pos: pos}
	case *ast.StringNode:
		return &node{text: n.Value, pos: pos}
	case *ast.LiteralNode:
		return &node{text: n.Value.Value, pos: pos}
	case ast.ScalarNode:
		return &node{text: n.GetToken().Value, pos: pos}
	}
	return y.fault(n, fmt.Sprintf("%s is not used in policies", n.Type().YAMLName()), "")
}

func (y *yamlReader) mapping(start *token.Token, values []*ast.MappingValueNode, pos Position) *node {
	switch {
	case start != nil && start.Type == token.MappingStartType:
		pos = yamlPosition(y.file, start)
	case len(values) > 0: // the parser points at the colon, people at the key
		pos = yamlPosition(y.file, values[0].Key.GetToken())
	}
	out := &node{kind: mapping, pos: pos, fields: make([]field, 0, len(values))}
	for _, v := range values {
		key := y.node(v.Key)
		if key.kind != scalar || key.form != formText {
			y.fault(v.Key, "a key must be a plain name", "")
			continue
		}
		out.fields = append(out.fields, field{key: key.text, pos: key.pos, value: y.node(v.Value)})
	}
	return out
}

func (y *yamlReader) alias(n *ast.AliasNode) *node {
	name := n.Value.GetToken().Value
	value, ok := y.anchors[name]
	if !ok {
		return y.fault(n, fmt.Sprintf("alias *%s has no anchor before it", name), fmt.Sprintf(`if a pattern is meant, write it in quotes: "*%s"`, name))
	}
	// The tree shares what is aliased, but whoever walks it meets it each time.
	if y.spend(value); y.budget < 0 {
		return y.fault(n, fmt.Sprintf("aliases expand to more than %d values", maxAliasNodes), "write the policy out, or generate it")
	}
	return value
}

func (y *yamlReader) spend(n *node) {
	if y.budget--; y.budget < 0 {
		return
	}
	for _, item := range n.items {
		y.spend(item)
	}
	for i := range n.fields {
		y.spend(n.fields[i].value)
	}
}
