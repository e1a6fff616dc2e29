package markers

import (
	"bytes"
	"html"
	"slices"
)

const (
	// maxTag is how long a tag may be, and maxLead how far before an anchor it may
	// begin, in bytes.
	maxTag  = 1 << 20
	maxLead = 64 << 10
	// maxAttrs is how many attributes a tag may have.
	maxAttrs = 200
)

// tag is a start tag in a text. It may be written within a string of a script or of
// JSON: with \" for quotation marks, and \u003c and \u003e for its ends.
type tag struct {
	start, end int    // in the body; the end is that of the >
	read       int    // up to where the body was looked at for it
	element    []byte // in lower case, as are the names of attributes
	attrs      []attr
	text       []byte // ordered, once it is asked for
	random     bool   // whether an attribute is a random value; with text
	paid       bool   // whether reading it was counted
}

// attr is an attribute, its value where it stands in the body.
type attr struct {
	name     []byte
	from, to int
	at       int    // of the value in the ordered text
	raw      []byte // the value as it stands there, if it has character references
}

// tagReader finds the tags around places that are asked for in ascending order. What
// was read for one place is kept for the next ones, so that the body is read
// once, however many places there are.
type tagReader struct {
	read int  // up to where the body was looked at
	last int  // where the last tag before that begins
	some bool // whether there is one
	tag  *tag // the one that begins at last, if it was read
}

// around returns the start tag that a place is in, or nil.
func (r *tagReader) around(body []byte, at int) *tag {
	for i := at; i >= r.read && i >= at-maxLead; i-- {
		if startsTag(body, i) {
			if !r.some || r.last != i {
				r.last, r.some, r.tag = i, true, nil
			}
			break
		}
	}
	r.read = max(r.read, at+1)
	if !r.some || at-r.last > maxLead {
		return nil
	}
	if r.tag == nil {
		r.tag = readTag(body, r.last)
	}
	if at >= r.tag.end {
		return nil
	}
	return r.tag
}

// tagAround returns the start tag that a place is in, or nil.
func (s *scan) tagAround(at int) *tag {
	t := s.tags.around(s.body, at)
	if !s.pay(s.tags.tag) {
		return nil
	}
	return t
}

// attrCost is what reading an attribute costs, beside its bytes.
const attrCost = 4

// pay counts the reading of a tag, once.
func (s *scan) pay(t *tag) bool {
	if t == nil || t.paid {
		return true
	}
	t.paid = true
	return s.spendBytes((t.read-t.start)/cheap + attrCost*len(t.attrs))
}

// escapedLess is < as JSON writers put it that take care of HTML.
var escapedLess, escapedMore = []byte(`\u003c`), []byte(`\u003e`)

// startsTag says whether a start tag may begin at a place.
func startsTag(body []byte, at int) bool {
	next := at + 1
	switch body[at] {
	case '<':
	case '\\':
		if !hasPrefixFold(body[at:], escapedLess) {
			return false
		}
		next = at + len(escapedLess)
	default:
		return false
	}
	return next < len(body) && isLetter(body[next])
}

// readTag reads the tag that begins at start. One that has no end, or is larger than a
// tag may be, ends where it begins.
func readTag(body []byte, start int) *tag {
	t := &tag{start: start, end: start}
	t.read = t.parse(body)
	return t
}

// parse returns up to where it looked.
func (t *tag) parse(body []byte) int {
	start := t.start
	text := body[:min(len(body), start+maxTag)]
	i := start + 1
	if text[start] == '\\' {
		i = start + len(escapedLess)
	}
	from := i
	for i < len(text) && !isSpace(text, i) && text[i] != '>' && text[i] != '/' && text[i] != '\\' {
		i++
	}
	t.element = lowered(text[from:i])
	t.attrs = make([]attr, 0, 8)
	for {
		i = skipSpace(text, i)
		switch {
		case i >= len(text):
			return i
		case text[i] == '>', hasPrefixFold(text[i:], escapedMore):
			t.end = i + 1
			return t.end
		case text[i] == '/', text[i] == '\\', text[i] == '"', text[i] == '\'', text[i] == '=':
			i++
			continue
		}
		var a attr
		if a, i = readAttr(text, i); i < 0 {
			return len(text)
		}
		if len(t.attrs) == maxAttrs {
			return i
		}
		t.attrs = append(t.attrs, a)
	}
}

