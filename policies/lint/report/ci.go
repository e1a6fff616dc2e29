package report

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies/lint"
)

// maxAnnotations is how many annotations of a kind GitHub shows for a step.
const maxAnnotations = 10

var githubCommand = map[lint.Severity]string{lint.Error: "error", lint.Warning: "warning", lint.Info: "notice"}

// writeGitHub writes workflow commands, the worst findings first, and what GitHub would
// not show as plain lines.
func writeGitHub(w io.Writer, r *Result) error {
	var b, rest bytes.Buffer
	shown := make(map[string]int)
	annotate := func(command, properties, message, line string) {
		if shown[command]++; shown[command] > maxAnnotations {
			fmt.Fprintf(&rest, "- %s\n", harmless(line))
			return
		}
		fmt.Fprintf(&b, "::%s %s::%s\n", command, properties, githubData(message))
	}
	for _, u := range r.Unreadable {
		file := slashed(u.File)
		annotate("error", "file="+githubProperty(file)+",title=cannot be read", clean(u.Message), clean(file+": "+u.Message))
	}
	found := r.counting()
	slices.SortStableFunc(found, func(a, b lint.Finding) int { return cmp.Compare(grade(a.Severity), grade(b.Severity)) })
	for i := range found {
		f := &found[i]
		at := r.place(f)
		properties := "file=" + githubProperty(at.File)
		if at.Line > 0 {
			properties += fmt.Sprintf(",line=%d", at.Line)
		}
		if at.Column > 0 {
			properties += fmt.Sprintf(",col=%d,endColumn=%d", at.Column, at.EndColumn-1)
		}
		properties += ",title=" + githubProperty(title(f.Rule))
		annotate(githubCommand[f.Severity], properties, details(f), compactLine(r, f))
	}
	rest.WriteString(harmless(Summary(r)) + "\n")
	_, err := w.Write(append(b.Bytes(), rest.Bytes()...))
	return err
}

func grade(s lint.Severity) int {
	return slices.Index([]lint.Severity{lint.Error, lint.Warning, lint.Info}, s)
}

// details are all that a finding says, on several lines.
func details(f *lint.Finding) string {
	lines := []string{clean(f.Message)}
	if f.Suggestion != "" {
		lines = append(lines, "fix: "+clean(f.Suggestion))
	}
	if len(f.Counterexample) > 0 {
		lines = append(lines, "these requests get the same stored response:")
	}
	for _, q := range f.Counterexample {
		line := Curl(q)
		if q.Note != "" {
			line += "  # " + clean(q.Note)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// harmless keeps a line from being read as a command: older ones begin anywhere.
func harmless(line string) string { return strings.ReplaceAll(line, "##[", "## [") }

var (
	githubEscapes         = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubPropertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func githubData(s string) string     { return githubEscapes.Replace(harmless(s)) }
func githubProperty(s string) string { return githubPropertyEscapes.Replace(harmless(clean(s))) }

type gitlabIssue struct {
	Description string         `json:"description"`
	CheckName   string         `json:"check_name"`
	Fingerprint string         `json:"fingerprint"`
	Severity    string         `json:"severity"`
	Location    gitlabLocation `json:"location"`
}

type gitlabLocation struct {
	Path  string `json:"path"`
	Lines struct {
		Begin int `json:"begin"`
	} `json:"lines"`
}

var gitlabSeverity = map[lint.Severity]string{lint.Error: "critical", lint.Warning: "minor", lint.Info: "info"}

// writeGitLab writes a code quality report. GitLab drops all but one of those that have
// the same fingerprint.
func writeGitLab(w io.Writer, r *Result) error {
	issues := []gitlabIssue{}
	add := func(description, check, print, severity, path string, line int) {
		issue := gitlabIssue{Description: description, CheckName: check, Fingerprint: print, Severity: severity}
		issue.Location.Path = strings.TrimPrefix(path, "./")
		issue.Location.Lines.Begin = max(1, line)
		issues = append(issues, issue)
	}
	for _, u := range r.Unreadable {
		add("cannot be read: "+u.Message, "unreadable", "unreadable "+slashed(u.File), "blocker", slashed(u.File), 1)
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Suppressed != nil {
			continue
		}
		description := f.Message
		if f.Suggestion != "" {
			description += "; " + f.Suggestion
		}
		at := r.place(f)
		add(description, title(f.Rule), r.prints[i], gitlabSeverity[f.Severity], at.File, at.Line)
	}
	return encode(w, issues)
}

type checkstyle struct {
	XMLName xml.Name         `xml:"checkstyle"`
	Version string           `xml:"version,attr"`
	Files   []checkstyleFile `xml:"file"`
}

type checkstyleFile struct {
	Name   string            `xml:"name,attr"`
	Errors []checkstyleError `xml:"error"`
}

type checkstyleError struct {
	Line     int    `xml:"line,attr,omitempty"`
	Column   int    `xml:"column,attr,omitempty"`
	Severity string `xml:"severity,attr"`
	Message  string `xml:"message,attr"`
	Source   string `xml:"source,attr"`
}

func writeCheckstyle(w io.Writer, r *Result) error {
	out, index := checkstyle{Version: "4.3"}, make(map[string]int)
	add := func(file string, e checkstyleError) {
		i, ok := index[file]
		if !ok {
			i = len(out.Files)
			index[file] = i
			out.Files = append(out.Files, checkstyleFile{Name: file})
		}
		out.Files[i].Errors = append(out.Files[i].Errors, e)
	}
	for _, u := range r.Unreadable {
		add(slashed(u.File), checkstyleError{Severity: "error", Message: clean(u.Message), Source: "cacheward.unreadable"})
	}
	for _, f := range r.counting() {
		at := r.place(&f)
		add(at.File, checkstyleError{at.Line, at.Column, string(f.Severity), clean(f.Message), "cacheward." + f.Rule})
	}
	return encodeXML(w, out)
}

func encodeXML(w io.Writer, v any) error {
	body, err := xml.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(append([]byte(xml.Header), body...), '\n'))
	return err
}
