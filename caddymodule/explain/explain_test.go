package explain

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

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

func TestJudge(t *testing.T) {
	s := newSite(t, sitePolicy)
	for _, test := range []struct {
		name, path string
		fields     []string // of the request
		response   Response
		reasons    []string
		lifetime   int64
		by         string
		hit        []string // fields of the hit that must be there
	}{
		{"a duration", "/register/lp", nil, Response{Status: 200}, nil, 300, byPolicy,
			[]string{"Cache-Control: public, max-age=0, must-revalidate", "Cdn-Cache-Control: max-age=60", "Vary: Accept-Language", "Age: 0"}},
		{"Set-Cookie (attacks 1.1)", "/register/lp", nil, Response{Status: 200, Header: header("set-cookie", "a=b")}, []string{"set-cookie"}, 0, "", nil},
		{"a status that is not declared", "/register/lp", nil, Response{Status: 404}, []string{"status"}, 0, "", nil},
		{"an error of the origin", "/register/lp", nil, Response{Status: 503}, []string{"origin-error", "status"}, 0, "", nil},
		{"the origin says nothing (RFC 9111 §3)", "/static/a", nil, Response{Status: 200}, []string{"not-explicit"}, 0, "", nil},
		{"the origin says for how long, and that it is old", "/static/a", nil,
			Response{Status: 200, Header: header("Cache-Control", "public, max-age=60", "Age", "20")}, nil, 40, byOrigin, []string{"Cache-Control: private, no-store", "Age: 20"}},
		{"older than that", "/static/a", nil, Response{Status: 200, Header: header("Cache-Control", "public, max-age=60", "Age", "70")}, []string{"not-fresh"}, 0, "", nil},
		{"a forwarded value in a field", "/static/a", []string{"X-Trace", "4bf92f3577b34da6"},
			Response{Status: 200, Header: header("Cache-Control", "max-age=60", "X-Seen", "4bf92f3577b34da6")}, []string{"reflects-input"}, 0, "", nil},
		{"a forwarded value in the body", "/static/a", []string{"X-Trace", "4bf92f3577b34da6"},
			Response{Status: 200, Header: header("Cache-Control", "max-age=60", "Content-Type", "text/html"), Body: []byte("<i id=t>4bf92f3577b34da6</i>")}, []string{"reflects-input"}, 0, "", nil},
		{"a token in the body", "/once", nil,
			Response{Status: 200, Header: header("Content-Type", "text/html"), Body: []byte(`<input type="hidden" name="csrf_token" value="a8f5f167f44f4964e6c998dee827110c">`)}, []string{"state-in-body"}, 0, "", nil},
		{"a coding that is none", "/once", nil, Response{Status: 200, Header: header("Content-Encoding", "gzip"), Body: []byte("plain")}, []string{"encoding-unreadable"}, 0, "", nil},
		{"a part of it is missing (RFC 9112 §8)", "/once", nil, Response{Status: 200, Header: header("Content-Length", "9"), Body: []byte("hello")}, []string{"truncated"}, 0, "", nil},
		{"too large", "/once", nil, Response{Status: 200, Body: make([]byte, defaultMaxObject+1)}, []string{"too-large"}, 0, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := s.ask("http://hapitas.example"+test.path, test.fields...)
			test.response.Received = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			e.Judge(test.response)
			j := e.Response
			if !slices.Equal(j.Codes(), test.reasons) || j.Stored != (test.reasons == nil) || j.Lifetime != test.lifetime || j.LifetimeBy != test.by {
				t.Errorf("stored %t, %v, %d s by %s; want %v, %d s by %s", j.Stored, j.Codes(), j.Lifetime, j.LifetimeBy, test.reasons, test.lifetime, test.by)
			}
			for _, want := range test.hit {
				if !slices.ContainsFunc(j.Hit, func(f Field) bool { return f.Name+": "+f.Value == want }) {
					t.Errorf("the hit has %v; %q was expected", j.Hit, want)
				}
			}
			if text := textOf(t, e); strings.Contains(text, "a8f5f167f44f4964e6c998dee827110c") {
				t.Error("the text has a value of the page in it")
			}
		})
	}
}

func TestMarkersAndReflections(t *testing.T) {
	s := newSite(t, sitePolicy)
	e := s.ask("http://hapitas.example/once")
	e.Judge(Response{Status: 200, Header: header("Content-Type", "text/html"), Body: []byte(`<input type="hidden" name="csrf_token" value="a8f5f167f44f4964e6c998dee827110c">`)})
	if m := e.Response.Markers; len(m) != 1 || m[0].ID != "csrf-field" || m[0].Near != "csrf_token" || m[0].Finds == "" {
		t.Errorf("markers: %+v", m)
	}
	e = s.ask("http://hapitas.example/static/a", "X-Trace", "4bf92f3577b34da6")
	e.Judge(Response{Status: 200, Header: header("Cache-Control", "max-age=60", "Content-Type", "text/html"), Body: []byte("<i id=t>4bf92f3577b34da6</i>")})
	if r := e.Response.Reflections; len(r) != 1 || r[0].Input != "header X-Trace" || r[0].Field != "" || r[0].Coding != "plain" {
		t.Errorf("reflections: %+v", r)
	}
}

