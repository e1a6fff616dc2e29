package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW109", Name: "attribution-readable", Severity: Warning,
		Summary: "What looks personal by its name is carried in a cookie that can be read.",
		check:   attributionReadable,
	})
}

func attributionReadable(p *Pass) {
	eachAttribution(p, func(route *policies.Route, a policies.Attribution) {
		if a.Encrypt == policies.On || !carriesCookie(a) {
			return
		}
		i := slices.IndexFunc(a.Params, looksPersonal)
		if i < 0 {
			return
		}
		pos := route.At("attribution.encrypt")
		f := Finding{
			Pos:   pos,
			Route: route.Name,
			Message: fmt.Sprintf("parameter `%s`, which by its name may be about a person, is carried in a cookie that is signed and not sealed: whoever has the visitor's device, or a copy of the request, reads it",
				a.Params[i]),
			Suggestion: fmt.Sprintf("write `%s on`; it stays plain in the audit log", spelled(p, route, "encrypt:", "encrypt")),
			Related:    []Related{{route.At(item("attribution.params", i)), "it is taken here"}},
		}
		if route.Attribution.Encrypt == policies.Off {
			f.Edits = p.Unit.replaceWord(pos, "off", "on")
		}
		p.Report(f)
	})
}

// Names by which somebody can be told apart. What is a word of longer names on its own
// (campaign_name) is among the whole ones.
var (
	personalWords = words("email mail phone tel mobile uid user userid username member memberid customer customerid account contact")
	personalNames = words("name firstname lastname fullname surname")
)

func looksPersonal(param string) bool {
	if strings.HasPrefix(param, "@") {
		return false
	}
	return personalNames[joinedName(param)] || slices.ContainsFunc(splitName(param), func(word string) bool { return personalWords[word] })
}
