package lint

import (
	"fmt"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW308", Name: "strip-of-keyed-glob", Severity: Info,
		Summary: "A name is stripped that a glob beside it keys, or the other way round.",
		check:   stripOfKeyedGlob,
	})
}

// stripOfKeyedGlob leaves exact keys under a stripping glob alone, which is how one
// says "all but this".
func stripOfKeyedGlob(p *Pass) {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !caches(r) {
			continue
		}
		stripUnderKey(p, r, "params", "parameter", r.Params)
		stripUnderKey(p, r, "cookies", "cookie", r.Cookies)
	}
}

func stripUnderKey(p *Pass, r *policies.Route, field, what string, in *policies.Inputs) {
	if in == nil {
		return
	}
	for k, glob := range in.Key[:min(len(in.Key), maxGlobNames)] {
		if !strings.Contains(glob, "*") {
			continue
		}
		for s, name := range in.Strip[:min(len(in.Strip), maxGlobNames)] {
			if strings.HasPrefix(name, "@") || !globMatch(glob, name) {
				continue
			}
			f := Finding{
				Pos: r.At(item(field+".strip", s)), Route: r.Name,
				Message: fmt.Sprintf("the %s `%s` is stripped, although the glob `%s` keys what is named like it: a visitor who has it is shown the page of one who has not",
					what, name, glob),
				Suggestion: "nothing, if that is meant; else take it out of strip",
				Related:    []Related{{r.At(item(field+".key", k)), "the glob that keys"}},
			}
			if strings.Contains(name, "*") {
				// Among globs the stricter verb has the name.
				f.Severity = Warning
				f.Message = fmt.Sprintf("stripping `%s` has no effect: the glob `%s` keys all of these, and among globs the stricter verb wins", name, glob)
				f.Suggestion = "make the keyed glob narrower, or strip the names one by one: exact names win over globs"
			}
			p.Report(f)
			break
		}
	}
}

// maxGlobNames bounds how many names of one list are compared with those of another.
const maxGlobNames = 50
