package explain

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

const attributedPolicy = `routes:
  - name: landing
    match: {hosts: [hapitas.example], paths: [/register/lp]}
    cache: 5m
    params: {key: [lang]}
    attribution:
      params: [ref, "utm_*"]
      referer: external
      model: first
      carry: both
      window: 7d
      consent: {cookie: agreed, matches: "*marketing*"}
      beacon: {url: "https://app.example/s3cret?token=t0ken"}
      deliver: {paths: [/register], as: header}
  - name: offers
    match: {paths: [/offers]}
    cache: never
    attribution: {params: [code], deliver: {paths: [/buy], as: query}}
  - name: quiet
    match: {paths: [/quiet]}
    cache: 1m
    mode: observe
    attribution: {params: [code], deliver: {paths: [/quiet/buy], as: form-cookie}}
  - name: plain
    match: {paths: [/plain]}
    cache: 1m
`

func TestAttribution(t *testing.T) {
	s := newSite(t, attributedPolicy)
	const page = "https://hapitas.example/register/lp"
	const agreed = "agreed=a,marketing"
	for _, test := range []struct {
		name, method, url string
		fields            []string
		landing           bool
		leftOut           string
		taken, referer    string
		paid              bool
		says              string
	}{
		{"a landing", "", page + "?ref=A1&lang=ja&utm_medium=cpc&other=1", []string{"Cookie", agreed}, true, "", "ref=A1 utm_medium=cpc", "", true,
			"carried in the cookie __Host-cacheward for 7d, and reported by beacon to https://app.example."},
		{"from another site", "", page, []string{"Cookie", agreed, "Referer", "https://blog.example/post?x=1"}, true, "", "", "blog.example", false, "An earlier visit within that time would stay"},
		{"with nothing", "", page + "?lang=ja", []string{"Cookie", agreed}, false, "", "", "", false, "no landing"},
		{"without consent", "", page + "?ref=A1", []string{"Cookie", "agreed=statistics"}, false, "consent", "ref=A1", "", false, "the cookie agreed does not say"},
		{"fetched ahead", "", page + "?ref=A1", []string{"Cookie", agreed, "Sec-Purpose", "prefetch"}, false, "prefetch", "ref=A1", "", false, "nobody may ever see it"},
		{"a crawler", "", page + "?ref=A1", []string{"Cookie", agreed, "User-Agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}, false, "crawler", "ref=A1", "", false, "no visitor"},
		{"a form", "POST", page + "?ref=A1", []string{"Cookie", agreed}, false, "", "ref=A1", "", false, "only a GET is a landing"},
		{"too much", "", page + "?ref=" + strings.Repeat("x", 300), []string{"Cookie", agreed}, false, "bounds", "", "", false, "too long"},
		{"plain http", "", "http://hapitas.example/offers?code=7", nil, true, "", "code=7", "", false, "in the cookie cacheward for 30d"},
		{"observed", "", "http://hapitas.example/quiet?code=7", nil, false, "", "code=7", "", false, "only observes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := s.explain(Request{Method: test.method, URL: test.url, Header: header(test.fields...)})
			a := e.Attribution
			if a == nil {
				t.Fatal("none")
			}
			var taken []string
			for _, v := range a.Taken {
				taken = append(taken, v.Name+"="+v.Value)
			}
			if a.Landing != test.landing || a.LeftOut != test.leftOut || strings.Join(taken, " ") != test.taken || a.Referer != test.referer || a.Paid != test.paid {
				t.Errorf("%+v", a)
			}
			text := strings.Join(strings.Fields(textOf(t, e)), " ")
			if !strings.Contains(a.Sentence, test.says) || !strings.Contains(text, test.says) {
				t.Errorf("%q is not said in %q or\n%s", test.says, a.Sentence, text)
			}
			if observed := e.Observed; (a.URL == e.Request.URL) != (observed || !strings.ContainsAny(test.url, "?") || test.name == "with nothing") || !observed && strings.Contains(a.URL, "ref=") {
				t.Errorf("behind the proxy it is %s", a.URL)
			}
			for _, param := range e.Inputs {
				if param.Kind == "param" && param.Name == "ref" && (param.Disposition != "strip" || !strings.HasPrefix(param.By, "attribution.params.")) {
					t.Errorf("%+v", param)
				}
			}
			if e.Canonical != nil && strings.Contains(e.Canonical.URL, "ref=") {
				t.Errorf("the origin is sent %s", e.Canonical.URL)
			}
		})
	}
	if e := s.ask("http://hapitas.example/plain?code=7"); e.Attribution != nil || e.Delivery != nil {
		t.Errorf("a route without: %+v, %+v", e.Attribution, e.Delivery)
	}
}

func TestDelivery(t *testing.T) {
	s := newSite(t, attributedPolicy)
	for _, test := range []struct {
		url, cookie, route, as, names string
		has                           bool
		says                          string
	}{
		{"https://hapitas.example/register", "__Host-cacheward=x", "landing", "header",
			"Cacheward-Attribution Cacheward-Attribution-At Cacheward-Attribution-Referer Cacheward-Attribution-Landing", true, "If the cookie __Host-cacheward is genuine"},
		{"https://hapitas.example/register", "cacheward=x", "landing", "header",
			"Cacheward-Attribution Cacheward-Attribution-At Cacheward-Attribution-Referer Cacheward-Attribution-Landing", false, "has no cookie __Host-cacheward"},
		{"http://a.example/buy?code=1", "a=b; cacheward=x", "offers", "query", "code", true, "put back on its URL"},
		{"http://a.example/quiet/buy", "cacheward=x", "quiet", "form-cookie", "code", true, "nothing is delivered"},
	} {
		e := s.explain(Request{Method: "POST", URL: test.url, Header: header("Cookie", test.cookie)})
		d := e.Delivery
		if d == nil {
			t.Errorf("%s: none", test.url)
			continue
		}
		if d.Route != test.route || d.As != test.as || strings.Join(d.Names, " ") != test.names || d.HasCookie != test.has || !strings.HasPrefix(d.At, "policy.yaml:") {
			t.Errorf("%s: %+v", test.url, d)
		}
		if text := strings.Join(strings.Fields(textOf(t, e)), " "); !strings.Contains(d.Sentence, test.says) || !strings.Contains(text, test.says) {
			t.Errorf("%s: %q is not said in\n%s", test.url, test.says, text)
		}
	}
	if e := s.explain(Request{Method: "POST", URL: "https://other.example/register"}); e.Delivery != nil {
		t.Errorf("for another host: %+v", e.Delivery)
	}
}

// TestAttributionURL: only what is declared leaves it, to the byte.
func TestAttributionURL(t *testing.T) {
	s := newSite(t, attributedPolicy)
	for query, want := range map[string]string{
		"":                            "",
		"?":                           "?",
		"?ref=1":                      "",
		"?lang=ja&ref=1&&x=%41&utm_a": "?lang=ja&&x=%41",
		"?%72ef=1&lang=ja":            "?lang=ja",
		"?lang=ja":                    "?lang=ja",
	} {
		e := s.ask("https://hapitas.example/register/lp" + query)
		if got := strings.TrimPrefix(e.Attribution.URL, "https://hapitas.example/register/lp"); got != want {
			t.Errorf("%s becomes %s, not %s", query, got, want)
		}
	}
}

// TestAttributionTellsNoSecrets: neither what cookies hold nor what a URL of the app's has in
// it beside its place.
func TestAttributionTellsNoSecrets(t *testing.T) {
	s := newSite(t, attributedPolicy)
	e := s.ask("https://hapitas.example/register/lp?ref=A1", "Cookie", "agreed=marketing")
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(data), textOf(t, e)} {
		for _, secret := range []string{"s3cret", "t0ken"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in\n%s", secret, text)
			}
		}
	}
	var back Explanation
	if err := json.Unmarshal(data, &back); err != nil || !slices.Equal(back.Attribution.Taken, e.Attribution.Taken) || textOf(t, &back) != textOf(t, e) {
		t.Errorf("%v: %+v", err, back.Attribution)
	}
}
