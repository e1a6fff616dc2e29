package explain

import (
	"fmt"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/gate/harmless"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/policies"
)

// Corroborate holds the answer to the visitor's own, untouched request against the
// response that was judged, as a corroborated route does before it shares. It is for
// after [Explanation.Judge], and does nothing on other routes.
func (e *Explanation) Corroborate(own Response) error {
	if e.fill == nil || !e.cache || !e.rule.Corroborate || !e.Response.Stored {
		return nil
	}
	if !gate.Comparable(e.req.Method, e.req.Header) || gate.RequestError(own.Status) {
		e.Response.Notes = append(e.Response.Notes, "The answer to the visitor's own request cannot be compared (it is part of one, conditional, or an error about the request): a second fill is, instead.")
		return nil
	}
	set, err := harmless.Compile(e.rule.Harmless)
	if err != nil {
		return fmt.Errorf("route %q: ignore: %w", e.rule.Name, err)
	}
	f, j := e.open(own), e.Response
	f.body = e.readBody(f.head.Header, own.Body)
	inputs := e.rule.Unkeyed(nil, e.req)
	if e.from.Address != "" {
		inputs = append(inputs, policies.Input{Kind: policies.InputAddress, Value: e.from.Address})
	}
	j.Compared = true
	d := gate.Compare(e.answer(f), e.answer(e.fill), gate.Context{
		Inputs: inputs, StandIns: standIns, Harmless: set,
	})
	reasons := gate.Check(f.head, e.rules(f, false))
	if d != nil {
		j.diverged(d)
		reasons = []policies.Reason{policies.ReasonDivergent}
		if d.Class == policies.ClassReflected {
			reasons = append(reasons, policies.ReasonReflectsInput)
		}
	}
	if reasons != nil {
		j.Stored, j.Reasons = false, reasonsOf(reasons)
		j.Lifetime, j.LifetimeBy, j.Hit, j.Validated = 0, "", nil, false
	}
	return nil
}

// standIns are what every fill says of the visitor.
var standIns = []policies.Input{
	{Kind: policies.InputAddress, Value: FillAddress},
	{Kind: policies.InputHeader, Name: "User-Agent", Value: policies.FillUserAgent},
}

func (e *Explanation) answer(f *fill) gate.Answer {
	return gate.Answer{Status: f.head.Status, Header: httpcache.StoredFields(f.head.Header, e.rule.Vouches), Body: f.body}
}

func (j *Judgement) diverged(d *gate.Divergence) {
	told := &Divergence{
		Class: string(d.Class), Part: d.Part, Field: policies.Told(d.Field), Near: policies.Told(d.Near),
		Input: d.Input, Shape: d.Shape, Offset: d.Offset, Places: max(1, d.Total),
	}
	told.Sentence = d.Class.Info().Sentence
	j.Divergence = told
}
