package explain

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// Sharing says whether two requests are answered with one object.
type Sharing struct {
	// Shared says that they are, if the origin's answer is stored at all.
	Shared bool `json:"shared"`
	// SameKey says that their keys are equal. False unless both are for the cache.
	SameKey bool `json:"same_key"`
	// Why says in a sentence what it comes to.
	Why string `json:"why"`
	// Apart are the parts of the key that tell them apart.
	Apart []Difference `json:"apart,omitempty"`
	// Unless are headers that tell them apart if the origin's Vary names them.
	Unless []Difference `json:"unless,omitempty"`
	// Lost are the inputs in which they differ and which are not sent to the origin on a
	// fill: no shared page can depend on them. Empty unless Shared.
	Lost []Difference `json:"lost,omitempty"`
}

// Difference is an input in which two requests differ.
type Difference struct {
	// Kind is route, server, scheme, host, path, query, param, cookie or header.
	Kind   string `json:"kind"`
	Name   string `json:"name,omitempty"`
	First  string `json:"first"`
	Second string `json:"second"`
	// Disposition, By and At are as in [Input], of the request that has the input.
	Disposition string `json:"disposition,omitempty"`
	By          string `json:"by,omitempty"`
	At          string `json:"at,omitempty"`
}

func (d Difference) String() string { return strings.TrimSpace(d.Kind + " " + d.Name) }

// Compare says whether two requests share one object, and which input tells them apart
// if they do not. Both must have been explained under one policy.
func Compare(a, b *Explanation) Sharing {
	s := compare(a, b)
	if a.cache && b.cache && (a.Observed || b.Observed) {
		s.Why += " But a route only observes: nothing of this is in force."
	}
	return s
}

func compare(a, b *Explanation) Sharing {
	switch {
	case !a.cache && !b.cache:
		return Sharing{Why: "Neither is for the cache: each gets the origin's answer to their own request, or is refused."}
	case !a.cache:
		return Sharing{Why: "The first is not for the cache (" + strings.Join(a.Verdict.Codes(), ", ") + "): it shares with nobody."}
	case !b.cache:
		return Sharing{Why: "The second is not for the cache (" + strings.Join(b.Verdict.Codes(), ", ") + "): it shares with nobody."}
	}
	s := Sharing{SameKey: bytes.Equal(a.parts.AppendKey(nil), b.parts.AppendKey(nil))}
	if !s.SameKey {
		s.Apart = apart(a, b)
		names := make([]string, len(s.Apart))
		for i, d := range s.Apart {
			names[i] = d.String()
		}
		s.Why = "They have an object each: told apart by " + strings.Join(names, ", ") + "."
		return s
	}
	s.Unless = named("header", fieldsByName(a.parts.Varying), fieldsByName(b.parts.Varying))
	s.Shared, s.Lost = true, lost(a, b, s.Unless)
	s.Why = "One object serves both: what the origin makes of the canonical request."
	if len(s.Unless) > 0 {
		s.Why = "One object serves both, unless the origin's Vary names a header in which they differ."
		if r := a.varied(b, s.Unless); r {
			s.Shared, s.Lost = false, nil
			s.Why = "They have an object each: the response's Vary names a header in which they differ."
		}
	}
	return s
}

// varied says whether a response that was judged names one of the headers in its Vary.
func (e *Explanation) varied(other *Explanation, unless []Difference) bool {
	for _, x := range []*Explanation{e, other} {
		if x.fill == nil {
			continue
		}
		for _, line := range x.fill.head.Header["Vary"] {
			for name := range strings.SplitSeq(line, ",") {
				if slices.ContainsFunc(unless, func(d Difference) bool { return strings.EqualFold(d.Name, strings.TrimSpace(name)) }) {
					return true
				}
			}
		}
	}
	return false
}

