package policies

import (
	"net/http"
	"slices"
	"testing"
)

func TestKeyedExactly(t *testing.T) {
	p, err := ParseYAML("p.yaml", []byte(`
version: 1
routes:
  - name: page
    match: {paths: [/p]}
    cache: 5m
    params: {key: [ref], strip: [utm]}
    cookies: {key: [lang], strip: [ga]}
    headers: {key: [X-Site, {name: Accept-Language, values: [ja, en]}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compile(p, "test")
	if err != nil {
		t.Fatal(err)
	}
	req := &Request{
		Method: "GET", Scheme: "https", Host: "a.example", Path: "/p", EscapedPath: "/p", RawQuery: "ref=1&utm=2",
		Header: http.Header{"Cookie": {"lang=ja; ga=3"}, "X-Site": {"one"}, "Accept-Language": {"en-GB"}, "User-Agent": {"x"}},
	}
	rule := c.Route(req)
	var parts Parts
	if v := rule.Dispose(req, &parts); v.Action != ActCache {
		t.Fatal(v.Reasons)
	}
	var got []string
	for _, i := range rule.KeyedExactly(&parts) {
		got = append(got, i.String())
	}
	if want := []string{"param ref", "cookie lang", "header X-Site"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
