package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"

	"github.com/cacheward/cacheward/policies"
	"github.com/cacheward/cacheward/policies/lint"
)

// caddyJSON reads a configuration in Caddy's own JSON.
func (l *loader) caddyJSON(u *lint.Unit, name string, data []byte) {
	root, err := parseJSONTree(name, data)
	if err != nil {
		l.failed(err, policies.Position{File: name})
		return
	}
	lines := newLineIndex(name, data)
	scopes := make(map[*value]int)
	reader := siteReader{
		places: jsonPlaces{lines},
		scopeOf: func(v *value, hosts []string) int {
			if scope, known := scopes[v]; known {
				return scope
			}
			scopes[v] = l.jsonScope(u, lines, v, hosts)
			return scopes[v]
		},
	}
	u.Site = reader.read(root)
}

// jsonScope reads the policy of a cacheward handler.
func (l *loader) jsonScope(u *lint.Unit, lines *lineIndex, v *value, hosts []string) int {
	faults := len(l.faults)
	var inline, file *policies.Policy
	if p := v.get("policy"); p != nil && p.text != "<nil>" {
		var err error
		if inline, err = lines.policy(p); err != nil {
			l.failed(err, lines.at(p.start))
		}
	}
	if named := v.get("policy_file"); named.str() != "" {
		file = l.policyAt(named.str(), lines.at(named.start))
	}
	if len(l.faults) > faults {
		return -1
	}
	return l.scope(u, inline, file, lines.at(v.start), hosts)
}

// lineIndex finds lines and columns without looking through the whole text each time.
type lineIndex struct {
	file   string
	data   []byte
	starts []int
	padded int
}

// maxPadding bounds the white space that is read before policies, in bytes.
const maxPadding = 64 << 20

func newLineIndex(file string, data []byte) *lineIndex {
	index := &lineIndex{file: file, data: data, starts: []int{0}}
	for i, b := range data {
		if b == '\n' {
			index.starts = append(index.starts, i+1)
		}
	}
	return index
}

func (x *lineIndex) at(offset int) policies.Position {
	lo, hi := 0, len(x.starts)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; x.starts[mid] <= offset {
			lo = mid
		} else {
			hi = mid
		}
	}
	return policies.Position{File: x.file, Line: lo + 1, Column: utf8.RuneCount(x.data[x.starts[lo]:offset]) + 1}
}

// policy reads a policy within the text. So that its places are those of the file, it
// is read with as many lines, and characters, before it as it has there. A minified
// file of many policies would become long by that; they are read without places.
func (x *lineIndex) policy(v *value) (*policies.Policy, error) {
	pos := x.at(v.start)
	if x.padded += pos.Line + pos.Column; x.padded > maxPadding {
		policy := new(policies.Policy)
		err := json.Unmarshal(x.data[v.start:v.end], policy)
		return policy, x.placed(err, v)
	}
	var text bytes.Buffer
	text.Grow(pos.Line + pos.Column + v.end - v.start)
	for range pos.Line - 1 {
		text.WriteByte('\n')
	}
	for range pos.Column - 1 {
		text.WriteByte(' ')
	}
	text.Write(x.data[v.start:v.end])
	return policies.ParseJSON(x.file, text.Bytes())
}

// placed gives mistakes without a place that of the value.
func (x *lineIndex) placed(err error, v *value) error {
	if diags, ok := errors.AsType[policies.Diagnostics](err); ok {
		for i := range diags {
			diags[i].Pos = x.at(v.start)
		}
	}
	return err
}

// jsonPlaces are the places of handlers in the JSON that they were written in.
type jsonPlaces struct{ lines *lineIndex }

func (jsonPlaces) site([]string, []string, *value) {}

func (p jsonPlaces) handler(v *value, _ lint.Handler) policies.Position { return p.lines.at(v.start) }

func (p jsonPlaces) admin(v *value) policies.Position {
	if listen := v.get("listen"); listen != nil {
		return p.lines.at(listen.start)
	}
	if v != nil {
		return p.lines.at(v.start)
	}
	return policies.Position{File: p.lines.file}
}
