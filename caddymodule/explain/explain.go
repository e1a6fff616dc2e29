package explain

import (
	"cmp"
	"encoding/hex"
	"slices"
	"time"

	"github.com/cacheward/cacheward/policies"
)

// maxPassedOver is how many routes that do not match are told.
const maxPassedOver = 50

// Explain says what happens to a request under a policy. Compiled must have been made
// of policy. An error means that no server would accept the request.
func Explain(policy *policies.Policy, compiled *policies.Compiled, r Request) (*Explanation, error) {
	req, err := r.read()
	if err != nil {
		return nil, err
	}
	e := &Explanation{
		Schema: Schema, policy: policy, req: req, from: r,
		Request: Asked{Method: req.Method, URL: urlOf(req), Scheme: req.Scheme, Host: req.Host, Path: req.Path, Query: req.RawQuery},
	}
	// 1 route
	e.rule = compiled.Route(req)
	index := slices.Index(compiled.Rules(), e.rule)
	if index < len(policy.Routes) {
		e.route = &policy.Routes[index]
	}
	e.explainRoute(index)
	// 2 inspect
	inspected := e.rule.Inspect(req)
	e.Inspect = resultOf(inspected)
	// 3 dispose
	parts := new(policies.Parts)
	disposed := e.rule.Dispose(req, parts)
	parts.Server = r.Server
	e.Dispose = resultOf(disposed)
	e.explainInputs()
	e.Verdict = e.Dispose
	if inspected.Action != policies.ActCache {
		e.Verdict = e.Inspect
	}
	e.explainContract()
	e.Observed = e.rule.Mode == policies.Observe
	e.explainAttribution(compiled)
	if e.cache = e.Verdict.Action == ActionCache; !e.cache {
		return e, nil
	}
	// 4 key
	e.parts = parts
	e.explainKey()
	e.explainCanonical()
	e.explainAdmission()
	return e, nil
}

func urlOf(req *policies.Request) string {
	u := req.Scheme + "://" + req.Host + req.EscapedPath
	if req.RawQuery != "" || req.ForceQuery {
		u += "?" + req.RawQuery
	}
	return u
}

// explainRoute says which route governs and why not an earlier one.
func (e *Explanation) explainRoute(index int) {
	e.Route = Route{Name: e.rule.Name, Cache: cacheText(e.rule.Cache), Mode: string(e.rule.Mode)}
	if e.route != nil {
		e.Route.At = at(e.route.At(""))
	} else {
		e.Route.At = at(e.policy.At("default"))
		if e.policy.Default == "" {
			e.Route.At = ""
		}
	}
	if e.rule.Cache.Kind != policies.CacheNever {
		e.Route.OnLeak = string(policies.LeakWarn)
		if e.rule.TripOnLeak {
			e.Route.OnLeak = string(policies.LeakTrip)
		}
	}
	e.Route.PassedOverTotal = index
	if e.from.Brief {
		return
	}
	for i := range e.policy.Routes[:index] {
		earlier := &e.policy.Routes[i]
		e.Route.PassedOver = append(e.Route.PassedOver, PassedOver{
			Name: earlier.Name, At: at(earlier.At("")), Misses: earlier.Match.Misses(e.req),
		})
	}
	if over := e.Route.PassedOver; len(over) > maxPassedOver {
		slices.SortStableFunc(over, func(a, b PassedOver) int { return cmp.Compare(len(a.Misses), len(b.Misses)) })
		e.Route.PassedOver = over[:maxPassedOver]
	}
}

func cacheText(c policies.Cache) string {
	if c.Kind == policies.CacheTTL {
		return c.TTL.String()
	}
	return string(c.Kind)
}

func at(pos policies.Position) string {
	if pos.Line == 0 {
		return ""
	}
	return pos.String()
}

func (e *Explanation) explainKey() {
	p := e.parts
	digest := policies.Digest(p.AppendKey(nil))
	e.Key = &Key{
		Digest: hex.EncodeToString(digest[:]), Live: p.Server != "",
		Scheme: p.Scheme, Host: p.Host, Path: p.EscapedPath,
		Params: p.Params, Cookies: fields(p.Cookies), Headers: fields(p.Headers), Varying: fields(p.Varying),
	}
}

func fields(in []policies.Field) []Field {
	var out []Field
	for _, f := range in {
		out = append(out, Field(f))
	}
	return out
}

func (e *Explanation) explainContract() {
	c := &e.Contract
	c.Profile = e.rule.Profile.Name
	switch d := e.rule.Downstream; {
	case d == nil:
		c.Permits = PermitsNothing
	case e.rule.Relay:
		c.Permits = PermitsOrigin
	default:
		c.Permits, c.TTL, c.Browser = PermitsTTL, seconds(d.TTL), seconds(d.Browser)
	}
	if e.route != nil && e.route.Downstream != nil {
		c.At = at(e.route.At("downstream"))
	}
}

func seconds(d policies.Duration) int64 { return int64(time.Duration(d) / time.Second) }

func (e *Explanation) explainAdmission() {
	a := &Admission{Rule: policies.Once, Sentence: "The canonical request goes out first; if the gate passes the answer, the visitor gets it and it is stored. " +
		"If not, the visitor's own request goes out."}
	if e.rule.Corroborate {
		a.Rule = policies.Corroborated
		untouched := "untouched"
		if e.Attribution != nil {
			untouched = "without what the attribution takes, and otherwise untouched,"
		}
		a.Sentence = "The visitor's own request goes out " + untouched + " and is answered; the canonical one goes out beside it. " +
			"The canonical answer is stored only if both are identical and the gate passes them."
	}
	switch {
	case e.route == nil:
	case e.route.SetCookie != nil && e.route.SetCookie.Rule == policies.StripCookie:
		a.At = at(e.route.At("set_cookie"))
	case e.route.Admission != nil:
		a.At = at(e.route.At("admission"))
	}
	e.Admission = a
}
