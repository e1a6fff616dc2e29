package policies

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// compiled reads a policy in YAML and compiles it for the space "test".
func compiled(t testing.TB, yaml string) *Compiled {
	t.Helper()
	p, err := ParseYAML("test.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compile(p, "test")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// request is what a server makes of a GET for the target with the fields, each
// "Name: value". It takes targets that net/url would refuse.
func request(target string, fields ...string) *Request {
	scheme, rest, _ := strings.Cut(target, "://")
	host, path := rest, ""
	if slash := strings.IndexAny(rest, "/?"); slash >= 0 {
		host, path = rest[:slash], rest[slash:]
	}
	req := &Request{Method: http.MethodGet, Scheme: scheme, Host: strings.ToLower(host), Header: make(http.Header)}
	var query bool
	req.EscapedPath, req.RawQuery, query = strings.Cut(path, "?")
	req.ForceQuery = query && req.RawQuery == ""
	req.Path = req.EscapedPath
	if decoded, err := url.PathUnescape(req.EscapedPath); err == nil {
		req.Path = decoded
	}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ":")
		req.Header.Add(name, strings.TrimSpace(value))
	}
	return req
}

// onePage is a route without a host, so that tests of other things need not care.
const onePage = `
routes:
  - name: page
    match: {paths: [/*]}
    cache: 5m
    params: {key: [ref, user.id], bypass: [preview], strip: [utm_*, fbclid], others: strip}
`

func checkReasons(t *testing.T, got Verdict, action Action, want ...Reason) {
	t.Helper()
	if got.Action != action || !slices.Equal(got.Reasons, want) {
		t.Errorf("got action %d for %v, want action %d for %v", got.Action, got.Reasons, action, want)
	}
}

// checkInspect expects a bypass for the reasons, or nothing to be found.
func checkInspect(t *testing.T, rule *Rule, req *Request, want ...Reason) {
	t.Helper()
	action := ActCache
	if len(want) > 0 {
		action = ActBypass
	}
	checkReasons(t, rule.Inspect(req), action, want...)
}

func TestInspectHost(t *testing.T) {
	named := compiled(t, `
routes:
  - name: page
    match: {hosts: [hapitas.example, "*.cdn.example", "api.example:8443", "[2001:db8::1]"], paths: [/*]}
    cache: 5m
`).rules[0]
	any := compiled(t, onePage).rules[0]
	for _, tt := range []struct {
		host, port string
		rule       *Rule
		want       []Reason
	}{
		{"hapitas.example", "", named, nil},
		{"hapitas.example:443", "", named, nil},
		{"hapitas.example:8080", "8080", named, nil},
		{"a.cdn.example", "", named, nil},
		{"a.b.cdn.example", "", named, nil},
		{"api.example:8443", "", named, nil},
		{"[2001:db8::1]", "", named, nil},
		{"[2001:db8::1]:443", "", named, nil},
		{"evil.example", "", named, []Reason{ReasonHostUnknown}},
		{"cdn.example", "", named, []Reason{ReasonHostUnknown}},
		{"api.example", "", named, []Reason{ReasonHostUnknown}},
		{"hapitas.example.evil.example", "", named, []Reason{ReasonHostUnknown}},
		{"xhapitas.example", "", named, []Reason{ReasonHostUnknown}},
		{"hapitas.example:80", "", named, []Reason{ReasonHostPort}},
		{"hapitas.example:8081", "8080", named, []Reason{ReasonHostPort}},
		{"hapitas.example:0443", "", named, []Reason{ReasonHostPort}},
		{"hapitas.example:99999", "", named, []Reason{ReasonHostPort}},
		{"hapitas.example.", "", named, []Reason{ReasonHostTrailingDot, ReasonHostUnknown}},
		{"anything.example", "", any, nil},
		{"under_score.example", "", any, nil},
		{"192.0.2.1", "", any, nil},
		{"localhost:3000", "3000", any, nil},
		{"anything.example:444", "", any, []Reason{ReasonHostPort}},
		{"anything.example.", "", any, []Reason{ReasonHostTrailingDot}},
		{"", "", any, []Reason{ReasonHostMalformed}},
		{".", "", any, []Reason{ReasonHostMalformed}},
		{".example.com", "", any, []Reason{ReasonHostMalformed}},
		{"a..example.com", "", any, []Reason{ReasonHostMalformed}},
		{"example.com..", "", any, []Reason{ReasonHostMalformed}},
		{":80", "", any, []Reason{ReasonHostMalformed}},
		{"example.com:", "", any, []Reason{ReasonHostMalformed}},
		{"example.com:evil", "", any, []Reason{ReasonHostMalformed}},
		{"example.com:80:80", "", any, []Reason{ReasonHostMalformed}},
		{"example.com:+80", "", any, []Reason{ReasonHostMalformed}},
		{"example.com:123456", "", any, []Reason{ReasonHostMalformed}},
		{"user@example.com", "", any, []Reason{ReasonHostMalformed}},
		{"example.com, evil.example", "", any, []Reason{ReasonHostMalformed}},
		{"example.com/x", "", any, []Reason{ReasonHostMalformed}},
		{"example.com\x00", "", any, []Reason{ReasonHostMalformed}},
		{"ex%41mple.com", "", any, []Reason{ReasonHostMalformed}},
		{"検索.example", "", any, []Reason{ReasonHostMalformed}},
		{"EXAMPLE.com", "", any, []Reason{ReasonHostMalformed}}, // the caller lowers it
		{"[::1", "", any, []Reason{ReasonHostMalformed}},
		{"[]", "", any, []Reason{ReasonHostMalformed}},
		{"[::1]x", "", any, []Reason{ReasonHostMalformed}},
		{"[::1%25eth0]", "", any, []Reason{ReasonHostMalformed}},
	} {
		t.Run(tt.host+" "+tt.rule.Digest[:4], func(t *testing.T) {
			req := request("https://example.com/")
			req.Host, req.Port = tt.host, tt.port
			checkInspect(t, tt.rule, req, tt.want...)
		})
	}
}

