package reading

import (
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
)

// Filter says which records matter. The zero value lets all through. It is safe for
// concurrent use as long as nobody changes it.
type Filter struct {
	// Since and Until bound the time: Since is let through, Until is not any more.
	// Zero: no bound.
	Since, Until time.Time
	// Routes, if any, are the names of the routes that are let through.
	Routes []string
	// Edges, if any, are the names of the edges that are let through.
	Edges []string

	where *condition
}

// CompileFilter compiles an expression in CEL over the fields of SCHEMA.md, such as
//
//	event == "refuse" && status >= 500 && "set-cookie" in reasons
//
// A field that a record leaves out has its zero value. ts is the time, a timestamp;
// from, until and attribution.landed are too. What is in divergence is written divergence.class, what is in
// evidence evidence.kind, what is in attribution attribution.carried, and findings is a
// list of maps.
// The empty expression lets all through. A record of which the expression makes no
// sense, such as reasons[0] of none, is not let through. Errors are one line and name
// the column.
func CompileFilter(expr string) (*Filter, error) {
	where, err := compile(expr)
	if err != nil {
		return nil, err
	}
	return &Filter{where: where}, nil
}

// Match reports whether the filter lets the record through.
func (f *Filter) Match(e *Entry) bool {
	if !f.inWindow(e) {
		return false
	}
	if len(f.Edges) > 0 && !slices.Contains(f.Edges, e.Edge) {
		return false
	}
	if len(f.Routes) > 0 && !f.ofRoute(e) {
		return false
	}
	return f.where == nil || f.where.match(e)
}

// ofRoute says whether the record is of one of the routes. A leak may be of several.
func (f *Filter) ofRoute(e *Entry) bool {
	if e.Event != audit.EventLeak && e.Event != audit.EventClear {
		return slices.Contains(f.Routes, e.Route)
	}
	for route := range strings.SplitSeq(e.Route, ", ") {
		if slices.Contains(f.Routes, route) {
			return true
		}
	}
	return false
}

func (f *Filter) inWindow(e *Entry) bool {
	return (f.Since.IsZero() || !e.Time.Before(f.Since)) && (f.Until.IsZero() || e.Time.Before(f.Until))
}
