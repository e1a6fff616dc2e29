package policytest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/cacheward/cacheward/caddymodule/explain"
	"github.com/cacheward/cacheward/policies"
)

// checker holds one request of a test against what is expected.
type checker struct {
	run     *fileRun
	test    *Test
	request string
	asked   explain.Request
	out     []Mismatch
}

func (c *checker) differ(pos policies.Position, what, want, got, because string) {
	c.out = append(c.out, Mismatch{
		At: pos.String(), Request: visible(c.request), What: visible(what), Want: visible(want), Got: visible(got), Because: visible(because),
	})
}

// visible replaces what a terminal, or a CI system that reads the output, would obey.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && unicode.IsControl(r) {
			return '\uFFFD'
		}
		return r
	}, text)
}

// check compares, in the order in which a request is judged.
func (c *checker) check(e *explain.Explanation) {
	x := &c.test.Expect
	if x.Route != nil && x.Route.Value != e.Route.Name {
		c.differ(x.Route.Pos, "route", x.Route.Value, e.Route.Name, c.passedOver(e))
	}
	if x.Action != nil && x.Action.Value != e.Verdict.Action {
		c.differ(x.Action.Pos, "action", x.Action.Value, told(e.Verdict), sentences(e.Verdict.Reasons))
	}
	c.reasons("reasons", x.Reasons, e.Verdict.Reasons)
	c.inputs("params", policies.InputParam, x.Params, e)
	c.inputs("cookies", policies.InputCookie, x.Cookies, e)
	c.inputs("headers", policies.InputHeader, x.Headers, e)
	for _, name := range x.SameKeyAs {
		c.keys("same_key_as", name, e, true)
	}
	for _, name := range x.OtherKeyThan {
		c.keys("other_key_than", name, e, false)
	}
	c.canonical(x.Canonical, e)
	c.attribution(x.Attribution, e)
	c.delivers(x.Delivers, e)
	c.response(e)
}

// passedOver says why the expected route does not govern.
func (c *checker) passedOver(e *explain.Explanation) string {
	name := c.test.Expect.Route.Value
	for i := range c.run.policy.Routes {
		route := &c.run.policy.Routes[i]
		switch route.Name {
		case e.Route.Name: // the expected one, if there is one, comes later
			return fmt.Sprintf("%s: route %s comes first and matches", e.Route.At, e.Route.Name)
		case name:
			return fmt.Sprintf("%s: route %s does not match: its %s", route.At(""), name, strings.Join(c.misses(name), ", "))
		}
	}
	return ""
}

// misses are what does not fit of a route that the request passes over.
func (c *checker) misses(name string) []string {
	asked := c.asked
	asked.Brief = false
	e, err := explain.Explain(c.run.policy, c.run.compiled, asked)
	if err != nil {
		return nil
	}
	i := slices.IndexFunc(e.Route.PassedOver, func(over explain.PassedOver) bool { return over.Name == name })
	if i < 0 {
		return []string{"match"} // one of very many
	}
	return e.Route.PassedOver[i].Misses
}

// told is an action with its reasons.
func told(r explain.Result) string {
	if len(r.Reasons) == 0 {
		return r.Action
	}
	return r.Action + " (" + strings.Join(r.Codes(), ", ") + ")"
}

func sentences(reasons []explain.Reason) string {
	var out []string
	for _, r := range reasons {
		out = append(out, r.Code+": "+r.Sentence)
	}
	return strings.Join(out, "\n")
}

// reasons compares sets.
func (c *checker) reasons(what string, want *Words, got []explain.Reason) {
	if want == nil {
		return
	}
	var wanted, have []string
	for _, w := range want.Values {
		wanted = append(wanted, w.Value)
	}
	for _, r := range got {
		have = append(have, r.Code)
	}
	slices.Sort(wanted)
	slices.Sort(have)
	wanted, have = slices.Compact(wanted), slices.Compact(have)
	if slices.Equal(wanted, have) {
		return
	}
	var news []explain.Reason
	for _, r := range got {
		if !slices.Contains(wanted, r.Code) {
			news = append(news, r)
		}
	}
	c.differ(want.Pos, what, listed(wanted), listed(have), sentences(news))
}

