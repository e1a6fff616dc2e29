package policies

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// ParseJSON reads a policy in JSON. The file name is for messages only. All
// mistakes are reported at once, as [Diagnostics]; keys that are not known or
// given twice are mistakes. ParseJSON reads the form only; [Policy.Validate]
// judges the content.
func ParseJSON(file string, data []byte) (*Policy, error) {
	root, err := parseJSON(file, data)
	if err != nil {
		return nil, err
	}
	return decodePolicy(root)
}

// UnmarshalJSON reads the policy as [ParseJSON] does. What it is given is usually
// a part of a larger file, so its mistakes carry the path of the field and no line.
func (p *Policy) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil // the convention of encoding/json; the zero Policy shares nothing
	}
	parsed, err := ParseJSON("", b)
	if err != nil {
		diags, _ := errors.AsType[Diagnostics](err)
		for i := range diags {
			diags[i].Pos = Position{}
		}
		return diags.err()
	}
	parsed.forgetPositions()
	*p = *parsed
	return nil
}

func (p *Policy) forgetPositions() {
	p.source = nil
	for i := range p.Routes {
		p.Routes[i].source = nil
	}
}

func parseJSON(file string, data []byte) (*node, error) {
	if err := checkBytes(file, data); err != nil {
		return nil, err
	}
	j := jsonReader{data: data, pos: Position{File: file, Line: 1, Column: 1}}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, Diagnostics{{Pos: Position{File: file}, Message: "the policy is empty", Fix: `write at least {"default": "never"}`}}
	}
	// Syntax is checked for the whole at first, so that what follows can rely on it.
	if err := json.Unmarshal(data, new(json.RawMessage)); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			j.advance(max(0, int(syntax.Offset)-1))
		}
		return nil, Diagnostics{{Pos: j.pos, Message: err.Error()}}
	}
	j.dec = json.NewDecoder(bytes.NewReader(data))
	j.dec.UseNumber()
	return j.value(0)
}

// jsonReader turns JSON tokens into nodes. It counts lines and columns as it goes
// on, for the decoder knows offsets only.
type jsonReader struct {
	dec    *json.Decoder
	data   []byte
	offset int
	pos    Position
}

// advance moves the position on to the offset.
func (j *jsonReader) advance(offset int) {
	for j.offset < offset && j.offset < len(j.data) {
		r, size := utf8.DecodeRune(j.data[j.offset:])
		j.offset += size
		j.pos.Column++
		if r == '\n' {
			j.pos.Line++
			j.pos.Column = 1
		}
	}
}

// token returns the next token and where it begins.
func (j *jsonReader) token() (json.Token, Position, error) {
	start := int(j.dec.InputOffset())
	for start < len(j.data) && bytes.IndexByte([]byte(" \t\r\n,:"), j.data[start]) >= 0 {
		start++
	}
	j.advance(start)
	pos := j.pos
	tk, err := j.dec.Token()
	if err != nil {
		return nil, pos, Diagnostics{{Pos: pos, Message: err.Error()}}
	}
	return tk, pos, nil
}

func (j *jsonReader) value(depth int) (*node, error) {
	tk, pos, err := j.token()
	if err != nil {
		return nil, err
	}
	if depth >= maxDepth {
		return nil, Diagnostics{{Pos: pos, Message: fmt.Sprintf("the policy nests deeper than %d levels", maxDepth)}}
	}
	switch tk := tk.(type) {
	case json.Delim:
		if tk == '{' {
			return j.object(pos, depth)
		}
		return j.array(pos, depth)
	case string:
		return &node{text: tk, pos: pos}, nil
	case json.Number:
		return &node{text: tk.String(), form: formNumber, pos: pos}, nil
	case bool:
		return &node{text: fmt.Sprint(tk), form: formBool, pos: pos}, nil
	}
	return &node{form: formNull, pos: pos}, nil
}

func (j *jsonReader) object(pos Position, depth int) (*node, error) {
	out := &node{kind: mapping, pos: pos}
	for j.dec.More() {
		key, keyPos, err := j.token()
		if err != nil {
			return nil, err
		}
		value, err := j.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out.fields = append(out.fields, field{key: key.(string), pos: keyPos, value: value})
	}
	_, _, err := j.token()
	return out, err
}

func (j *jsonReader) array(pos Position, depth int) (*node, error) {
	out := &node{kind: sequence, pos: pos}
	for j.dec.More() {
		item, err := j.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, item)
	}
	_, _, err := j.token()
	return out, err
}
