package policytest

import (
	"slices"
	"strings"
	"testing"
)

const attributedPolicy = `routes:
  - name: landing
    match: {hosts: [a.example], paths: [/lp]}
    cache: 5m
    cookies: {strip: [banner]}
    attribution:
      params: [ref, "utm_*"]
      referer: external
      deliver: {paths: [/register], as: query}
      consent: {cookie: banner, matches: "*ads*"}
  - name: rest
    match: {paths: [/*]}
    cache: never
`

const attributedHead = "policy: policy.yaml\nbase: https://a.example\ntests:\n"

// TestAttribution holds what tests can say of an attribution, and that they fail where it
// is not so.
func TestAttribution(t *testing.T) {
	const agrees = `{url: "/lp?ref=A%201&utm_source=mail", cookies: {banner: "x:ads"}, headers: {Referer: "https://blog.example/post"}}`
	for _, tt := range []struct {
		name, request, expect string
		failed                []string // what differs
	}{
		{"all of it", agrees, `{attribution: {landing: true, taken: {ref: A 1, utm_source: mail}, referer: blog.example}, delivers: none}`, nil},
		{"other values", agrees, `{attribution: {taken: {ref: A1, aff: x}}}`, []string{"attribution.taken.ref", "attribution.taken.aff"}},
		{"no landing", agrees, `{attribution: {landing: false, left_out: crawler, referer: other.example}}`,
			[]string{"attribution.landing", "attribution.referer", "attribution.left_out"}},
		{"without consent", `{url: "/lp?ref=A1"}`, `{attribution: {landing: false, left_out: consent}}`, nil},
		{"fetched ahead", `{url: "/lp?ref=A1", headers: {Sec-Purpose: prefetch}}`, `{attribution: {landing: false, left_out: prefetch}}`, nil},
		{"a route without", `{url: /x?ref=A1}`, `{attribution: {landing: false}}`, nil},
		{"a route without, mistaken", `{url: /x?ref=A1}`, `{attribution: {landing: true, taken: {ref: A1}}}`, []string{"attribution.landing", "attribution.taken.ref"}},
		{"delivers", `{url: /register, method: POST}`, `{delivers: query}`, nil},
		{"delivers otherwise", `{url: /register, method: POST}`, `{delivers: header}`, []string{"delivers"}},
		{"does not deliver", `{url: /x}`, `{delivers: header}`, []string{"delivers"}},
		{"stripped", agrees, `{action: cache, params: {ref: strip, utm_source: strip}, canonical: {url: /lp}}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, map[string]string{
				"policy.yaml":    attributedPolicy,
				"tests" + Suffix: attributedHead + "  - {name: it, request: " + tt.request + ", expect: " + tt.expect + "}\n",
			})
			got := (&Runner{}).RunFile(dir + "/tests" + Suffix)
			if len(got.Faults) > 0 || len(got.Tests) != 1 {
				t.Fatalf("%+v", got)
			}
			var differs []string
			for _, m := range got.Tests[0].Mismatches {
				differs = append(differs, m.What)
			}
			if !slices.Equal(differs, tt.failed) {
				t.Errorf("differs in %q, want %q: %+v", differs, tt.failed, got.Tests[0].Mismatches)
			}
		})
	}
}

// TestAttributionMistakes holds the messages about what cannot be expected.
func TestAttributionMistakes(t *testing.T) {
	for expect, want := range map[string]string{
		`{attribution: {}}`:                   "the attribution expects nothing",
		`{attribution: {landing: maybe}}`:     `"maybe" is not true or false`,
		`{attribution: {landed: true}}`:       `unknown key "landed"; accepted: landing, left_out, referer, taken`,
		`{attribution: {left_out: bot}}`:      `"bot" is not a reason to carry nothing`,
		`{attribution: on}`:                   `expected landing, taken, referer and left_out, found "on"`,
		`{delivers: cookie}`:                  `"cookie" is not a way to deliver, or none`,
		`{attribution: {taken: {ref: [[]]}}}`: "expected a value, found a list",
	} {
		_, err := Parse("t", []byte(attributedHead+"  - {name: it, request: {url: /lp}, expect: "+expect+"}\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", expect, err, want)
		}
	}
}

// TestAttributionCovered: the names that an attribution takes count, and what --init
// writes of them holds.
func TestAttributionCovered(t *testing.T) {
	dir := write(t, map[string]string{"policy.yaml": attributedPolicy})
	policy, err := LoadPolicy(dir+"/policy.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	text, err := Init("policy.yaml", "", policy)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "attribution: {landing: ") {
		t.Errorf("nothing of the attribution in\n%s", text)
	}
	f, err := Parse(dir+"/tests"+Suffix, text)
	if err != nil {
		t.Fatal(err)
	}
	r := Runner{Coverage: true}
	if got := r.Run(f); len(got.Faults) > 0 {
		t.Fatalf("%+v", got.Faults)
	} else {
		for _, test := range got.Tests {
			if !test.Passed {
				t.Errorf("%s: %+v", test.Name, test.Mismatches)
			}
		}
	}
	covered := r.Covered()
	if len(covered) != 1 || covered[0].Inputs != covered[0].InputsReached || covered[0].Inputs < 3 {
		t.Errorf("%+v", covered)
	}
}
