package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/cacheward/cacheward/policies"
)

// value is a value of a JSON text and where in it it stands, which encoding/json does
// not tell. All methods work on nil, as on a value that is not there.
type value struct {
	// start and end are byte offsets in the text.
	start, end int
	text       string // of a string, number or bool
	isString   bool
	members    []member
	items      []*value
}

type member struct {
	key   string
	value *value
}

// maxJSONDepth bounds the nesting. Real configurations nest some thirty deep.
const maxJSONDepth = 500

// parseJSONTree reads a JSON text. The error is [policies.Diagnostics], with the place.
func parseJSONTree(file string, data []byte) (*value, error) {
	r := treeReader{file: file, data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	r.dec.UseNumber()
	root, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if rest := bytes.TrimSpace(data[root.end:]); len(rest) > 0 {
		return nil, r.fault(len(data)-len(bytes.TrimLeft(data[root.end:], " \t\r\n")), "there is something behind the end of the JSON value")
	}
	return root, nil
}

type treeReader struct {
	file string
	data []byte
	dec  *json.Decoder
}

func (r *treeReader) fault(offset int, message string) error {
	return policies.Diagnostics{{Pos: placeOf(r.file, r.data, offset), Message: message}}
}

func (r *treeReader) token() (json.Token, int, error) {
	start := int(r.dec.InputOffset())
	for start < len(r.data) && bytes.IndexByte([]byte(" \t\r\n,:"), r.data[start]) >= 0 {
		start++
	}
	tk, err := r.dec.Token()
	if err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			start = max(0, int(syntax.Offset)-1)
		}
		return nil, start, r.fault(start, fmt.Sprintf("the JSON cannot be read: %v", err))
	}
	return tk, start, nil
}

func (r *treeReader) value(depth int) (*value, error) {
	tk, start, err := r.token()
	if err != nil {
		return nil, err
	}
	if depth > maxJSONDepth {
		return nil, r.fault(start, fmt.Sprintf("the JSON nests deeper than %d levels", maxJSONDepth))
	}
	v := &value{start: start}
	switch tk := tk.(type) {
	case json.Delim:
		err = r.inside(v, tk == '{', depth)
	case string:
		v.text, v.isString = tk, true
	default:
		v.text = fmt.Sprint(tk)
	}
	v.end = int(r.dec.InputOffset())
	return v, err
}

func (r *treeReader) inside(v *value, object bool, depth int) error {
	for r.dec.More() {
		var key string
		if object {
			tk, _, err := r.token()
			if err != nil {
				return err
			}
			key, _ = tk.(string)
		}
		item, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		if object {
			v.members = append(v.members, member{key, item})
		} else {
			v.items = append(v.items, item)
		}
	}
	_, _, err := r.token()
	return err
}

// get returns the member of that name, following the names inwards.
func (v *value) get(keys ...string) *value {
	for _, key := range keys {
		if v == nil {
			return nil
		}
		var found *value
		for i := range v.members {
			if v.members[i].key == key {
				found = v.members[i].value // the last one, as encoding/json has it
			}
		}
		v = found
	}
	return v
}

// str is the text of a string; empty for all else.
func (v *value) str() string {
	if v == nil || !v.isString {
		return ""
	}
	return v.text
}

// list are the items of a list.
func (v *value) list() []*value {
	if v == nil {
		return nil
	}
	return v.items
}

// object are the members of an object.
func (v *value) object() []member {
	if v == nil {
		return nil
	}
	return v.members
}

// strings are the strings in a list.
func (v *value) strings() []string {
	var out []string
	for _, item := range v.list() {
		if item.isString {
			out = append(out, item.text)
		}
	}
	return out
}

// placeOf is the line and column of an offset.
func placeOf(file string, data []byte, offset int) policies.Position {
	before := data[:min(offset, len(data))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return policies.Position{File: file, Line: line, Column: column}
}
