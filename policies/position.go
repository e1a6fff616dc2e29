package policies

import (
	"fmt"
	"strings"
)

// Position is a place in a policy file or Caddyfile. Lines and columns count
// from 1; a zero Line means that the place is not known.
type Position struct {
	File   string
	Line   int
	Column int
}

func (p Position) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		if b.Len() > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, ":%d", p.Column)
		}
	}
	return b.String()
}

// positions say where the fields of a Policy or Route were written. Nil when the policy
// was built in Go. They are asked for when something is wrong, and many routes have a few
// dozen each, so they are a list.
type positions []placed

// placed is a field by its path within the Policy or Route, such as "params.strip.0", and
// where it was written.
type placed struct {
	path string
	pos  Position
}

// at returns the position of path, or of the nearest enclosing field that has one. The
// first of two counts.
func (p positions) at(path string) Position {
	for {
		for i := range p {
			if p[i].path == path {
				return p[i].pos
			}
		}
		if path == "" {
			return Position{}
		}
		path = path[:max(0, strings.LastIndexByte(path, '.'))]
	}
}

// At is where a field was written: "identity.cookies.0", "mode". For one that was left
// out it is the nearest field around it. The zero Position if the policy was not read
// from a file.
func (p *Policy) At(field string) Position { return p.source.at(field) }

// At is where a field of the route was written: "params.strip.0", "cache". For one that
// was left out it is the nearest field around it, at last the route itself ("").
func (r *Route) At(field string) Position { return r.source.at(field) }

// Diagnostic is one thing that is wrong with a policy.
type Diagnostic struct {
	Pos Position
	// Path is the field: routes.landing.params.strip.
	Path string
	// Message says what is wrong.
	Message string
	// Fix says what would be right. May be empty.
	Fix string
}

func (d Diagnostic) String() string {
	var b strings.Builder
	if pos := d.Pos.String(); pos != "" {
		b.WriteString(pos)
		b.WriteString(": ")
	}
	if d.Path != "" {
		b.WriteString(d.Path)
		b.WriteString(": ")
	}
	b.WriteString(d.Message)
	if d.Fix != "" {
		b.WriteString("; ")
		b.WriteString(d.Fix)
	}
	return b.String()
}

// Diagnostics is every mistake that was found, in the order of the file. It is
// the error type of all functions here that read or compile a policy.
type Diagnostics []Diagnostic

func (d Diagnostics) Error() string {
	lines := make([]string, len(d))
	for i := range d {
		lines[i] = d[i].String()
	}
	return strings.Join(lines, "\n")
}

// err returns nil for no diagnostics, so that callers need not.
func (d Diagnostics) err() error {
	if len(d) == 0 {
		return nil
	}
	return d
}
