package caddymodule

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/explain"
	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/policies"
)

// explainedRoutes have every kind of route and of disposition.
const explainedRoutes = `  - name: landing
    match: {hosts: [example.com], paths: [/register/*]}
    cache: {ttl: 5m, statuses: {404: 10s}}
    params: {key: [lang], strip: [ref, "utm_*"], deny: [debug]}
    cookies: {strip: ["@analytics"]}
    headers: {key: [{name: Accept-Language, values: [ja, en]}], bypass: [X-Preview-Mode]}
    identity: {cookies: [session], headers: [X-Who]}
    downstream: {ttl: 1m, browser: 10s}
  - name: strict
    match: {paths: [/strict/*]}
    cache: 1m
    ambiguous: deny
    params: {strip: [ref], others: deny}
    cookies: {key: [plan], others: strip}
    set_cookie: {rule: strip, reason: a tracking cookie}
  - name: once
    match: {paths: [/once/*]}
    cache: 5m
    admission: {rule: once, reason: built from files}
    params: {others: strip}
    cookies: {others: strip}
  - name: never
    match: {paths: [/open/never]}
    cache: never
  - name: open
    match: {paths: [/open/*]}
    cache: {ttl: origin, statuses: {404: 1m}}
    heuristic: on
    cookies: {others: strip}
    headers: {forward: [{name: X-Trace, reason: traces}]}
    authorization: {rule: rfc9111, reason: the origin says what is public}
    address: {rule: forward, reason: counts visitors}
    downstream: origin
  - name: plain
    match: {paths: [/plain/*]}
    cache: origin
    headers: {others: vary}
    downstream: 30s
`

// TestExplainAgreesWithTheHandler: what explain says is what the handler does with the
// same request and the same origin. It is one engine, but two ways through it.
func TestExplainAgreesWithTheHandler(t *testing.T) {
	happened := make(map[string]int)
	rapid.Check(t, func(r *rapid.T) {
		for _, try := range rapid.SliceOfN(rapid.Custom(drawExplained), 8, 8).Draw(r, "requests") {
			var wrong []string
			withRoutes(t, explainedRoutes, func(t *testing.T, c *ruled) {
				wrong = try.check(t, c, happened)
			})
			if wrong != nil {
				r.Fatalf("%+v\n%s", try, strings.Join(wrong, "\n"))
			}
		}
	})
	for _, kind := range []string{"bypass", "deny", "cache", "stored", "refused", "divergent", "hit"} {
		if happened[kind] == 0 {
			t.Errorf("nothing was ever %s; there were %v", kind, happened)
		}
	}
	t.Log(happened)
}

// explained is a request and what the origin makes of it.
type explained struct {
	Method, Target string
	Headers        []string
	Status         int
	Answer         []string
	Body           string
}

