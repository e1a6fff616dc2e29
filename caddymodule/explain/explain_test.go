package explain

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

const sitePolicy = `identity: {cookies: [session, "auth_*"]}
routes:
  - name: other
    match: {hosts: [hapitas.example], paths: [/x]}
    cache: never
  - name: landing
    match: {hosts: [hapitas.example], paths: [/register/lp]}
    cache: 5m
    params:
      key: [lang]
      strip: [ref, "@analytics"]
    cookies: {strip: ["@analytics"]}
    headers: {key: [{name: Accept-Language, values: [ja, en]}]}
    downstream: 60s
  - name: files
    match: {hosts: [hapitas.example], paths: [/static/*]}
    cache: origin
    headers: {forward: [{name: X-Trace, reason: links the traces}]}
  - name: once
    match: {hosts: [hapitas.example], paths: [/once]}
    cache: 1m
    admission: {rule: once, reason: built from files}
`

// site is a policy that is asked.
type site struct {
	t        *testing.T
	policy   *policies.Policy
	compiled *policies.Compiled
}

func newSite(t *testing.T, yaml string) site {
	t.Helper()
	policy, err := policies.ParseYAML("policy.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := policies.Compile(policy, "test")
	if err != nil {
		t.Fatal(err)
	}
	return site{t, policy, compiled}
}

// ask explains a GET. Fields are pairs of name and value.
func (s site) ask(url string, fields ...string) *Explanation {
	s.t.Helper()
	return s.explain(Request{URL: url, Header: header(fields...)})
}

func (s site) explain(r Request) *Explanation {
	s.t.Helper()
	e, err := Explain(s.policy, s.compiled, r)
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

func header(fields ...string) http.Header {
	h := make(http.Header)
	for i := 0; i+1 < len(fields); i += 2 {
		h.Add(fields[i], fields[i+1])
	}
	return h
}

// input finds an input by its kind and name.
func input(t *testing.T, e *Explanation, label string) Input {
	t.Helper()
	for _, in := range e.Inputs {
		if in.label() == label {
			return in
		}
	}
	t.Fatalf("there is no input %q among %+v", label, e.Inputs)
	return Input{}
}

// TestExplainOnLeak: what a leak does is told where something is stored, and people are
// told of it where it is less than everything.
func TestExplainOnLeak(t *testing.T) {
	s := newSite(t, `
on_leak: warn
routes:
  - {name: calm, match: {paths: [/calm]}, cache: 5m}
  - {name: strict, match: {paths: [/strict]}, cache: 5m, on_leak: trip}
  - {name: own, match: {paths: [/own]}, cache: never}
`)
	for path, want := range map[string]string{"calm": "warn", "strict": "trip", "own": ""} {
		e := s.ask("http://example.com/" + path)
		if e.Route.OnLeak != want {
			t.Errorf("%s: on_leak is %q, want %q", path, e.Route.OnLeak, want)
		}
		var text strings.Builder
		if err := e.WriteText(&text, false); err != nil {
			t.Fatal(err)
		}
		if told := strings.Contains(text.String(), "on_leak warn"); told != (want == "warn") {
			t.Errorf("%s: people are told %v:\n%s", path, told, text.String())
		}
	}
}

func TestExplainCacheable(t *testing.T) {
	e := newSite(t, sitePolicy).ask("http://hapitas.example/register/lp?ref=A1&lang=ja#top",
		"Accept-Language", "ja-JP,en;q=0.5", "Cookie", "_ga=GA1", "User-Agent", "Firefox")
	if e.Verdict.Action != ActionCache || e.Route.Name != "landing" || e.Route.At != "policy.yaml:6:5" || e.Route.Cache != "5m" {
		t.Fatalf("verdict %+v, route %+v", e.Verdict, e.Route)
	}
	if over := e.Route.PassedOver; len(over) != 1 || over[0].Name != "other" || !slices.Equal(over[0].Misses, []string{"paths"}) || e.Route.PassedOverTotal != 1 {
		t.Errorf("passed over: %+v", over)
	}
	for label, want := range map[string]Input{
		"param ref":              {Disposition: "strip", By: "params.strip.0", At: "policy.yaml:11:15", Value: "A1"},
		"param lang":             {Disposition: "key", By: "params.key.0", At: "policy.yaml:10:13", Value: "ja"},
		"cookie _ga":             {Disposition: "strip", By: "cookies.strip.0", At: "policy.yaml:12:23", Value: "GA1"},
		"header Accept-Language": {Disposition: "key", By: "headers.key.0", At: "policy.yaml:13:21", Value: "ja-JP,en;q=0.5", Keyed: "ja"},
		"header User-Agent":      {Disposition: "strip", By: policies.ByBuiltin, Value: "Firefox"},
		"address":                {Disposition: "strip", By: policies.ByDefault},
	} {
		got := input(t, e, label)
		got.Kind, got.Name = "", ""
		if got != want {
			t.Errorf("%s: %+v, want %+v", label, got, want)
		}
	}
	want := "GET /register/lp?lang=ja HTTP/1.1\r\nHost: hapitas.example\r\nAccept: */*\r\nAccept-Encoding: identity\r\nAccept-Language: ja\r\nUser-Agent: Cacheward\r\n\r\n"
	if e.Canonical.Text != want {
		t.Errorf("canonical request %q, want %q", e.Canonical.Text, want)
	}
	if e.Admission.Rule != policies.Corroborated || e.Contract != (Contract{Permits: PermitsTTL, TTL: 60, Profile: "generic", At: "policy.yaml:14:17"}) {
		t.Errorf("admission %+v, contract %+v", e.Admission, e.Contract)
	}
}

func TestExplainNotCacheable(t *testing.T) {
	s := newSite(t, sitePolicy)
	for _, test := range []struct {
		name    string
		request Request
		route   string
		reasons []string
	}{
		{"a person", Request{URL: "http://hapitas.example/register/lp", Header: header("Cookie", "auth_x=1")}, "landing", []string{"identity"}},
		{"a parameter nobody thought of", Request{URL: "http://hapitas.example/register/lp?x=1"}, "landing", []string{"param-bypass"}},
		{"a method", Request{Method: "post", URL: "http://hapitas.example/register/lp"}, "landing", []string{"method"}},
		{"never", Request{URL: "http://hapitas.example/x"}, "other", []string{"route-never"}},
		{"no route", Request{URL: "http://hapitas.example/"}, "default", []string{"no-route"}},
		{"another host", Request{URL: "http://evil.example/register/lp"}, "default", []string{"host-unknown"}},
		{"the Host field counts", Request{URL: "http://127.0.0.1:8080/x", Header: header("host", "HAPITAS.example")}, "other", []string{"route-never"}},
		{"ambiguous comes first", Request{URL: "http://hapitas.example/static/../x", Header: header("Cookie", "session=1")}, "files", []string{"path-dot-segment"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := s.explain(test.request)
			if e.Verdict.Action != ActionBypass || e.Route.Name != test.route || !slices.Equal(e.Verdict.Codes(), test.reasons) {
				t.Errorf("route %s, %s %v; want %s, %v", e.Route.Name, e.Verdict.Action, e.Verdict.Codes(), test.route, test.reasons)
			}
			if e.Key != nil || e.Canonical != nil || e.Admission != nil {
				t.Error("there is a key although nothing is looked up")
			}
			for _, r := range e.Verdict.Reasons {
				if r.Sentence == "" || r.Advice == "" {
					t.Errorf("%s has no sentence or no advice", r.Code)
				}
			}
			e.Judge(Response{Status: 200, Header: header("Cache-Control", "public, max-age=60")})
			if e.Response.Stored || !slices.Equal(e.Response.Codes(), test.reasons) || e.Response.Hit != nil {
				t.Errorf("its answer: %+v", e.Response)
			}
		})
	}
}

func TestMalformedRequests(t *testing.T) {
	s := newSite(t, sitePolicy)
	for _, url := range []string{"", "ftp://a/", "http://", "http:///x", "http://a@b/", "http://a/%zz", "http://a/ b", "http://a/\x00", "http://a/?" + strings.Repeat("&", maxRequest)} {
		if _, err := Explain(s.policy, s.compiled, Request{URL: url}); err == nil {
			t.Errorf("%q was accepted", url)
		}
	}
}

// TestBodyOnGet: fields that announce a body are as good as one.
func TestBodyOnGet(t *testing.T) {
	s := newSite(t, sitePolicy)
	for _, test := range []struct {
		name, value string
		action      string
	}{{"Content-Length", "3", ActionBypass}, {"Content-Length", "0", ActionCache}, {"Transfer-Encoding", "chunked", ActionBypass}} {
		if e := s.ask("http://hapitas.example/once", test.name, test.value); e.Verdict.Action != test.action {
			t.Errorf("%s: %s: %s", test.name, test.value, e.Verdict.Action)
		}
	}
}

// TestKeyedHeader: what a keyed header comes to.
func TestKeyedHeader(t *testing.T) {
	s := newSite(t, sitePolicy)
	for sent, want := range map[string]Input{
		"ja":      {},
		"ja-JP":   {Keyed: "ja"},
		"fr":      {KeyedNothing: true},
		"fr, *":   {Keyed: "ja"},
		"en;q=.9": {Keyed: "en"},
	} {
		e := s.ask("http://hapitas.example/register/lp", "Accept-Language", sent)
		in := input(t, e, "header Accept-Language")
		if in.Keyed != want.Keyed || in.KeyedNothing != want.KeyedNothing {
			t.Errorf("%q: keyed %q, nothing %t", sent, in.Keyed, in.KeyedNothing)
		}
		keyed := ""
		for _, f := range e.Key.Headers {
			keyed = f.Value
		}
		if told := cmp.Or(in.Keyed, sent); !in.KeyedNothing && keyed != told || in.KeyedNothing && keyed != "" {
			t.Errorf("%q: the key has %q", sent, keyed)
		}
	}
}
