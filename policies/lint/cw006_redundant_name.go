package lint

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW006", Name: "redundant-name", Severity: Info,
		Summary: "A name is in a list twice, or a glob or list beside it has it already.",
		check:   redundantNames,
	})
}

// redundantNames needs a valid policy: a name with two verbs, or twice with one, is told
// by the policy's own checks.
func redundantNames(p *Pass) {
	if p.Compiled == nil {
		return
	}
	l := listPass{p}
	l.identity("", p.Policy.Identity, p.Policy.At)
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		l.twice(r.Name, "host", "match.hosts", r.Match.Hosts, r.At)
		l.twice(r.Name, "path", "match.paths", r.Match.Paths, r.At)
		l.twice(r.Name, "method", "match.methods", r.Match.Methods, r.At)
		l.inputs(r, "parameter", "params", r.Params)
		l.inputs(r, "cookie", "cookies", r.Cookies)
		l.identity(r.Name, r.Identity, r.At)
	}
}

// listPass looks at the lists of one policy.
type listPass struct{ *Pass }

type place func(field string) policies.Position

// twice reports names that a list has twice, letter by letter.
func (l *listPass) twice(route, what, field string, names []string, at place) {
	if len(names) < 2 {
		return
	}
	first := make(map[string]int, len(names))
	for i, name := range names {
		if j, ok := first[name]; ok {
			l.redundant(route, at(item(field, i)), name, fmt.Sprintf("%s %q is in this list twice", what, name), at(item(field, j)))
			continue
		}
		first[name] = i
	}
}

func item(field string, i int) string { return field + "." + strconv.Itoa(i) }

func (l *listPass) identity(route string, id *policies.Identity, at place) {
	if id == nil {
		return
	}
	l.twice(route, "header", "identity.headers", id.Headers, at)
	l.twice(route, "cookie", "identity.cookies", id.Cookies, at)
	l.covered(route, "cookie", "identity.cookies", verbLists{policies.Bypass: newNameList(id.Cookies, "cookie")}, policies.Bypass, at)
}

// inputs looks at each verb's names beside those of the others: a name goes only if
// every request is treated as before. Exact names of parameters that are not stripped
// stay: spellings that apps may take for them are told apart by them.
func (l *listPass) inputs(r *policies.Route, what, field string, in *policies.Inputs) {
	if in == nil {
		return
	}
	all := verbLists{
		policies.Key: newNameList(in.Key, what), policies.Strip: newNameList(in.Strip, what),
		policies.Bypass: newNameList(in.Bypass, what), policies.Deny: newNameList(in.Deny, what),
	}
	for _, verb := range []policies.Verb{policies.Key, policies.Strip, policies.Bypass, policies.Deny} {
		if what == "parameter" && verb != policies.Strip {
			continue
		}
		l.covered(r.Name, what, field+"."+string(verb), all, verb, r.At)
	}
	l.twice(r.Name, what, field+".plain", in.Plain, r.At)
}

// covered reports names of one verb that a glob or list of the same verb has.
func (l *listPass) covered(route, what, field string, all verbLists, verb policies.Verb, at place) {
	own := all[verb]
	if len(own.names)*(1+len(own.globs)) > 1_000_000 {
		return // nobody wrote that by hand
	}
	for i, name := range own.names {
		if by := all.covering(verb, name); by != "" {
			l.redundant(route, at(item(field, i)), name, fmt.Sprintf("%s %q changes nothing here: %q beside it has it already", what, name, by), policies.Position{})
		}
	}
}

func (l *listPass) redundant(route string, pos policies.Position, name, message string, first policies.Position) {
	f := Finding{Pos: pos, Route: route, Message: message, Suggestion: "leave it out, or give it the verb that it was to have"}
	if strings.HasSuffix(message, "twice") {
		f.Suggestion = "leave one out"
		f.Related = []Related{{Pos: first, Message: "it is first here"}}
	}
	f.Edits = l.Unit.removeItem(pos, name)
	l.Report(f)
}
