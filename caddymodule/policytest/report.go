package policytest

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Formats are what [Write] can write.
func Formats() []string { return []string{"text", "json", "junit"} }

// Options say how text is written.
type Options struct {
	// Color marks words with colours of a terminal.
	Color bool
	// Verbose names the tests that passed as well.
	Verbose bool
}

// Write writes the result in one of the formats.
func Write(w io.Writer, format string, r *Result, o Options) error {
	switch format {
	case "text":
		return writeText(w, r, o)
	case "json":
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	case "junit":
		return writeJUnit(w, r)
	}
	return fmt.Errorf("%q is no format; accepted: %s", format, strings.Join(Formats(), ", "))
}

// printer writes text and remembers the first error.
type printer struct {
	w     io.Writer
	color bool
	err   error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
	bold   = "1"
)

func (p *printer) paint(code, text string) string {
	if !p.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func writeText(w io.Writer, r *Result, o Options) error {
	p := &printer{w: w, color: o.Color}
	for i := range r.Files {
		p.file(&r.Files[i], o.Verbose)
	}
	for i := range r.Coverage {
		p.coverage(&r.Coverage[i])
	}
	p.summary(r)
	return p.err
}

func (p *printer) file(f *FileResult, verbose bool) {
	for _, fault := range f.Faults {
		p.printf("%s: %s %s\n", fault.At, p.paint(red, "error:"), fault.Message)
		if fault.Fix != "" {
			p.printf("    %s\n", fault.Fix)
		}
	}
	for i := range f.Tests {
		t := &f.Tests[i]
		switch {
		case !t.Passed:
			p.printf("%s %s\n    %s\n", p.paint(red, "FAIL"), p.paint(bold, t.Name), t.At)
			p.mismatches(t.Mismatches)
		case verbose:
			p.printf("%s %s\n", p.paint(green, "ok  "), t.Name)
		}
	}
}

func (p *printer) mismatches(all []Mismatch) {
	request := ""
	for _, m := range all {
		if m.Request != request {
			request = m.Request
			p.printf("\n    %s\n", request)
		}
		p.printf("      %s: %s\n", m.At, m.What)
		p.printf("        %s %s\n", p.paint(green, "want"), indented(m.Want))
		p.printf("        %s  %s\n", p.paint(red, "got"), indented(m.Got))
		if m.Because != "" {
			p.printf("             %s\n", indented(m.Because))
		}
	}
	p.printf("\n")
}

// indented keeps further lines of a text below the first.
func indented(text string) string { return strings.ReplaceAll(text, "\n", "\n             ") }

func (p *printer) coverage(c *PolicyCoverage) {
	p.printf("%s: tests reach %d of %d routes and %d of %d declared inputs\n", c.Policy, c.RoutesReached, c.Routes, c.InputsReached, c.Inputs)
	for _, m := range c.Missing {
		at := m.At
		if at == "" {
			at = c.Policy
		}
		switch {
		case m.Input == "":
			p.printf("    %s: %s no test reaches route %s\n", at, p.paint(yellow, "-"), m.Route)
		case m.Route == "":
			p.printf("    %s: %s no request of a test has %s (%s)\n", at, p.paint(yellow, "-"), m.Name, m.Input)
		case strings.HasSuffix(m.Input, ".others"):
			p.printf("    %s: %s route %s: no request of a test has an undeclared one of its %s\n", at, p.paint(yellow, "-"), m.Route, strings.TrimSuffix(m.Input, ".others"))
		default:
			p.printf("    %s: %s route %s: no request of a test has %s (%s)\n", at, p.paint(yellow, "-"), m.Route, m.Name, m.Input)
		}
	}
}

func (p *printer) summary(r *Result) {
	verdict := p.paint(green, "ok")
	if r.Exit() != 0 {
		verdict = p.paint(red, "FAIL")
	}
	p.printf("%s: %s passed, %d failed", verdict, count(r.Passed, "test"), r.Failed)
	if r.Skipped > 0 {
		p.printf(", %d not selected", r.Skipped)
	}
	p.printf(" in %s", count(len(r.Files), "file"))
	if r.Faults > 0 {
		p.printf("; %s in what was to be run", count(r.Faults, "mistake"))
	}
	p.printf("\n")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
