package policies

import (
	"fmt"
	"slices"
)

// What the lines of the Caddyfile spelling have in common.

var (
	inputVerbs  = []string{"key", "strip", "bypass", "deny", "others", "plain"}
	headerVerbs = []string{"key", "strip", "bypass", "deny", "vary", "forward", "others"}
	ignoreKinds = []string{"html", "json", "header"}
)

func textNode(t Token) *node { return &node{text: t.Text, pos: t.position()} }

// child returns the mapping or list under key, which it makes if need be.
func (n *node) child(key string, kind nodeKind, pos Position) *node {
	if child := n.get(key); child != nil {
		return child
	}
	child := &node{kind: kind, pos: pos}
	n.fields = append(n.fields, field{key: key, pos: pos, value: child})
	return child
}

func (n *node) add(items ...*node) { n.items = append(n.items, items...) }

// set gives a mapping a value that it may have once.
func (c *caddyReader) set(into *node, key string, pos Position, value *node) {
	for _, f := range into.fields {
		if f.key == key {
			c.fault(pos, fmt.Sprintf("%s is given twice", key), "it is first given at "+f.pos.String())
			return
		}
	}
	into.fields = append(into.fields, field{key: key, pos: pos, value: value})
}

// arguments checks how many words follow the first.
func (c *caddyReader) arguments(s statement, least, most int, what string) bool {
	n := len(s.words) - 1
	switch {
	case n < least:
		c.fault(s.position(), fmt.Sprintf("%s is incomplete", s.words[0].Text), "it takes "+what)
	case n > most:
		extra := s.words[most+1]
		c.fault(extra.position(), fmt.Sprintf("%q is too much for %s", extra.Text, s.words[0].Text), "it takes "+what)
	default:
		return true
	}
	return false
}

// plain checks that a line opens no block.
func (c *caddyReader) plain(s statement) bool {
	if s.open {
		c.fault(s.position(), fmt.Sprintf("%s takes no block", s.words[0].Text), "")
	}
	return !s.open
}

// single reads a word and its one value.
func (c *caddyReader) single(key string) func(statement, *node) {
	return func(s statement, into *node) {
		if c.plain(s) && c.arguments(s, 1, 1, "one value") {
			c.set(into, key, s.position(), textNode(s.words[1]))
		}
	}
}

// names reads a word and the names after it, which add to those of other lines.
func (c *caddyReader) names(key string) func(statement, *node) {
	return func(s statement, into *node) {
		if c.plain(s) && c.arguments(s, 1, len(s.words), "one or more names") {
			c.append(into, key, s.words[1:])
		}
	}
}

func (c *caddyReader) append(into *node, key string, words []Token) {
	list := into.child(key, sequence, words[0].position())
	for _, w := range words {
		list.add(textNode(w))
	}
}

func (c *caddyReader) match(key string) func(statement, *node) {
	read := c.names(key)
	return func(s statement, into *node) {
		read(s, into.child("match", mapping, s.position()))
	}
}

// inputs reads a word, a verb and names.
func (c *caddyReader) inputs(key string, verbs []string) func(statement, *node) {
	return func(s statement, into *node) {
		word := s.words[0].Text
		if !c.plain(s) || !c.arguments(s, 2, len(s.words), "a verb and names") {
			return
		}
		verb := s.words[1]
		if !slices.Contains(verbs, verb.Text) {
			c.fault(verb.position(), fmt.Sprintf("unknown verb %q of %s", verb.Text, word), suggest(verb.Text, verbs))
			return
		}
		in := into.child(key, mapping, s.position())
		switch {
		case verb.Text == "others":
			if c.arguments(s, 2, 2, "others and one verb") {
				c.set(in, "others", s.position(), textNode(s.words[2]))
			}
		case key == "headers" && verb.Text == "key":
			c.headerKey(s, in)
		case key == "headers" && verb.Text == "forward":
			c.headerForward(s, in)
		default:
			c.append(in, verb.Text, s.words[2:])
		}
	}
}

// headerKey reads one name and the values that are told apart.
func (c *caddyReader) headerKey(s statement, in *node) {
	keys := in.child("key", sequence, s.position())
	if len(s.words) == 3 {
		keys.add(textNode(s.words[2]))
		return
	}
	header := &node{kind: mapping, pos: s.position()}
	c.set(header, "name", s.position(), textNode(s.words[2]))
	c.append(header, "values", s.words[3:])
	keys.add(header)
}

// headerForward reads one name and the reason.
func (c *caddyReader) headerForward(s statement, in *node) {
	if !c.arguments(s, 2, 3, "a name and a reason in quotes") {
		return
	}
	header := &node{kind: mapping, pos: s.position()}
	c.set(header, "name", s.position(), textNode(s.words[2]))
	if len(s.words) == 4 {
		c.set(header, "reason", s.position(), textNode(s.words[3]))
	}
	in.child("forward", sequence, s.position()).add(header)
}

// choice reads a rule and the reason it may have.
func (c *caddyReader) choice(key string) func(statement, *node) {
	return func(s statement, into *node) {
		if !c.plain(s) || !c.arguments(s, 1, 2, "a rule and perhaps a reason in quotes") {
			return
		}
		rule := textNode(s.words[1])
		if len(s.words) == 2 {
			c.set(into, key, s.position(), rule)
			return
		}
		object := &node{kind: mapping, pos: s.position()}
		c.set(object, "rule", s.position(), rule)
		c.set(object, "reason", s.position(), textNode(s.words[2]))
		c.set(into, key, s.position(), object)
	}
}

// ignore reads the reason, where the difference is, and what both values match.
func (c *caddyReader) ignore(s statement, into *node) {
	if !c.plain(s) || !c.arguments(s, 3, 4, "a reason in quotes, one of html, json and header, the place, and perhaps a glob") {
		return
	}
	kind := s.words[2]
	if !slices.Contains(ignoreKinds, kind.Text) {
		c.fault(kind.position(), fmt.Sprintf("unknown word %q in ignore", kind.Text), suggest(kind.Text, ignoreKinds))
		return
	}
	place := &node{kind: mapping, pos: s.position()}
	c.set(place, "reason", s.position(), textNode(s.words[1]))
	c.set(place, kind.Text, s.position(), textNode(s.words[3]))
	if len(s.words) == 5 {
		c.set(place, "matching", s.position(), textNode(s.words[4]))
	}
	into.child("ignore", sequence, s.position()).add(place)
}

// tolerate reads the reason and the ids of detectors, each of which has it.
func (c *caddyReader) tolerate(s statement, into *node) {
	if !c.plain(s) || !c.arguments(s, 2, len(s.words), "a reason in quotes and one or more detectors") {
		return
	}
	list := into.child("tolerate", sequence, s.position())
	for _, id := range s.words[2:] {
		one := &node{kind: mapping, pos: id.position()}
		c.set(one, "reason", s.position(), textNode(s.words[1]))
		c.set(one, "detector", id.position(), textNode(id))
		list.add(one)
	}
}
