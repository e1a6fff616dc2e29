package probe

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/language"
	"pgregory.net/rapid"
)

// TestCanaries: they are told from all else, and from each other.
func TestCanaries(t *testing.T) {
	secret, other := mustSecret(t, testSecret), mustSecret(t, testSecret+".")
	seen := make(map[canary]bool)
	for range 1000 {
		for _, s := range []*Secret{nil, secret} {
			c := newCanary(s)
			if seen[c] || !isCanary(s, string(c)) || isCanary(other, string(c)) || canaryLike.FindString(string(c)) != string(c) {
				t.Fatal(c)
			}
			seen[c] = true
		}
	}
}

func TestSpot(t *testing.T) {
	c, d := newCanary(nil), newCanary(nil)
	for _, test := range []struct {
		name, text string
		want       []spotted
	}{
		{"none", "<p>cwabcdefghijklmn</p>", nil},
		{"as it is", "<p>" + string(c), []spotted{{c, 3}}},
		{"within a word", "xx" + string(c) + "yy", []spotted{{c, 2}}},
		{"in capitals", strings.ToUpper(string(c)), []spotted{{c, 0}}},
		{"as a language", "en-x-" + c.inLanguage(), []spotted{{c, 5}}},
		{"two", string(c) + string(d), []spotted{{c, 0}, {d, 16}}},
		{"behind what looks like one", "cwabcdef" + string(c), []spotted{{c, 8}}},
		{"the half of one", string(c[:12]), nil},
	} {
		if got := spot(nil, []byte(test.text)); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func FuzzSpot(f *testing.F) {
	c := newCanary(nil)
	for _, seed := range []string{"", "cw", string(c), "cwcwcwcwcwcwcwcwcwcw", strings.Repeat("cwaaaaaaaaaaaaaa", 3), "CW" + string(c)} {
		f.Add(seed, 3)
	}
	f.Fuzz(func(t *testing.T, text string, at int) {
		for _, s := range spot(nil, []byte(text)) {
			if s.at < 0 || s.at >= len(text) || !strings.EqualFold(text[s.at:s.at+2], "cw") {
				t.Errorf("%q: %v", text, s)
			}
		}
		// What is there is found, wherever it stands.
		at = int(uint(at) % uint(len(text)+1))
		text = text[:at] + string(c) + text[at:]
		if len(text) < 4000 && !slices.ContainsFunc(spot(nil, []byte(text)), func(s spotted) bool { return s.canary == c }) {
			t.Errorf("not found in %q", text)
		}
	})
}

// TestValues: what is sent is valid, and has the canary in it where it is looked for.
func TestValues(t *testing.T) {
	for _, in := range append(slices.Clone(defaultInputs), Input{Kind: KindParam, Name: "ref"},
		Input{Kind: KindHeader, Name: "authorization"}, Input{Kind: KindHeader, Name: "Origin"}, Input{Kind: KindHeader, Name: "X-Forwarded-Host"}, Input{Kind: KindHeader, Name: "X-Device"}) {
		v := value{in, newCanary(nil)}
		for _, text := range []string{v.field(""), v.field("base")} {
			if !strings.Contains(text, v.sought()) || len(spot(nil, []byte(text))) != 1 {
				t.Errorf("%s: %s", in, text)
			}
		}
	}
	text := value{Input{Kind: KindHeader, Name: "accept-language"}, newCanary(nil)}.field("en")
	if tags, _, err := language.ParseAcceptLanguage(text); err != nil || len(tags) != 2 || tags[0] != language.English {
		t.Errorf("%s: %v, %v", text, tags, err)
	}
}

func TestSafe(t *testing.T) {
	for _, in := range defaultInputs {
		if err := in.Check(); err != nil || !in.Safe() {
			t.Errorf("%s: %v", in, err)
		}
	}
	for _, name := range []string{"X-Forwarded-Host", "x-forwarded-for", "Forwarded", "X-Original-URL", "x-rewrite-url", "X-HTTP-Method-Override", "Origin", "If-None-Match", "Range", "Cache-Control", "Host"} {
		if (Input{Kind: KindHeader, Name: name}).Safe() {
			t.Errorf("%s is no field for others' pages", name)
		}
	}
}

func TestCheckInputs(t *testing.T) {
	for _, test := range []struct {
		in   Input
		want string
	}{
		{Input{KindParam, "ref", ""}, ""},
		{Input{KindParam, "filter[a]", ""}, ""},
		{Input{KindHeader, "X-Forwarded-Host", ""}, ""},
		{Input{KindParam, "", ""}, "a param without a name"},
		{Input{KindParam, "a=b", ""}, `param "a=b"; a name as it stands in a URL was expected`},
		{Input{KindCookie, "a;b", ""}, `cookie "a;b"; the name of a cookie was expected`},
		{Input{KindHeader, "A b", ""}, `header "A b"; the name of a header was expected`},
		{Input{KindHeader, "content-length", ""}, "header content-length cannot be probed: it says how the message is to be read"},
		{Input{KindHeader, "Cacheward-Probe", ""}, "header Cacheward-Probe cannot be probed: it says how the message is to be read"},
		{Input{"body", "x", ""}, `the kind "body"; param, cookie or header was expected`},
	} {
		got := ""
		if err := test.in.Check(); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%v: %s", test.in, got)
		}
	}
}

func TestInputsOfURLs(t *testing.T) {
	for query, want := range map[string]string{
		"":            "param cacheward_probe",
		"ref=A":       "param ref",
		"a=1&b&a=2&&": "param a, param b",
		"=x":          "param cacheward_probe",
	} {
		var names []string
		for _, in := range Inputs(&url.URL{RawQuery: query}) {
			if in.Kind == KindParam {
				names = append(names, in.String())
			}
		}
		if got := strings.Join(names, ", "); got != want {
			t.Errorf("%q: %s", query, got)
		}
	}
}

func TestWithParam(t *testing.T) {
	for _, test := range []struct{ query, want string }{
		{"", "ref=X"}, {"ref=A", "ref=X"}, {"ref", "ref=X"}, {"a=1&ref=A&b", "a=1&ref=X&b"}, {"ref=A&a&ref=B", "ref=X&a"},
		{"Ref=A", "Ref=A&ref=X"}, {"a=ref=1&&", "a=ref=1&&&ref=X"}, {"%72ef=A", "%72ef=A&ref=X"},
	} {
		if got := withParam(test.query, "ref", "X"); got != test.want {
			t.Errorf("%q: %q instead of %q", test.query, got, test.want)
		}
	}
}

// TestWithParamChangesNothingElse: the other pairs are what they were, in their order.
func TestWithParamChangesNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		query := rapid.StringMatching(`([a-c%=&]|ref){0,12}`).Draw(t, "query")
		others := func(q string) []string {
			return slices.DeleteFunc(strings.Split(q, "&"), func(pair string) bool {
				name, _, _ := strings.Cut(pair, "=")
				return name == "ref"
			})
		}
		got := withParam(query, "ref", "X")
		if query != "" && !slices.Equal(others(query), others(got)) {
			t.Fatalf("%q became %q", query, got)
		}
		if v, ok := paramOf("/?"+got, "ref"); !ok || v != "X" || strings.Count("&"+got+"&", "&ref=X&") != 1 {
			t.Fatalf("%q became %q", query, got)
		}
	})
}

