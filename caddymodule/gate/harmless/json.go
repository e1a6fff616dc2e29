package harmless

import (
	"bytes"
	"encoding/json"

	"github.com/cacheward/cacheward/policies"
)

// maxDepth is how deep objects and lists may nest. Behind deeper ones there are no
// places.
const maxDepth = 100

// jsonRule is a declared place in JSON.
type jsonRule struct {
	path  policies.JSONPath
	glob  string
	index int
}

// ruleSet is a set of rules: bit i is the rule i of the reader.
type ruleSet uint64

// jsonReader reads a body once, from its beginning, by the grammar of RFC 8259.
type jsonReader struct {
	rules  []jsonRule
	body   []byte
	at     int
	places []Place
}

// jsonPlaces returns the scalars that the rules select, up to the first byte that is
// no JSON.
func jsonPlaces(rules []jsonRule, body []byte) []Place {
	j := &jsonReader{rules: rules, body: body}
	j.value(0, 1<<len(rules)-1)
	return j.places
}

// value reads a value. On are the rules whose first steps, as many as depth, led to
// it. It returns false at what is no JSON.
func (j *jsonReader) value(depth int, on ruleSet) bool {
	switch j.next() {
	case '{':
		return depth < maxDepth && j.object(depth, on)
	case '[':
		return depth < maxDepth && j.list(depth, on)
	}
	start := j.at
	if !j.scalar() || !j.ended() {
		return false
	}
	j.take(start, depth, on)
	return true
}

// ended says whether a scalar ends here. In what is no JSON, what follows could be read
// as part of it, if it were another one.
func (j *jsonReader) ended() bool {
	return j.at == len(j.body) || bytes.IndexByte([]byte(" \t\n\r,]}"), j.body[j.at]) >= 0
}

// take makes a place of the scalar from start to here, if a rule ends here and its
// glob matches.
func (j *jsonReader) take(start, depth int, on ruleSet) {
	if on == 0 || j.at-start > maxPlace {
		return
	}
	for i, r := range j.rules {
		if on&(1<<i) != 0 && len(r.path) == depth && matches(r.glob, plain(j.body[start:j.at])) {
			j.places = append(j.places, Place{Start: start, End: j.at, Rule: r.index})
			return
		}
	}
}

// plain is what a scalar says: a string's text, and others as they are written.
func plain(scalar []byte) string {
	text := string(scalar)
	if scalar[0] != '"' {
		return text
	}
	if bytes.IndexByte(scalar, '\\') < 0 {
		return text[1 : len(text)-1]
	}
	var decoded string
	if json.Unmarshal(scalar, &decoded) != nil {
		return text // cannot be: it was read before
	}
	return decoded
}

func (j *jsonReader) object(depth int, on ruleSet) bool {
	j.at++
	if j.next() == '}' {
		j.at++
		return true
	}
	for {
		if j.next() != '"' {
			return false
		}
		start := j.at
		if !j.text() {
			return false
		}
		inner := j.into(depth, on, j.body[start:j.at])
		if j.next() != ':' {
			return false
		}
		j.at++
		if !j.value(depth+1, inner) {
			return false
		}
		if more, ok := j.more('}'); !more {
			return ok
		}
	}
}

// into returns the rules that go on with the member.
func (j *jsonReader) into(depth int, on ruleSet, key []byte) (inner ruleSet) {
	if on == 0 {
		return 0
	}
	name := plain(key)
	for i, r := range j.rules {
		if on&(1<<i) != 0 && len(r.path) > depth && !r.path[depth].List && r.path[depth].Member == name {
			inner |= 1 << i
		}
	}
	return inner
}

func (j *jsonReader) list(depth int, on ruleSet) bool {
	j.at++
	if j.next() == ']' {
		j.at++
		return true
	}
	for n := 0; ; n++ {
		var inner ruleSet
		for i, r := range j.rules {
			if on&(1<<i) != 0 && len(r.path) > depth && r.path[depth].List && (r.path[depth].Index == policies.AnyIndex || r.path[depth].Index == n) {
				inner |= 1 << i
			}
		}
		if !j.value(depth+1, inner) {
			return false
		}
		if more, ok := j.more(']'); !more {
			return ok
		}
	}
}

// more reads a comma, or the end of the object or list.
func (j *jsonReader) more(end byte) (more, ok bool) {
	switch j.next() {
	case ',':
		j.at++
		return true, true
	case end:
		j.at++
		return false, true
	}
	return false, false
}

// next skips white space and returns the byte behind it, 0 at the end. A NUL is no
// part of any token.
func (j *jsonReader) next() byte {
	for ; j.at < len(j.body); j.at++ {
		switch c := j.body[j.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// scalar reads a string, number, true, false or null.
func (j *jsonReader) scalar() bool {
	switch j.next() {
	case '"':
		return j.text()
	case 't':
		return j.word("true")
	case 'f':
		return j.word("false")
	case 'n':
		return j.word("null")
	}
	return j.number()
}

func (j *jsonReader) word(word string) bool {
	if !bytes.HasPrefix(j.body[j.at:], []byte(word)) {
		return false
	}
	j.at += len(word)
	return true
}

// text reads a string with its quotes.
func (j *jsonReader) text() bool {
	for j.at++; j.at < len(j.body); j.at++ {
		switch c := j.body[j.at]; {
		case c == '"':
			j.at++
			return true
		case c < ' ':
			return false
		case c == '\\':
			j.at++
			if !j.escape() {
				return false
			}
		}
	}
	return false
}

// escape reads what stands behind a backslash, save its last byte.
func (j *jsonReader) escape() bool {
	if j.at >= len(j.body) {
		return false
	}
	if j.body[j.at] != 'u' {
		return bytes.IndexByte([]byte(`"\/bfnrt`), j.body[j.at]) >= 0
	}
	if len(j.body)-j.at <= 4 {
		return false
	}
	for _, c := range j.body[j.at+1 : j.at+5] {
		if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') {
			return false
		}
	}
	j.at += 4
	return true
}

// number reads -0.0e+0.
func (j *jsonReader) number() bool {
	j.one("-")
	if !j.one("0") && !j.digits() {
		return false
	}
	if j.one(".") && !j.digits() {
		return false
	}
	if j.one("eE") {
		j.one("+-")
		return j.digits()
	}
	return true
}

// one reads a byte if it is in the set.
func (j *jsonReader) one(set string) bool {
	if j.at < len(j.body) && bytes.IndexByte([]byte(set), j.body[j.at]) >= 0 {
		j.at++
		return true
	}
	return false
}

func (j *jsonReader) digits() bool {
	start := j.at
	for j.at < len(j.body) && '0' <= j.body[j.at] && j.body[j.at] <= '9' {
		j.at++
	}
	return j.at > start
}
