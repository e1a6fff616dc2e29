package policies

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The names that policies are drawn over, and those that requests are.
var (
	closurePatterns = map[listKind][]string{
		kindParam:  {"ref", "source", "utm_id", "ad", "k_*", "utm_*", "*_x", "@analytics"},
		kindCookie: {"lang", "theme", "consent", "v_*", "*_x", "@analytics"},
		kindHeader: {"X-Plan", "Accept-Language", "X-Kind", "X-Noise", "User-Agent", "Referer", "X-Ab-*", "*-Hint"},
	}
	closureNames = map[listKind][]string{
		kindParam:  {"ref", "source", "utm_id", "utm_source", "ad", "k_1", "k_x", "fbclid", "other"},
		kindCookie: {"lang", "theme", "consent", "v_1", "v_x", "_ga", "_gid", "other"},
		kindHeader: {"X-Plan", "Accept-Language", "X-Kind", "X-Noise", "User-Agent", "Referer", "X-Ab-1", "X-Ab-Hint", "Accept",
			"X-Forwarded-For", "X-Real-Ip", "True-Client-Ip", "Forwarded", "Via", "Sec-Ch-Ua", "Range", "If-None-Match", "X_Plan", "X-Other"},
	}
)

// drawClosurePolicy draws a policy with every kind of disposition, in which most
// requests are for the cache.
func drawClosurePolicy(t *rapid.T) *Policy {
	p := &Policy{Default: CacheOrigin}
	if rapid.Bool().Draw(t, "identity") {
		p.Identity = &Identity{Cookies: []string{"session"}, Headers: []string{"X-Member"}}
	}
	for _, kind := range []CacheKind{CacheTTL, CacheOrigin} {
		r := Route{Name: string(kind), Match: Match{Paths: []string{"/" + string(kind) + "/*"}}, Cache: Cache{Kind: kind}}
		if kind == CacheTTL {
			r.Cache.TTL = 60e9
		}
		r.Params = drawClosureInputs(t, kindParam)
		r.Cookies = drawClosureInputs(t, kindCookie)
		r.Headers = drawClosureHeaders(t, kind)
		p.Routes = append(p.Routes, r)
	}
	return p
}

// drawVerb draws mostly key and strip, so that pairs with equal keys are common.
func drawVerb(t *rapid.T, label string, rare ...Verb) Verb {
	verbs := append(slices.Repeat([]Verb{Key, Strip, ""}, 4), rare...)
	return rapid.SampledFrom(verbs).Draw(t, label)
}

func drawClosureInputs(t *rapid.T, kind listKind) *Inputs {
	in := &Inputs{Others: rapid.SampledFrom([]Verb{Key, Strip, Strip, Key, Strip, Bypass}).Draw(t, "others")}
	for _, name := range closurePatterns[kind] {
		switch drawVerb(t, kind.String()+" "+name, Deny, Bypass) {
		case Key:
			in.Key = append(in.Key, name)
		case Strip:
			in.Strip = append(in.Strip, name)
		case Bypass:
			in.Bypass = append(in.Bypass, name)
		case Deny:
			in.Deny = append(in.Deny, name)
		}
	}
	return in
}

func drawClosureHeaders(t *rapid.T, kind CacheKind) *HeaderInputs {
	in := &HeaderInputs{Others: rapid.SampledFrom([]Verb{Strip, Strip, Strip, Strip, Bypass}).Draw(t, "others")}
	rare := []Verb{Deny, Bypass, Forward}
	if kind == CacheOrigin {
		in.Others = rapid.SampledFrom([]Verb{Strip, Vary}).Draw(t, "others of origin")
		rare = append(rare, Vary)
	}
	for _, name := range closurePatterns[kindHeader] {
		verb := drawVerb(t, "header "+name, rare...)
		glob := strings.Contains(name, "*")
		switch {
		case verb == Key && !glob && rapid.Bool().Draw(t, "values"):
			in.Key = append(in.Key, HeaderKey{Name: name, Values: []string{"ja", "en"}})
		case verb == Key:
			in.Key = append(in.Key, HeaderKey{Name: name})
		case verb == Strip:
			in.Strip = append(in.Strip, name)
		case verb == Bypass:
			in.Bypass = append(in.Bypass, name)
		case verb == Deny:
			in.Deny = append(in.Deny, name)
		case verb == Vary:
			in.Vary = append(in.Vary, name)
		case verb == Forward && !glob:
			in.Forward = append(in.Forward, HeaderForward{name, "links traces"})
		}
	}
	return in
}

// visit is a request before a server has read it.
type visit struct {
	method, scheme, host, path string
	params                     []string   // pairs
	cookies                    [][]string // pairs, by line
	header                     http.Header
}