func TestInspectPortOfScheme(t *testing.T) {
	rule := compiled(t, onePage).rules[0]
	checkInspect(t, rule, request("http://example.com:80/"))
	checkInspect(t, rule, request("https://example.com:443/"))
	checkInspect(t, rule, request("http://example.com:443/"), ReasonHostPort)
	checkInspect(t, rule, request("https://example.com:80/"), ReasonHostPort)
}

func TestInspectFraming(t *testing.T) {
	rule := compiled(t, onePage).rules[0]
	body := func(method string) *Request {
		req := request("https://example.com/")
		req.Method, req.HasBody = method, true
		return req
	}
	get := func(fields ...string) *Request { return request("https://example.com/", fields...) }
	post := request("https://example.com/?_method=DELETE")
	post.Method = http.MethodPost
	for name, tt := range map[string]struct {
		req  *Request
		want []Reason
	}{
		"GET with a body":           {body("GET"), []Reason{ReasonBodyOnGet}},
		"HEAD with a body":          {body("HEAD"), []Reason{ReasonBodyOnGet}},
		"POST with a body":          {body("POST"), nil},
		"POST with _method":         {post, nil}, // never cached, and what forms send
		"keep-alive":                {get("Connection: keep-alive"), nil},
		"close":                     {get("Connection: close"), nil},
		"Keep-Alive, Upgrade":       {get("Connection: Keep-Alive, Upgrade, HTTP2-Settings"), nil},
		"TE":                        {get("Connection: TE,close,"), nil},
		"nominates Cookie":          {get("Connection: close, Cookie"), []Reason{ReasonConnectionNominates}},
		"nominates in second line":  {get("Connection: close", "Connection: x-forwarded-for"), []Reason{ReasonConnectionNominates}},
		"nominates Host":            {get("Connection: Host"), []Reason{ReasonConnectionNominates}},
		"nominates Cache-Control":   {get("Connection: keep-alive,cache-control"), []Reason{ReasonConnectionNominates}},
		"nominates Content-Length":  {get("Connection: Content-Length"), []Reason{ReasonConnectionNominates}},
		"nominates with a blank":    {get("Connection: close Cookie"), []Reason{ReasonConnectionNominates}},
		"same forwarded host":       {get("X-Forwarded-Host: example.com"), nil},
		"same host, other case":     {get("X-Forwarded-Host: Example.COM"), nil},
		"other forwarded host":      {get("X-Forwarded-Host: evil.example"), []Reason{ReasonRoutingOverride}},
		"two forwarded hosts":       {get("X-Forwarded-Host: example.com, evil.example"), []Reason{ReasonRoutingOverride}},
		"forwarded host twice":      {get("X-Forwarded-Host: example.com", "X-Forwarded-Host: example.com"), []Reason{ReasonRoutingOverride}},
		"empty forwarded host":      {get("X-Forwarded-Host:"), []Reason{ReasonRoutingOverride}},
		"forwarded host and a port": {get("X-Forwarded-Host: example.com:1"), []Reason{ReasonRoutingOverride}},
	} {
		t.Run(name, func(t *testing.T) { checkInspect(t, rule, tt.req, tt.want...) })
	}
	t.Run("a forwarded host that the route declares", func(t *testing.T) {
		rule := compiled(t, `routes: [{name: page, match: {paths: [/*]}, cache: 5m, headers: {key: [X-Forwarded-Host]}}]`).rules[0]
		checkInspect(t, rule, get("X-Forwarded-Host: brand.example"))
	})
}