// apart compares the parts of two keys.
func apart(a, b *Explanation) []Difference {
	var out []Difference
	p, q := a.parts, b.parts
	for _, part := range []struct{ kind, first, second string }{
		{"scheme", p.Scheme, q.Scheme}, {"host", p.Host, q.Host}, {"path", p.EscapedPath, q.EscapedPath}, {"server", p.Server, q.Server},
	} {
		if part.first != part.second {
			out = append(out, Difference{Kind: part.kind, First: part.first, Second: part.second})
		}
	}
	if p.Space != q.Space {
		out = append(out, Difference{Kind: "route", First: a.rule.Name, Second: b.rule.Name})
	}
	params := named("param", paramsByName(p.Params), paramsByName(q.Params))
	switch {
	case len(params) > 0:
		out = append(out, params...)
	case !slices.Equal(p.Params, q.Params):
		out = append(out, Difference{Kind: "query", Name: "order", First: strings.Join(p.Params, "&"), Second: strings.Join(q.Params, "&")})
	case p.EmptyQuery != q.EmptyQuery:
		out = append(out, Difference{Kind: "query", Name: "?", First: mark(p.EmptyQuery), Second: mark(q.EmptyQuery)})
	}
	out = append(out, named("cookie", fieldsByName(p.Cookies), fieldsByName(q.Cookies))...)
	out = append(out, named("header", fieldsByName(p.Headers), fieldsByName(q.Headers))...)
	for i := range out {
		out[i].declare(a, b)
	}
	return out
}

func mark(there bool) string {
	if there {
		return "?"
	}
	return ""
}

// declare notes what gives the input its disposition.
func (d *Difference) declare(a, b *Explanation) {
	for _, e := range []*Explanation{a, b} {
		for _, in := range e.Inputs {
			if in.Kind == d.Kind && in.Name == d.Name {
				d.Disposition, d.By, d.At = in.Disposition, in.By, in.At
				return
			}
		}
	}
}

// lost are the inputs in which two requests with one key differ.
func lost(a, b *Explanation, except []Difference) []Difference {
	var out []Difference
	for _, kind := range []policies.InputKind{policies.InputParam, policies.InputCookie, policies.InputHeader} {
		for _, d := range named(string(kind), a.inputsByName(kind), b.inputsByName(kind)) {
			if slices.ContainsFunc(except, func(x Difference) bool { return x.Kind == d.Kind && x.Name == d.Name }) {
				continue
			}
			d.declare(a, b)
			out = append(out, d)
		}
	}
	return out
}

func (e *Explanation) inputsByName(kind policies.InputKind) map[string]string {
	values := make(values)
	for _, in := range e.Inputs {
		if in.Kind == string(kind) {
			values.add(in.Name, in.Value)
		}
	}
	return values
}

// values are what was sent under a name, joined where there is more than one.
type values map[string]string

func (v values) add(name, value string) {
	if before, ok := v[name]; ok {
		value = before + ", " + value
	}
	v[name] = value
}

func paramsByName(pairs []string) map[string]string {
	byName := make(values)
	for _, pair := range pairs {
		name, value, assigned := strings.Cut(pair, "=")
		if assigned {
			value = "=" + value
		}
		byName.add(name, value)
	}
	return byName
}

func fieldsByName(fields []policies.Field) map[string]string {
	byName := make(values)
	for _, f := range fields {
		byName.add(f.Name, f.Value)
	}
	return byName
}

// named are the names under which two requests sent something else. A name that was not
// sent at all differs from one that was sent empty.
func named(kind string, a, b map[string]string) []Difference {
	names := slices.Collect(maps.Keys(a))
	for name := range b {
		if _, both := a[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out []Difference
	for _, name := range names {
		first, inFirst := a[name]
		second, inSecond := b[name]
		if inFirst != inSecond || first != second {
			out = append(out, differenceOf(kind, name, first, second))
		}
	}
	return out
}

// differenceOf leaves out the = of parameters, unless nothing else tells them apart.
func differenceOf(kind, name, first, second string) Difference {
	d := Difference{Kind: kind, Name: name, First: first, Second: second}
	if kind != string(policies.InputParam) {
		return d
	}
	plain := func(s string) string { return strings.ReplaceAll(strings.TrimPrefix(s, "="), ", =", ", ") }
	if a, b := plain(first), plain(second); a != b {
		d.First, d.Second = a, b
	}
	return d
}
