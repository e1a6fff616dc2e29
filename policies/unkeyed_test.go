package policies

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func inputs(of InputKind, pairs ...string) []Input {
	var out []Input
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, Input{of, pairs[i], pairs[i+1]})
	}
	return out
}

func checkUnkeyed(t *testing.T, rule *Rule, req *Request, want []Input) {
	t.Helper()
	if got := rule.Unkeyed(nil, req); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUnkeyedParams(t *testing.T) {
	rule := compiled(t, dispositions).rules[0]
	for query, want := range map[string][]string{
		"":                       nil,
		"&&":                     nil,
		"ref=a&page=2&k_1=x":     nil,
		"ref=a&ref=b":            nil,
		"utm_id=1":               nil,
		"utm_source=x":           {"utm_source", "x"},
		"ref=a&utm_source=x&b=y": {"utm_source", "x", "b", "y"},
		"lead=a+b%20c":           {"lead", "a b c"},
		"le%61d=%E7%99%BB":       {"lead", "登"},
		"r%65f=1":                {"ref", "1"}, // is no ref to the policy, but may be one to the origin
		"lead=a%zz+b":            {"lead", "a%zz+b"},
		"l%zzd=a+b":              {"l%zzd", "a b"},
		"lead=a=b":               {"lead", "a=b"},
		"lead=":                  nil,
		"lead":                   {"", "lead"},
		"=a":                     {"", "a"},
		"lead=a&lead=b":          {"lead", "a", "lead", "b"},
		"preview=1&debug=2":      {"preview", "1", "debug", "2"}, // bypassed, denied
	} {
		t.Run(query, func(t *testing.T) {
			checkUnkeyed(t, rule, &Request{RawQuery: query}, inputs(InputParam, want...))
		})
	}
}

func TestUnkeyedCookies(t *testing.T) {
	rule := compiled(t, dispositions).rules[0]
	for line, want := range map[string][]string{
		"lang=ja; v_1=b":             nil,
		"lang=ja; lead=l-1":          {"lead", "l-1"},
		"session=s; remember_me=r":   {"session", "s", "remember_me", "r"},
		"_ga=GA1.1; consent=1":       {"_ga", "GA1.1", "consent", "1"},
		"a=1; a=2":                   {"a", "1", "a", "2"},
		`a="quoted"`:                 {"a", "quoted"},
		`a=""; b=`:                   nil,
		`bare; =x; $Path=/; b c=1`:   nil,
		"a=1; b=\"2; c=3; d=\x00; e": {"a", "1", "c", "3"},
		"a=b=c; d=%41":               {"a", "b=c", "d", "%41"},
	} {
		t.Run(line, func(t *testing.T) {
			req := &Request{Header: http.Header{"Cookie": {line}}}
			checkUnkeyed(t, rule, req, inputs(InputCookie, want...))
		})
	}
	t.Run("an identity that is keyed with all others is none", func(t *testing.T) {
		rule := compiled(t, `
identity: {cookies: [session]}
routes:
  - {name: page, match: {paths: [/*]}, cache: 5m, cookies: {others: key}}
`).rules[0]
		req := &Request{Header: http.Header{"Cookie": {"session=s; lang=ja"}}}
		checkUnkeyed(t, rule, req, inputs(InputCookie, "session", "s"))
	})
}

func TestUnkeyedHeaders(t *testing.T) {
	rule := compiled(t, dispositions).rules[0]
	for name, tt := range map[string]struct {
		header http.Header
		want   []string
	}{
		"keyed":                 {http.Header{"X-Plan": {"gold"}, "X-Ab-One": {"b"}}, nil},
		"keyed as it was sent":  {http.Header{"X-Kind": {"a"}, "Accept-Language": {"ja"}}, nil},
		"keyed in another form": {http.Header{"X-Kind": {"A"}}, []string{"X-Kind", "A"}},
		"keyed in a choice": {http.Header{"Accept-Language": {"ja-JP,ja;q=0.9"}},
			[]string{"Accept-Language", "ja-JP,ja;q=0.9"}},
		"nothing fits": {http.Header{"X-Kind": {"c"}}, []string{"X-Kind", "c"}},
		"of the connection (RFC 9110 §7.6.1)": {http.Header{"Connection": {"close"}, "Te": {"trailers"},
			"Content-Length": {"3"}, "Host": {"a.example"}, "If-None-Match": {`"v"`}, "Range": {"bytes=0-"}}, nil},
		"cookies have their own": {http.Header{"Cookie": {"bare"}}, nil},
		"stripped, bypassed, denied, forwarded, unknown": {
			http.Header{"X-Noise": {"n"}, "X-Slow": {"s"}, "X-Bad": {"b"}, "Traceparent": {"t"}, "X-Unknown": {"u"}},
			[]string{"Traceparent", "t", "X-Bad", "b", "X-Noise", "n", "X-Slow", "s", "X-Unknown", "u"}},
		"who it is and where from": {
			http.Header{"Referer": {"https://a.example/"}, "User-Agent": {"M"}, "Authorization": {"Basic eA=="},
				"X-Forwarded-For": {"192.0.2.7", "192.0.2.8"}, "X-Forwarded-Host": {"evil.example"}, "X-Member": {"m"}},
			[]string{"Authorization", "Basic eA==", "Referer", "https://a.example/", "User-Agent", "M",
				"X-Forwarded-For", "192.0.2.7", "X-Forwarded-For", "192.0.2.8", "X-Forwarded-Host", "evil.example", "X-Member", "m"}},
		"what the key says as well": {http.Header{"X-Forwarded-Host": {"shop.example"}, "X-Forwarded-Proto": {"https"},
			"Origin": {"https://shop.example"}, "Referer": {"https://shop.example/list?page=2"}, "X-Base": {"http://shop.example"}},
			[]string{"Referer", "/list?page=2"}},
		"what it does not": {http.Header{"X-Forwarded-Host": {"shop.example.net"}, "X-Forwarded-Scheme": {"http"},
			"Origin": {"https://shop.example:8443"}, "Referer": {"https://shop.example.net/"}, "X-Base": {"https://shop.example/a"}},
			[]string{"Origin", "https://shop.example:8443", "Referer", "https://shop.example.net/",
				"X-Base", "https://shop.example/a", "X-Forwarded-Host", "shop.example.net", "X-Forwarded-Scheme", "http"}},
		"empty": {http.Header{"X-Unknown": {""}, "X-None": nil}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			req := &Request{Scheme: "https", Host: "shop.example", Header: tt.header}
			checkUnkeyed(t, rule, req, inputs(InputHeader, tt.want...))
		})
	}
}

