package lint

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/policies"
)

func passOfText(t testing.TB, text string) *Pass {
	t.Helper()
	u := Load("policy.yaml", []byte(text))
	if len(u.Faults) > 0 {
		t.Fatalf("%v in\n%s", u.Faults, text)
	}
	s := &u.Scopes[0]
	return &Pass{Unit: u, Scope: s, Policy: s.Policy, Compiled: s.Compiled}
}

// withRef gives each visitor a referrer of their own.
func withRef(r *Request, visitor int) { r.addParam("ref", referrers[visitor]) }

func TestTwoRequests(t *testing.T) {
	const above = `routes:
  - name: above
    match: {hosts: [shop.example], paths: [/lp]}
    cache: never
`
	for _, c := range []struct {
		name, policy string
		first        string // URL of the first request; empty: there is no counterexample
	}{
		{"stripped", "match: {hosts: [shop.example], paths: [/lp]}\n    cache: 5m\n    params: {strip: [ref]}", "https://shop.example/lp?ref=ALICE"},
		{"keyed", "match: {hosts: [shop.example], paths: [/lp]}\n    cache: 5m\n    params: {key: [ref]}", ""},
		{"bypass", "match: {hosts: [shop.example], paths: [/lp]}\n    cache: 5m", ""},
		{"denied", "match: {hosts: [shop.example], paths: [/lp]}\n    cache: 5m\n    params: {deny: [ref]}", ""},
		{"never", "match: {hosts: [shop.example], paths: [/lp]}\n    cache: never", ""},
		{"others", "match: {paths: [/lp]}\n    cache: 5m\n    params: {others: strip}", "https://example.com/lp?ref=ALICE"},
		{"key wins over a glob", "match: {paths: [/lp]}\n    cache: 5m\n    params: {key: [ref], strip: [\"r*\"]}", ""},
		{"no paths", "match: {hosts: [shop.example]}\n    cache: 5m\n    params: {strip: [ref]}", "https://shop.example/?ref=ALICE"},
		{"wildcard host", "match: {hosts: [\"*.shop.example\"], paths: [/*]}\n    cache: 5m\n    params: {strip: [ref]}", "https://www.shop.example/?ref=ALICE"},
		{"host with a port", "match: {hosts: [\"shop.example:8443\"], paths: [/a/*]}\n    cache: 5m\n    params: {strip: [ref]}", "https://shop.example:8443/a/page?ref=ALICE"},
		{"extension", "match: {hosts: [shop.example], paths: [\"*.html\"]}\n    cache: 5m\n    params: {strip: [ref]}", "https://shop.example/page.html?ref=ALICE"},
		{"glob", "match: {hosts: [shop.example], paths: [\"/**/lp-*/x\"]}\n    cache: 5m\n    params: {strip: [ref]}", "https://shop.example/a/lp-a/x?ref=ALICE"},
		{"not ASCII", "match: {hosts: [shop.example], paths: [/会員登録]}\n    cache: 5m\n    params: {strip: [ref]}", "https://shop.example/%E4%BC%9A%E5%93%A1%E7%99%BB%E9%8C%B2?ref=ALICE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := passOfText(t, "routes:\n  - name: r\n    "+c.policy)
			two := twoRequests(p, &p.Policy.Routes[0], withRef)
			if c.first == "" {
				if two != nil {
					t.Errorf("%+v do not share", two)
				}
				return
			}
			if len(two) != 2 || two[0].URL != c.first || two[1].URL != strings.Replace(c.first, "ALICE", "BOB", 1) {
				t.Errorf("got %+v, want %s", two, c.first)
			}
		})
	}

	t.Run("an earlier route takes the first path", func(t *testing.T) {
		p := passOfText(t, above+"  - name: r\n    match: {hosts: [shop.example], paths: [/lp, /lp2]}\n    cache: 5m\n    params: {strip: [ref]}")
		two := twoRequests(p, &p.Policy.Routes[1], withRef)
		if two == nil || two[0].URL != "https://shop.example/lp2?ref=ALICE" {
			t.Errorf("got %+v", two)
		}
	})
	t.Run("an earlier route takes everything", func(t *testing.T) {
		p := passOfText(t, above+"  - name: r\n    match: {hosts: [shop.example], paths: [/lp]}\n    cache: 5m\n    params: {strip: [ref]}")
		if two := twoRequests(p, &p.Policy.Routes[1], withRef); two != nil {
			t.Errorf("%+v do not reach the route", two)
		}
	})
	t.Run("an earlier route that caches takes everything", func(t *testing.T) {
		p := passOfText(t, strings.Replace(above, "never", "1m\n    params: {strip: [ref]}", 1)+
			"  - name: r\n    match: {hosts: [shop.example], paths: [/lp]}\n    cache: 5m\n    params: {strip: [ref]}")
		if two := twoRequests(p, &p.Policy.Routes[1], withRef); two != nil {
			t.Errorf("%+v are another route's", two)
		}
	})
	t.Run("ambiguous", func(t *testing.T) { // Ref may be taken for the keyed ref
		p := passOfText(t, "routes:\n  - name: r\n    match: {paths: [/b]}\n    cache: 5m\n    params: {key: [ref], others: strip}")
		two := twoRequests(p, &p.Policy.Routes[0], func(r *Request, visitor int) { r.addParam("Ref", referrers[visitor]) })
		if two != nil {
			t.Errorf("%+v are a bypass", two)
		}
	})
	t.Run("the hosts of another route", func(t *testing.T) { // example.com would be unknown, and ambiguous
		p := passOfText(t, above+"  - name: r\n    match: {paths: [/b]}\n    cache: 5m\n    params: {strip: [ref]}")
		two := twoRequests(p, &p.Policy.Routes[1], withRef)
		if two == nil || two[0].URL != "https://shop.example/b?ref=ALICE" {
			t.Errorf("got %+v", two)
		}
	})
	t.Run("the hosts of the site", func(t *testing.T) {
		p := passOfText(t, "routes:\n  - name: r\n    match: {paths: [/b]}\n    cache: 5m\n    params: {strip: [ref]}")
		p.Scope.Hosts = []string{":8080", "{$HOST}", "*.site.example"}
		two := twoRequests(p, &p.Policy.Routes[0], withRef)
		if two == nil || two[0].URL != "https://www.site.example/b?ref=ALICE" {
			t.Errorf("got %+v", two)
		}
	})
	t.Run("Vary tells them apart", func(t *testing.T) {
		p := passOfText(t, "routes:\n  - name: r\n    match: {paths: [/b]}\n    cache: origin\n    headers: {vary: [X-Plan]}")
		two := twoRequests(p, &p.Policy.Routes[0], func(r *Request, visitor int) { r.addHeader("X-Plan", referrers[visitor]) })
		if two != nil {
			t.Errorf("%+v may be told apart", two)
		}
	})
	t.Run("no difference is no counterexample", func(t *testing.T) {
		p := passOfText(t, "routes:\n  - name: r\n    match: {paths: [/b]}\n    cache: 5m")
		if two := twoRequests(p, &p.Policy.Routes[0], func(*Request, int) {}); two != nil {
			t.Errorf("%+v are the same request", two)
		}
	})
	t.Run("not compiled", func(t *testing.T) {
		p := passOfText(t, "routes:\n  - name: r\n    match: {paths: [/b]}\n    cache: 5m\n    params: {strip: [ref]}")
		p.Compiled = nil
		if two := twoRequests(p, &p.Policy.Routes[0], withRef); two != nil {
			t.Errorf("%+v were not tried", two)
		}
	})
}

