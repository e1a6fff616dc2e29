package report

import (
	"io"
	"net/url"
	"path"
	"strings"

	"github.com/cacheward/cacheward/policies"
	"github.com/cacheward/cacheward/policies/lint"
)

// The parts of SARIF 2.1.0 (OASIS, 27 March 2020) that are written. Columns count code
// points, as [policies.Position] does.

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool        sarifTool         `json:"tool"`
	Invocations []sarifInvocation `json:"invocations"`
	ColumnKind  string            `json:"columnKind"`
	Artifacts   []sarifArtifact   `json:"artifacts,omitempty"`
	Results     []sarifResult     `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	Version        string      `json:"version,omitempty"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID               string             `json:"id"`
	Name             string             `json:"name"`
	ShortDescription sarifMessage       `json:"shortDescription"`
	FullDescription  sarifMessage       `json:"fullDescription"`
	Help             sarifMessage       `json:"help"`
	HelpURI          string             `json:"helpUri"`
	Configuration    sarifConfiguration `json:"defaultConfiguration"`
	Properties       sarifProperties    `json:"properties"`
}

type sarifConfiguration struct {
	Level string `json:"level"`
}

type sarifProperties struct {
	Tags             []string `json:"tags"`
	Precision        string   `json:"precision"`
	SecuritySeverity string   `json:"security-severity,omitempty"`
}

type sarifMessage struct {
	Text     string `json:"text"`
	Markdown string `json:"markdown,omitempty"`
}

type sarifInvocation struct {
	ExecutionSuccessful bool                `json:"executionSuccessful"`
	Notifications       []sarifNotification `json:"toolExecutionNotifications,omitempty"`
}

type sarifNotification struct {
	Level     string          `json:"level"`
	Message   sarifMessage    `json:"message"`
	Locations []sarifLocation `json:"locations"`
}

type sarifArtifact struct {
	Location sarifURI `json:"location"`
}

type sarifURI struct {
	URI string `json:"uri"`
}

type sarifResult struct {
	RuleID       string             `json:"ruleId"`
	RuleIndex    int                `json:"ruleIndex"`
	Level        string             `json:"level"`
	Message      sarifMessage       `json:"message"`
	Locations    []sarifLocation    `json:"locations"`
	Related      []sarifLocation    `json:"relatedLocations,omitempty"`
	Fingerprints map[string]string  `json:"partialFingerprints"`
	Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	Fixes        []sarifFix         `json:"fixes,omitempty"`
}

