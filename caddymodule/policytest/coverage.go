package policytest

import (
	"strconv"

	"github.com/cacheward/cacheward/caddymodule/explain"
	"github.com/cacheward/cacheward/policies"
)

// PolicyCoverage is what the tests of a policy exercise, and what they leave out.
type PolicyCoverage struct {
	Policy string `json:"policy"`
	// Routes and Inputs count what the policy declares, and how much of it tests reach:
	// a route that governs a request, an entry that decides about an input.
	Routes        int `json:"routes"`
	RoutesReached int `json:"routes_reached"`
	Inputs        int `json:"inputs"`
	InputsReached int `json:"inputs_reached"`
	// Missing is what no test reaches, in the order of the policy.
	Missing []Uncovered `json:"missing,omitempty"`
}

// Uncovered is a route, or the entry of one, that no test exercises.
type Uncovered struct {
	// At is where it was written. Empty if that is not known.
	At string `json:"at,omitempty"`
	// Route is empty for what the policy says for all routes.
	Route string `json:"route,omitempty"`
	// Input is the path of the entry: params.strip.0. Empty: the whole route.
	Input string `json:"input,omitempty"`
	// Name is what stands there: a name, a glob, a list, or a verb for all others.
	Name string `json:"name,omitempty"`
}

// coverage notes what requests reach.
type coverage struct {
	file    string
	policy  *policies.Policy
	routes  map[string]bool
	entries map[entryKey]bool
	// ownIdentity: the routes for which the policy's identity does not hold.
	ownIdentity map[string]bool
}

// entryKey is an entry of a route; without a route, of the policy.
type entryKey struct{ route, path string }

func (r *Runner) coverageOf(key, file string, policy *policies.Policy) *coverage {
	if r.covered == nil {
		r.covered = make(map[string]*coverage)
	}
	c := r.covered[key]
	if c == nil {
		c = &coverage{
			file: file, policy: policy,
			routes: make(map[string]bool), entries: make(map[entryKey]bool), ownIdentity: make(map[string]bool),
		}
		for i := range policy.Routes {
			if policy.Routes[i].Identity != nil {
				c.ownIdentity[policy.Routes[i].Name] = true
			}
		}
		r.covered[key] = c
		r.order = append(r.order, key)
	}
	return c
}

// note enters what a request reaches. The receiver may be nil.
func (c *coverage) note(e *explain.Explanation) {
	if c == nil {
		return
	}
	c.routes[e.Route.Name] = true
	for _, in := range e.Inputs {
		c.entries[entryKey{e.Route.Name, in.By}] = true
		if !c.ownIdentity[e.Route.Name] {
			c.entries[entryKey{"", in.By}] = true
		}
	}
}

// Covered tells what the tests that were run exercise, by policy.
func (r *Runner) Covered() []PolicyCoverage {
	var out []PolicyCoverage
	for _, key := range r.order {
		out = append(out, r.covered[key].result())
	}
	return out
}

func (c *coverage) result() PolicyCoverage {
	out := PolicyCoverage{Policy: c.file}
	for _, in := range identityInputs(c.policy.Identity) {
		out.input("", in, c.entries[entryKey{"", in.path}], c.policy.At(in.path))
	}
	for i := range c.policy.Routes {
		route := &c.policy.Routes[i]
		out.Routes++
		if !c.routes[route.Name] {
			// Its inputs are told once it is reached: one line says enough.
			out.Missing = append(out.Missing, Uncovered{At: place(route.At("")), Route: route.Name})
		} else {
			out.RoutesReached++
		}
		for _, in := range routeInputs(route) {
			reached := c.entries[entryKey{route.Name, in.path}]
			if !c.routes[route.Name] {
				out.Inputs++
				continue
			}
			out.input(route.Name, in, reached, route.At(in.path))
		}
	}
	return out
}

func (p *PolicyCoverage) input(route string, in declared, reached bool, pos policies.Position) {
	p.Inputs++
	if reached {
		p.InputsReached++
		return
	}
	p.Missing = append(p.Missing, Uncovered{At: place(pos), Route: route, Input: in.path, Name: in.name})
}

func place(pos policies.Position) string {
	if pos.Line == 0 {
		return ""
	}
	return pos.String()
}

// declared is an entry that gives inputs a disposition.
type declared struct {
	path string
	kind policies.InputKind
	// name is a name, a glob or a list; for others the verb.
	name   string
	others bool
}

// routeInputs are the entries of a route, in the order of the language.
func routeInputs(r *policies.Route) []declared {
	var out []declared
	names := func(kind policies.InputKind, path string, names []string) {
		for i, name := range names {
			out = append(out, declared{path: path + "." + strconv.Itoa(i), kind: kind, name: name})
		}
	}
	others := func(kind policies.InputKind, path string, verb policies.Verb) {
		if verb != "" {
			out = append(out, declared{path: path + ".others", kind: kind, name: string(verb), others: true})
		}
	}
	for _, in := range []struct {
		kind policies.InputKind
		path string
		*policies.Inputs
	}{{policies.InputParam, "params", r.Params}, {policies.InputCookie, "cookies", r.Cookies}} {
		if in.Inputs == nil {
			continue
		}
		names(in.kind, in.path+".key", in.Key)
		names(in.kind, in.path+".strip", in.Strip)
		names(in.kind, in.path+".bypass", in.Bypass)
		names(in.kind, in.path+".deny", in.Deny)
		others(in.kind, in.path, in.Others)
	}
	if a := r.Attribution; a != nil {
		names(policies.InputParam, "attribution.params", a.Params)
	}
	if h := r.Headers; h != nil {
		for i, key := range h.Key {
			out = append(out, declared{path: "headers.key." + strconv.Itoa(i), kind: policies.InputHeader, name: key.Name})
		}
		names(policies.InputHeader, "headers.strip", h.Strip)
		names(policies.InputHeader, "headers.bypass", h.Bypass)
		names(policies.InputHeader, "headers.deny", h.Deny)
		names(policies.InputHeader, "headers.vary", h.Vary)
		for i, f := range h.Forward {
			out = append(out, declared{path: "headers.forward." + strconv.Itoa(i), kind: policies.InputHeader, name: f.Name})
		}
		others(policies.InputHeader, "headers", h.Others)
	}
	return append(out, identityInputs(r.Identity)...)
}

func identityInputs(id *policies.Identity) []declared {
	if id == nil {
		return nil
	}
	var out []declared
	for i, name := range id.Cookies {
		out = append(out, declared{path: "identity.cookies." + strconv.Itoa(i), kind: policies.InputCookie, name: name})
	}
	for i, name := range id.Headers {
		out = append(out, declared{path: "identity.headers." + strconv.Itoa(i), kind: policies.InputHeader, name: name})
	}
	return out
}