func TestAddCookie(t *testing.T) {
	first := Request{URL: "https://a.example/"}
	first.addCookie("a", "1")
	second := first
	second.addCookie("b", "2")
	second.addHeader("X-A", "3")
	if want := [][2]string{{"Cookie", "a=1; b=2"}, {"X-A", "3"}}; !slices.Equal(second.Header, want) {
		t.Errorf("got %v", second.Header)
	}
	if want := [][2]string{{"Cookie", "a=1"}}; !slices.Equal(first.Header, want) {
		t.Errorf("the copy changed it to %v", first.Header)
	}
}

// TestAttributionFindingsAreTrue holds, for policies of all kinds, that what CW101 and
// CW103 say is stripped is stripped by the engine, that they say nothing of what it is
// not, and that there is nothing they leave out.
func TestAttributionFindingsAreTrue(t *testing.T) {
	pool := []string{"ref", "aff_id", "re*", "*_id", "aff*", "utm_*", "@analytics", "page", "x*"}
	rapid.Check(t, func(t *rapid.T) {
		verbs := map[string][]string{}
		for _, name := range pool {
			verb := rapid.SampledFrom([]string{"", "", "key", "strip", "strip", "bypass", "deny"}).Draw(t, name)
			verbs[verb] = append(verbs[verb], fmt.Sprintf("%q", name))
		}
		var in []string
		for _, verb := range []string{"key", "strip", "bypass", "deny"} {
			if len(verbs[verb]) > 0 {
				in = append(in, verb+": ["+strings.Join(verbs[verb], ", ")+"]")
			}
		}
		others := rapid.SampledFrom([]string{"key", "bypass"}).Draw(t, "others")
		kind := rapid.SampledFrom([]string{"5m", "origin"}).Draw(t, "cache")
		field := rapid.SampledFrom([]string{"params", "cookies"}).Draw(t, "field")
		text := fmt.Sprintf("routes:\n  - name: r\n    match: {paths: [/page]}\n    cache: %s\n    %s: {%s}\n", kind, field, strings.Join(append(in, "others: "+others), ", "))
		u := Load("policy.yaml", []byte(text))
		if len(u.Faults) > 0 {
			t.Skip(u.Faults)
		}
		id, add := "CW101", (*Request).addParam
		if field == "cookies" {
			id, add = "CW103", (*Request).addCookie
		}
		s := &u.Scopes[0]
		p := &Pass{Unit: u, Scope: s, Policy: s.Policy, Compiled: s.Compiled}
		stripped := slices.ContainsFunc([]string{"ref", "aff_id"}, func(name string) bool {
			return tellingRequests(p, &s.Policy.Routes[0], nil, []string{name}, add) != nil
		})
		found := Run(u, func(r Rule) bool { return r.ID == id })
		for _, f := range found {
			if len(f.Counterexample) != 2 {
				t.Errorf("no counterexample to %q in\n%s", f.Message, text)
			}
		}
		if stripped && len(found) == 0 {
			t.Errorf("nothing was found in\n%s", text)
		}
	})
}

// manyPages is a policy of n routes, of which all have something to find.
func manyPages(tb testing.TB, n int) *Unit {
	tb.Helper()
	var b strings.Builder
	b.WriteString("routes:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {name: r%d, match: {hosts: [h%d.example], paths: [/shop%d/cart, /x/lp, /p/*]}, cache: 5m, "+
			"params: {strip: [ref, \"aff_*\", \"x*\"], others: strip}, cookies: {strip: [lead, PHPSESSID], others: strip}}\n", i, i%50, i)
	}
	p, err := policies.ParseYAML("many.yaml", []byte(b.String()))
	if err != nil {
		tb.Fatal(err)
	}
	c, err := policies.Compile(p, "lint")
	if err != nil {
		tb.Fatal(err)
	}
	return &Unit{Name: "many.yaml", Scopes: []Scope{{Policy: p, Compiled: c}}}
}

func BenchmarkAttributionAndState10000(b *testing.B) {
	u := manyPages(b, 10_000)
	for b.Loop() {
		if found := Run(u, func(r Rule) bool { return r.Family() == "attribution" || r.Family() == "state" }); len(found) < 10_000 {
			b.Fatalf("only %d findings", len(found))
		}
	}
}
