package policies

import "testing"

// TestDownstreamKnowsNoPersons: a route whose pages may be one person's, or whose
// variants Vary cannot name, gives caches further on no permission.
func TestDownstreamKnowsNoPersons(t *testing.T) {
	for headers, permits := range map[string]bool{
		"{}":                                true,
		"{key: [X-Plan]}":                   true,
		"{vary: [X-Plan]}":                  true,
		"{key: [X-User-Id]}":                false,
		"{vary: [X-User-Id]}":               false,
		"{vary: [X-Person]}":                false,
		"{vary: [X-Plan, \"X-Variant-*\"]}": false,
		"{key: [\"X-Variant-*\"]}":          false,
	} {
		t.Run(headers, func(t *testing.T) {
			rule := compiled(t, `
version: 1
identity: {headers: [X-Person]}
routes:
  - name: page
    match: {paths: ["/*"]}
    cache: origin
    downstream: 1m
    headers: `+headers+"\n").rules[0]
			if got := rule.Downstream != nil; got != permits {
				t.Errorf("permits caches further on: %v", got)
			}
		})
	}
}
