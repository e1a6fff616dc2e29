package explain

import (
	"slices"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

const spokenPolicy = `downstream: {profile: cloudfront, tag_header: My-Tags}
routes:
  - name: page
    match: {paths: [/page]}
    cache: origin
    headers: {key: [{name: Accept-Language, values: [ja, en]}]}
    downstream: {ttl: 1m, browser: 10s}
  - name: silent
    match: {paths: [/silent]}
    cache: 5m
  - name: relayed
    match: {paths: [/relayed]}
    cache: origin
    downstream: origin
`

// said is what a profile's CDN is told, as lines.
func said(t *testing.T, e *Explanation, profile string) (refuse, share []string) {
	t.Helper()
	for _, s := range e.Profiles {
		if s.Profile == profile {
			return linesOf(s.Refuse), linesOf(s.Share)
		}
	}
	t.Fatalf("%s is not among %+v", profile, e.Profiles)
	return nil, nil
}

func linesOf(fields []Field) []string {
	var out []string
	for _, f := range fields {
		out = append(out, f.Name+": "+f.Value)
	}
	return out
}

func TestSpeak(t *testing.T) {
	const refused = "Cache-Control: private, no-store"
	answer := Response{Status: 200, Header: header(
		"Content-Type", "text/html", "Cache-Control", "max-age=60", "Age", "20", "Cache-Tag", "Shop, list", "Surrogate-Control", "max-age=1d", "Vary", "Accept-Language")}
	for _, tt := range []struct {
		name, path, profile string
		response            *Response
		refuse, share       []string
	}{
		{"without a response", "/page", "fastly", nil,
			[]string{refused, "Surrogate-Control: no-store"},
			[]string{"Cache-Control: public, max-age=10", "Surrogate-Control: max-age=60", "Vary: Accept-Language"}},
		{"of a page that varies on cookies", "/page", "google", nil,
			[]string{refused, "Vary: Cookie"},
			[]string{"Cache-Control: public, max-age=10, s-maxage=60", "Vary: Accept-Language"}},
		{"with a response", "/page", "fastly", &answer,
			[]string{refused, "Cache-Tag: Shop, list", "Surrogate-Control: no-store", "Vary: Accept-Language"},
			[]string{"Cache-Control: public, max-age=30", "Surrogate-Control: max-age=60", "Surrogate-Key: shop list", "Vary: Accept-Language"}},
		{"where Age is ignored", "/page", "nginx", &answer,
			[]string{refused, "Cache-Tag: Shop, list", "Vary: Accept-Language", "X-Accel-Expires: 0"},
			[]string{"Cache-Control: public, max-age=30, s-maxage=40", "Vary: Accept-Language"}},
		{"with the tag header that was chosen", "/page", "cloudfront", &answer,
			[]string{refused, "Cache-Tag: Shop, list", "Vary: Accept-Language"},
			[]string{"Cache-Control: public, max-age=30, s-maxage=60", "My-Tags: shop,list", "Vary: Accept-Language"}},
		{"of what is not stored", "/page", "akamai", &Response{Status: 200, Header: header("Content-Type", "image/png", "Cache-Control", "private")},
			[]string{refused, "Edge-Control: no-store"}, nil},
		{"without permission", "/silent", "akamai", nil, []string{refused, "Edge-Control: no-store", "Vary: Cookie"}, nil},
		{"with a response, without permission", "/silent", "netlify", &answer,
			[]string{refused, "Cache-Tag: Shop, list", "Netlify-Cdn-Cache-Control: no-store", "Vary: Accept-Language"}, nil},
		{"where the origin is relayed", "/relayed", "varnish", nil, []string{refused, "Surrogate-Control: no-store"}, nil},
		{"of a bypass", "/page?a;b", "vercel", nil, []string{refused, "Vary: Cookie", "Vercel-Cdn-Cache-Control: no-store"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newSite(t, spokenPolicy).ask("http://hapitas.example"+tt.path, "Accept-Language", "ja")
			if tt.response != nil {
				e.Judge(*tt.response)
			}
			if err := e.Speak([]string{tt.profile}); err != nil {
				t.Fatal(err)
			}
			refuse, share := said(t, e, tt.profile)
			if !slices.Equal(refuse, tt.refuse) || !slices.Equal(share, tt.share) {
				t.Errorf("refused by\n%q, want\n%q\nshared by\n%q, want\n%q", refuse, tt.refuse, share, tt.share)
			}
			if tt.profile == e.Contract.Profile && e.Response.Hit != nil && !strings.Contains(strings.Join(linesOf(e.Response.Hit), "\n"), "My-Tags: shop,list") {
				t.Errorf("the hit has not what is said: %q", e.Response.Hit)
			}
		})
	}
}

// TestSpeakOfTooManyTags: it says that the CDN gets no permission, and why.
func TestSpeakOfTooManyTags(t *testing.T) {
	e := newSite(t, spokenPolicy).ask("http://hapitas.example/page")
	e.Judge(Response{Status: 200, Header: header("Cache-Control", "max-age=60", "Cache-Tag", strings.Repeat("t,", 10)+strings.Join(numbered(51), ","))})
	if err := e.Speak([]string{"cloudfront", "fastly"}); err != nil {
		t.Fatal(err)
	}
	first, second := e.Profiles[0], e.Profiles[1]
	if first.Share != nil || len(first.Reasons) != 1 || first.Reasons[0].Code != policies.ReasonDownstreamTags.String() {
		t.Errorf("cloudfront, which takes 50: %+v", first)
	}
	if second.Share == nil || second.Reasons != nil {
		t.Errorf("fastly: %+v", second)
	}
	if !e.Response.Stored || len(e.Response.Notes) != 1 || !strings.HasPrefix(e.Response.Notes[0], "downstream-tags: ") {
		t.Errorf("stored %t, notes %q", e.Response.Stored, e.Response.Notes)
	}
	if text := textOf(t, e); !strings.Contains(text, "the object is not shared with it") || !strings.Contains(text, "downstream-tags") {
		t.Errorf("the text:\n%s", text)
	}
}

func numbered(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "t" + strings.Repeat("i", i)
	}
	return out
}

func TestSpeakAll(t *testing.T) {
	e := newSite(t, spokenPolicy).ask("http://hapitas.example/page")
	if err := e.Speak([]string{"nginx", AllProfiles}); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range e.Profiles {
		names = append(names, s.Profile)
	}
	if !slices.Equal(names, policies.ProfileNames()) {
		t.Errorf("all are %q", names)
	}
	text := textOf(t, e)
	for _, want := range []string{"cloudfront, which the route speaks", "X-Accel-Expires: 0", ", said as cloudfront"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestSpeakUnknown(t *testing.T) {
	s := newSite(t, spokenPolicy)
	_, err := Ask("policy", s.policy, s.compiled, Question{Requests: []Request{{URL: "http://hapitas.example/page"}}, Profiles: []string{"fastli"}})
	if want := `"fastli" is no profile; did you mean "fastly"?; or all`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
