package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW305", Name: "others-keyed-long", Severity: Warning,
		Summary: "Every made-up parameter makes an object that stays for more than an hour.",
		check:   othersKeyedLong,
	})
}

// othersKeyedLong looks at durations only: what the origin calls shareable is keyed by
// its whole URL everywhere (RFC 9111 §2).
func othersKeyedLong(p *Pass) {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !isTimed(r) {
			continue
		}
		for _, in := range []struct {
			what, field, made string
			inputs            *policies.Inputs
		}{{"parameter", "params.others", "?a=1, ?a=2", r.Params}, {"cookie", "cookies.others", "the cookies a=1, a=2", r.Cookies}} {
			if in.inputs == nil || in.inputs.Others != policies.Key || longest(r) <= hour {
				continue
			}
			word := in.field[:len(in.field)-len("s.others")]
			p.Report(Finding{
				Pos: r.At(in.field), Route: r.Name,
				Message: fmt.Sprintf("every %s makes an object of its own, which stays for %s: whoever sends %s and so on fills the store, and pushes out what visitors ask for",
					in.what, longest(r), in.made),
				Suggestion: fmt.Sprintf("key the %ss by name that the page depends on, and write %s; or keep it for an hour at most",
					in.what, spelled(p, r, "others: bypass", word+" others bypass")),
			})
		}
	}
}
