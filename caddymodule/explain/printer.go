package explain

import (
	"bufio"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The colours, as SGR parameters (ECMA-48 §8.3.117).
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
	strong = "1"
	faint  = "2"
)

// printer writes steps. Errors stay in the writer until it is flushed.
type printer struct {
	w     *bufio.Writer
	color bool
}

func (p *printer) line(text string) { _, _ = p.w.WriteString(strings.TrimRight(text, " ") + "\n") }

// step begins a step.
func (p *printer) step(number int, name, text string) {
	p.line(p.bold(fmt.Sprintf("%d %-9s", number, name)) + " " + text)
}

// The width of text, and of what stands before it.
const (
	width  = 100
	indent = 12
)

// more is another line of the step.
func (p *printer) more(text string) { p.line(strings.Repeat(" ", indent) + text) }

// say is a sentence of the step, on as many lines as it takes. Those after the first
// are set in by as much more.
func (p *printer) say(in int, how, head, text string) {
	room := width - indent - in
	lines := wrap(head+text, room)
	for i, line := range lines {
		switch rest, ok := strings.CutPrefix(line, head); {
		case i == 0 && ok && head != "":
			line = p.bold(head) + p.paint(how, rest)
		default:
			line = p.paint(how, line)
		}
		p.more(strings.Repeat(" ", in) + line)
	}
}

// wrap breaks a text at its blanks.
func wrap(text string, room int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > room {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

func (p *printer) paint(how, text string) string {
	if !p.color || how == "" || text == "" {
		return text
	}
	return "\x1b[" + how + "m" + text + "\x1b[0m"
}

func (p *printer) bold(text string) string { return p.paint(strong, text) }
func (p *printer) dim(text string) string  { return p.paint(faint, text) }

// verb colours what keeps a request from the cache.
func (p *printer) verb(verb, text string) string {
	switch verb {
	case "key":
		return p.paint(green, text)
	case "bypass", malformed:
		return p.paint(yellow, text)
	case "deny":
		return p.paint(red, text)
	}
	return text
}

func (p *printer) result(r Result, fine string) string {
	switch r.Action {
	case ActionDeny:
		return p.paint(red, ActionDeny)
	case ActionBypass:
		return p.paint(yellow, ActionBypass)
	}
	return p.paint(green, fine)
}

func (p *printer) reasons(reasons []Reason) {
	for _, r := range reasons {
		text := " " + r.Sentence
		if r.Reference != "" {
			text += " (" + r.Reference + ")"
		}
		p.say(0, "", r.Code+":", text)
		if r.Advice != "" {
			p.say(2, faint, "", r.Advice)
		}
	}
}

func (p *printer) place(at string) string {
	if at == "" {
		return ""
	}
	return p.dim(" at " + at)
}

func (p *printer) fields(fields []Field) {
	for _, f := range fields {
		p.more("  " + p.paint(cyan, printable(f.Name+": "+f.Value)))
	}
}
