package markers

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/cacheward/cacheward/caddymodule/gate/search"
	"github.com/cacheward/cacheward/policies"
)

const (
	// shortest is how long a literal must be to be looked for with the others: the
	// longer the shortest of them, the less of a body is read.
	shortest = 8
	// defaultAfter is how many bytes a pattern sees from its anchor on.
	defaultAfter = 512
)

// table is the catalogue, made fit for looking.
type table struct {
	detectors []*detector
	long      *search.Set
	anchors   []anchor // by index in long
	short     []*anchor
	parameter []*anchor // those that begin with &
	json      *blob     // what is tried on bodies that are JSON
}

// anchor is a literal that is looked for, and what is tried where it stands.
type anchor struct {
	text      []byte
	detectors []*detector
	blob      *blob
}

// blob is what is tried on one kind of state for scripts.
type blob struct {
	name    string // in lower case; empty for JSON bodies
	members map[string][]*detector
	inside  []*detector // those with literals of their own
}

// detector is an entry of the catalogue, compiled.
type detector struct {
	policies.Detector
	index           int
	pattern, unless *regexp.Regexp
	values, names   []int // groups
}

// builtin compiles the catalogue, which is a constant.
var builtin = sync.OnceValue(func() *table {
	t, err := compile(policies.Detectors())
	if err != nil {
		panic(err)
	}
	return t
})

func compile(entries []policies.Detector) (*table, error) {
	t := &table{json: newBlob("")}
	anchors, order := make(map[string]*anchor), []string(nil)
	at := func(literal string) *anchor {
		if len(literal) >= shortest && literal[0] != '&' {
			literal = strings.ToLower(literal)
		}
		if anchors[literal] == nil {
			anchors[literal] = &anchor{text: []byte(literal)}
			order = append(order, literal)
		}
		return anchors[literal]
	}
	for i := range entries {
		d, err := newDetector(entries[i], i)
		if err != nil {
			return nil, err
		}
		t.detectors = append(t.detectors, d)
		switch d.In {
		case policies.InTag, policies.InText, policies.InScript:
			for _, literal := range d.Literals {
				at(literal).add(d)
			}
		default:
			for _, name := range d.Blobs {
				a := at(name)
				if a.blob == nil {
					a.blob = newBlob(strings.ToLower(name))
				}
				a.blob.add(d)
			}
		}
		if d.In == policies.InJSON || d.In == policies.InData {
			t.json.add(d)
		}
	}
	var long []string
	for _, literal := range order {
		switch {
		case literal[0] == '&':
			t.parameter = append(t.parameter, anchors[literal])
			continue
		case len(literal) < shortest:
			t.short = append(t.short, anchors[literal])
			continue
		}
		long = append(long, literal)
		t.anchors = append(t.anchors, *anchors[literal])
	}
	t.long = search.New(long, true)
	return t, nil
}

func (a *anchor) add(d *detector) {
	if n := len(a.detectors); n == 0 || a.detectors[n-1] != d {
		a.detectors = append(a.detectors, d)
	}
}

func newBlob(name string) *blob { return &blob{name: name, members: make(map[string][]*detector)} }

func (b *blob) add(d *detector) {
	for _, member := range d.Members {
		member = strings.ToLower(member)
		b.members[member] = append(b.members[member], d)
	}
	if len(d.Literals) > 0 {
		b.inside = append(b.inside, d)
	}
}

func newDetector(entry policies.Detector, index int) (*detector, error) {
	d := &detector{Detector: entry, index: index}
	text := entry.Pattern
	switch {
	case d.In == policies.InTag, len(d.Members) > 0:
		text = "(?s)" + text
	case d.Before == 0 && len(d.Literals) > 0:
		text = `\A(?:` + text + `)` // so that it is not looked for after the anchor
	}
	var err error
	if d.pattern, err = regexp.Compile(text); err != nil {
		return nil, fmt.Errorf("markers: pattern of %s: %w", d.ID, err)
	}
	if entry.Unless != "" {
		if d.unless, err = regexp.Compile(entry.Unless); err != nil {
			return nil, fmt.Errorf("markers: unless of %s: %w", d.ID, err)
		}
	}
	for i, group := range d.pattern.SubexpNames() {
		switch strings.TrimRight(group, "0123456789") {
		case "value":
			d.values = append(d.values, i)
		case "name":
			d.names = append(d.names, i)
		case "":
		default:
			return nil, fmt.Errorf("markers: pattern of %s: no use for group %q", d.ID, group)
		}
	}
	if len(d.values) == 0 {
		return nil, fmt.Errorf("markers: pattern of %s: no group value", d.ID)
	}
	return d, nil
}

// value is where in the text the value is that a match found.
func (d *detector) value(match []int) [2]int {
	for _, g := range d.values {
		if match[2*g] >= 0 {
			return [2]int{match[2*g], match[2*g+1]}
		}
	}
	return [2]int{match[0], match[1]}
}

// near is the name in the text that a match found, if it looks like one.
func (d *detector) near(text []byte, match []int) string {
	for _, g := range d.names {
		if match[2*g] >= 0 {
			return asName(text[match[2*g]:match[2*g+1]])
		}
	}
	return ""
}

func asName(text []byte) string {
	if !identifier.Match(text) {
		return ""
	}
	return string(text)
}

func (d *detector) harmless(text []byte) bool { return d.unless != nil && d.unless.Match(text) }

// accepts says whether a value is what the detector wants it to be.
func (d *detector) accepts(value []byte) bool {
	switch d.Value {
	case policies.ValueToken:
		return randomBits(value) >= tokenBits
	case policies.ValueJWT:
		return isPersonalJWT(value)
	case policies.ValueStream:
		return isPersonalStream(value)
	case policies.ValueMail:
		return isPersonalMail(value)
	default:
		return len(bytes.TrimSpace(value)) > 0
	}
}
