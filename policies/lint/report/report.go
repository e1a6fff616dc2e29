// Package report shows findings: to people, to editors and to the systems that run
// builds. It decides nothing; what is suppressed is marked before.
package report

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
	"github.com/cacheward/cacheward/policies/lint"
)

// Result is what a run found.
type Result struct {
	// Findings in the order in which they are to be shown, the suppressed ones too.
	Findings []lint.Finding
	// Files are the contents of all files that findings name.
	Files map[string][]byte
	// Judged are the names of the files that were asked for and could be opened.
	Judged []string
	// Unreadable are those that could not.
	Unreadable []Unreadable
	// Stale is what the baseline knows and nobody finds any more.
	Stale []lint.KnownFinding
	// Version is that of cacheward.
	Version string
	// Colour is for the format text: colours and bold type of a terminal (ECMA-48).
	Colour bool

	sources map[string]*lint.Source
	prints  []string
}

// Unreadable is a file that could not be opened or read, and why.
type Unreadable struct{ File, Message string }

var formats = map[string]func(io.Writer, *Result) error{
	"text":       writeText,
	"compact":    writeCompact,
	"json":       writeJSON,
	"sarif":      writeSARIF,
	"junit":      writeJUnit,
	"github":     writeGitHub,
	"gitlab":     writeGitLab,
	"checkstyle": writeCheckstyle,
}

// Formats are the names of all formats, the one for people first.
func Formats() []string {
	return []string{"text", "compact", "json", "sarif", "junit", "github", "gitlab", "checkstyle"}
}

// Write writes the result in one of the [Formats].
func Write(w io.Writer, format string, r Result) error {
	write, ok := formats[format]
	if !ok {
		return fmt.Errorf("format %q is not known; accepted: %s", format, strings.Join(Formats(), ", "))
	}
	r.sources = make(map[string]*lint.Source)
	r.prints = lint.Fingerprints(r.Findings)
	return write(w, &r)
}

// source is a file by its lines; an empty one if the contents are not there.
func (r *Result) source(file string) *lint.Source {
	if r.sources[file] == nil {
		r.sources[file] = lint.NewSource(r.Files[file])
	}
	return r.sources[file]
}

// place is where a finding is, as all formats need it. Line 0: no line is known. Column
// 0: no column. EndColumn is behind the last character.
type place struct {
	File                    string
	Line, Column, EndColumn int
}

func (r *Result) place(f *lint.Finding) place { return r.at(f.Pos, f.End) }

func (r *Result) at(pos, end policies.Position) place {
	p := place{File: slashed(pos.File), Line: pos.Line, Column: pos.Column}
	if _, there := r.Files[pos.File]; p.Line > 0 && p.Column > 0 && there {
		s := r.source(pos.File)
		if start, stop := s.Range(pos, end); stop > start {
			p.EndColumn = s.Position(pos.File, stop).Column
		}
	}
	if p.Column > 0 && p.EndColumn <= p.Column {
		p.EndColumn = p.Column + 1
	}
	return p
}

func (p place) String() string {
	return policies.Position{File: p.File, Line: p.Line, Column: p.Column}.String()
}

func slashed(file string) string { return filepath.ToSlash(file) }

// name is a rule's name; its id if there is no such rule.
func name(id string) string {
	if rule, ok := lint.Find(id); ok {
		return rule.Name
	}
	return id
}

// title is a rule's id and name.
func title(id string) string {
	if n := name(id); n != id {
		return id + " " + n
	}
	return id
}

// counting are the findings that are not suppressed.
func (r *Result) counting() []lint.Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f lint.Finding) bool { return f.Suppressed != nil })
}

// Summary says in a line how much was found: "3 errors, 1 warning in 2 files; 1
// suppressed".
func Summary(r *Result) string {
	counts, suppressed := make(map[lint.Severity]int), 0
	for i := range r.Findings {
		if r.Findings[i].Suppressed != nil {
			suppressed++
			continue
		}
		counts[r.Findings[i].Severity]++
	}
	var parts []string
	for _, s := range []struct {
		severity  lint.Severity
		one, many string
	}{{lint.Error, "error", "errors"}, {lint.Warning, "warning", "warnings"}, {lint.Info, "info", "infos"}} {
		if n := counts[s.severity]; n > 0 {
			parts = append(parts, count(n, s.one, s.many))
		}
	}
	if len(parts) == 0 {
		parts = []string{"no findings"}
	}
	out := strings.Join(parts, ", ") + " in " + count(len(r.Judged), "file", "files")
	if suppressed > 0 {
		out += fmt.Sprintf("; %d suppressed", suppressed)
	}
	if n := len(r.Stale); n > 0 {
		out += "; " + count(n, "entry of the baseline is", "entries of the baseline are") + " no longer found"
	}
	if n := len(r.Unreadable); n > 0 {
		out += "; " + count(n, "file", "files") + " could not be read"
	}
	return out
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
