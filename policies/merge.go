package policies

import (
	"fmt"
	"slices"
	"strconv"
)

// Merge makes one policy of two, a policy file and the routes beside it, say:
// the routes of the first, then those of the second, and the identity of both.
// A setting that both have must be the same in both, and no route's name may occur
// twice; the error is [Diagnostics] and names both places. Neither policy is
// changed; the result shares the parts of their routes. Nil is an empty policy.
func Merge(first, second *Policy) (*Policy, error) {
	if first == nil {
		first = new(Policy)
	}
	if second == nil {
		second = new(Policy)
	}
	m := merger{first: first, second: second}
	merged := &Policy{
		Version:    mergeScalar(&m, "version", first.Version, second.Version),
		Mode:       mergeScalar(&m, "mode", first.Mode, second.Mode),
		Default:    mergeScalar(&m, "default", first.Default, second.Default),
		Ambiguous:  mergeScalar(&m, "ambiguous", first.Ambiguous, second.Ambiguous),
		OnLeak:     mergeScalar(&m, "on_leak", first.OnLeak, second.OnLeak),
		Identity:   m.identity(),
		Downstream: m.cdn(),
		Routes:     m.routes(),
	}
	merged.source = slices.Concat(m.united, first.source, second.source)
	if len(m.diags) > 0 {
		return nil, m.diags.sorted()
	}
	return merged, nil
}

type merger struct {
	first, second *Policy
	united        positions // of what comes from the second into a list of the first
	diags         Diagnostics
}

func mergeScalar[T comparable](m *merger, path string, a, b T) T {
	var unset T
	if a == unset {
		return b
	}
	if b != unset && a != b {
		m.diags = append(m.diags, Diagnostic{
			Pos:     m.second.source.at(path),
			Path:    path,
			Message: fmt.Sprintf("%v contradicts %v%s", b, a, place(m.first.source.at(path))),
			Fix:     "say it once",
		})
	}
	return a
}

// place says where, if that is known.
func place(pos Position) string {
	if pos == (Position{}) {
		return ""
	}
	return " at " + pos.String()
}

func (m *merger) identity() *Identity {
	a, b := m.first.Identity, m.second.Identity
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	return &Identity{
		Cookies: m.union("identity.cookies", a.Cookies, b.Cookies),
		Headers: m.union("identity.headers", a.Headers, b.Headers),
	}
}

// cdn is one: who names it twice must name the same.
func (m *merger) cdn() *CDN {
	a, b := m.first.Downstream, m.second.Downstream
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	return &CDN{
		Profile:   mergeScalar(m, "downstream.profile", a.Profile, b.Profile),
		TagHeader: mergeScalar(m, "downstream.tag_header", a.TagHeader, b.TagHeader),
	}
}

func (m *merger) union(path string, a, b []string) []string {
	out := slices.Clone(a)
	for i, name := range b {
		if slices.Contains(out, name) {
			continue
		}
		pos := m.second.source.at(join(path, strconv.Itoa(i)))
		m.united = append(m.united, placed{join(path, strconv.Itoa(len(out))), pos})
		out = append(out, name)
	}
	return out
}

func (m *merger) routes() []Route {
	out := slices.Concat(m.first.Routes, m.second.Routes)
	places := make(map[string]Position, len(m.first.Routes))
	for i := range m.first.Routes {
		places[m.first.Routes[i].Name] = m.first.Routes[i].source.at("name")
	}
	for i := range m.second.Routes {
		r := &m.second.Routes[i]
		if pos, ok := places[r.Name]; ok && r.Name != "" {
			m.diags = append(m.diags, Diagnostic{
				Pos:     r.source.at("name"),
				Path:    join("routes", r.Name),
				Message: fmt.Sprintf("route %q is defined twice, first%s", r.Name, place(pos)),
				Fix:     "rename one of them",
			})
		}
	}
	return out
}
