package lint

import (
	"slices"

	"github.com/cacheward/cacheward/policies"
)

// Unit is what is judged as a whole: a policy file, or a Caddy configuration with all
// the policies in it.
type Unit struct {
	// Name is the file that was asked for, or <stdin>.
	Name string
	// Files are the contents of all files that positions name.
	Files map[string][]byte
	// Scopes are the policies, one for each cacheward handler; one for a policy file.
	Scopes []Scope
	// Site is the Caddy configuration around them. Nil for a policy by itself.
	Site *Site
	// Faults are what could not be read: they become findings of the rule CW001.
	Faults policies.Diagnostics

	// left are the rules that the last Run left out.
	left map[string]bool
	// sites are the scopes that have the route at a place; see servedElsewhere.
	sites map[policies.Position][]*Scope
	// sources are the Files that were needed by lines.
	sources map[string]*Source
}

// source is a file by its lines.
func (u *Unit) source(file string) *Source {
	if u.sources == nil {
		u.sources = make(map[string]*Source)
	}
	if u.sources[file] == nil {
		u.sources[file] = NewSource(u.Files[file])
	}
	return u.sources[file]
}

// servedElsewhere says whether a site that has the very same route serves its hosts.
func (u *Unit) servedElsewhere(r *policies.Route) bool {
	if u.sites == nil {
		u.sites = make(map[policies.Position][]*Scope)
		for i := range u.Scopes {
			for j := range u.Scopes[i].Policy.Routes {
				pos := u.Scopes[i].Policy.Routes[j].At("")
				u.sites[pos] = append(u.sites[pos], &u.Scopes[i])
			}
		}
	}
	return slices.ContainsFunc(u.sites[r.At("")], func(s *Scope) bool {
		return len(s.Hosts) == 0 || meetsAny(r.Match.Hosts, s.Hosts)
	})
}

// judgedBy says whether the last Run asked the rule about everything.
func (u *Unit) judgedBy(id string) bool { return !u.left[id] }

// Scope is one policy and where it is in force.
type Scope struct {
	Policy *policies.Policy
	// Compiled is the policy, ready to judge requests; nil if it is not valid.
	Compiled *policies.Compiled
	// Pos is where the cacheward directive stands. Not set for a policy file.
	Pos policies.Position
	// Hosts are those of the site around the directive; empty: any.
	Hosts []string
}

// Site is a Caddy configuration, as far as rules look at it.
type Site struct {
	// Admin is the address of the admin endpoint; "off" if there is none.
	Admin    string
	AdminPos policies.Position
	Servers  []Server
	// Named are the named routes of a Caddyfile.
	Named []NamedRoute
}

// NamedRoute is a named route of a Caddyfile: &(name) { … }.
type NamedRoute struct {
	Name string
	Pos  policies.Position
	// Directives are those that stand in its block, without what is in theirs.
	Directives []Directive
	// Kept is the module of the only handler that became of it; empty if all of them
	// are there.
	Kept string
}

// Directive is a word that begins a line, and where it stands.
type Directive struct {
	Name string
	Pos  policies.Position
}

// Server is an HTTP server.
type Server struct {
	Name   string
	Listen []string
	// Chains are the ways that a request can take: for each set of matchers, the
	// handlers in the order in which they run.
	Chains []Chain
}

// Chain is the handlers that a request for these hosts and paths goes through, in
// order, up to the one that answers.
type Chain struct {
	// Hosts and Paths are those of all matchers on the way; empty: any.
	Hosts, Paths []string
	// Other says that other matchers have a say in it.
	Other    bool
	Handlers []Handler
}

// Handler is one handler in a chain.
type Handler struct {
	// Module is the name of the Caddy module: reverse_proxy, encode, cacheward …
	Module string
	Pos    policies.Position
	// Scope is the index of the policy in Unit.Scopes, for cacheward; else -1.
	Scope int
	// When are the matchers that decide whether a request of this chain goes through
	// the handler, in words; empty: every request of the chain does. WhenPaths are the
	// paths that they name; empty: any.
	When      string
	WhenPaths []string
	// Detail is what rules may have to tell: the upstream of a reverse_proxy, or what a
	// rewrite does.
	Detail string
	// Changes are the fields that a headers handler changes.
	Changes []Change
}

// Change is a field that a headers handler sets, adds, deletes or replaces.
type Change struct {
	// Request says that it is a field of the request; else of the response.
	Request bool
	// Op is add, set, delete, replace or default.
	Op string
	// Field is the name of the field, as it is written, and Value what add and set write.
	Field, Value string
	// Deferred: at the time when the response is written, and so upon whatever the
	// handlers behind have put there.
	Deferred bool
}