func TestAmbiguousDenies(t *testing.T) {
	const routes = `
routes:
  - {name: page, match: {paths: [/*]}, cache: 5m, params: {key: [ref]}, cookies: {key: [lang]}}
`

	bypass, deny := compiled(t, routes).rules[0], compiled(t, "ambiguous: deny"+routes).rules[0]
	for target, want := range map[string]Reason{
		"https://example.com/a//b":      ReasonPathDoubleSlash,
		"https://example.com/?a=1;b":    ReasonQuerySemicolon,
		"https://example.com./":         ReasonHostTrailingDot,
		"https://example.com/?Ref=1":    ReasonParamAlias,
		"https://example.com/a%2F..%2F": ReasonPathEncodedSlash,
	} {
		checkReasons(t, bypass.Inspect(request(target)), ActBypass, want)
		checkReasons(t, deny.Inspect(request(target)), ActDeny, want)
	}
	checkReasons(t, deny.Inspect(request("https://example.com/?ref=1")), ActCache)
	for name, tt := range map[string]struct {
		req  *Request
		want Reason
	}{
		"repeated parameter": {request("https://example.com/?ref=1&ref=2"), ReasonParamRepeated},
		"repeated cookie":    {request("https://example.com/", "Cookie: lang=ja; lang=en"), ReasonCookieRepeated},
		"malformed cookie":   {request("https://example.com/", "Cookie: lang"), ReasonCookieMalformed},
		"another method":     {request("https://example.com/", "X-HTTP-Method-Override: POST"), ReasonMethodOverride},
		"another URL":        {request("https://example.com/", "X-Original-URL: /admin"), ReasonRoutingOverride},
	} {
		t.Run(name, func(t *testing.T) {
			var p Parts
			checkReasons(t, bypass.Dispose(tt.req, &p), ActBypass, tt.want)
			checkReasons(t, deny.Dispose(tt.req, &p), ActDeny, tt.want)
			// Other methods are never looked up, so nothing can be mistaken.
			tt.req.Method = http.MethodPost
			if v := deny.Dispose(tt.req, &p); v.Action != ActBypass {
				t.Errorf("POST: got action %d for %v", v.Action, v.Reasons)
			}
		})
	}
	var p Parts
	checkReasons(t, deny.Dispose(request("https://example.com/", "Authorization: x"), &p), ActBypass, ReasonAuthorization)
}

// FuzzHost holds that a host that passes is one that net/url reads alike.
func FuzzHost(f *testing.F) {
	for _, host := range []string{"example.com", "example.com:80", "[::1]:80", "[::A]", "a..b", "user@host", "a:b:c"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		name, port, ok := splitHost(host)
		if !ok {
			return
		}
		u, err := url.Parse("https://" + host + "/")
		if err != nil {
			if strings.HasPrefix(host, "[") {
				return // not an address; no certificate and no route names it
			}
			t.Fatalf("%q passed: %v", host, err)
		}
		if u.Host != host || u.Port() != port || u.Hostname() != strings.Trim(name, "[]") || strings.ToLower(host) != host {
			t.Errorf("%q is %q and %q to us, %q and %q to net/url", host, name, port, u.Hostname(), u.Port())
		}
	})
}