func TestCorroborate(t *testing.T) {
	s := newSite(t, sitePolicy)
	page := func(text string) Response {
		return Response{Status: 200, Header: header("Content-Type", "text/html"), Body: []byte("<p>" + text + "</p>")}
	}
	for _, test := range []struct {
		name, own string
		reasons   []string
		class     string
	}{
		{"equal", "hello", nil, ""},
		{"the referrer is in the page", "ALICE-8f7e6d5c", []string{"divergent", "reflects-input"}, "reflected-input"},
		{"something else is", "good evening", []string{"divergent"}, "content"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := s.ask("http://hapitas.example/register/lp?ref=ALICE-8f7e6d5c")
			e.Judge(page("hello"))
			if err := e.Corroborate(page(test.own)); err != nil {
				t.Fatal(err)
			}
			j := e.Response
			if !j.Compared || !slices.Equal(j.Codes(), test.reasons) || j.Stored != (test.reasons == nil) {
				t.Errorf("compared %t, stored %t, %v", j.Compared, j.Stored, j.Codes())
			}
			if d := j.Divergence; (d == nil) != (test.class == "") || d != nil && (d.Class != test.class || d.Sentence == "") {
				t.Errorf("divergence %+v; %q was expected", d, test.class)
			}
		})
	}
	for _, test := range []struct {
		fields []string
		status int
	}{{[]string{"Range", "bytes=0-3"}, 206}, {[]string{"If-None-Match", `"a"`}, 304}, {nil, 429}} {
		e := s.ask("http://hapitas.example/register/lp", test.fields...)
		e.Judge(page("hello"))
		if err := e.Corroborate(Response{Status: test.status}); err != nil || e.Response.Compared || !e.Response.Stored || len(e.Response.Notes) == 0 {
			t.Errorf("%v, %d: what cannot be compared was: %+v", test.fields, test.status, e.Response)
		}
	}
	e := s.ask("http://hapitas.example/once")
	e.Judge(page("hello"))
	if err := e.Corroborate(page("something else")); err != nil || e.Response.Compared {
		t.Error("two answers were compared on a route that admits once")
	}
}

// TestMaxObject: the limit is that of the handler that is asked.
func TestMaxObject(t *testing.T) {
	s := newSite(t, sitePolicy)
	e, err := Explain(s.policy, s.compiled, Request{URL: "http://hapitas.example/once", MaxObject: 4})
	if err != nil {
		t.Fatal(err)
	}
	if e.Judge(Response{Status: 200, Body: []byte("hello")}); !slices.Equal(e.Response.Codes(), []string{"too-large"}) {
		t.Errorf("%v", e.Response.Codes())
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

func textOf(t *testing.T, e *Explanation) string {
	t.Helper()
	var b bytes.Buffer
	if err := e.WriteText(&b, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestJSONHasItAll: an explanation that came over the wire reads like one that did not.
func TestJSONHasItAll(t *testing.T) {
	s := newSite(t, sitePolicy)
	for _, url := range []string{"/register/lp?ref=1", "/static/a", "/once", "/x", "/none"} {
		e := s.ask("http://hapitas.example"+url, "X-Trace", "4bf92f3577b34da6", "Accept-Language", "ja-JP")
		for range 2 {
			if err := e.Speak([]string{AllProfiles}); err != nil {
				t.Fatal(err)
			}
			data, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			var back Explanation
			if err := json.Unmarshal(data, &back); err != nil {
				t.Fatal(err)
			}
			if got, want := textOf(t, &back), textOf(t, e); got != want {
				t.Errorf("%s: got\n%s\nwant\n%s", url, got, want)
			}
			e.Judge(Response{Status: 200, Header: header("Cache-Control", "max-age=60")})
		}
	}
}

// TestTextOfManyRoutes: of many routes that do not match those are told that nearly do,
// and the rest is counted.
func TestTextOfManyRoutes(t *testing.T) {
	var yaml strings.Builder
	yaml.WriteString("mode: observe\nambiguous: deny\nroutes:\n")
	for i := range 100 {
		fmt.Fprintf(&yaml, "  - {name: far%d, match: {hosts: [a%d.example], paths: [/%d]}, cache: never}\n", i, i, i)
	}
	yaml.WriteString("  - {name: near, match: {hosts: [b.example], paths: [/near]}, cache: never}\n")
	yaml.WriteString("  - {name: right, match: {hosts: [b.example], paths: [/*]}, cache: 1m}\n")
	s := newSite(t, yaml.String())
	e := s.ask("http://b.example/x")
	if n := len(e.Route.PassedOver); n != maxPassedOver || e.Route.PassedOver[0].Name != "near" || e.Route.PassedOverTotal != 101 {
		t.Errorf("%d routes of %d, first %+v", n, e.Route.PassedOverTotal, e.Route.PassedOver[0])
	}
	for _, want := range []string{"right, cache 1m, observe at policy.yaml:105:5", "not near: its paths do not match at policy.yaml:104:5", "not far0: its hosts and its paths", "not 96 others", "only observes"} {
		if text := textOf(t, e); !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if text := textOf(t, s.ask("http://b.example//x")); !strings.Contains(text, "refused with 400") {
		t.Errorf("a denied request:\n%s", text)
	}
	brief := s.explain(Request{URL: "http://b.example/x", Brief: true})
	if brief.Route.PassedOver != nil || brief.Route.PassedOverTotal != 101 {
		t.Errorf("brief: %+v", brief.Route)
	}
}

// TestTextIsPrintable: what a request has in it does not steer a terminal.
func TestTextIsPrintable(t *testing.T) {
	s := newSite(t, sitePolicy)
	e := s.ask("http://hapitas.example/static/%1b[31m?a=\u009b31m", "X-Trace", "\x1b[2J\u202e", "Cookie", "a\x07b=\x1b")
	for _, r := range textOf(t, e) {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%q is in the text", r)
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
