package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW306", Name: "keyed-as-sent", Severity: Info,
		Summary: "A header by which browsers choose among few pages is keyed letter by letter.",
		check:   keyedAsSent,
	})
}

// negotiated are headers by which one of a few pages is chosen, and examples of them.
var negotiated = map[string][2]string{
	"Accept-Language": {"ja,en;q=0.9", "ja, en"},
	"Accept":          {"text/html,application/xhtml+xml,*/*;q=0.8", "text/html, application/json"},
}

func keyedAsSent(p *Pass) {
	eachKeyedHeader(p, func(r *policies.Route, field, pattern string) {
		header, ok := amongHeaders(pattern, []string{"Accept-Language", "Accept"})
		if !ok {
			return
		}
		sent, values := negotiated[header][0], negotiated[header][1]
		p.Report(Finding{
			Pos: r.At(field), Route: r.Name,
			Message: fmt.Sprintf("%s is keyed as each browser writes it (%s and hundreds of other spellings), so visitors who would get the same page do not share it",
				called(pattern, header), sent),
			Suggestion: fmt.Sprintf("name the values that the app has: %s",
				spelled(p, r, "{name: "+header+", values: ["+values+"]}", "header key "+header+" "+withoutCommas(values))),
		})
	})
}

func withoutCommas(values string) string {
	b := make([]byte, 0, len(values))
	for i := range len(values) {
		if values[i] != ',' {
			b = append(b, values[i])
		}
	}
	return string(b)
}
