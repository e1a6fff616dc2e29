package policies

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// decoder makes a [Policy] from nodes. It notes every mistake and goes on, and it
// keeps the place of every field for those who judge the content later.
type decoder struct {
	diags  Diagnostics
	source positions // of the policy or of the route being decoded
	prefix string    // that route's path within the policy
	routes *routeDecoder
	// paths are those that have been joined: all routes have the same.
	paths map[pathStep]string
}

// pathStep is a step from a field to one within it.
type pathStep struct{ path, step string }

// reader reads the value of one key; path is relative to the policy or route.
type reader func(n *node, path string)

// member is a key that an object may have.
type member struct {
	key  string
	read reader
}

// decodePolicy reads the tree that a front end made. Its error is [Diagnostics].
func decodePolicy(root *node) (*Policy, error) {
	return finish(decodeNodes(root))
}

// decodeNodes reads what can be read, and says what cannot.
func decodeNodes(root *node) (*Policy, Diagnostics) {
	d := decoder{}
	return d.policy(root), d.diags
}

// finish returns the policy if its form is right. If not, it adds what is wrong
// with the meaning of the rest, so that a file's mistakes are told all at once;
// but not what only follows from a field that could not be read.
func finish(p *Policy, form Diagnostics) (*Policy, error) {
	if len(form) == 0 {
		return p, nil
	}
	all := form
	meaning, _ := errors.AsType[Diagnostics](p.Validate())
	for _, m := range meaning {
		if !slices.ContainsFunc(form, func(f Diagnostic) bool { return f.covers(m) }) {
			all = append(all, m)
		}
	}
	return nil, all.sorted()
}

// covers says whether the other diagnostic is of the same field, or of a part of
// it. A route as a whole covers none of its parts: what it is faulted for is a word
// that it does not know.
func (d Diagnostic) covers(other Diagnostic) bool {
	return d.Path == other.Path ||
		strings.Count(d.Path, ".") > 1 && strings.HasPrefix(other.Path, d.Path+".")
}

// sorted puts diagnostics into the order of the file.
func (d Diagnostics) sorted() Diagnostics {
	slices.SortStableFunc(d, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.Pos.File, b.Pos.File),
			cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Column, b.Pos.Column),
		)
	})
	return d
}

// join appends a step to the path of a field.
func join(path, step string) string {
	if path == "" || step == "" {
		return path + step
	}
	return path + "." + step
}

// join is [join], and does it once.
func (d *decoder) join(path, step string) string {
	if path == "" {
		return step
	}
	joined, ok := d.paths[pathStep{path, step}]
	if !ok {
		if d.paths == nil {
			d.paths = make(map[pathStep]string)
		}
		joined = join(path, step)
		d.paths[pathStep{path, step}] = joined
	}
	return joined
}

func (d *decoder) placed(path string, pos Position) { d.source = append(d.source, placed{path, pos}) }

func (d *decoder) fault(pos Position, path, message, fix string) {
	d.diags = append(d.diags, Diagnostic{Pos: pos, Path: join(d.prefix, path), Message: message, Fix: fix})
}

func (d *decoder) expected(n *node, path, what string) {
	d.fault(n.pos, path, "expected "+what+", found "+n.String(), "")
}

// object reads a mapping that may have the members, and no other keys.
func (d *decoder) object(n *node, path, what string, members ...member) {
	if n.kind != mapping {
		d.expected(n, path, what)
		return
	}
	for i, f := range n.fields {
		m := slices.IndexFunc(members, func(m member) bool { return m.key == f.key })
		if m < 0 {
			keys := make([]string, len(members))
			for i := range members {
				keys[i] = members[i].key
			}
			d.fault(f.pos, path, fmt.Sprintf("unknown key %q", f.key), suggest(f.key, keys))
			continue
		}
		if d.repeated(n, i, path) {
			continue
		}
		at, pos := d.join(path, f.key), f.pos
		if f.value.kind == scalar {
			pos = f.value.pos
		}
		d.placed(at, pos)
		members[m].read(f.value, at)
	}
}

// repeated reports a key that was given before. Parsers differ on which of the
// two they take, so neither is.
func (d *decoder) repeated(n *node, i int, path string) bool {
	for _, before := range n.fields[:i] {
		if before.key == n.fields[i].key {
			message := fmt.Sprintf("key %q is given twice", before.key)
			d.fault(n.fields[i].pos, path, message, "it is first given at "+before.pos.String())
			return true
		}
	}
	return false
}

// read returns the text of a scalar that says something.
func (d *decoder) text(n *node, path, what string) (string, bool) {
	if n.kind != scalar || n.form != formText {
		d.expected(n, path, what)
		return "", false
	}
	if n.text == "" {
		d.fault(n.pos, path, "it is empty", "write "+what+", or leave it out")
		return "", false
	}
	return n.text, true
}

// word reads a scalar.
func word[T ~string](d *decoder, into *T, what string) reader {
	return func(n *node, path string) {
		if text, ok := d.text(n, path, what); ok {
			*into = T(text)
		}
	}
}

// words reads a list of scalars.
func (d *decoder) words(into *[]string, what string) reader {
	return func(n *node, path string) {
		*into = slices.Grow(*into, len(n.items))
		each(d, n, path, "a list of "+what+"s", func(item *node, path string) {
			if text, ok := d.text(item, path, "a "+what); ok {
				*into = append(*into, text)
			}
		})
	}
}

// each reads the items of a list. An empty list is refused: it could mean nothing
// as well as everything.
func each(d *decoder, n *node, path, what string, read reader) {
	if n.kind != sequence {
		d.expected(n, path, what)
		return
	}
	if len(n.items) == 0 {
		d.fault(n.pos, path, "the list is empty", "name something, or leave it out")
	}
	for i, item := range n.items {
		at := d.join(path, strconv.Itoa(i))
		d.placed(at, item.pos)
		read(item, at)
	}
}

// duration reads a length of time. Zero is for those only who say so: a lifetime of
// nothing is a slip, and never is spelled cache: never.
func (d *decoder) duration(into *Duration, zero bool) reader {
	return func(n *node, path string) {
		if n.kind != scalar || n.form != formText {
			d.expected(n, path, "a duration such as 90s, 5m, 1h30m or 1d")
			return
		}
		value, err := ParseDuration(n.text)
		switch {
		case err != nil:
			d.fault(n.pos, path, err.Error(), "")
		case value == 0 && !zero:
			d.fault(n.pos, path, fmt.Sprintf("%q is no time at all", n.text), "give a duration, or leave it out")
		default:
			*into = value
		}
	}
}

// integer reads a whole number above zero.
func (d *decoder) integer(into *int, what string) reader {
	return func(n *node, path string) {
		value, err := strconv.Atoi(n.text)
		if n.kind != scalar || err != nil || value < 1 {
			d.expected(n, path, what)
			return
		}
		*into = value
	}
}
