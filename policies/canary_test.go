package policies

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestCanaries plants a value of its own in every input of a request. Where the
// input is neither in the key nor in Varying, the value is not in the canonical
// request either, and it is never in both; where
// the policy names the input, it is where the policy says.
func TestCanaries(t *testing.T) {
	stripped, keyed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p := drawClosurePolicy(t)
		c, err := Compile(p, "test")
		if err != nil {
			t.Fatal(err)
		}
		i := rapid.IntRange(0, 1).Draw(t, "route")
		route := &p.Routes[i]
		v := visit{method: http.MethodGet, scheme: "https", host: "example.com", path: "/" + route.Name + "/a", header: make(http.Header)}
		canaries := make(map[string]bool) // by canary: whether the policy says key
		plant := func(kind listKind, in *Inputs) {
			for _, name := range closureNames[kind] {
				canary := fmt.Sprintf("canary-%d-.%s.", kind, name) // no other name's is part of it
				switch kind {
				case kindParam:
					v.params = append(v.params, name+"="+canary)
				case kindCookie:
					v.cookies = append(v.cookies, []string{name + "=" + canary})
				case kindHeader:
					v.header.Set(name, canary)
				}
				if slices.Contains(in.Key, name) {
					canaries[canary] = true
				} else if slices.Contains(in.Strip, name) {
					canaries[canary] = false
				}
			}
		}
		plant(kindParam, route.Params)
		plant(kindCookie, route.Cookies)
		headers := Inputs{Strip: route.Headers.Strip}
		for _, k := range route.Headers.Key {
			if len(k.Values) == 0 {
				headers.Key = append(headers.Key, k.Name)
			}
		}
		plant(kindHeader, &headers)
		key, parts, _ := judge(c, v)
		canonical := canonicalText(parts.Canonical())
		for _, kind := range []listKind{kindParam, kindCookie, kindHeader} {
			for _, name := range closureNames[kind] {
				canary := fmt.Sprintf("canary-%d-.%s.", kind, name)
				inKey := bytes.Contains(key, []byte(canary))
				varies := slices.ContainsFunc(parts.Varying, func(f Field) bool { return f.Value == canary })
				if inKey && varies || (inKey || varies) != strings.Contains(canonical, canary) {
					t.Fatalf("%s %s: in the key: %v, varying: %v, but not so in\n%s", kind, name, inKey, varies, canonical)
				}
			}
		}
		for _, canary := range slices.Sorted(maps.Keys(canaries)) {
			if inKey := bytes.Contains(key, []byte(canary)); inKey != canaries[canary] {
				t.Fatalf("%s: in the key: %v", canary, inKey)
			}
			if canaries[canary] {
				keyed++
			} else {
				stripped++
			}
		}
	})
	if keyed < 100 || stripped < 100 {
		t.Errorf("only %d keyed and %d stripped canaries", keyed, stripped)
	}
}

// TestForwardedIsNotKeyed is the one exception to closure: what a route forwards
// differs between requests of one key, and is not in the canonical request.
func TestForwardedIsNotKeyed(t *testing.T) {
	c := compiled(t, dispositions)
	visit := func(trace string) (key []byte, p *Parts) {
		req := request("https://example.com/?ref=1", "Traceparent: "+trace)
		p = new(Parts)
		if v := c.Route(req).Dispose(req, p); v.Action != ActCache {
			t.Fatalf("got action %d for %v", v.Action, v.Reasons)
		}
		return p.AppendKey(nil), p
	}
	oneKey, one := visit("trace-1")
	twoKey, two := visit("trace-2")
	if !bytes.Equal(oneKey, twoKey) || canonicalText(one.Canonical()) != canonicalText(two.Canonical()) {
		t.Error("what is forwarded is keyed")
	}
	if strings.Contains(canonicalText(one.Canonical()), "trace-1") {
		t.Error("what is forwarded is in the canonical request")
	}
	if !slices.Equal(one.Forwarded(), fields("Traceparent", "trace-1")) || !slices.Equal(two.Forwarded(), fields("Traceparent", "trace-2")) {
		t.Errorf("got %q and %q", one.Forwarded(), two.Forwarded())
	}
}
