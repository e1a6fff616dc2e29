package conformance

import "net/http"

// updateAdditions ask what RFC 9111 §4.3.5 says of a HEAD on a stored GET response.
func updateAdditions() []addition {
	const section = "RFC 9111 §4.3.5"
	stored := answer{fields: fields{"Cache-Control", "max-age=1", "ETag", `"a"`, "Version", "1"}}
	head := visit{after: stale, method: http.MethodHead, from: 2}
	return []addition{
		{
			id: "head-written-through", kind: "required", section: section,
			asks:    "a HEAD on a stale response reaches the origin, as a HEAD",
			answers: []answer{stored},
			visits:  []visit{{from: 1}, head},
			reaches: http.MethodHead, reachesTimes: 2,
		},
		{
			id: "head-freshens", kind: "optimal", section: section,
			asks:      "a HEAD with the same validator makes the stored response fresh",
			dependsOn: []string{"head-written-through"},
			answers:   []answer{stored, {fields: fields{"Cache-Control", "max-age=3600", "ETag", `"a"`}}},
			visits:    []visit{{from: 1}, head, {from: 1}},
		},
		{
			id: "head-updates-fields", kind: "optimal", section: section,
			asks:      "and updates its fields",
			dependsOn: []string{"head-freshens"},
			answers:   []answer{stored, {fields: fields{"Cache-Control", "max-age=3600", "ETag", `"a"`, "Version", "2"}}},
			visits:    []visit{{from: 1}, head, {from: 1, check: has("Version", "2")}},
		},
		{
			id: "head-with-another-validator", kind: "optimal", section: section,
			asks:      "a HEAD with another validator makes a fresh response stale",
			dependsOn: []string{"freshness-max-age", "head-written-through"},
			answers: []answer{
				{fields: fields{"Cache-Control", "max-age=3600", "ETag", `"a"`}},
				{fields: fields{"Cache-Control", "max-age=3600", "ETag", `"b"`}},
			},
			visits: []visit{
				{from: 1},
				{method: http.MethodHead, from: 2, fields: fields{"Cache-Control", "no-cache"}},
				{from: 3},
			},
		},
	}
}
