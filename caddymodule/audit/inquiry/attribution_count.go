package inquiry

import "strings"

// visitCount sums visits up into an answer.
type visitCount struct {
	a                *AttributionAnswer
	params           map[string]bool
	inFill, inFiller map[string]bool
	visitors, seen   map[text]struct{}
	codes            *textTable
	hidden           bool // some values are digests
	requests         int
	landings         landingCount
}

func newVisitCount(a *AttributionAnswer) *visitCount {
	return &visitCount{
		a: a, params: make(map[string]bool), inFill: make(map[string]bool), inFiller: make(map[string]bool),
		visitors: make(map[text]struct{}), seen: make(map[text]struct{}), codes: newTextTable(),
		landings: newLandingCount(),
	}
}

// add counts a visit, and says whether it is one that is listed.
func (c *visitCount) add(r *visit, v *Visit) bool {
	if r.touch != nil {
		c.touch(r, v)
		return true
	}
	if r.served {
		switch {
		case len(v.Codes) > 0:
			c.a.FromObject++
			c.a.Unknown += btoi(v.unknown)
		case v.Other, v.Contradicted:
			c.a.Uncoded++
		default:
			return false
		}
		c.a.Others += btoi(v.Other)
		c.a.Contradicted += btoi(v.Contradicted)
	}
	c.requests++
	if r.visitor != 0 {
		c.visitors[r.visitor] = struct{}{}
	}
	c.columns(v)
	if _, known := c.seen[r.codes]; known {
		return true
	}
	c.seen[r.codes] = struct{}{}
	c.distinct(c.codes, v.Codes)
	return true
}

// columns takes note of the parameters that a visit's object was made with.
func (c *visitCount) columns(v *Visit) {
	for name := range v.FillCodes {
		c.inFill[name] = true
	}
	for name := range v.FillerCodes {
		c.inFiller[name] = true
	}
}

// distinct takes note of codes.
func (c *visitCount) distinct(table *textTable, codes Codes) {
	for name, values := range codes {
		c.params[name] = true
		for _, value := range values {
			table.keep(name + "=" + value)
			c.hidden = c.hidden || strings.HasPrefix(value, digest)
		}
	}
}

// end puts the sums into the answer.
func (c *visitCount) end(dropped map[string]int) {
	c.endLandings(dropped)
	c.a.Requests = c.requests - c.a.Uncoded
	c.a.Params = append(c.a.Params, sortedKeys(c.params)...)
	c.a.Codes, c.a.Visitors = c.codes.count(), len(c.visitors)
	c.a.fill, c.a.filler = sortedKeys(c.inFill), sortedKeys(c.inFiller)
}
