package policies

import (
	"strings"

	"github.com/goccy/go-yaml/token"
)

// plainYAML reads the tokens of a policy that is written plainly: block mappings and
// lists whose entries stand in one column, lists and mappings in brackets on one line,
// and scalars. The YAML parser takes some four times as long over a policy of ten
// thousand routes. What is not plain is not judged here: plainYAML is then not ok, and
// the parser reads the file, and tells what is wrong with it. What is plain, both read
// alike, and a fuzz target holds them to it.
func plainYAML(file string, tokens token.Tokens) (root *node, ok bool) {
	p := plainReader{file: file, tokens: tokens, ok: true}
	root = p.block(0)
	return root, p.ok && p.peek() == nil
}

// plainReader reads tokens from the front. Once something is not plain it has none left.
type plainReader struct {
	file   string
	tokens token.Tokens
	last   *token.Token // the one read last
	ok     bool
	free   []node // made beforehand, many at once
}

// peek is the next token, or nil. Comments are passed over.
func (p *plainReader) peek() *token.Token {
	for len(p.tokens) > 0 && p.tokens[0].Type == token.CommentType {
		p.tokens = p.tokens[1:]
	}
	if len(p.tokens) == 0 {
		return nil
	}
	return p.tokens[0]
}

func (p *plainReader) next() *token.Token {
	tk := p.peek()
	if tk == nil {
		p.giveUp()
		return nil
	}
	p.tokens, p.last = p.tokens[1:], tk
	return tk
}

func (p *plainReader) giveUp() *node {
	p.ok, p.tokens = false, nil
	return nil
}

// node is a new one, which begins with the token.
func (p *plainReader) node(tk *token.Token) *node {
	if len(p.free) == 0 {
		p.free = make([]node, 256)
	}
	n := &p.free[0]
	p.free = p.free[1:]
	n.pos = yamlPosition(p.file, tk)
	return n
}

// sameLine says whether the token begins on the line of the one before it.
func (p *plainReader) sameLine(tk *token.Token) bool {
	return p.last != nil && tk.Position.Line == p.last.Position.Line
}

// block reads a value that stands further right than the column.
func (p *plainReader) block(column int) *node {
	tk := p.peek()
	switch {
	case tk == nil || tk.Position.Column <= column:
		return p.giveUp()
	case tk.Type == token.SequenceEntryType:
		return p.list(tk.Position.Column)
	case !plainScalar(tk):
		return p.flow()
	}
	first := p.next()
	if after := p.peek(); after != nil && after.Type == token.MappingValueType {
		return p.mapping(first)
	}
	return p.scalar(first)
}

// mapping reads the entries of a block mapping, of which the first key has been read.
func (p *plainReader) mapping(key *token.Token) *node {
	column := key.Position.Column
	out := p.node(key)
	out.kind = mapping
	for p.ok {
		if colon := p.next(); colon == nil || colon.Type != token.MappingValueType || colon.Position.Line != key.Position.Line {
			return p.giveUp()
		}
		value := p.value(column)
		out.fields = append(out.fields, field{key.Value, yamlPosition(p.file, key), value})
		tk := p.peek()
		switch {
		case tk == nil || tk.Position.Column < column && !p.sameLine(tk):
			return out
		case tk.Position.Column != column || p.sameLine(tk) || !plainScalar(tk):
			return p.giveUp()
		}
		key = p.next()
	}
	return nil
}

// value reads what stands behind the colon of a key in the column.
func (p *plainReader) value(column int) *node {
	tk := p.peek()
	switch {
	case tk == nil:
		return p.giveUp()
	case !p.sameLine(tk) && tk.Type == token.SequenceEntryType && tk.Position.Column == column:
		return p.list(column) // no further right than its key
	case !p.sameLine(tk):
		return p.block(column)
	case plainScalar(tk):
		return p.scalar(p.next())
	}
	return p.flow()
}

// list reads the entries of a block sequence.
func (p *plainReader) list(column int) *node {
	out := p.node(p.peek())
	out.kind = sequence
	for p.ok {
		dash := p.next()
		tk := p.peek()
		if tk == nil || tk.Type == token.SequenceEntryType || !p.sameLine(tk) {
			return p.giveUp()
		}
		out.items = append(out.items, p.block(dash.Position.Column))
		tk = p.peek()
		switch {
		case tk == nil || p.sameLine(tk):
			return p.end(out)
		case tk.Type == token.SequenceEntryType && tk.Position.Column == column:
		case tk.Position.Column <= column && tk.Type != token.SequenceEntryType:
			return out
		default:
			return p.giveUp()
		}
	}
	return nil
}

// end is what a value may be followed by where nothing may follow on its line.
func (p *plainReader) end(n *node) *node {
	if tk := p.peek(); tk != nil && p.sameLine(tk) {
		return p.giveUp()
	}
	return n
}

// flow reads a list or mapping in brackets, of one line.
func (p *plainReader) flow() *node {
	n := p.flowValue()
	if !p.ok {
		return nil
	}
	return p.end(n)
}

func (p *plainReader) flowValue() *node {
	tk := p.next()
	switch {
	case tk == nil:
		return nil
	case plainScalar(tk):
		n := p.node(tk)
		n.text = tk.Value
		return n
	case tk.Type == token.SequenceStartType:
		out := p.node(tk)
		out.kind = sequence
		p.items(token.SequenceEndType, func() { out.items = append(out.items, p.flowValue()) })
		return out
	case tk.Type == token.MappingStartType:
		out := p.node(tk)
		out.kind = mapping
		p.items(token.MappingEndType, func() {
			key := p.next()
			if colon := p.next(); colon == nil || colon.Type != token.MappingValueType || !plainScalar(key) {
				p.giveUp()
				return
			}
			out.fields = append(out.fields, field{key.Value, yamlPosition(p.file, key), p.flowValue()})
		})
		return out
	}
	return p.giveUp()
}

// items reads what stands between brackets: something between each two commas.
func (p *plainReader) items(end token.Type, read func()) {
	line := p.last.Position.Line
	for first := true; p.ok; first = false {
		tk := p.peek()
		switch {
		case tk == nil || tk.Position.Line != line:
			p.giveUp()
		case first && tk.Type == end:
			p.next()
			return
		default:
			read()
			if after := p.next(); after != nil && after.Type == end {
				return
			} else if after != nil && after.Type != token.CollectEntryType {
				p.giveUp()
			}
		}
	}
}

// scalar is a whole value, of one line.
func (p *plainReader) scalar(tk *token.Token) *node {
	if strings.Contains(strings.TrimSpace(tk.Origin), "\n") {
		return p.giveUp()
	}
	n := p.node(tk)
	n.text = tk.Value
	return p.end(n)
}

// plainScalar says whether the token is text to a policy: all but nothing is.
func plainScalar(tk *token.Token) bool {
	switch tk.Type {
	case token.StringType, token.SingleQuoteType, token.DoubleQuoteType, token.IntegerType, token.FloatType, token.BoolType:
		return true
	}
	return false
}
