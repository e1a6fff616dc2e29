package policies

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The writers below turn a policy into each spelling. They are written apart from
// the readers, so that the two can disagree.

// writeYAML writes a policy in block or flow style. It quotes what YAML would read
// as something else.
func writeYAML(t *testing.T, p *Policy, flow bool) []byte {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(mustJSON(t, p))))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if flow || string(mustJSON(t, p)) == "{}" {
		yamlFlow(&b, tree)
	} else {
		yamlBlockStyle(&b, tree, 0)
	}
	return []byte(b.String())
}

func yamlBlockStyle(b *strings.Builder, v any, indent int) {
	pad := strings.Repeat(" ", indent)
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			fmt.Fprintf(b, "%s%s:", pad, yamlScalar(key))
			yamlBelow(b, v[key], indent)
		}
	case []any:
		for _, item := range v {
			fmt.Fprintf(b, "%s-", pad)
			yamlBelow(b, item, indent)
		}
	}
}

func yamlBelow(b *strings.Builder, v any, indent int) {
	switch v.(type) {
	case map[string]any, []any:
		if _, isMap := v.(map[string]any); isMap && len(v.(map[string]any)) == 0 {
			b.WriteString(" {}\n")
			return
		}
		b.WriteString("\n")
		yamlBlockStyle(b, v, indent+2)
	default:
		fmt.Fprintf(b, " %s # said so\n", yamlScalar(v))
	}
}

func yamlFlow(b *strings.Builder, v any) {
	switch v := v.(type) {
	case map[string]any:
		b.WriteString("{")
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(b, "%s: ", yamlScalar(key))
			yamlFlow(b, v[key])
		}
		b.WriteString("}")
	case []any:
		b.WriteString("[")
		for i, item := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			yamlFlow(b, item)
		}
		b.WriteString("]")
	default:
		b.WriteString(yamlScalar(v))
	}
}

func yamlScalar(v any) string {
	s, ok := v.(string)
	if !ok {
		return fmt.Sprint(v)
	}
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '/' || c == '.') {
			return "'" + strings.ReplaceAll(s, "'", "''") + "'"
		}
	}
	if s[0] == '-' || s == "null" {
		return "'" + s + "'"
	}
	return s
}

func mustJSON(t testing.TB, p *Policy) []byte {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSpellings holds the three spellings equal: what one says, the others say.
func TestSpellings(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		want := policyGenerator().Draw(r, "policy")
		if err := want.Validate(); err != nil {
			r.Fatalf("the generator made a policy that is not valid: %v", err)
		}
		var caddy caddyWriter
		caddy.policy(want)
		text := mustJSON(t, want)
		for _, spelling := range []struct {
			name string
			text string
			read func() (*Policy, error)
		}{
			{"JSON", string(text), func() (*Policy, error) { return ParseJSON("p.json", text) }},
			{"YAML in blocks", string(writeYAML(t, want, false)), func() (*Policy, error) { return ParseYAML("p.yaml", writeYAML(t, want, false)) }},
			{"YAML in flow", string(writeYAML(t, want, true)), func() (*Policy, error) { return ParseYAML("p.yaml", writeYAML(t, want, true)) }},
			{"tokens", caddy.text.String(), func() (*Policy, error) { return ParseTokens(caddy.tokens) }},
			{"Caddyfile", caddy.text.String(), func() (*Policy, error) { return ParseTokens(tokenize("Caddyfile", caddy.text.String())) }},
		} {
			got, err := spelling.read()
			if err != nil {
				r.Fatalf("%s: %v\n%s", spelling.name, err, spelling.text)
			}
			if have := mustJSON(t, got); string(have) != string(text) {
				r.Fatalf("%s reads differently:\n got %s\nwant %s\nfrom\n%s", spelling.name, have, text, spelling.text)
			}
			if err := got.Validate(); err != nil {
				r.Fatalf("%s: valid as built, but as read: %v", spelling.name, err)
			}
		}
	})
}

// TestSpellingsAgreeOnMistakes holds the verdicts equal: what is wrong in one
// spelling is wrong in the others, for the same reason.
func TestSpellingsAgreeOnMistakes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := policyGenerator().Draw(r, "policy")
		if len(p.Routes) == 0 {
			return
		}
		route := &p.Routes[rapid.IntRange(0, len(p.Routes)-1).Draw(r, "route")]
		rapid.SampledFrom(mistakes).Draw(r, "mistake")(route)
		want := messages(p.Validate())
		if len(want) == 0 {
			r.Fatal("the mistake was not found")
		}
		var caddy caddyWriter
		caddy.policy(p)
		fromJSON, err1 := ParseJSON("p.json", mustJSON(t, p))
		fromYAML, err2 := ParseYAML("p.yaml", writeYAML(t, p, false))
		fromTokens, err3 := ParseTokens(caddy.tokens)
		if err1 != nil || err2 != nil || err3 != nil {
			r.Fatalf("the form is right, but: %v, %v, %v", err1, err2, err3)
		}
		for _, q := range []*Policy{fromJSON, fromYAML, fromTokens} {
			if got := messages(q.Validate()); fmt.Sprint(got) != fmt.Sprint(want) {
				r.Fatalf("verdicts differ:\n got %q\nwant %q", got, want)
			}
		}
	})
}

