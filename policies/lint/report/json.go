package report

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/cacheward/cacheward/policies"
	"github.com/cacheward/cacheward/policies/lint"
)

// jsonVersion is that of the form described in SCHEMA.md. It grows when something goes
// or changes its meaning, not when something is added.
const jsonVersion = 1

type jsonReport struct {
	Version    int                 `json:"version"`
	Tool       jsonTool            `json:"tool"`
	Summary    jsonSummary         `json:"summary"`
	Files      []string            `json:"files"`
	Findings   []jsonFinding       `json:"findings"`
	Unreadable []jsonUnreadable    `json:"unreadable"`
	Stale      []lint.KnownFinding `json:"stale"`
}

type jsonTool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type jsonSummary struct {
	Errors     int    `json:"errors"`
	Warnings   int    `json:"warnings"`
	Infos      int    `json:"infos"`
	Suppressed int    `json:"suppressed"`
	Files      int    `json:"files"`
	Unreadable int    `json:"unreadable"`
	Stale      int    `json:"stale"`
	Text       string `json:"text"`
}

type jsonUnreadable struct {
	File    string `json:"file"`
	Message string `json:"message"`
}

type jsonPlace struct {
	File      string `json:"file"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	EndColumn int    `json:"end_column"`
}

type jsonFinding struct {
	Rule     string        `json:"rule"`
	Name     string        `json:"name"`
	Severity lint.Severity `json:"severity"`
	jsonPlace
	Route          string           `json:"route,omitempty"`
	Message        string           `json:"message"`
	Suggestion     string           `json:"suggestion,omitempty"`
	Related        []jsonRelated    `json:"related,omitempty"`
	Counterexample []jsonRequest    `json:"counterexample,omitempty"`
	Edits          []jsonEdit       `json:"edits,omitempty"`
	Suppressed     *jsonSuppression `json:"suppressed,omitempty"`
	Fingerprint    string           `json:"fingerprint"`
	Page           string           `json:"page,omitempty"`
}

type jsonRelated struct {
	jsonPlace
	Message string `json:"message"`
}

type jsonRequest struct {
	Method string      `json:"method"`
	URL    string      `json:"url"`
	Header [][2]string `json:"header,omitempty"`
	Note   string      `json:"note,omitempty"`
	Curl   string      `json:"curl"`
}

type jsonEdit struct {
	File  string `json:"file"`
	Start int    `json:"start"`
	End   int    `json:"end"`
	New   string `json:"new"`
}

type jsonSuppression struct {
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
}

func writeJSON(w io.Writer, r *Result) error {
	out := jsonReport{
		Version: jsonVersion, Tool: jsonTool{"cacheward", r.Version},
		Summary: jsonSummary{Files: len(r.Judged), Unreadable: len(r.Unreadable), Stale: len(r.Stale), Text: Summary(r)},
		Files:   []string{}, Findings: []jsonFinding{}, Unreadable: []jsonUnreadable{}, Stale: append([]lint.KnownFinding{}, r.Stale...),
	}
	for _, file := range r.Judged {
		out.Files = append(out.Files, slashed(file))
	}
	for _, u := range r.Unreadable {
		out.Unreadable = append(out.Unreadable, jsonUnreadable{slashed(u.File), u.Message})
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		out.Summary.count(f)
		out.Findings = append(out.Findings, r.jsonFinding(f, r.prints[i]))
	}
	return encode(w, out)
}

func (s *jsonSummary) count(f *lint.Finding) {
	switch {
	case f.Suppressed != nil:
		s.Suppressed++
	case f.Severity == lint.Error:
		s.Errors++
	case f.Severity == lint.Warning:
		s.Warnings++
	default:
		s.Infos++
	}
}

func (r *Result) jsonFinding(f *lint.Finding, print string) jsonFinding {
	out := jsonFinding{
		Rule: f.Rule, Name: name(f.Rule), Severity: f.Severity, jsonPlace: jsonPlace(r.place(f)), Route: f.Route,
		Message: f.Message, Suggestion: f.Suggestion, Fingerprint: print, Page: pageURL(f.Rule),
	}
	for _, related := range f.Related {
		out.Related = append(out.Related, jsonRelated{jsonPlace(r.at(related.Pos, policies.Position{})), related.Message})
	}
	for _, q := range f.Counterexample {
		if q.Method == "" {
			q.Method = "GET"
		}
		out.Counterexample = append(out.Counterexample, jsonRequest{q.Method, q.URL, q.Header, q.Note, Curl(q)})
	}
	for _, e := range f.Edits {
		out.Edits = append(out.Edits, jsonEdit{slashed(e.File), e.Start, e.End, e.New})
	}
	if s := f.Suppressed; s != nil {
		out.Suppressed = &jsonSuppression{s.Kind, s.Reason, slashed(s.Pos.File), s.Pos.Line}
	}
	return out
}

// encode writes JSON for people and programs, < and & as they are.
func encode(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// pageURL is where a rule's page can be read; "" if there is no such rule.
func pageURL(id string) string {
	if _, ok := lint.Find(id); !ok {
		return ""
	}
	return "https://github.com/cacheward/cacheward/blob/main/policies/lint/rules/" + id + ".md"
}
