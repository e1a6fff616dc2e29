package policies

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestProfileCatalogue holds the catalogue itself to what it promises.
func TestProfileCatalogue(t *testing.T) {
	want := []string{
		"generic", "cloudflare", "fastly", "cloudfront", "akamai", "google", "azure", "bunny", "vercel", "netlify", "varnish", "nginx",
	}
	if got := ProfileNames(); !slices.Equal(got, want) {
		t.Errorf("profiles %q, want %q", got, want)
	}
	for _, p := range Profiles() {
		t.Run(p.Name, func(t *testing.T) {
			if found, err := FindProfile(p.Name); err != nil || found != p {
				t.Errorf("it is not found: %v", err)
			}
			for what, f := range map[string]Field{"refuse": p.Refuse, "share": p.Share} {
				if f.Name != http.CanonicalHeaderKey(f.Name) {
					t.Errorf("%s: %q is not in its canonical form", what, f.Name)
				}
			}
			if p.Refuse.Name == "Cache-Control" {
				t.Error("it refuses in the field that always refuses")
			}
			if s := p.Share; s.Value != "" && !strings.HasSuffix(s.Value, "=") || s.Name == "Cache-Control" && !strings.HasSuffix(s.Value, "s-maxage=") {
				t.Errorf("seconds cannot stand behind %q in %s", s.Value, s.Name)
			}
			// Who gets its time in a field of its own must be refused in it, or it would take
			// what an operator adds to it, and what a 304 does not take back (RFC 9111 §3.2).
			if p.Share.Name != "Cache-Control" && p.Refuse.Name != p.Share.Name {
				t.Errorf("it shares by %s and refuses by %q", p.Share.Name, p.Refuse.Name)
			}
			tags := p.Tags
			if tags == nil {
				return
			}
			const hashed = len("h-") + 32
			if tags.Length < hashed || tags.Bytes < tags.Length {
				t.Errorf("a shortened tag does not fit into %+v", tags)
			}
			if tags.Chosen != (tags.Field == "") {
				t.Errorf("it is not clear whose the name of the field is: %+v", tags)
			}
			if strings.Contains(tags.Characters, tags.Separator) || tags.Characters != "" && !strings.Contains(tags.Characters, "-") {
				t.Errorf("characters %q", tags.Characters)
			}
		})
	}
}

func TestFindProfile(t *testing.T) {
	for name, want := range map[string]string{
		"cloudflair": `"cloudflair" is no profile; did you mean "cloudflare"?`,
		"origin":     `"origin" is no profile; accepted: ` + strings.Join(ProfileNames(), ", "),
		"":           `"" is no profile; accepted: ` + strings.Join(ProfileNames(), ", "),
	} {
		if p, err := FindProfile(name); p != nil || err == nil || err.Error() != want {
			t.Errorf("%q: %v, %v", name, p, err)
		}
	}
}

// TestProfilesAreTheCallers: who changes the list changes nobody else's.
func TestProfilesAreTheCallers(t *testing.T) {
	Profiles()[0] = nil
	if Profiles()[0] == nil {
		t.Error("the catalogue itself was handed out")
	}
}