// mistakes of content, not of form, whose message names no other place.
var mistakes = []func(*Route){
	func(r *Route) { r.Mode = "observed" },
	func(r *Route) { r.OnLeak = "tripp" },
	func(r *Route) { r.Cache, r.OnLeak = Cache{Kind: CacheNever}, LeakWarn },
	func(r *Route) { r.Match.Hosts = append(r.Match.Hosts, "https://example.com/") },
	func(r *Route) { r.Match.Paths = append(r.Match.Paths, "/a//b") },
	func(r *Route) { r.Match.Methods = []string{"HEAD"}; r.Cache = Cache{Kind: CacheOrigin} },
	func(r *Route) { r.Params = &Inputs{Key: []string{"*"}} },
	func(r *Route) { r.Cookies = &Inputs{Bypass: []string{"@tracking"}} },
	func(r *Route) { r.Headers = &HeaderInputs{Bypass: []string{"Cookie"}} },
	func(r *Route) { r.Headers = &HeaderInputs{Others: Forward} },
	func(r *Route) { r.Admission = &Choice{Rule: "twice"} },
	func(r *Route) { r.SetCookie = &Choice{Rule: StripCookie} },
	func(r *Route) {
		r.Cache = Cache{Kind: CacheTTL, TTL: Duration(1e9), Statuses: map[int]Duration{500: Duration(1e9)}}
	},
	func(r *Route) { r.Downstream = &Downstream{TTL: Duration(1e9), Profile: "generics"} },
	func(r *Route) {
		r.Downstream = &Downstream{TTL: Duration(1e9), Profile: "fastly", TagHeader: "Surrogate-Key"}
	},
	func(r *Route) {
		r.Downstream = &Downstream{TTL: Duration(1e9), Profile: "cloudfront", TagHeader: "Cache-Control"}
	},
	func(r *Route) { r.Identity = &Identity{Headers: []string{"@analytics"}} },
	func(r *Route) { r.Heuristic = "true" },
	func(r *Route) { r.ErrorTTL = new(Duration); *r.ErrorTTL = Duration(61e9) },
	func(r *Route) { r.Targeted = &Targeted{Fields: []string{"Surrogate-Control"}} },
	func(r *Route) { r.Targeted = &Targeted{Order: "target-first"} },
	func(r *Route) { r.Authorization = &Choice{Rule: AuthorizationRFC9111} },
	func(r *Route) { r.Address = &Choice{Rule: AddressForward} },
	func(r *Route) { r.RequestDirectives = "refuse" },
	func(r *Route) { r.Vouch = &Vouch{Fields: []string{"Set-Cookie"}, Reason: "why"} },
	func(r *Route) {
		r.Cache, r.Admission = Cache{Kind: CacheOrigin}, &Choice{Rule: Corroborated}
		r.Vouch = &Vouch{Fields: []string{"Refresh"}, Reason: "why"}
	},
	func(r *Route) { r.Inspect = &Choice{Rule: InspectOff} },
	func(r *Route) { r.Inspect = &Choice{Rule: "of", Reason: "why"} },
	func(r *Route) { r.Ignore = []Harmless{{HTML: "comment", Reason: "why"}} },
	func(r *Route) { r.Ignore = []Harmless{{JSON: "$.lead_id", Reason: "why"}} },
	func(r *Route) { r.Ignore = []Harmless{{Header: "Vary", Matching: "*", Reason: " "}} },
	func(r *Route) { r.Tolerate = []Tolerance{{Detector: "no-such-detector", Reason: "why"}} },
	func(r *Route) { r.Tolerate = []Tolerance{{Detector: DetectorIDs()[0], Reason: " "}} },
	func(r *Route) { r.Cache, r.Recheck = Cache{Kind: CacheNever}, 0.01 },
	func(r *Route) {
		r.Inspect = &Choice{Rule: InspectOff, Reason: "why"}
		r.Tolerate = []Tolerance{{Detector: DetectorIDs()[0], Reason: "why"}}
	},
	func(r *Route) {
		r.Cache, r.Downstream = Cache{Kind: CacheTTL, TTL: Duration(1e9)}, &Downstream{Profile: ProfileOrigin}
	},
}

func messages(err error) []string {
	var out []string
	if err != nil {
		for _, d := range err.(Diagnostics) {
			out = append(out, d.Path+": "+d.Message+"; "+d.Fix)
		}
	}
	slices.Sort(out)
	return out
}

// TestValidCompiles holds what Validate promises.
func TestValidCompiles(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := policyGenerator().Draw(r, "policy")
		if _, err := Compile(p, "space"); err != nil {
			r.Fatal(err)
		}
	})
}
