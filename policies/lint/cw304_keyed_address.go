package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW304", Name: "keyed-address", Severity: Warning,
		Summary: "The visitor's address is keyed, so nothing is shared.",
		check:   keyedAddress,
	})
}

func keyedAddress(p *Pass) {
	eachKeyedHeader(p, func(r *policies.Route, field, pattern string) {
		header, ok := amongHeaders(pattern, addressHeaders)
		if !ok {
			return
		}
		p.Report(Finding{
			Pos: r.At(field), Route: r.Name,
			Message: fmt.Sprintf("%s is the visitor's address: each address gets a copy of the page, visitors behind one router share theirs, and who is not held back by a trusted proxy can write any address and have a page stored for it",
				called(pattern, header)),
			Suggestion: "key what the page depends on, such as a country that a trusted proxy sends (CF-IPCountry); if it depends on the address itself, write " +
				spelled(p, r, "cache: never", "cache never"),
		})
	})
}
