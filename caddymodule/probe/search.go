package probe

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/policies"
)

// found is a canary in an answer.
type found struct {
	canary canary
	// where is "body, byte 570, near input lead" or "header Set-Cookie".
	where string
}

// chunkSize is how many canaries are looked for at once: as many as [gate.Needles] has
// room for in all codings.
const chunkSize = 32

// canaries are those that a run has drawn, and what they are found by.
type canaries struct {
	secret *Secret
	owner  map[canary]*visitor
	values map[canary]value
	chunks []chunk
}

type chunk struct {
	canaries []canary
	needles  *gate.Needles
}

func newCanaries(s *Secret) *canaries {
	return &canaries{secret: s, owner: make(map[canary]*visitor), values: make(map[canary]value)}
}

// add takes the values that visitors are about to send. It must not be called while
// answers are searched.
func (c *canaries) add(visitors []*visitor) {
	var drawn []canary
	for _, v := range visitors {
		for _, value := range v.values {
			if _, have := c.values[value.canary]; !have {
				drawn = append(drawn, value.canary)
				c.values[value.canary], c.owner[value.canary] = value, v
			}
		}
	}
	if len(drawn) == 0 {
		return
	}
	// Fewer chunks are faster to look for: the last one is filled up.
	if last := len(c.chunks) - 1; last >= 0 && len(c.chunks[last].canaries) < chunkSize {
		drawn = append(slices.Clone(c.chunks[last].canaries), drawn...)
		c.chunks = c.chunks[:last]
	}
	for part := range slices.Chunk(drawn, chunkSize) {
		c.chunks = append(c.chunks, chunk{part, c.needles(part)})
	}
}

func (c *canaries) needles(part []canary) *gate.Needles {
	inputs := make([]policies.Input, len(part))
	for i, one := range part {
		inputs[i] = policies.Input{Kind: policies.InputParam, Name: string(one), Value: c.values[one].sought()}
	}
	return gate.NewNeedles(inputs, gate.Any)
}

// search calls look with needles for all canaries, and returns what it found. Look tells
// of a few of them at a time only, so it may be asked again for each.
func (c *canaries) search(look func(*gate.Needles) []gate.Reflection) []gate.Reflection {
	var all []gate.Reflection
	for _, chunk := range c.chunks {
		hits := look(chunk.needles)
		if len(hits) < maxTold {
			all = append(all, hits...)
			continue
		}
		for _, one := range chunk.canaries {
			all = append(all, look(c.needles([]canary{one}))...)
		}
	}
	return all
}

// maxTold is of how many reflections package gate tells.
const maxTold = 8

// inBody finds the canaries of this run in a decoded body, in all codings, and those of
// other probes as they were sent.
func (c *canaries) inBody(body []byte) []found {
	var all []found
	for _, r := range c.search(func(n *gate.Needles) []gate.Reflection { return n.InBody(body) }) {
		where := fmt.Sprintf("body, byte %d", r.Offset)
		if r.Near != "" {
			where += ", near " + r.Near
		}
		if r.Coding != gate.CodingPlain {
			where += ", in " + r.Coding
		}
		all = addFound(all, found{canary(r.Input.Name), where})
	}
	for _, s := range spot(c.secret, body) {
		all = addFound(all, found{s.canary, fmt.Sprintf("body, byte %d", s.at)})
	}
	return all
}

// inHeader does the same in the fields of an answer, those left out that belong to the
// answer and not to what it is about.
func (c *canaries) inHeader(h http.Header) []found {
	var all []found
	for _, r := range c.search(func(n *gate.Needles) []gate.Reflection { return n.InHeader(h) }) {
		all = addFound(all, found{canary(r.Input.Name), "header " + r.Field})
	}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if httpcache.PerRequest(name) {
			continue
		}
		for _, line := range h[name] {
			for _, s := range spot(c.secret, []byte(line)) {
				all = addFound(all, found{s.canary, "header " + name})
			}
		}
	}
	return all
}

func addFound(all []found, f found) []found {
	if slices.ContainsFunc(all, func(have found) bool { return have.canary == f.canary }) {
		return all
	}
	return append(all, f)
}
