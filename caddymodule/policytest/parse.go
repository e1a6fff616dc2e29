package policytest

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/cacheward/cacheward/policies"
)

// Bounds of a file. Tests are written by people or by --init.
const (
	maxTests    = 10_000
	maxRequests = 1_000 // in one test
)

// Parse reads a file of tests. All mistakes are reported at once, as
// [policies.Diagnostics] in the order of the file.
func Parse(name string, data []byte) (*File, error) {
	root, err := policies.ReadTree(name, data)
	if err != nil {
		return nil, err
	}
	p := parser{file: &File{Name: name}, tested: make(map[string]bool)}
	for _, f := range root.Fields {
		if f.Key == "base" && p.file.Base.Value == "" {
			p.base(f.Value)
		}
	}
	p.object(root, "a file of tests", map[string]reader{
		"policy": p.text(&p.file.Policy, "the file of a policy"),
		"site":   p.text(&p.file.Site, "a host"),
		"base":   func(*policies.Tree) {}, // read before
		"requests": func(n *policies.Tree) {
			p.named(n, "requests by name", func(name Text, value *policies.Tree) {
				r := p.request(value)
				r.Name = name
				p.file.Requests = append(p.file.Requests, r)
			})
		},
		"tests": func(n *policies.Tree) {
			p.each(n, "a list of tests", maxTests, func(item *policies.Tree) {
				p.later = append(p.later, item)
			})
		},
	})
	for _, item := range p.later { // when all requests are known
		p.test(item)
	}
	if p.file.Policy.Value == "" && !p.faulty {
		p.fault(root.Pos, "the file names no policy", "write policy: and the name of a file beside this one")
	}
	if len(p.file.Tests) == 0 && !p.faulty {
		p.fault(root.Pos, "the file has no tests", "write tests: and a list")
	}
	p.references()
	if p.faulty {
		slices.SortStableFunc(p.diags, func(a, b policies.Diagnostic) int {
			if a.Pos.Line != b.Pos.Line {
				return a.Pos.Line - b.Pos.Line
			}
			return a.Pos.Column - b.Pos.Column
		})
		return nil, p.diags
	}
	return p.file, nil
}

type parser struct {
	file   *File
	later  []*policies.Tree
	tested map[string]bool // names of tests
	diags  policies.Diagnostics
	faulty bool
}

// reader reads the value of one key.
type reader func(n *policies.Tree)

func (p *parser) fault(pos policies.Position, message, fix string) {
	p.faulty = true
	p.diags = append(p.diags, policies.Diagnostic{Pos: pos, Message: message, Fix: fix})
}

func (p *parser) expected(n *policies.Tree, what string) {
	p.fault(n.Pos, "expected "+what+", found "+n.String(), "")
}

// object reads a mapping with these keys and no others.
func (p *parser) object(n *policies.Tree, what string, members map[string]reader) {
	p.named(n, what, func(key Text, value *policies.Tree) {
		read, ok := members[key.Value]
		if !ok {
			known := make([]string, 0, len(members))
			for name := range members {
				known = append(known, name)
			}
			slices.Sort(known)
			p.fault(key.Pos, fmt.Sprintf("unknown key %q", key.Value), policies.Suggest(key.Value, known))
			return
		}
		read(value)
	})
}

// named reads a mapping with any keys, each once.
func (p *parser) named(n *policies.Tree, what string, read func(key Text, value *policies.Tree)) {
	if n.Kind != policies.TreeMapping {
		p.expected(n, what)
		return
	}
	seen := make(map[string]policies.Position, len(n.Fields))
	for _, f := range n.Fields {
		if first, ok := seen[f.Key]; ok {
			p.fault(f.Pos, fmt.Sprintf("key %q is given twice", f.Key), "it is first given at "+first.String())
			continue
		}
		seen[f.Key] = f.Pos
		read(Text{f.Key, f.Pos}, f.Value)
	}
}

func (p *parser) each(n *policies.Tree, what string, most int, read func(item *policies.Tree)) {
	if n.Kind != policies.TreeList {
		p.expected(n, what)
		return
	}
	if len(n.Items) > most {
		p.fault(n.Items[most].Pos, fmt.Sprintf("the list has more than %d items", most), "write several")
		return
	}
	for _, item := range n.Items {
		read(item)
	}
}