func drawExplained(r *rapid.T) explained {
	some := func(label string, most int, all ...string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(all), 0, most, rapid.ID).Draw(r, label)
	}
	x := explained{Method: rapid.SampledFrom([]string{"GET", "GET", "GET", "GET", "HEAD", "POST"}).Draw(r, "method")}
	x.Target = rapid.SampledFrom([]string{
		"/register/lp", "/strict/a", "/once/a", "/open/a", "/plain/a", "/register/lp", "/strict/a", "/once/a", "/open/a", "/plain/a",
		"/once/a.css", "/open/never", "/plain/%7Ea", "/register/../b", "/none", "/strict//x",
	}).Draw(r, "path")
	if query := some("query", 2, "utm_campaign=spring-sale-2024x", "ref=A1B2C3D4E5", "utm_source=x", "lang=ja", "debug=1", "other=1", "lang=en", "%6cang=ja", "", "x;y"); len(query) > 0 {
		x.Target += "?" + strings.Join(query, "&")
	}
	for _, field := range some("fields", 3, "Accept-Language: ja-JP,en;q=0.5", "Accept-Language: fr", "Cookie: plan=gold", "Cookie: session=1", "Cookie: _ga=GA1.2; x",
		"Cookie: plan=a; plan=b", "X-Who: me", "X-Preview-Mode: 1", "Authorization: Bearer abcdefgh12345678", "Origin: https://o.example", "X-Trace: 0af7651916cd43dd8448eb211c80319c",
		"Accept: text/event-stream", "Cache-Control: no-store", "X-Foo: some-odd-value-9f8e7d6c", "Host: other.example", "Connection: X-Foo", "Rsc: 1") {
		name, value, _ := strings.Cut(field, ": ")
		x.Headers = append(x.Headers, name, value)
	}
	x.Status = rapid.SampledFrom([]int{200, 200, 200, 200, 200, 404, 301, 503}).Draw(r, "status")
	for _, field := range some("answer", 3, "Cache-Control: public, max-age=60", "Cache-Control: public, max-age=60", "Cache-Control: max-age=60, no-transform", "Cache-Control: max-age=0", "Cache-Control: private", "Cache-Control: no-cache",
		"Set-Cookie: a=b", "Vary: Accept-Language", "Vary: X-Foo", "Vary: *", "Vary: Cookie", "ETag: \"1\"", "Last-Modified: Sat, 01 Jan 2000 00:00:00 GMT", "Age: 30",
		"CDN-Cache-Control: max-age=600", "Content-Encoding: gzip", "Location: /x", "Content-Type: application/json", "Clear-Site-Data: \"*\"", "Expires: 0") {
		name, value, _ := strings.Cut(field, ": ")
		x.Answer = append(x.Answer, name, value)
	}
	x.Body = rapid.SampledFrom([]string{"<p>the same for all</p>", "echo", `<input type="hidden" name="csrf_token" value="a8f5f167f44f4964e6c998dee827110c">`}).Draw(r, "body")
	return x
}

// origin answers with the drawn answer; with the body "echo" it shows what it was sent.
func (x explained) origin(w http.ResponseWriter, r *http.Request) error {
	body := x.Body
	if body == "echo" {
		var shown []string
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			if name != "User-Agent" && name != "Accept" && name != "Accept-Encoding" {
				shown = append(shown, strings.Join(r.Header[name], ","))
			}
		}
		body = "<p>" + r.URL.RawQuery + " " + strings.Join(shown, " ") + "</p>"
	}
	return say(x.Status, body, x.Answer...)(w, r)
}

// answered is the origin's answer to a request.
func (x explained) answered(method, target, host string, header http.Header) explain.Response {
	r := httptest.NewRequest(method, target, nil)
	r.Host, r.Header = host, header
	w := httptest.NewRecorder()
	_ = x.origin(w, r) // never fails
	return explain.Response{Status: w.Code, Header: w.Header(), Body: w.Body.Bytes(), Received: time.Now()}
}