func (v visit) clone() visit {
	v.params = slices.Clone(v.params)
	v.cookies = slices.Clone(v.cookies)
	for i := range v.cookies {
		v.cookies[i] = slices.Clone(v.cookies[i])
	}
	v.header = v.header.Clone()
	return v
}

func (v visit) request() *Request {
	req := request(v.scheme + "://" + v.host + v.path)
	req.Method, req.RawQuery, req.Header = v.method, strings.Join(v.params, "&"), v.header.Clone()
	for _, line := range v.cookies {
		req.Header.Add("Cookie", strings.Join(line, "; "))
	}
	return req
}

func drawValue(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "a", "b", "ja", "en", "ja-JP,en;q=0.5", "a=b", "a%26b=c", "a%3D", "%00", "\x00", "\x01a", "\x02", "|", "__", "a, b", "a&"}).Draw(t, "value")
}

func drawVisit(t *rapid.T) visit {
	v := visit{
		method: http.MethodGet, scheme: "https", host: "example.com",
		path:   rapid.SampledFrom([]string{"/ttl/a", "/origin/a", "/ttl/%E3%81%82", "/rest"}).Draw(t, "path"),
		header: make(http.Header),
	}
	for range rapid.IntRange(0, 4).Draw(t, "params") {
		v.params = append(v.params, drawPair(t, kindParam))
	}
	for range rapid.IntRange(0, 3).Draw(t, "cookies") {
		v.cookies = append(v.cookies, []string{drawPair(t, kindCookie)})
	}
	for range rapid.IntRange(0, 5).Draw(t, "headers") {
		v.header.Add(drawName(t, kindHeader), drawValue(t))
	}
	return v
}

func drawName(t *rapid.T, kind listKind) string {
	return rapid.SampledFrom(closureNames[kind]).Draw(t, kind.String())
}

func drawPair(t *rapid.T, kind listKind) string {
	value := drawValue(t)
	if kind == kindParam {
		value = strings.ReplaceAll(value, "&", "+")
		if value == "" && rapid.Bool().Draw(t, "no =") {
			return drawName(t, kind)
		}
	}
	return drawName(t, kind) + "=" + value
}

// mutations change a visit. What some of them change is keyed on some routes; most
// of it is not.
var mutations = []func(*rapid.T, *visit){
	func(t *rapid.T, v *visit) { // one more parameter, anywhere
		v.params = slices.Insert(v.params, rapid.IntRange(0, len(v.params)).Draw(t, "at"), drawPair(t, kindParam))
	},
	func(t *rapid.T, v *visit) { // one fewer
		if n := len(v.params); n > 0 {
			i := rapid.IntRange(0, n-1).Draw(t, "at")
			v.params = slices.Delete(v.params, i, i+1)
		}
	},
	func(t *rapid.T, v *visit) { // other order
		if len(v.params) > 0 {
			v.params = rapid.Permutation(v.params).Draw(t, "order")
		}
	},
	func(t *rapid.T, v *visit) { v.cookies = append(v.cookies, []string{drawPair(t, kindCookie)}) },
	func(t *rapid.T, v *visit) {
		if len(v.cookies) > 0 {
			v.cookies = rapid.Permutation(v.cookies).Draw(t, "order")
		}
	},
	func(_ *rapid.T, v *visit) { // crumbs joined, as HTTP/2 servers do
		if len(v.cookies) > 1 {
			v.cookies = [][]string{slices.Concat(v.cookies...)}
		}
	},
	func(t *rapid.T, v *visit) { v.header.Set(drawName(t, kindHeader), drawValue(t)) },
	func(t *rapid.T, v *visit) { v.header.Add(drawName(t, kindHeader), drawValue(t)) },
	func(t *rapid.T, v *visit) { v.header.Del(drawName(t, kindHeader)) },
	func(_ *rapid.T, v *visit) { // one line of several
		for name, lines := range v.header {
			v.header[name] = []string{strings.Join(lines, ", ")}
		}
	},
	func(t *rapid.T, v *visit) {
		v.header.Set("Accept-Language", rapid.SampledFrom([]string{"ja", "ja-JP", "ja,en;q=0.5", "en", "fr"}).Draw(t, "language"))
	},
	func(_ *rapid.T, v *visit) { v.host = strings.ToUpper(v.host) },
	func(_ *rapid.T, v *visit) { v.method = http.MethodHead },
	func(t *rapid.T, v *visit) {
		switch rapid.IntRange(0, 5).Draw(t, "target") {
		case 0:
			v.scheme = "http"
		case 1:
			v.host = "example.org"
		case 2:
			v.path += "/b"
		}
	},
}

// tally counts pairs, to show that the properties say something.
type tally struct{ pairs, cached, equal, varied int }

