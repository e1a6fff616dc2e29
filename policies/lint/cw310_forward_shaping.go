package lint

import (
	"fmt"
	"net/http"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW310", Name: "forward-shaping", Severity: Warning,
		Summary: "The app sees a header by which many apps choose the page, and the page is given to those who sent another.",
		check:   forwardShaping,
	})
}

// shapingHeaders are headers by which apps choose a page, and two values of each that
// would make a difference.
var shapingHeaders = map[string][3]string{
	"Accept-Language":           {"the language", "ja", "en"},
	"Accept":                    {"the format", "text/html", "application/json"},
	"User-Agent":                {"the page for phones or for computers", "Mozilla/5.0 (iPhone)", "Mozilla/5.0 (Windows NT 10.0)"},
	"Sec-Ch-Ua-Mobile":          {"the page for phones or for computers", "?1", "?0"},
	"Referer":                   {"what to show, or whom to thank for the visitor,", "https://friend.example/", "https://search.example/"},
	"Origin":                    {"which site may read the response", "https://a.example", "https://b.example"},
	"Cf-Ipcountry":              {"the country's page", "JP", "US"},
	"Cloudfront-Viewer-Country": {"the country's page", "JP", "US"},
	"X-Forwarded-Host":          {"the host in links", "a.example", "b.example"},
	"X-Forwarded-Proto":         {"the scheme in links", "https", "http"},
}

func forwardShaping(p *Pass) {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !caches(r) || r.Headers == nil {
			continue
		}
		for j, forward := range r.Headers.Forward {
			name := http.CanonicalHeaderKey(forward.Name)
			shaping, ok := shapingHeaders[name]
			if !ok {
				continue
			}
			p.Report(Finding{
				Pos: r.At(item("headers.forward", j) + ".name"), Route: r.Name,
				Message: fmt.Sprintf("many apps choose %s by `%s`. It is sent to the app and is not in the key, so everybody gets what was chosen for whoever came first",
					shaping[0], name),
				Suggestion: shapingFix(p, r, name),
				Counterexample: twoRequests(p, r, func(request *Request, visitor int) {
					request.addHeader(name, shaping[1+visitor])
				}),
			})
		}
	}
}

func shapingFix(p *Pass, r *policies.Route, name string) string {
	return "key it if the page depends on it (" + spelled(p, r, "key: ["+name+"]", "header key "+name) + ", with the values that the app knows); else leave it out"
}
