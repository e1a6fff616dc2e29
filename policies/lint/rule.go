// Package lint finds mistakes in policies before visitors do. Each rule is a file of its
// own, with its page in rules/ and its examples in testdata/. It judges what it is given
// and reads nothing itself: loaders make a Unit of files.
package lint

import (
	"embed"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// Rule is a kind of mistake.
type Rule struct {
	// ID is stable and never used again: CW101. The hundreds are the family.
	ID string
	// Name is kebab-case, and as good as the ID everywhere.
	Name string
	// Severity unless the configuration says otherwise.
	Severity Severity
	// Summary says in a sentence what is wrong.
	Summary string
	// check looks at one policy; site at the configuration as a whole. Either may be
	// nil; both are for what the engine itself reports.
	check func(*Pass)
	site  func(*SitePass)
}

// Family is the rule's family, by its number.
func (r Rule) Family() string {
	return map[byte]string{
		'0': "general", '1': "attribution", '2': "state", '3': "key", '4': "routing",
		'5': "freshness", '6': "downstream", '7': "caddy",
	}[r.ID[2]]
}

//go:embed rules
var pages embed.FS

// Page is the rule's page, in Markdown: the danger, an example that triggers it, one
// that does not, and what to do.
func (r Rule) Page() string {
	page, err := pages.ReadFile("rules/" + r.ID + ".md")
	if err != nil {
		return ""
	}
	return string(page)
}

var rules []Rule

// register adds a rule. It is called by the files of the rules, while the program
// starts.
func register(r Rule) {
	rules = append(rules, r)
	slices.SortFunc(rules, func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })
}

// Rules are all rules, by their ids.
func Rules() []Rule { return slices.Clone(rules) }

// Find returns the rule with that id or name.
func Find(idOrName string) (Rule, bool) {
	i := slices.IndexFunc(rules, func(r Rule) bool { return strings.EqualFold(r.ID, idOrName) || r.Name == idOrName })
	if i < 0 {
		return Rule{}, false
	}
	return rules[i], true
}

// Pass is one look of one rule at one policy.
type Pass struct {
	Unit  *Unit
	Scope *Scope
	// Policy and Compiled are the scope's. Compiled may be nil.
	Policy   *policies.Policy
	Compiled *policies.Compiled

	rule   Rule
	report func(Finding)
}

// Report reports a finding. Rule and Severity are entered if they are empty.
func (p *Pass) Report(f Finding) {
	if f.Rule == "" {
		f.Rule = p.rule.ID
	}
	if f.Severity == "" {
		f.Severity = p.rule.Severity
	}
	p.report(f)
}

// SitePass is one look of one rule at a Caddy configuration. Unit.Site is not nil.
type SitePass struct {
	Unit *Unit

	rule   Rule
	report func(Finding)
}

// Report reports a finding, as [Pass.Report] does.
func (p *SitePass) Report(f Finding) {
	(&Pass{rule: p.rule, report: p.report}).Report(f)
}

// Run judges a unit by the rules that enabled says true of; nil: all. Findings come in
// the order of files, lines and columns, then of rules. What cannot be read is a finding
// of CW001, and rules that need a valid policy are left out then.
func Run(u *Unit, enabled func(Rule) bool) []Finding {
	var found []Finding
	u.left = make(map[string]bool)
	for _, d := range u.Faults {
		found = append(found, Finding{
			Rule: "CW001", Severity: Error, Pos: d.Pos, Message: d.Message, Suggestion: d.Fix,
			Edits: u.repair(d),
		})
	}
	for _, rule := range rules {
		if enabled != nil && !enabled(rule) || rule.check == nil && rule.site != nil && u.Site == nil {
			u.left[rule.ID] = true
			continue
		}
		report := func(f Finding) { found = append(found, f) }
		if rule.check != nil {
			for i := range u.Scopes {
				s := &u.Scopes[i]
				rule.check(&Pass{Unit: u, Scope: s, Policy: s.Policy, Compiled: s.Compiled, rule: rule, report: report})
			}
		}
		if rule.site != nil && u.Site != nil {
			rule.site(&SitePass{Unit: u, rule: rule, report: report})
		}
	}
	slices.SortStableFunc(found, byPlace)
	return found
}

func byPlace(a, b Finding) int {
	if c := strings.Compare(a.Pos.File, b.Pos.File); c != 0 {
		return c
	}
	if a.Pos.Line != b.Pos.Line {
		return a.Pos.Line - b.Pos.Line
	}
	if a.Pos.Column != b.Pos.Column {
		return a.Pos.Column - b.Pos.Column
	}
	return strings.Compare(a.Rule, b.Rule)
}