// TestClosure is the invariant on which everything rests: requests with equal keys,
// and equal values of what a Vary may name, have equal canonical requests, and
// requests that differ in a keyed value have different keys. What a Vary may name is
// all that canonical requests of one key differ in, and without the verb vary there
// is nothing of it.
func TestClosure(t *testing.T) {
	var n tally
	rapid.Check(t, func(t *rapid.T) { checkClosure(t, &n) })
	t.Logf("%d pairs, %d for the cache, %d of them with equal keys, of which %d vary", n.pairs, n.cached, n.equal, n.varied)
	if n.varied*200 < n.equal {
		t.Errorf("of %d pairs with equal keys only %d vary", n.equal, n.varied)
	}
	if n.cached*6 < n.pairs || n.equal*6 < n.cached || (n.cached-n.equal)*6 < n.cached {
		t.Errorf("of %d pairs only %d are for the cache, and %d of those have equal keys", n.pairs, n.cached, n.equal)
	}
}

func FuzzClosure(f *testing.F) {
	for _, draws := range []string{"", "\x00", "\x01\x02\x03", strings.Repeat("\xff", 64), "closure"} {
		f.Add([]byte(draws))
	}
	check := rapid.MakeFuzz(func(t *rapid.T) { checkClosure(t, new(tally)) })
	f.Fuzz(func(t *testing.T, draws []byte) {
		check(t, lengthen(draws))
	})
}

// lengthen appends to what generators draw from, so that they never reach its end,
// at which they give up. The same input is always lengthened in the same way.
func lengthen(draws []byte) []byte {
	rest := make([]byte, 1<<15)
	_, _ = rand.NewChaCha8(Digest(draws)).Read(rest) // never fails
	return append(slices.Clone(draws), rest...)
}

func checkClosure(t *rapid.T, n *tally) {
	c, err := Compile(drawClosurePolicy(t), "test")
	if err != nil {
		t.Fatal(err)
	}
	base := drawVisit(t)
	key, parts, ok := judge(c, base)
	for range 5 {
		if !ok {
			base = drawVisit(t)
			key, parts, ok = judge(c, base)
		}
	}
	if again, _, _ := judge(c, base); !bytes.Equal(key, again) {
		t.Fatalf("one request has the keys\n%q\n%q", key, again)
	}
	for range 12 {
		other := base.clone()
		for range rapid.IntRange(1, 3).Draw(t, "mutations") {
			rapid.SampledFrom(mutations).Draw(t, "mutation")(t, &other)
		}
		n.pairs++
		otherKey, otherParts, otherOK := judge(c, other)
		if !ok || !otherOK {
			continue
		}
		n.cached++
		if bytes.Equal(key, otherKey) != sameParts(*parts, *otherParts) {
			t.Fatalf("the keys are equal: %v, but the parts are\n%+v\n%+v", bytes.Equal(key, otherKey), parts, otherParts)
		}
		if !bytes.Equal(key, otherKey) {
			continue
		}
		n.equal++
		if !slices.Equal(parts.Varying, otherParts.Varying) {
			n.varied++
			parts, otherParts = parts.Clone(), otherParts.Clone()
			parts.Select(nil)
			otherParts.Select(nil)
		}
		if a, b := canonicalText(parts.Canonical()), canonicalText(otherParts.Canonical()); a != b {
			t.Fatalf("one key, but two canonical requests:\n%s\n%s", a, b)
		}
	}
}

// TestClosureWithoutVary holds that where no header has the verb vary, equal keys
// alone mean equal canonical requests.
func TestClosureWithoutVary(t *testing.T) {
	cached := 0
	rapid.Check(t, func(t *rapid.T) {
		p := drawClosurePolicy(t)
		for i := range p.Routes {
			h := p.Routes[i].Headers
			h.Vary, h.Others = nil, Strip
			for _, name := range defaultVary { // declared, so that the built-in vary is not in force
				if h.Strip = append(h.Strip, name); p.Validate() != nil {
					h.Strip = h.Strip[:len(h.Strip)-1] // the route declares it already
				}
			}
		}
		c, err := Compile(p, "test")
		if err != nil {
			t.Fatal(err)
		}
		v := drawVisit(t)
		if v.path == "/rest" {
			return // the default has the built-in vary
		}
		if _, parts, ok := judge(c, v); ok {
			cached++
			if len(parts.Varying) > 0 {
				t.Fatalf("no header varies, but %q do", parts.Varying)
			}
		}
	})
	if cached < 10 {
		t.Errorf("only %d requests are for the cache", cached)
	}
}

// judge does what a server does with a request, without the inspection: closure
// must not need it.
func judge(c *Compiled, v visit) (key []byte, p *Parts, ok bool) {
	req, p := v.request(), new(Parts)
	verdict := c.Route(req).Dispose(req, p)
	return p.AppendKey(nil), p, verdict.Action == ActCache
}