// readAttr reads the attribute that begins at i, and returns what comes after it, or
// -1 for one that has no end.
func readAttr(text []byte, i int) (attr, int) {
	from := i
	for i < len(text) && !isSpace(text, i) && text[i] != '=' && text[i] != '>' && text[i] != '/' && text[i] != '\\' {
		i++
	}
	a := attr{name: lowered(text[from:i]), from: i, to: i}
	next := skipSpace(text, i)
	if next >= len(text) || text[next] != '=' {
		return a, i
	}
	i = skipSpace(text, next+1)
	open := i
	for i < len(text) && text[i] == '\\' {
		i++
	}
	escapes := i - open
	if i < len(text) && (text[i] == '"' || text[i] == '\'') {
		quote := text[i]
		a.from = i + 1
		end := bytes.IndexByte(text[a.from:], quote)
		if end < 0 {
			return a, -1
		}
		a.to = a.from + end
		next = a.to + 1
		for ; escapes > 0 && a.to > a.from; escapes-- {
			if text[a.to-1] != '\\' {
				return a, -1 // the string around the tag ended
			}
			a.to--
		}
		return a, next
	}
	a.from = open
	for i = open; i < len(text) && !isSpace(text, i) && text[i] != '>' && !hasPrefixFold(text[i:], escapedMore); {
		i++
	}
	a.to = i
	return a, i
}

// ordered writes the tag as patterns read it: see [policies.InTag].
func (t *tag) ordered(body []byte) []byte {
	if t.text != nil {
		return t.text
	}
	slices.SortStableFunc(t.attrs, func(a, b attr) int { return bytes.Compare(a.name, b.name) })
	text := append(make([]byte, 0, t.end-t.start+8), t.element...)
	text = append(text, '\n')
	for i := range t.attrs {
		a := &t.attrs[i]
		if i > 0 && bytes.Equal(a.name, t.attrs[i-1].name) {
			continue
		}
		text = append(append(text, a.name...), '=')
		a.at = len(text)
		value := body[a.from:a.to]
		if bytes.IndexByte(value, '&') >= 0 {
			a.raw = value
			value = []byte(html.UnescapeString(string(value)))
		}
		text = append(text, value...)
		for j := a.at; j < len(text); j++ {
			if text[j] == '\n' {
				text[j] = ' '
			}
		}
		t.random = t.random || randomBits(text[a.at:]) >= tokenBits
		text = append(text, '\n')
	}
	t.text = text
	return text
}

// place returns where in the body a piece of the ordered text stands. The name of an
// attribute stands where its value does.
func (t *tag) place(from, to int) (int, int) {
	for i := len(t.attrs) - 1; i >= 0; i-- {
		a := t.attrs[i]
		switch {
		case a.at == 0 || from < a.at-1-len(a.name):
		case from < a.at:
			return a.from, a.to
		case a.raw == nil:
			return a.from + from - a.at, min(a.to, a.from+to-a.at)
		default:
			from, to = rawSpan(a.raw, from-a.at, to-a.at)
			return a.from + from, a.from + to
		}
	}
	return t.start, t.end
}

// isSpace says whether there is white space at i, or such an escape of it as strings
// of scripts have.
func isSpace(text []byte, i int) bool {
	switch text[i] {
	case ' ', '\t', '\n', '\r', '\f':
		return true
	case '\\':
		return i+1 < len(text) && (text[i+1] == 'n' || text[i+1] == 't' || text[i+1] == 'r')
	}
	return false
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && isSpace(text, i) {
		if text[i] == '\\' {
			i++
		}
		i++
	}
	return i
}

// lowered is a name in lower case: as most are, so that they need no copy.
func lowered(name []byte) []byte {
	if bytes.ContainsFunc(name, func(r rune) bool { return r < ' ' || 'A' <= r && r <= 'Z' || r >= 0x80 }) {
		return bytes.ToLower(name)
	}
	return name
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func hasPrefixFold(text, prefix []byte) bool {
	return len(text) >= len(prefix) && bytes.EqualFold(text[:len(prefix)], prefix)
}
