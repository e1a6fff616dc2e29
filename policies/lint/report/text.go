package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/cacheward/cacheward/policies"
	"github.com/cacheward/cacheward/policies/lint"
)

// The colours and type of ECMA-48 §8.3.117.
const (
	plain  = "\x1b[0m"
	bold   = "\x1b[1m"
	red    = "\x1b[1;31m"
	yellow = "\x1b[1;33m"
	blue   = "\x1b[1;34m"
	green  = "\x1b[32m"
	dim    = "\x1b[2m"
)

var severityColour = map[lint.Severity]string{lint.Error: red, lint.Warning: yellow, lint.Info: blue}

// textWriter builds the text for people.
type textWriter struct {
	bytes.Buffer
	colour bool
}

// in returns text in a colour, if colours are asked for.
func (t *textWriter) in(colour, text string) string {
	if !t.colour || text == "" {
		return text
	}
	return colour + text + plain
}

func writeText(w io.Writer, r *Result) error {
	t := &textWriter{colour: r.Colour}
	for _, u := range r.Unreadable {
		fmt.Fprintf(t, "%s: %s: %s\n\n", t.in(bold, clean(slashed(u.File))), t.in(red, "cannot be read"), clean(u.Message))
	}
	for i := range r.Findings {
		if r.Findings[i].Suppressed == nil {
			t.finding(r, &r.Findings[i])
		}
	}
	for _, k := range r.Stale {
		fmt.Fprintf(t, "%s: baseline: %s is no longer found here: %s\n", clean(k.File), k.Rule, clean(k.Message))
	}
	if len(r.Stale) > 0 {
		t.WriteByte('\n')
	}
	fmt.Fprintln(t, t.in(bold, Summary(r)))
	_, err := w.Write(t.Bytes())
	return err
}

func (t *textWriter) finding(r *Result, f *lint.Finding) {
	fmt.Fprintf(t, "%s: %s: %s [%s]\n", t.in(bold, clean(r.place(f).String())),
		t.in(severityColour[f.Severity], string(f.Severity)), clean(f.Message), title(f.Rule))
	t.excerpt(r, f.Pos, f.End, severityColour[f.Severity])
	rule, known := lint.Find(f.Rule)
	if known {
		t.note("why", rule.Summary)
	}
	if f.Suggestion != "" {
		t.note("fix", f.Suggestion)
	}
	for _, related := range f.Related {
		t.note("see", r.at(related.Pos, policies.Position{}).String()+": "+related.Message)
		t.excerpt(r, related.Pos, policies.Position{}, blue)
	}
	t.counterexample(f.Counterexample)
	if known {
		t.note("more", "cacheward lint --explain "+f.Rule)
	}
	t.WriteByte('\n')
}

func (t *textWriter) note(what, text string) {
	fmt.Fprintf(t, "  %s %s\n", t.in(dim, what+":"), clean(text))
}

// excerpt writes the line with its number, and what points at the range below it.
func (t *textWriter) excerpt(r *Result, pos, end policies.Position, colour string) {
	if pos.Line < 1 {
		return
	}
	line, carets := excerpt(r.source(pos.File), pos, end)
	if line == "" {
		return
	}
	number := fmt.Sprintf("%5d", pos.Line)
	fmt.Fprintf(t, "%s %s\n", t.in(dim, number+" |"), line)
	blanks := len(carets) - len(strings.TrimLeft(carets, " "))
	fmt.Fprintf(t, "%s %s%s\n", t.in(dim, strings.Repeat(" ", len(number))+" |"), carets[:blanks], t.in(colour, carets[blanks:]))
}

// counterexample writes the requests as command lines, with who sends them behind #.
func (t *textWriter) counterexample(requests []lint.Request) {
	if len(requests) == 0 {
		return
	}
	t.note("proof", "these requests get the same stored response")
	longest := 0
	lines := make([]string, len(requests))
	for i, q := range requests {
		lines[i] = Curl(q)
		longest = max(longest, min(len(lines[i]), 80))
	}
	for i, q := range requests {
		line := "    " + lines[i]
		if q.Note != "" {
			line += strings.Repeat(" ", max(0, longest-len(lines[i]))) + "  " + t.in(green, "# "+clean(q.Note))
		}
		fmt.Fprintln(t, line)
	}
}

// Curl is a request as a command line for curl, quoted for a POSIX shell.
func Curl(q lint.Request) string {
	words := []string{"curl"}
	switch q.Method {
	case "", "GET":
	case "HEAD":
		words = append(words, "--head")
	default:
		words = append(words, "-X", quote(q.Method))
	}
	words = append(words, quote(q.URL))
	for _, h := range q.Header {
		words = append(words, "-H", quote(h[0]+": "+h[1]))
	}
	return strings.Join(words, " ")
}

// quote is a word for the shell. What a terminal would not show is shown by its number
// instead: a command line that hides something is worse than one that fails.
func quote(s string) string {
	return "'" + strings.ReplaceAll(clean(s), "'", `'\''`) + "'"
}

// writeCompact writes a line for each finding, as compilers do.
func writeCompact(w io.Writer, r *Result) error {
	var b bytes.Buffer
	for _, u := range r.Unreadable {
		fmt.Fprintf(&b, "%s: error: cannot be read: %s\n", clean(slashed(u.File)), clean(u.Message))
	}
	for _, f := range r.counting() {
		b.WriteString(compactLine(r, &f) + "\n")
	}
	_, err := w.Write(b.Bytes())
	return err
}

func compactLine(r *Result, f *lint.Finding) string {
	return fmt.Sprintf("%s: %s: %s [%s]", clean(r.place(f).String()), f.Severity, clean(f.Message), title(f.Rule))
}