func (p *parser) text(into *Text, what string) reader {
	return func(n *policies.Tree) {
		switch {
		case n.Kind != policies.TreeText:
			p.expected(n, what)
		case n.Text == "":
			p.fault(n.Pos, "it is empty", "write "+what+", or leave it out")
		default:
			*into = Text{n.Text, n.Pos}
		}
	}
}

// word reads one of some words, by which a test is not left without a check because of
// a slip of the hand.
func (p *parser) word(into **Text, what string, accepted []string) reader {
	return func(n *policies.Tree) {
		var t Text
		p.text(&t, what)(n)
		if t.Value == "" {
			return
		}
		if len(accepted) > 0 && !slices.Contains(accepted, t.Value) {
			p.fault(n.Pos, fmt.Sprintf("%q is not %s", t.Value, what), policies.Suggest(t.Value, accepted))
			return
		}
		*into = &t
	}
}

// words reads a list of words, or one word. The list may be empty: none.
func (p *parser) words(into **Words, what string, accepted []string) reader {
	return func(n *policies.Tree) {
		w := &Words{Pos: n.Pos}
		read := func(item *policies.Tree) {
			var t *Text
			if p.word(&t, what, accepted)(item); t != nil {
				w.Values = append(w.Values, *t)
			}
		}
		if n.Kind == policies.TreeText {
			read(n)
		} else {
			p.each(n, "a list: each "+what, maxRequests, read)
		}
		*into = w
	}
}

// pairs reads names and values. A value may be a list: the name is there more often.
func (p *parser) pairs(into *[]Pair, what string) reader {
	return func(n *policies.Tree) {
		p.named(n, what, func(name Text, value *policies.Tree) {
			add := func(v *policies.Tree) {
				if v.Kind != policies.TreeText {
					p.expected(v, "a value")
					return
				}
				*into = append(*into, Pair{name, v.Text})
			}
			if value.Kind == policies.TreeList {
				p.each(value, "values", maxRequests, add)
				return
			}
			add(value)
		})
	}
}

// verbs reads names and their dispositions.
func (p *parser) verbs(into *[]Pair, accepted ...string) reader {
	return func(n *policies.Tree) {
		p.named(n, "names and their dispositions", func(name Text, value *policies.Tree) {
			var verb *Text
			if p.word(&verb, "a disposition", accepted)(value); verb != nil {
				*into = append(*into, Pair{name, verb.Value})
			}
		})
	}
}

// fields reads header fields: a value, or nothing for one that must not be there.
func (p *parser) fields(into *[]Field) reader {
	return func(n *policies.Tree) {
		p.named(n, "header fields and their values", func(name Text, value *policies.Tree) {
			switch value.Kind {
			case policies.TreeText:
				*into = append(*into, Field{Name: name, Value: value.Text})
			case policies.TreeNothing:
				*into = append(*into, Field{Name: name, Absent: true})
			default:
				p.expected(value, "a value, or null for a field that must not be there")
			}
		})
	}
}

func (p *parser) integer(into *int, what string, least, most int) reader {
	return func(n *policies.Tree) {
		value, err := strconv.Atoi(n.Text)
		if n.Kind != policies.TreeText || err != nil || value < least || value > most {
			p.expected(n, what)
			return
		}
		*into = value
	}
}

// references holds that every request that is named exists.
func (p *parser) references() {
	known := p.names()
	is := make(map[string]bool, len(known))
	for _, name := range known {
		is[name] = true
	}
	for i := range p.file.Tests {
		t := &p.file.Tests[i]
		for _, names := range [][]Text{t.Expect.SameKeyAs, t.Expect.OtherKeyThan} {
			for _, name := range names {
				if !is[name.Value] {
					p.fault(name.Pos, fmt.Sprintf("no request and no test is called %q", name.Value), policies.Suggest(name.Value, known))
				}
			}
		}
	}
}

// names are what requests can be known by.
func (p *parser) names() []string {
	var known []string
	for _, r := range p.file.Requests {
		known = append(known, r.Name.Value)
	}
	for i := range p.file.Tests {
		if name := p.file.Tests[i].Name.Value; name != "" {
			known = append(known, name)
		}
	}
	return known
}

// codes are the codes of all reasons.
func codes() []string {
	all := policies.AllReasons()
	out := make([]string, len(all))
	for i, r := range all {
		out[i] = r.String()
	}
	return out
}