type sarifLocation struct {
	ID       int            `json:"id,omitempty"`
	Physical sarifPhysical  `json:"physicalLocation"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	Message  *sarifMessage  `json:"message,omitempty"`
}

type sarifPhysical struct {
	Artifact sarifURI     `json:"artifactLocation"`
	Region   *sarifRegion `json:"region,omitempty"`
}

type sarifLogical struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

type sarifRegion struct {
	StartLine   int           `json:"startLine"`
	StartColumn int           `json:"startColumn,omitempty"`
	EndLine     int           `json:"endLine,omitempty"`
	EndColumn   int           `json:"endColumn,omitempty"`
	Snippet     *sarifMessage `json:"snippet,omitempty"`
}

type sarifSuppression struct {
	Kind          string         `json:"kind"`
	Status        string         `json:"status"`
	Justification string         `json:"justification"`
	Location      *sarifLocation `json:"location,omitempty"`
}

type sarifFix struct {
	Description sarifMessage  `json:"description"`
	Changes     []sarifChange `json:"artifactChanges"`
}

type sarifChange struct {
	Artifact     sarifURI           `json:"artifactLocation"`
	Replacements []sarifReplacement `json:"replacements"`
}

type sarifReplacement struct {
	Deleted  sarifRegion   `json:"deletedRegion"`
	Inserted *sarifMessage `json:"insertedContent,omitempty"`
}

var sarifLevel = map[lint.Severity]string{lint.Error: "error", lint.Warning: "warning", lint.Info: "note"}

// weaknesses are what the families of rules are about, by the numbers of MITRE's list:
// a cache that holds what is one visitor's (524), a browser's cache that does (525),
// trusting what others could have put in (349), two readings of one request (436), use
// after expiry (672), a protection that is not in the way (693).
var weaknesses = map[string][]string{
	"attribution": {"CWE-524", "CWE-349"},
	"state":       {"CWE-524"},
	"key":         {"CWE-524", "CWE-349"},
	"routing":     {"CWE-524", "CWE-436"},
	"freshness":   {"CWE-672"},
	"downstream":  {"CWE-525", "CWE-524"},
	"caddy":       {"CWE-693"},
}

// securitySeverity is how GitHub sorts alerts: 7.0 and above is high, 4.0 medium.
var securitySeverity = map[lint.Severity]string{lint.Error: "7.5", lint.Warning: "5.0", lint.Info: "2.0"}

func writeSARIF(w io.Writer, r *Result) error {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{
			Name: "cacheward", Version: r.Version, InformationURI: "https://github.com/cacheward/cacheward", Rules: []sarifRule{},
		}},
		Invocations: []sarifInvocation{{ExecutionSuccessful: len(r.Unreadable) == 0}},
		ColumnKind:  "unicodeCodePoints",
		Results:     []sarifResult{},
	}
	for _, u := range r.Unreadable {
		run.Invocations[0].Notifications = append(run.Invocations[0].Notifications, sarifNotification{
			Level: "error", Message: sarifMessage{Text: "cannot be read: " + u.Message},
			Locations: []sarifLocation{{Physical: sarifPhysical{Artifact: uri(u.File)}}},
		})
	}
	for _, file := range r.Judged {
		run.Artifacts = append(run.Artifacts, sarifArtifact{uri(file)})
	}
	rules := make(map[string]int)
	for i := range r.Findings {
		f := &r.Findings[i]
		if _, ok := rules[f.Rule]; !ok {
			rules[f.Rule] = len(run.Tool.Driver.Rules)
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, newSARIFRule(f))
		}
		result := r.sarifResult(f, r.prints[i])
		result.RuleIndex = rules[f.Rule]
		run.Results = append(run.Results, result)
	}
	return encode(w, sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0", Runs: []sarifRun{run},
	})
}

// newSARIFRule describes the rule of a finding, with its page as the help.
func newSARIFRule(f *lint.Finding) sarifRule {
	rule, ok := lint.Find(f.Rule)
	if !ok {
		rule = lint.Rule{ID: f.Rule, Name: f.Rule, Severity: f.Severity, Summary: f.Rule + "."}
	}
	out := sarifRule{
		ID: rule.ID, Name: rule.Name, HelpURI: pageURL("CW001"),
		ShortDescription: sarifMessage{Text: rule.Summary},
		FullDescription:  sarifMessage{Text: rule.Summary},
		Help:             sarifMessage{Text: PlainPage(rule), Markdown: rule.Page()},
		Configuration:    sarifConfiguration{sarifLevel[rule.Severity]},
		Properties:       sarifProperties{Tags: []string{rule.Family()}, Precision: "high"},
	}
	if ok {
		out.HelpURI = pageURL(rule.ID)
	}
	if out.Help.Text == "" {
		out.Help = sarifMessage{Text: rule.Summary}
	}
	if cwes := weaknesses[rule.Family()]; len(cwes) > 0 {
		out.Properties.Tags = append(out.Properties.Tags, "security")
		for _, cwe := range cwes { // as GitHub reads them
			out.Properties.Tags = append(out.Properties.Tags, cwe, "external/cwe/"+strings.ToLower(cwe))
		}
		out.Properties.SecuritySeverity = securitySeverity[rule.Severity]
	}
	return out
}

func (r *Result) sarifResult(f *lint.Finding, print string) sarifResult {
	out := sarifResult{
		RuleID: f.Rule, Level: sarifLevel[f.Severity], Message: sarifMessage{Text: details(f)},
		Locations:    []sarifLocation{r.sarifLocation(f.Pos, f.End)},
		Fingerprints: map[string]string{"cacheward/v1": print},
	}
	if f.Route != "" {
		out.Locations[0].Logical = []sarifLogical{{f.Route, "route"}}
	}
	for i, related := range f.Related {
		l := r.sarifLocation(related.Pos, policies.Position{})
		l.ID, l.Message = i+1, &sarifMessage{Text: related.Message}
		out.Related = append(out.Related, l)
	}
	if s := f.Suppressed; s != nil {
		suppression := sarifSuppression{Kind: "external", Status: "accepted", Justification: s.Reason}
		if s.Kind == lint.Inline {
			suppression.Kind = "inSource"
			l := r.sarifLocation(s.Pos, policies.Position{})
			suppression.Location = &l
		}
		out.Suppressions = []sarifSuppression{suppression}
	}
	if len(f.Edits) > 0 {
		out.Fixes = []sarifFix{r.sarifFix(f)}
	}
	return out
}

func (r *Result) sarifLocation(pos, end policies.Position) sarifLocation {
	l := sarifLocation{Physical: sarifPhysical{Artifact: uri(pos.File)}}
	at := r.at(pos, end)
	if at.Line < 1 {
		return l
	}
	l.Physical.Region = &sarifRegion{StartLine: at.Line, StartColumn: at.Column, EndColumn: at.EndColumn}
	s := r.source(pos.File)
	if start, stop := s.Range(pos, end); at.Column > 0 && stop > start {
		l.Physical.Region.Snippet = &sarifMessage{Text: s.Text(start, stop)}
	}
	return l
}

func (r *Result) sarifFix(f *lint.Finding) sarifFix {
	fix := sarifFix{Description: sarifMessage{Text: f.Suggestion}}
	if fix.Description.Text == "" {
		fix.Description.Text = "make it right"
	}
	for _, e := range f.Edits {
		s := r.source(e.File)
		from, to := s.Position(e.File, e.Start), s.Position(e.File, e.End)
		replacement := sarifReplacement{Deleted: sarifRegion{
			StartLine: from.Line, StartColumn: from.Column, EndLine: to.Line, EndColumn: to.Column,
		}}
		if e.New != "" {
			replacement.Inserted = &sarifMessage{Text: e.New}
		}
		fix.Changes = append(fix.Changes, sarifChange{uri(e.File), []sarifReplacement{replacement}})
	}
	return fix
}

// uri is a file as a relative reference, or as a file URI if its path is absolute.
func uri(file string) sarifURI {
	file = slashed(file)
	u := url.URL{Path: path.Clean(file)}
	if path.IsAbs(u.Path) {
		u.Scheme = "file"
		return sarifURI{u.String()}
	}
	return sarifURI{u.String()}
}
