package policies

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const attributed = `
identity: {cookies: [session, "cache*"]}
routes:
  - name: landing
    match: {hosts: [hapitas.example], paths: [/lp]}
    cache: 5m
    params: {key: [page, "x*"], bypass: ["r*"], deny: ["utm_*"], others: key}
    cookies: {key: ["*ward", lang], others: strip}
    attribution:
      params: [ref, utm_source, "at_*"]
      deliver: {paths: [/register, "*.do"], as: query}
      consent: {cookie: banner, matches: "*ads*"}
  - name: other
    match: {paths: ["/**"]}
    cache: 5m
    params: {key: [ref]}
    attribution:
      referer: external
      paid: [gclid, "utm_medium=Paid*"]
      deliver: {paths: [/register, /join/*]}
`

func attributedPolicy(t testing.TB) *Compiled { return compiled(t, attributed) }

// TestTakenIsStripped: no verb of the route, not even that of an identity, reaches what
// the edge takes.
func TestTakenIsStripped(t *testing.T) {
	c := attributedPolicy(t)
	landing, other := c.rules[0], c.rules[1]
	for query, want := range map[string]string{
		"ref=1":                          "",
		"ref":                            "",
		"r%65f=1&page=2":                 "page=2",
		"page=2&ref=1&ref=2":             "page=2",
		"at_a=1&utm_source=2&other=3":    "other=3",
		"at+x=1&at_x+y=2&at%5Fx=3&b=%61": "at+x=1&b=%61",
	} {
		req := request("https://hapitas.example/lp?"+query, "Cookie: cacheward=a; __Host-cacheward=b; lang=ja")
		var p Parts
		if v := landing.Dispose(req, &p); v.Action != ActCache {
			t.Errorf("%s: %v", query, v.Reasons)
			continue
		}
		canonical := p.Canonical()
		if canonical.RawQuery != want || !p.Withheld {
			t.Errorf("%s: the origin is sent %q, want %q (withheld: %t)", query, canonical.RawQuery, want, p.Withheld)
		}
		if got := canonical.Header.Get("Cookie"); got != "lang=ja" {
			t.Errorf("%s: the origin is sent the cookies %q", query, got)
		}
	}
	checkDispose(t, landing, request("https://hapitas.example/lp?re=1"), ActBypass, ReasonParamBypass)
	checkDispose(t, landing, request("https://hapitas.example/lp?utm_medium=1"), ActDeny, ReasonDenied)
	checkDispose(t, landing, request("https://hapitas.example/lp", "Cookie: session=1"), ActBypass, ReasonIdentity)
	checkDispose(t, other, request("https://b.example/x?ref=1", "Cookie: cacheward=1"), ActCache)
	bare := compiled(t, `routes: [{name: a, match: {paths: [/a]}, cache: 5m}]`)
	checkDispose(t, bare.rules[0], request("https://b.example/a", "Cookie: cacheward=1"), ActBypass, ReasonCookieBypass)
}

// TestTakenProperty: whatever is taken, and however it is spelled, the key and the
// canonical request are those of the request without it.
func TestTakenProperty(t *testing.T) {
	landing := attributedPolicy(t).rules[0]
	rapid.Check(t, func(r *rapid.T) {
		kept := rapid.SliceOfN(rapid.SampledFrom([]string{"page=1", "x1=a", "other=%61", "q"}), 0, 4).Draw(r, "kept")
		pairs := slices.Clone(kept)
		for range rapid.IntRange(0, 5).Draw(r, "taken") {
			name := rapid.SampledFrom([]string{"ref", "utm_source", "at_", "at_x", "r%65f", "%72ef", "at%5f1"}).Draw(r, "name")
			pair := name + rapid.SampledFrom([]string{"", "="}).Draw(r, "=") + url.QueryEscape(rapid.String().Draw(r, "value"))
			if !strings.Contains(pair, "=") {
				pair = name
			}
			i := rapid.IntRange(0, len(pairs)).Draw(r, "at")
			pairs = slices.Insert(pairs, i, pair)
		}
		var with, without Parts
		landing.Dispose(request("https://hapitas.example/lp?"+strings.Join(pairs, "&")), &with)
		landing.Dispose(request("https://hapitas.example/lp?"+strings.Join(kept, "&")), &without)
		with.EmptyQuery, without.EmptyQuery = false, false
		if string(with.AppendKey(nil)) != string(without.AppendKey(nil)) {
			r.Fatalf("%q has another key than %q", pairs, kept)
		}
		if got := with.Canonical().RawQuery; got != strings.Join(kept, "&") {
			r.Fatalf("the origin is sent %q for %q", got, pairs)
		}
	})
}