func listed(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

// inputs compares dispositions. An input that the request does not have has none: that a
// parameter which is not there would be stripped proves nothing.
func (c *checker) inputs(what string, kind policies.InputKind, wanted []Pair, e *explain.Explanation) {
	for _, want := range wanted {
		found := false
		for _, in := range e.Inputs {
			if in.Kind != string(kind) || !sameName(kind, in.Name, want.Name.Value) {
				continue
			}
			found = true
			if in.Disposition != want.Value {
				c.differ(want.Name.Pos, what+"."+want.Name.Value, want.Value, in.Disposition, because(in))
				break
			}
		}
		if !found {
			c.differ(want.Name.Pos, what+"."+want.Name.Value, want.Value, "the request does not have it", "")
		}
	}
}

// sameName compares as the engine does: parameters as they are sent, which people may
// write decoded.
func sameName(kind policies.InputKind, sent, wanted string) bool {
	switch {
	case sent == wanted:
		return true
	case kind == policies.InputHeader:
		return strings.EqualFold(sent, wanted)
	case kind == policies.InputParam:
		decoded, err := url.QueryUnescape(sent)
		return err == nil && decoded == wanted
	}
	return false
}

// because says which entry decides about an input, and where it stands.
func because(in explain.Input) string {
	switch {
	case in.At != "":
		return in.At + ": " + in.By
	case in.By == policies.ByDefault:
		return "the policy says nothing of it: this is the default"
	case in.By == policies.ByBuiltin:
		return "a built-in list has it"
	}
	return in.By
}

// keys compares the request's key with those of the requests that a name stands for.
func (c *checker) keys(what string, name Text, e *explain.Explanation, same bool) {
	for _, r := range c.run.file.find(name.Value) {
		other, err := c.run.explain(r)
		if err != nil {
			c.differ(name.Pos, what, name.Value, err.Error(), "")
			continue
		}
		shares := explain.Compare(e, other)
		switch {
		case shares.Shared == same:
		case same:
			c.differ(name.Pos, what, "one object with "+name.Value, "never one object", sharing(shares.Why, shares.Apart))
		default:
			c.differ(name.Pos, what, "never one object with "+name.Value, "one object", sharing(shares.Why, shares.Lost))
		}
	}
}

// sharing says why two requests share or not, and which entries decide.
func sharing(why string, differences []explain.Difference) string {
	lines := []string{why}
	for _, d := range differences {
		if d.At != "" {
			lines = append(lines, fmt.Sprintf("%s: %s (%s: %s)", d.At, d.By, d, d.Disposition))
		}
	}
	return strings.Join(lines, "\n")
}

// canonical compares the request that a fill sends.
func (c *checker) canonical(want *Canonical, e *explain.Explanation) {
	if want == nil {
		return
	}
	if e.Canonical == nil {
		c.differ(c.test.Expect.Pos, "canonical", "a canonical request", "none: "+told(e.Verdict), sentences(e.Verdict.Reasons))
		return
	}
	if want.URL.Value != "" && want.URL.Value != e.Canonical.URL {
		c.differ(want.URL.Pos, "canonical.url", want.URL.Value, e.Canonical.URL, "")
	}
	c.fields("canonical.headers", want.Headers, e.Canonical.Header)
}

// fields compares header fields.
func (c *checker) fields(what string, wanted []Field, have []explain.Field) {
	for _, want := range wanted {
		var lines []string
		for _, f := range have {
			if strings.EqualFold(f.Name, want.Name.Value) {
				lines = append(lines, f.Value)
			}
		}
		got, told := strings.Join(lines, ", "), strings.Join(lines, ", ")
		if lines == nil {
			told = "not there"
		}
		at := what + "." + http.CanonicalHeaderKey(want.Name.Value)
		switch {
		case want.Absent && lines != nil:
			c.differ(want.Name.Pos, at, "not there", told, "")
		case !want.Absent && (lines == nil || got != want.Value):
			c.differ(want.Name.Pos, at, want.Value, told, "")
		}
	}
}