// TestReadProfiles: a mistake in the data is a fault of the build, and says where it is.
func TestReadProfiles(t *testing.T) {
	for name, text := range map[string]string{
		"no name":          `profiles: [{cdn: A, share: "B: c="}]`,
		"no share":         `profiles: [{name: a, cdn: A}]`,
		"not a field":      `profiles: [{name: a, cdn: A, share: "B"}]`,
		"an unknown word":  `profiles: [{name: a, cdn: A, share: "B: c=", age: counted}]`,
		"an unknown key":   `profiles: [{name: a, cdn: A, share: "B: c=", ttl: 5}]`,
		"a missing limit":  `profiles: [{name: a, cdn: A, share: "B: c=", tags: {field: T, count: 1, length: 50}}]`,
		"a tags separator": `profiles: [{name: a, cdn: A, share: "B: c=", tags: {field: T, separator: ";", count: 1, length: 50, bytes: 50}}]`,
		"no list":          `profiles: {}`,
	} {
		root, err := parseYAML("profiles.yaml", []byte(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := readProfiles(root); err == nil || !strings.HasPrefix(err.Error(), "profiles.yaml:1:") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRuleProfile: a route speaks as it says, else as the policy says, else generically,
// and the default rule as the policy does.
func TestRuleProfile(t *testing.T) {
	const routes = "\nroutes: [{name: a, match: {paths: [/a]}, cache: 5m%s}, {name: b, match: {paths: [/b]}, cache: never}]"
	for _, tt := range []struct{ policy, route, want, field, others string }{
		{"", "", "generic", "", "generic"},
		{"", ", downstream: 1m", "generic", "", "generic"},
		{"", ", downstream: {ttl: 1m, profile: nginx}", "nginx", "", "generic"},
		{"downstream: {profile: akamai}", "", "akamai", "Edge-Cache-Tag", "akamai"},
		{"downstream: {profile: akamai}", ", downstream: 1m", "akamai", "Edge-Cache-Tag", "akamai"},
		{"downstream: {profile: akamai}", ", downstream: {ttl: 1m, profile: generic}", "generic", "", "akamai"},
		{"downstream: {profile: cloudfront}", "", "cloudfront", "", "cloudfront"},
		{"downstream: {profile: cloudfront, tag_header: my-tags}", "", "cloudfront", "My-Tags", "cloudfront"},
		{"downstream: {profile: cloudfront, tag_header: my-tags}", ", downstream: {ttl: 1m, profile: cloudfront}", "cloudfront", "My-Tags", "cloudfront"},
		{"downstream: {profile: cloudfront, tag_header: my-tags}", ", downstream: {ttl: 1m, tag_header: a-tag}", "cloudfront", "A-Tag", "cloudfront"},
		{"downstream: {profile: cloudfront, tag_header: my-tags}", ", downstream: {ttl: 1m, profile: fastly}", "fastly", "Surrogate-Key", "cloudfront"},
		{"downstream: {profile: fastly}", ", downstream: {ttl: 1m, profile: cloudfront, tag_header: my-tags}", "cloudfront", "My-Tags", "fastly"},
	} {
		c := compiled(t, "version: 1\n"+tt.policy+fmt.Sprintf(routes, tt.route))
		got := c.rules[0].Profile
		field := ""
		if got.Tags != nil {
			field = got.Tags.Field
		}
		if got.Name != tt.want || field != tt.field {
			t.Errorf("%s%s: it speaks %s with tags in %q, want %s and %q", tt.policy, tt.route, got.Name, field, tt.want, tt.field)
		}
		if never := c.rules[1].Profile.Name; never != tt.others || c.Profile().Name != tt.others {
			t.Errorf("%s: routes that permit nothing speak %s and the default %s, want %s", tt.policy, never, c.Profile().Name, tt.others)
		}
	}
	if t.Failed() {
		return
	}
	if p, _ := FindProfile("cloudfront"); p.Tags.Field != "" {
		t.Error("a policy has changed the catalogue")
	}
}

// TestProfileOfRelayed: what the origin refuses itself is passed on; what the proxy
// refuses on such a route is said to the CDN of the policy.
func TestProfileOfRelayed(t *testing.T) {
	rule := compiled(t, `
version: 1
downstream: {profile: vercel}
routes: [{name: a, match: {paths: [/a]}, cache: origin, downstream: origin}]
`).rules[0]
	if !rule.Relay || rule.Profile.Name != "vercel" {
		t.Errorf("relays %t, speaks %s", rule.Relay, rule.Profile.Name)
	}
}

// TestDigestIsWithoutProfile holds that another CDN, for the policy or for a route,
// leaves what is stored where it is, and that the times of a route do not.
func TestDigestIsWithoutProfile(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := policyGenerator().Draw(r, "policy")
		before, err := Compile(p, "space")
		if err != nil {
			r.Fatal(err)
		}
		p.Downstream = drawCDN(r)
		for i := range p.Routes {
			d := p.Routes[i].Downstream
			if d == nil || d.Profile == ProfileOrigin {
				continue
			}
			d = &Downstream{TTL: d.TTL, Browser: d.Browser}
			if cdn := drawCDN(r); cdn != nil {
				d.Profile, d.TagHeader = cdn.Profile, cdn.TagHeader
			}
			p.Routes[i].Downstream = d
		}
		if p.Validate() != nil {
			return // a tag header that was for the policy's former CDN
		}
		after, err := Compile(p, "space")
		if err != nil {
			r.Fatal(err)
		}
		for i, rule := range before.Rules() {
			if rule.Space != after.Rules()[i].Space {
				r.Fatalf("the profile is in the key of %s", rule.Name)
			}
		}
	})
	digest := func(d *Downstream) string {
		s, err := ruleDigest(&Route{Name: "a", Downstream: d})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one := digest(&Downstream{TTL: 1e9, Profile: "fastly"})
	for _, other := range []*Downstream{nil, {TTL: 2e9, Profile: "fastly"}, {TTL: 1e9, Browser: 1e9, Profile: "fastly"}, {Profile: ProfileOrigin}} {
		if digest(other) == one {
			t.Errorf("%+v has the digest of another contract", other)
		}
	}
}

func TestMergeCDN(t *testing.T) {
	for _, tt := range []struct{ first, second, want, err string }{
		{"", "downstream: {profile: fastly}", `{"downstream":{"profile":"fastly"}}`, ""},
		{"downstream: {profile: fastly}", "version: 1", `{"version":1,"downstream":{"profile":"fastly"}}`, ""},
		{"downstream: {profile: cloudfront}", "downstream: {profile: cloudfront, tag_header: a-tag}",
			`{"downstream":{"profile":"cloudfront","tag_header":"a-tag"}}`, ""},
		{"downstream: {profile: fastly}", "downstream: {profile: akamai}", "",
			"b.yaml:1:23: downstream.profile: akamai contradicts fastly at a.yaml:1:23; say it once"},
	} {
		first := new(Policy)
		if tt.first != "" {
			first = mustYAML(t, "a.yaml", tt.first)
		}
		got, err := Merge(first, mustYAML(t, "b.yaml", tt.second))
		switch {
		case tt.err != "" && (err == nil || err.Error() != tt.err):
			t.Errorf("%s and %s: %v, want %s", tt.first, tt.second, err, tt.err)
		case tt.err == "" && err != nil:
			t.Errorf("%s and %s: %v", tt.first, tt.second, err)
		case tt.err == "" && string(mustJSON(t, got)) != tt.want:
			t.Errorf("%s and %s: %s, want %s", tt.first, tt.second, mustJSON(t, got), tt.want)
		}
	}
}
