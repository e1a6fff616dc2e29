package policytest

import (
	"slices"
	"strconv"

	"github.com/cacheward/cacheward/caddymodule/explain"
)

// attribution compares what is taken of a landing and carried. A route without an
// attribution takes nothing.
func (c *checker) attribution(want *Attribution, e *explain.Explanation) {
	if want == nil {
		return
	}
	have := e.Attribution
	if have == nil {
		have = &explain.Attribution{Sentence: "route " + e.Route.Name + " has no attribution"}
	}
	because := have.Sentence
	if have.At != "" {
		because = have.At + ": " + because
	}
	if got := strconv.FormatBool(have.Landing); want.Landing != nil && want.Landing.Value != got {
		c.differ(want.Landing.Pos, "attribution.landing", want.Landing.Value, got, because)
	}
	for _, pair := range want.Taken {
		i := slices.IndexFunc(have.Taken, func(f explain.Field) bool { return f.Name == pair.Name.Value })
		got := "not taken"
		if i >= 0 {
			got = have.Taken[i].Value
		}
		if i < 0 || got != pair.Value {
			c.differ(pair.Name.Pos, "attribution.taken."+pair.Name.Value, pair.Value, got, because)
		}
	}
	c.word(want.Referer, "attribution.referer", have.Referer, because)
	c.word(want.LeftOut, "attribution.left_out", have.LeftOut, because)
}

// delivers compares how the app is told who sent a visitor, if that visitor carries it.
func (c *checker) delivers(want *Text, e *explain.Explanation) {
	got, because := notDelivered, "no route of the policy delivers to this path"
	if d := e.Delivery; d != nil {
		got, because = d.As, d.At+": route "+d.Route+" delivers here"
	}
	c.word(want, "delivers", got, because)
}

// word compares one word, where one is wanted.
func (c *checker) word(want *Text, what, got, because string) {
	if want == nil || want.Value == got {
		return
	}
	if got == "" {
		got = "none"
	}
	c.differ(want.Pos, what, want.Value, got, because)
}
