package explain

import (
	"maps"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// maxInputs is how many inputs of a kind are told.
const maxInputs = 200

// malformed is the disposition of what is no cookie.
const malformed = "malformed"

// explainInputs lists what the request has, and what decides about each.
func (e *Explanation) explainInputs() {
	e.params()
	e.cookies()
	e.headers()
	address := Input{Kind: string(policies.InputAddress), Value: e.from.Address, Disposition: string(policies.Strip), By: policies.ByDefault}
	if e.route != nil && e.route.Address != nil {
		address.By, address.At = "address", at(e.route.At("address"))
	}
	if e.rule.ForwardAddress {
		address.Disposition = string(policies.Forward)
	}
	e.Inputs = append(e.Inputs, address)
}

func (e *Explanation) params() {
	if e.req.RawQuery == "" {
		return
	}
	for i, pair := range strings.Split(e.req.RawQuery, "&") {
		if i == maxInputs {
			return
		}
		name, value, _ := strings.Cut(pair, "=")
		e.Inputs = append(e.Inputs, e.input(policies.InputParam, name, value))
	}
}

// cookies reads the pairs as the engine does, one at a time, so that what it calls
// malformed is malformed here.
func (e *Explanation) cookies() {
	n := 0
	for _, line := range e.req.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			pair = strings.Trim(pair, " \t")
			if pair == "" {
				continue
			}
			if n++; n > maxInputs {
				return
			}
			name, value, _ := strings.Cut(pair, "=")
			if !policies.IsCookie(pair) {
				e.Inputs = append(e.Inputs, Input{
					Kind: string(policies.InputCookie), Name: name, Value: value,
					Disposition: malformed, Reason: policies.ReasonCookieMalformed.String(),
				})
				continue
			}
			e.Inputs = append(e.Inputs, e.input(policies.InputCookie, name, value))
		}
	}
}

func (e *Explanation) headers() {
	for i, name := range slices.Sorted(maps.Keys(e.req.Header)) {
		if i == maxInputs {
			return
		}
		if name == "Cookie" {
			continue // one by one, above
		}
		value := strings.Join(e.req.Header[name], ", ")
		in := e.input(policies.InputHeader, name, value)
		if in.Disposition == string(policies.Key) {
			keyed, ok := e.rule.Keyed(name, value)
			if in.KeyedNothing = !ok; ok && keyed != value {
				in.Keyed = keyed
			}
		}
		e.Inputs = append(e.Inputs, in)
	}
}

func (e *Explanation) input(kind policies.InputKind, name, value string) Input {
	d := e.policy.Decide(e.route, kind, name)
	in := Input{Kind: string(kind), Name: name, Value: value, Disposition: string(d.Verb), By: d.By, At: at(d.Pos)}
	if d.Reason != policies.ReasonNone {
		in.Reason = d.Reason.String()
	}
	return in
}
