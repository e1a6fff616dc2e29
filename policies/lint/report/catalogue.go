package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/cacheward/cacheward/policies/lint"
)

// Explain writes a rule's page: its Markdown shown plainly, or as JSON.
func Explain(w io.Writer, rule lint.Rule, format string, colour bool) error {
	switch format {
	case "json":
		return encode(w, jsonOf(rule, true))
	case "", "text":
		t := &textWriter{colour: colour}
		t.page(rule.Page())
		_, err := w.Write(t.Bytes())
		return err
	}
	return fmt.Errorf("format %q is not known here; accepted: text, json", format)
}

// List writes all rules, a line each, or as JSON.
func List(w io.Writer, format string, colour bool) error {
	switch format {
	case "json":
		rules := []jsonRule{}
		for _, rule := range lint.Rules() {
			rules = append(rules, jsonOf(rule, false))
		}
		return encode(w, struct {
			Version int        `json:"version"`
			Rules   []jsonRule `json:"rules"`
		}{jsonVersion, rules})
	case "", "text":
		return listText(w, colour)
	}
	return fmt.Errorf("format %q is not known here; accepted: text, json", format)
}

// listText groups the rules by their families.
func listText(w io.Writer, colour bool) error {
	t := &textWriter{colour: colour}
	family, longest := "", 0
	for _, rule := range lint.Rules() {
		longest = max(longest, len(rule.Name))
	}
	for _, rule := range lint.Rules() {
		if rule.Family() != family {
			if family != "" {
				t.WriteByte('\n')
			}
			family = rule.Family()
			fmt.Fprintln(t, t.in(bold, family))
		}
		severity := t.in(severityColour[rule.Severity], fmt.Sprintf("%-7s", rule.Severity))
		fmt.Fprintf(t, "  %s  %-*s  %s  %s\n", rule.ID, longest, rule.Name, severity, rule.Summary)
	}
	_, err := w.Write(t.Bytes())
	return err
}

type jsonRule struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Family   string        `json:"family"`
	Severity lint.Severity `json:"severity"`
	Summary  string        `json:"summary"`
	URL      string        `json:"url"`
	Page     string        `json:"page,omitempty"`
}

func jsonOf(rule lint.Rule, page bool) jsonRule {
	out := jsonRule{rule.ID, rule.Name, rule.Family(), rule.Severity, rule.Summary, pageURL(rule.ID), ""}
	if page {
		out.Page = rule.Page()
	}
	return out
}

// PlainPage is a rule's page without the marks of Markdown.
func PlainPage(rule lint.Rule) string {
	var t textWriter
	t.page(rule.Page())
	return t.String()
}

// page writes the Markdown that the pages of rules use: headings, paragraphs, lists and
// fenced code.
func (t *textWriter) page(markdown string) {
	var out bytes.Buffer
	code := false
	for line := range strings.Lines(markdown) {
		line = strings.TrimRight(line, "\r\n")
		heading := strings.TrimLeft(line, "#")
		switch {
		case strings.HasPrefix(line, "```"):
			code = !code
		case code && line != "":
			fmt.Fprintln(&out, "    "+clean(strings.ReplaceAll(line, "\t", "    ")))
		case !code && heading != line && strings.HasPrefix(heading, " "):
			fmt.Fprintln(&out, t.in(bold, clean(strings.TrimSpace(heading))))
		default:
			fmt.Fprintln(&out, clean(line))
		}
	}
	t.Write(out.Bytes())
}
