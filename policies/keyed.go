package policies

import (
	"net/url"
	"strings"
)

// KeyedExactly are the inputs of a request that are in its key with the very value that
// was sent, without their values: whoever differs in one of them has another key. Headers
// whose values are declared are not among them, nor those that a Vary may name.
func (r *Rule) KeyedExactly(p *Parts) []Input {
	var inputs []Input
	for _, pair := range p.Params {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		inputs = append(inputs, Input{Kind: InputParam, Name: name})
	}
	for _, c := range p.Cookies {
		inputs = append(inputs, Input{Kind: InputCookie, Name: c.Name})
	}
	for _, h := range p.Headers {
		if r.headers.find(h.Name).values == nil {
			inputs = append(inputs, Input{Kind: InputHeader, Name: h.Name})
		}
	}
	return inputs
}
