package policies

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestWithheld holds what counts as left out of the canonical request.
func TestWithheld(t *testing.T) {
	page := compiled(t, dispositions).rules[0]
	site := ruleOf(t, "cache: origin, headers: {others: vary, strip: [X-Noise], forward: [{name: Traceparent, reason: traces}]}, cookies: {key: [lang], others: strip}")
	for _, tt := range []struct {
		rule   *Rule
		query  string
		fields []string
		want   bool
	}{
		{page, "", nil, false},
		{page, "ref=a&page=2", nil, false},
		{page, "ref=a&utm_source=x", nil, true},
		{page, "ad=1", nil, true},
		{page, "", []string{"Cookie: lang=ja; v_1=a"}, false},
		{page, "", []string{"Cookie: ; ;"}, false},
		{page, "", []string{"Cookie: lang=ja; _ga=1"}, true},
		{page, "", []string{"Cookie: lang=ja", "Cookie: consent=1"}, true},
		{page, "", []string{"X-Plan: a", "X-Ab-1: b"}, false},
		{page, "", []string{"Accept-Language: ja"}, false},
		{page, "", []string{"Accept-Language: ja-JP"}, true}, // sent as ja
		{page, "", []string{"Accept-Language: fr"}, true},    // not sent
		{page, "", []string{"X-Kind: a"}, false},
		{page, "", []string{"X-Kind: A"}, true},
		{page, "", []string{"Traceparent: 00"}, false}, // forwarded
		{page, "", []string{"X-Noise: 1"}, true},
		{page, "", []string{"X-Whatever: 1"}, true},
		{page, "", []string{"User-Agent: x"}, true},
		{page, "", []string{"Accept: */*"}, true}, // stripped, even if it happens to be what is sent
		{page, "", []string{"X-Forwarded-For: 192.0.2.1"}, true},
		{page, "", []string{"Via: 1.1 a"}, true},
		{page, "", []string{"Expect: 100-continue"}, true},
		{page, "", []string{
			"Connection: keep-alive", "Keep-Alive: timeout=5", "TE: trailers", "Trailer: X", "Transfer-Encoding: chunked", "Proxy-Connection: close",
			"HTTP2-Settings: x", "Content-Length: 0", "Content-Type: text/html", "Host: example.com", "Accept-Encoding: br", "Max-Forwards: 1",
			"Cache-Control: max-age=0", "Pragma: no-cache", "Range: bytes=0-", "If-Range: x", "If-None-Match: x", "If-Modified-Since: x",
		}, false},
		{site, "a=1&b", []string{"User-Agent: x", "Accept: text/html", "X-New: 1", "Cookie: lang=ja", "Traceparent: 00"}, false},
		{site, "", []string{"Accept-Language: ja", "Accept-Language: en"}, false}, // two lines are one
		{site, "", []string{"Via: 1.1 a"}, true},
		{site, "", []string{"X-Noise: 1"}, true},
		{site, "", []string{"Cookie: theme=x"}, true},
	} {
		t.Run(tt.rule.Name+" "+tt.query+" "+strings.Join(tt.fields, " "), func(t *testing.T) {
			p := checkDispose(t, tt.rule, request("https://example.com/?"+tt.query, tt.fields...), ActCache)
			if p.Withheld != tt.want {
				t.Errorf("got %v", p.Withheld)
			}
		})
	}
}

// TestNothingWithheld holds what Withheld promises: if it is not set, the canonical
// request has every parameter, cookie and header of the request, save what is
// forwarded and what concerns one connection or the cache.
func TestNothingWithheld(t *testing.T) {
	whole, cut := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c, err := Compile(drawClosurePolicy(t), "test")
		if err != nil {
			t.Fatal(err)
		}
		for range 12 {
			v := drawVisit(t)
			_, parts, ok := judge(c, v)
			switch missing := missingFrom(parts, v.request()); {
			case !ok:
			case parts.Withheld:
				cut++
			case missing != "":
				t.Fatalf("%s is not in\n%s", missing, canonicalText(parts.Canonical()))
			default:
				whole++
			}
		}
	})
	t.Logf("%d requests are whole, and %d are not", whole, cut)
	if whole < 5 || cut < 5 {
		t.Errorf("only %d requests are whole, and %d are not", whole, cut)
	}
}

// missingFrom names what the origin would have seen of the request and does not see
// of the canonical one.
func missingFrom(p *Parts, req *Request) string {
	c := p.Canonical()
	sent := strings.Split(c.RawQuery, "&")
	for pair := range strings.SplitSeq(req.RawQuery, "&") {
		if !slices.Contains(sent, pair) {
			return "parameter " + pair
		}
	}
	crumbs := strings.Split(c.Header.Get("Cookie"), ";")
	for i := range crumbs {
		crumbs[i] = strings.TrimSpace(crumbs[i])
	}
	for _, line := range req.Header["Cookie"] {
		for crumb := range strings.SplitSeq(line, ";") {
			if crumb = strings.TrimSpace(crumb); crumb != "" && !slices.Contains(crumbs, crumb) {
				return "cookie " + crumb
			}
		}
	}
	for name, lines := range req.Header {
		forwarded := slices.ContainsFunc(p.Forwarded(), func(f Field) bool { return f.Name == name })
		if forwarded || slices.Contains([]string{"Cookie", "Range", "If-None-Match"}, name) {
			continue
		}
		if !slices.Equal(c.Header[name], []string{strings.Join(lines, ", ")}) {
			return "header " + name
		}
	}
	return ""
}