func FuzzParam(f *testing.F) {
	for _, seed := range []string{"", "a=1", "ref=%zz&ref", "&&&", "ref==", "%72ef=1"} {
		f.Add(seed, "ref", "X")
	}
	f.Fuzz(func(t *testing.T, query, name, value string) {
		if (Input{Kind: KindParam, Name: name}).Check() != nil || strings.ContainsAny(value, "&") {
			return
		}
		got := withParam(query, name, value)
		found := false
		for n, v := range eachParam(got) {
			found = found || n == name && v == value
		}
		if !found {
			t.Errorf("%q: %q", query, got)
		}
		paramOf("/?"+got, name)
	})
}

// TestDiffers: by which inputs an answer that may be shared must not be given to a visitor.
func TestDiffers(t *testing.T) {
	secret := mustSecret(t, testSecret)
	ref, lang := Input{Kind: KindParam, Name: "ref"}, Input{Kind: KindHeader, Name: "X-Lang"}
	tier := Input{Kind: KindCookie, Name: "tier"}
	asks := func(query string, values ...value) *answer {
		v := &visitor{values: values, group: &group{}}
		a := &answer{visitor: v, nonce: NewNonce(), asked: &url.URL{Path: "/lp", RawQuery: query}, fields: http.Header{}}
		for _, one := range values {
			switch one.input.Kind {
			case KindParam:
				a.asked.RawQuery = withParam(a.asked.RawQuery, one.input.Name, one.text())
			case KindHeader:
				a.fields.Set(one.input.Name, one.field(""))
			case KindCookie:
				a.fields.Set("Cookie", one.input.Name+"="+one.text())
			}
		}
		return a
	}
	// receipt is that of a request, after a cache has taken away or changed something.
	receipt := func(a *answer, change func(*Receipt), keyed ...Input) Receipt {
		r := Receipt{Nonce: a.nonce, URI: a.asked.RequestURI(), Received: map[string]string{}, Shared: true, TTL: 60}
		for name, lines := range a.fields {
			r.Received[strings.ToLower(name)] = secret.Digest(joined(lines))
		}
		for _, in := range keyed {
			r.Keyed = append(r.Keyed, in.String())
		}
		if change != nil {
			change(&r)
		}
		return r
	}
	some := func(in Input) value { return value{in, newCanary(nil)} }
	for _, test := range []struct {
		name     string
		gave     *answer
		got      *answer
		change   func(*Receipt)
		keyed    []Input
		stranger bool           // the giver is of an earlier run
		learn    bool           // a third visitor's values have arrived
		learns   func(*Receipt) // and what a cache has made of them
		want     string
	}{
		{name: "another parameter", gave: asks("", some(ref)), got: asks("", some(ref)), keyed: []Input{ref}, want: "param ref"},
		{name: "it is not keyed", gave: asks("", some(ref)), got: asks("", some(ref))},
		{name: "the same parameter", gave: asks("ref=A"), got: asks("ref=A"), keyed: []Input{ref}},
		{name: "the same, escaped otherwise", gave: asks("ref=A%20b"), got: asks("ref=A+b"), keyed: []Input{ref}},
		{name: "it does not arrive", gave: asks("", some(ref)), got: asks("", some(ref)), change: func(r *Receipt) { r.URI = "/lp" }, keyed: []Input{ref}},
		{name: "the giver had none, and it arrives", gave: asks(""), got: asks("", some(ref)), keyed: []Input{ref}, learn: true, want: "param ref"},
		{name: "the receiver has none", gave: asks("", some(ref)), got: asks(""), keyed: []Input{ref}, want: "param ref"},
		{name: "another parameter of a stranger", gave: asks("", some(ref)), got: asks("", some(ref)), keyed: []Input{ref}, stranger: true, want: "param ref"},
		{name: "the same of a stranger", gave: asks("ref=A"), got: asks("ref=A"), keyed: []Input{ref}, stranger: true},
		{name: "a parameter of a stranger that a cache may add", gave: asks("", some(ref)), got: asks(""), keyed: []Input{ref}, stranger: true},
		{name: "a parameter of a stranger that a cache puts its own in place of", gave: asks("ref=JP"), got: asks("", some(ref)), keyed: []Input{ref}, stranger: true,
			learns: func(r *Receipt) { r.URI = "/lp?ref=JP" }},
		{name: "another header", gave: asks("", some(lang)), got: asks("", some(lang)), keyed: []Input{lang}, want: "header X-Lang"},
		{name: "another header, made the same", gave: asks("", some(lang)), got: asks("", some(lang)), keyed: []Input{lang},
			change: func(r *Receipt) { r.Received["x-lang"] = secret.Digest("en") }},
		{name: "the header does not arrive", gave: asks("", some(lang)), got: asks("", some(lang)), keyed: []Input{lang}, change: func(r *Receipt) { delete(r.Received, "x-lang") }},
		{name: "no header before, and it arrives", gave: asks(""), got: asks("", some(lang)), keyed: []Input{lang}, learn: true, want: "header X-Lang"},
		{name: "another header of a stranger", gave: asks("", some(lang)), got: asks("", some(lang)), keyed: []Input{lang}, stranger: true, learn: true, want: "header X-Lang"},
		{name: "a header that a cache may add", gave: asks("", some(lang)), got: asks(""), keyed: []Input{lang}, stranger: true, learn: true},
		{name: "another cookie", gave: asks("", some(tier)), got: asks("", some(tier)), keyed: []Input{tier}, learn: true, want: "cookie tier"},
		{name: "another cookie, and none arrives", gave: asks("", some(tier)), got: asks("", some(tier)), keyed: []Input{tier}, change: func(r *Receipt) { delete(r.Received, "cookie") }},
		{name: "no cookie of a stranger", gave: asks(""), got: asks("", some(tier)), keyed: []Input{tier}, stranger: true, learn: true, want: "cookie tier"},
		{name: "some cookie of a stranger", gave: asks("", some(tier)), got: asks("", some(tier)), keyed: []Input{tier}, stranger: true, learn: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := receipt(test.gave, test.change, test.keyed...)
			target := &target{url: &url.URL{Host: "a.example"}}
			test.gave.receipts = []Receipt{r}
			test.got.receipts = []Receipt{r}
			all := []*answer{test.got}
			if !test.stranger {
				all = append(all, test.gave)
			}
			if test.learn || test.learns != nil {
				third := asks("", some(ref), some(lang), some(tier))
				third.receipts = []Receipt{receipt(third, test.learns)}
				all = append(all, third)
			}
			for _, a := range all {
				a.round = &round{target: target}
			}
			j := newJudge(&prober{o: Options{Secret: secret}, answers: all})
			out := &judgement{answer: test.got, giver: j.byNonce[r.Nonce]}
			if got := j.differs(out, &test.got.receipts[0]); got != test.want {
				t.Errorf("%q", got)
			}
		})
	}
}