func TestPlainOfTaken(t *testing.T) {
	landing := attributedPolicy(t).rules[0]
	for name, want := range map[string]bool{"ref": true, "utm_source": true, "at_x": true, "page": false, "at": false} {
		if got := landing.Plain(name); got != want {
			t.Errorf("%s: plain %t, want %t", name, got, want)
		}
	}
}

func TestTakes(t *testing.T) {
	a := attributedPolicy(t).rules[0].Attribution
	for name, want := range map[string]bool{
		"ref": true, "r%65f": true, "at_": true, "at_%zz": true, "%61t_x": true, "Ref": false, "re": false, "": false, "%": false, "r%2565f": false, "+": false,
	} {
		if got := a.Takes(name); got != want {
			t.Errorf("%q: %t, want %t", name, got, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { a.Takes("page"); a.Takes("at_x") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestIsPaid(t *testing.T) {
	own, byDefault := attributedPolicy(t).rules[1].Attribution, attributedPolicy(t).rules[0].Attribution
	for _, tt := range []struct {
		name, value    string
		own, byDefault bool
	}{
		{"gclid", "x", true, true},
		{"gclid", "", true, true},
		{"GCLID", "x", false, false},
		{"msclkid", "x", false, true},
		{"utm_medium", "cpc", false, true},
		{"utm_medium", "CPC", false, true},
		{"utm_medium", "paid_social", true, true},
		{"utm_medium", "PAID", true, true},
		{"utm_medium", "unpaid", false, false},
		{"utm_medium", "email", false, false},
		{"ref", "cpc", false, false},
	} {
		if got := own.IsPaid(tt.name, tt.value); got != tt.own {
			t.Errorf("%s=%s, declared: %t", tt.name, tt.value, got)
		}
		if got := byDefault.IsPaid(tt.name, tt.value); got != tt.byDefault {
			t.Errorf("%s=%s, by default: %t", tt.name, tt.value, got)
		}
	}
}

func TestConsented(t *testing.T) {
	c := attributedPolicy(t)
	asked, unasked := c.rules[0].Attribution, c.rules[1].Attribution
	for _, tt := range []struct {
		lines []string
		want  bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{"banner=ads"}, true},
		{[]string{"banner="}, false},
		{[]string{"banner=no"}, false},
		{[]string{"Banner=ads"}, false},
		{[]string{`banner="x,ads,y"`}, true},
		{[]string{`banner="x:ads"`}, true},
		{[]string{"banner=%7B%22a%64s%22%3Atrue%7D"}, true},
		{[]string{"banner=%zzads"}, true},
		{[]string{"a=1; banner=ads;b=2"}, true},
		{[]string{"a=1", "banner=ads"}, true},
		{[]string{"banner=ads; banner=no"}, false},
		{[]string{"banner=no", "banner=ads"}, false},
		{[]string{"banner=ads; banner=ads2"}, true},
		{[]string{"banner=a\x7fds"}, false},
		{[]string{"other=banner=ads"}, false},
	} {
		if got := asked.Consented(tt.lines); got != tt.want {
			t.Errorf("%q: %t, want %t", tt.lines, got, tt.want)
		}
		if !unasked.Consented(tt.lines) {
			t.Errorf("%q: consent is asked for where none is declared", tt.lines)
		}
	}
}

func FuzzConsented(f *testing.F) {
	f.Add("banner=ads; banner=no")
	f.Add("banner=%7B%22ads%22%7D")
	f.Add(`banner="a;b"`)
	asked := attributedPolicy(f).rules[0].Attribution
	f.Fuzz(func(t *testing.T, line string) {
		if asked.Consented([]string{line}) && asked.Consented([]string{line, "banner=no"}) {
			t.Errorf("%q: one of two cookies says no, and nobody hears it", line)
		}
		if asked.Consented([]string{line}) && !strings.Contains(line, "banner=") {
			t.Errorf("%q: consent without the cookie", line)
		}
	})
}

func TestDelivers(t *testing.T) {
	c := attributedPolicy(t)
	for _, tt := range []struct{ host, path, want string }{
		{"hapitas.example", "/register", "landing"},
		{"hapitas.example:8443", "/register", "landing"},
		{"hapitas.example", "/a/b.do", "landing"},
		{"hapitas.example", "/join/x", "other"},
		{"hapitas.example", "/lp", ""},
		{"b.example", "/register", "other"},
		{"b.example", "/b.do", ""},
		{"b.example", "", ""},
	} {
		got := ""
		if a := c.Delivers(tt.host, tt.path); a != nil {
			got = a.Route
		}
		if got != tt.want {
			t.Errorf("%s%s: %q, want %q", tt.host, tt.path, got, tt.want)
		}
	}
	if !c.HasAttribution() {
		t.Error("the policy has attributions")
	}
	if n := testing.AllocsPerRun(100, func() { c.Delivers("hapitas.example", "/lp") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	bare := compiled(t, `routes: [{name: a, match: {paths: [/a]}, cache: 5m}]`)
	if bare.HasAttribution() || bare.Delivers("b.example", "/a") != nil || bare.rules[0].Attribution != nil {
		t.Error("a policy without attribution has one")
	}
	untold := compiled(t, `routes: [{name: a, match: {paths: [/a]}, cache: 5m, attribution: {params: [ref]}}]`)
	if !untold.HasAttribution() || untold.Delivers("b.example", "/a") != nil {
		t.Error("nothing is delivered by a policy that only carries")
	}
}

// TestAttributionDefaults: what is left out has its default, and the policy keeps what it
// says.
func TestAttributionDefaults(t *testing.T) {
	declared := &Attribution{Params: []string{"ref"}, Deliver: &Deliver{Paths: []string{"/r"}}, Beacon: &Beacon{URL: "http://a/"}, Consent: &Consent{Cookie: "c"}}
	before := *declared
	got := declared.WithDefaults()
	if got.Model != ModelLast || got.Carry != CarryCookie || got.Encrypt != Off || got.Window != DefaultWindow || !slices.Equal(got.Paid, DefaultPaid) {
		t.Errorf("got %+v", got)
	}
	if *got.Beacon != (Beacon{"http://a/", 100, DefaultBeaconEvery, 1_000_000, SyncInterval}) || got.Deliver.As != AsHeader || got.Consent.Matches != "*" {
		t.Errorf("got %+v, %+v, %+v", got.Beacon, got.Deliver, got.Consent)
	}
	got.Params[0], got.Paid[0], got.Deliver.Paths[0] = "x", "x", "x"
	if declared.Params[0] != "ref" || DefaultPaid[0] == "x" || declared.Deliver.Paths[0] != "/r" || declared.Deliver.As != "" || declared.Model != before.Model {
		t.Error("the defaults changed what was declared")
	}
}

// TestCarriedIsNotDigested: to change what is done with the values, or where they are
// told, must not empty the cache.
func TestCarriedIsNotDigested(t *testing.T) {
	digest := func(rest string) string {
		return compiled(t, `routes: [{name: a, match: {paths: [/a]}, cache: 5m, attribution: {`+rest+`}}]`).rules[0].Digest
	}
	first := digest("params: [ref]")
	if digest("params: [ref], model: first, window: 1d, encrypt: on, referer: external, deliver: {paths: [/r]}") != first {
		t.Error("a change of what is carried empties the cache")
	}
	if digest("params: [ref, source]") == first {
		t.Error("another parameter is taken, and the keys are the same")
	}
}

// TestAttributionBounds: what nobody writes by hand is refused before it costs anything.
func TestAttributionBounds(t *testing.T) {
	many := slices.Repeat([]string{"a"}, 101)
	p := &Policy{Routes: []Route{{
		Name: "r", Match: Match{Paths: []string{"/"}}, Cache: Cache{Kind: CacheNever},
		Attribution: &Attribution{Params: many, Paid: many, Consent: &Consent{Cookie: "c", Matches: strings.Repeat("x", 257)}},
	}}}
	err := p.Validate()
	for _, want := range []string{
		"attribution.params: there are more than 100 names", "attribution.paid: there are more than 100 signs", "attribution.consent.matches: the glob is longer than 256 bytes",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func BenchmarkDisposeTaken(b *testing.B) {
	for name, query := range map[string]string{"without": "page=1", "with": "page=1&ref=c0001"} {
		b.Run(name, func(b *testing.B) {
			rule := attributedPolicy(b).rules[0]
			req := request("https://hapitas.example/lp?" + query)
			var p Parts
			b.ReportAllocs()
			for b.Loop() {
				rule.Dispose(req, &p)
			}
		})
	}
}
