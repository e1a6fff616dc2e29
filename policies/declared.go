package policies

import "strings"

// DeclaredInput is an input that a route names.
type DeclaredInput struct {
	Kind InputKind
	Name string
	Verb Verb
}

// DeclaredInputs are the inputs that the route keys, varies on or strips by their exact
// names: those in which visitors may differ and still share the route's pages, or not.
func (r *Route) DeclaredInputs() []DeclaredInput {
	var all []DeclaredInput
	add := func(kind InputKind, verb Verb, names []string) {
		for _, name := range names {
			if !strings.ContainsAny(name, "*@") {
				all = append(all, DeclaredInput{kind, name, verb})
			}
		}
	}
	if in := r.Params; in != nil {
		add(InputParam, Key, in.Key)
		add(InputParam, Strip, in.Strip)
	}
	if a := r.Attribution; a != nil {
		add(InputParam, Strip, a.Params)
	}
	if in := r.Cookies; in != nil {
		add(InputCookie, Key, in.Key)
		add(InputCookie, Strip, in.Strip)
	}
	if in := r.Headers; in != nil {
		for _, k := range in.Key {
			add(InputHeader, Key, []string{k.Name})
		}
		add(InputHeader, Vary, in.Vary)
		add(InputHeader, Strip, in.Strip)
	}
	return all
}