func (x explained) check(t *testing.T, c *ruled, happened map[string]int) (wrong []string) {
	differ := func(what string, live, told any) {
		if fmt.Sprint(live) != fmt.Sprint(told) {
			wrong = append(wrong, fmt.Sprintf("%s: the handler %v, explain %v", what, live, told))
		}
	}
	c.origin = x.origin
	header, host := http.Header{"User-Agent": {"visitor"}}, "example.com"
	for i := 0; i < len(x.Headers); i += 2 {
		if x.Headers[i] == "Host" {
			host = x.Headers[i+1]
			continue
		}
		header.Add(x.Headers[i], x.Headers[i+1])
	}
	first := c.do(x.Method, x.Target, x.Headers...)
	synctest.Wait()

	policy, err := policies.ParseYAML("policy.yaml", []byte("version: 1\nroutes:\n"+explainedRoutes))
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := policies.Compile(policy, "bubble")
	if err != nil {
		t.Fatal(err)
	}
	asked := explain.Request{Method: x.Method, URL: "http://" + host + x.Target, Header: header, Address: hostOf(visitorAddress)}
	if p := c.placed.Load(); p != nil {
		asked.Server = p.text
	}
	e, err := explain.Explain(policy, compiled, asked)
	if err != nil {
		t.Fatal(err)
	}
	happened[e.Verdict.Action]++
	requests := slices.Concat(c.logged("bypass", "route"), c.logged("deny", "route"), c.logged("serve", "route"))
	differ("route", requests, []string{e.Route.Name})
	if e.Verdict.Action != explain.ActionCache {
		differ("reasons", c.logged(e.Verdict.Action, "reasons"), []string{fmt.Sprint(e.Verdict.Codes())})
		differ("outcome", c.logged(e.Verdict.Action, "outcome"), []string{e.Verdict.Action})
		return wrong
	}
	wrong = append(wrong, x.checkFill(c, e)...)

	e.Judge(x.answered(e.Canonical.Method, targetOf(e.Canonical.URL), host, headerOf(e.Canonical.Header)))
	comparable := x.Method == http.MethodGet && !gate.RequestError(x.Status)
	if comparable {
		if err := e.Corroborate(x.answered(x.Method, x.Target, host, header)); err != nil {
			t.Fatal(err)
		}
	}
	j := e.Response
	differ("stored", len(c.logged("store", "key")) == 1, j.Stored)
	if x.Method == http.MethodGet {
		refused := slices.Concat(c.logged("refuse", "reasons"), c.logged("diverge", "reasons"))
		if j.Stored {
			differ("refusals", refused, []string{})
		} else {
			differ("refusals", refused, []string{fmt.Sprint(j.Codes())})
		}
	}
	for _, f := range j.First {
		if first.err == nil {
			differ("the first visitor's "+f.Name, first.header[f.Name], []string{f.Value})
		}
	}
	if !j.Stored {
		happened["refused"]++
		if j.Divergence != nil {
			happened["divergent"]++
		}
		return wrong
	}
	happened["stored"]++
	if j.Validated || header["Authorization"] != nil {
		return wrong // the next one is not served without a question
	}
	hit := c.do(http.MethodGet, x.Target, x.Headers...)
	if !slices.Contains(c.logged("serve", "outcome"), "hit") {
		return append(wrong, fmt.Sprintf("the next request is no hit: %v", hit.header["Cache-Status"]))
	}
	happened["hit"]++
	told := headerOf(j.Hit)
	for _, name := range []string{"Cache-Control", "Cdn-Cache-Control", "Vary", "Age", "Expires", "Etag", "Date"} {
		differ("the hit's "+name, hit.header[name], told[name])
	}
	return wrong
}

// checkFill compares the key and the canonical request with what was keyed and sent.
func (x explained) checkFill(c *ruled, e *explain.Explanation) (wrong []string) {
	for _, key := range slices.Concat(c.logged("store", "key"), c.logged("refuse", "key"), c.logged("diverge", "key")) {
		if !strings.HasPrefix(e.Key.Digest, key) {
			wrong = append(wrong, fmt.Sprintf("key: the handler %s, explain %s", key, e.Key.Digest))
		}
	}
	fills := 0
	for i, r := range c.asked() {
		if once := e.Admission.Rule == policies.Once; once && i > 0 || !once && r.RemoteAddr != fillAddress {
			continue // the visitor's own
		}
		fills++
		live := fmt.Sprint(r.Method, " ", r.RequestURI, " ", r.Host, " ", r.Header)
		if told := fmt.Sprint(e.Canonical.Method, " ", targetOf(e.Canonical.URL), " ", e.Request.Host, " ", headerOf(e.Canonical.Header)); live != told {
			wrong = append(wrong, "canonical request: the handler "+live+", explain "+told)
		}
		text := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.RequestURI, r.Host)
		if !strings.HasPrefix(e.Canonical.Text, text) {
			wrong = append(wrong, fmt.Sprintf("the text of the canonical request %q does not begin with %q", e.Canonical.Text, text))
		}
	}
	if fills == 0 {
		wrong = append(wrong, "explain says that the request is for the cache, and the handler sent no fill")
	}
	return wrong
}

func targetOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	return rest[strings.IndexByte(rest, '/'):]
}

func headerOf(fields []explain.Field) http.Header {
	h := make(http.Header)
	for _, f := range fields {
		h[f.Name] = append(h[f.Name], f.Value)
	}
	return h
}

var _ caddyhttp.HandlerFunc = explained{}.origin
