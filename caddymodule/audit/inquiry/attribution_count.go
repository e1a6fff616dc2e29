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
}

func newVisitCount(a *AttributionAnswer) *visitCount {
	return &visitCount{
		a: a, params: make(map[string]bool), inFill: make(map[string]bool), inFiller: make(map[string]bool),
		visitors: make(map[text]struct{}), seen: make(map[text]struct{}), codes: newTextTable(),
	}
}

// add counts a visit, and says whether it is one that is listed.
func (c *visitCount) add(r *visit, v *Visit) bool {
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
	for name := range v.FillCodes {
		c.inFill[name] = true
	}
	for name := range v.FillerCodes {
		c.inFiller[name] = true
	}
	if _, known := c.seen[r.codes]; known {
		return true
	}
	c.seen[r.codes] = struct{}{}
	for name, values := range v.Codes {
		c.params[name] = true
		for _, value := range values {
			c.codes.keep(name + "=" + value)
			c.hidden = c.hidden || strings.HasPrefix(value, digest)
		}
	}
	return true
}

// end puts the sums into the answer.
func (c *visitCount) end() {
	c.a.Requests = c.requests - c.a.Uncoded
	c.a.Params = append(c.a.Params, sortedKeys(c.params)...)
	c.a.Codes, c.a.Visitors = c.codes.count(), len(c.visitors)
	c.a.fill, c.a.filler = sortedKeys(c.inFill), sortedKeys(c.inFiller)
}