// A field that vary sends is not in the rule's key (RFC 9111 §4.1: a response's Vary
// has to name it first).
func TestUnkeyedVarying(t *testing.T) {
	rule := compiled(t, `routes: [{name: page, match: {paths: [/*]}, cache: origin}]`).rules[0]
	req := &Request{Header: http.Header{"Accept-Language": {"ja"}}, RawQuery: "any=1"}
	checkUnkeyed(t, rule, req, inputs(InputHeader, "Accept-Language", "ja"))
}

func TestUnkeyedAppends(t *testing.T) {
	rule := compiled(t, dispositions).rules[0]
	address := Input{Kind: InputAddress, Value: "192.0.2.7"}
	req := &Request{Header: http.Header{"Cookie": {"c=1"}, "X-A": {"a"}}, RawQuery: "p=2"}
	want := []Input{address, {InputHeader, "X-A", "a"}, {InputCookie, "c", "1"}, {InputParam, "p", "2"}}
	if got := rule.Unkeyed([]Input{address}, req); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUnkeyedIsBounded(t *testing.T) {
	rule := compiled(t, dispositions).rules[0]
	var query, cookies strings.Builder
	header := http.Header{}
	for i := range 2 * maxUnkeyed {
		fmt.Fprintf(&query, "&p%d=%s", i, strings.Repeat("v", 2*maxUnkeyedValue))
		fmt.Fprintf(&cookies, "; c%d=v", i)
		header[fmt.Sprintf("X-%d", i)] = []string{"v"}
	}
	for name, req := range map[string]*Request{
		"headers": {Header: header},
		"cookies": {Header: http.Header{"Cookie": {cookies.String()}}},
		"params":  {RawQuery: query.String()},
	} {
		got := rule.Unkeyed(nil, req)
		if len(got) != maxUnkeyed {
			t.Errorf("%s: %d inputs, want %d", name, len(got), maxUnkeyed)
		}
		for _, in := range got {
			if len(in.Value) > maxUnkeyedValue {
				t.Errorf("%s: a value of %d bytes", name, len(in.Value))
			}
		}
	}
}

// Whatever one thing changes in a request, the key or an input tells of it.
func TestUnkeyedHasWhatKeysLeaveOut(t *testing.T) {
	rule := compiled(t, dispositions).rules[0]
	headers := []string{"X-Plan", "X-Ab-1", "X-Noise", "X-Kind", "Accept-Language", "Traceparent", "X-Unknown", "Referer"}
	names := []string{"ref", "k_1", "ad", "lang", "v_1", "consent", "session", "preview"}
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.SampledFrom([]string{"a", "b", "A", "ja", "en", "ja,en", "x1"})
		sent := map[string]string{}
		for _, name := range headers {
			sent[name] = value.Draw(t, name)
		}
		for _, name := range names {
			sent["?"+name], sent[";"+name] = value.Draw(t, "param "+name), value.Draw(t, "cookie "+name)
		}
		told := func() (key []byte, in []Input) {
			req := &Request{Method: "GET", Header: http.Header{}}
			var query, cookies []string
			for _, name := range headers {
				req.Header[name] = []string{sent[name]}
			}
			for _, name := range names {
				query = append(query, name+"="+sent["?"+name])
				cookies = append(cookies, name+"="+sent[";"+name])
			}
			req.RawQuery = strings.Join(query, "&")
			req.Header["Cookie"] = []string{strings.ReplaceAll(strings.Join(cookies, "; "), ",", ".")}
			var p Parts
			rule.Dispose(req, &p)
			return p.AppendKey(nil), rule.Unkeyed(nil, req)
		}
		key, in := told()
		name := rapid.SampledFrom(slices.Sorted(maps.Keys(sent))).Draw(t, "name")
		before := sent[name]
		sent[name] = value.Filter(func(v string) bool { return v != before }).Draw(t, "other value")
		otherKey, otherIn := told()
		if slices.Equal(key, otherKey) && slices.Equal(in, otherIn) {
			t.Fatalf("%s is %q and then %q, and neither the key nor an input differs", name, before, sent[name])
		}
	})
}
