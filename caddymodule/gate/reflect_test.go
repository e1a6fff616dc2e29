package gate

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/policies"
)

func cookieInput(name, value string) policies.Input {
	return policies.Input{Kind: policies.InputCookie, Name: name, Value: value}
}

func paramInput(name, value string) policies.Input {
	return policies.Input{Kind: policies.InputParam, Name: name, Value: value}
}

func headerInput(name, value string) policies.Input {
	return policies.Input{Kind: policies.InputHeader, Name: name, Value: value}
}

func addressInput(value string) policies.Input {
	return policies.Input{Kind: policies.InputAddress, Value: value}
}

// describeAll says "cookie lead url 12 near" of each.
func describeAll(found []Reflection) []string {
	var out []string
	for _, r := range found {
		s := fmt.Sprint(r.Input, " ", r.Coding, " ", r.Field, r.Offset)
		if r.Near != "" {
			s += " in " + r.Near
		}
		out = append(out, s)
	}
	return out
}

func checkReflections(t *testing.T, got []Reflection, want ...string) {
	t.Helper()
	if s := describeAll(got); !slices.Equal(s, want) {
		t.Errorf("got %q, want %q", s, want)
	}
	for _, r := range got {
		if r.Input.Value != "" {
			t.Errorf("%s is told with its value", r.Input)
		}
	}
}

// The same value as frameworks write it.
func TestReflectionCodings(t *testing.T) {
	const value = `l-1&<a b="c/d">'é登😀'+~=`
	for _, tt := range []struct{ name, coding, text string }{
		{"as it is", CodingPlain, value},
		{"RFC 3986", CodingURL, `l-1%26%3Ca%20b%3D%22c%2Fd%22%3E%27%C3%A9%E7%99%BB%F0%9F%98%80%27%2B~%3D`},
		{"RFC 3986, lower case", CodingURL, `l-1%26%3ca%20b%3d%22c%2fd%22%3e%27%c3%a9%e7%99%bb%f0%9f%98%80%27%2b~%3d`},
		{"url.QueryEscape", CodingURL, url.QueryEscape(value)},
		{"url.PathEscape", CodingURL, url.PathEscape(value)},
		{"encodeURIComponent", CodingURL, `l-1%26%3Ca%20b%3D%22c%2Fd%22%3E'%C3%A9%E7%99%BB%F0%9F%98%80'%2B~%3D`},
		{"encodeURI", CodingURL, `l-1&%3Ca%20b=%22c/d%22%3E'%C3%A9%E7%99%BB%F0%9F%98%80'+~=`},
		{"a form", CodingURL, `l-1%26%3Ca+b%3D%22c%2Fd%22%3E%27%C3%A9%E7%99%BB%F0%9F%98%80%27%2B%7E%3D`},
		{"html.EscapeString", CodingHTML, html.EscapeString(value)},
		{"PHP htmlspecialchars", CodingHTML, `l-1&amp;&lt;a b=&quot;c/d&quot;&gt;&#039;é登😀&#039;+~=`},
		{"Django", CodingHTML, `l-1&amp;&lt;a b=&quot;c/d&quot;&gt;&#x27;é登😀&#x27;+~=`},
		{"Rails", CodingHTML, `l-1&amp;&lt;a b=&quot;c/d&quot;&gt;&#39;é登😀&#39;+~=`},
		{"XML", CodingHTML, `l-1&amp;&lt;a b=&quot;c/d&quot;&gt;&apos;é登😀&apos;+~=`},
		{"only text", CodingHTML, `l-1&amp;&lt;a b="c/d"&gt;'é登😀'+~=`},
		{"only a double-quoted attribute", CodingHTML, `l-1&amp;<a b=&quot;c/d&quot;>'é登😀'+~=`},
		{"Handlebars", CodingHTML, `l-1&amp;&lt;a b&#x3D;&quot;c/d&quot;&gt;&#x27;é登😀&#x27;+~&#x3D;`},
		{"Mustache", CodingHTML, `l-1&amp;&lt;a b&#x3D;&quot;c&#x2F;d&quot;&gt;&#39;é登😀&#39;+~&#x3D;`},
		{"JSON.stringify", CodingJSON, `l-1&<a b=\"c/d\">'é登😀'+~=`},
		{"encoding/json", CodingJSON, jsonString(value)},
		{"Django json_script", CodingJSON, `l-1\u0026\u003Ca b=\"c/d\"\u003E'é登😀'+~=`},
		{"PHP json_encode", CodingJSON, `l-1&<a b=\"c\/d\">'\u00e9\u767b\ud83d\ude00'+~=`},
		{"Python json.dumps", CodingJSON, `l-1&<a b=\"c/d\">'\u00e9\u767b\ud83d\ude00'+~=`},
		{"Jinja tojson", CodingJSON, `l-1\u0026\u003ca b=\"c/d\"\u003e\u0027\u00e9\u767b\ud83d\ude00\u0027+~=`},
		{"System.Text.Json", CodingJSON, `l-1\u0026\u003Ca b=\u0022c/d\u0022\u003E\u0027\u00E9\u767B\uD83D\uDE00\u0027\u002B~=`},
		{"a string of JavaScript", CodingJSON, `l-1&<a b=\"c/d\">\'é登😀\'+~=`},
	} {
		for _, rule := range []Strength{Any, Telling} {
			t.Run(tt.name, func(t *testing.T) {
				n := NewNeedles([]policies.Input{cookieInput("lead", value)}, rule)
				checkReflections(t, n.InBody([]byte("<p>"+tt.text+"</p>")), "cookie lead "+tt.coding+" 3 in p")
				checkReflections(t, n.InHeader(http.Header{"X-Lead": {"v=" + tt.text}}), "cookie lead "+tt.coding+" X-Lead2")
			})
		}
	}
	t.Run("html/template in a script", func(t *testing.T) {
		var b bytes.Buffer
		page := template.Must(template.New("").Parse(`<script>let lead = {{.}}</script>`))
		if err := page.Execute(&b, "l-1&c/d<e7f"); err != nil {
			t.Fatal(err)
		}
		n := NewNeedles([]policies.Input{cookieInput("lead", "l-1&c/d<e7f")}, Telling)
		checkReflections(t, n.InBody(b.Bytes()), "cookie lead json 20 in lead")
	})
	t.Run("no letters", func(t *testing.T) {
		n := NewNeedles([]policies.Input{cookieInput("name", "山田 é😀")}, Any)
		for text, coding := range map[string]string{
			`山田 é😀`: CodingPlain, `%E5%B1%B1%E7%94%B0%20é😀`: CodingURL, `%e5%b1%b1%e7%94%b0+%c3%a9%f0%9f%98%80`: CodingURL,
			`\u5c71\u7530 \u00E9\ud83d\ude00`: CodingJSON, `\u5C71\u7530 é\uD83D\uDE00`: CodingJSON,
			`&#23665;&#30000;&nbsp;`: "", `&#23665;&#30000; &eacute;&#128512;`: CodingHTML, `&#x5c71;&#x7530; é&#x1F600;`: CodingHTML,
		} {
			var want []string
			if coding != "" {
				want = []string{"cookie name " + coding + " 1"}
			}
			checkReflections(t, n.InBody([]byte(" "+text)), want...)
		}
	})
	t.Run("what looks like an escape and is none", func(t *testing.T) {
		for _, value := range []string{`a7k9q2%25z`, `a7k9q2\\z`, `&amp;a7k9q2`, `%2e%25a7k9q2`, `++a7k9q2`} {
			n := NewNeedles([]policies.Input{paramInput("lead", value)}, Any)
			checkReflections(t, n.InBody([]byte("x "+value+" y")), "param lead plain 2")
		}
	})
	t.Run("several at once", func(t *testing.T) {
		n := NewNeedles([]policies.Input{cookieInput("lead", value)}, Any)
		checkReflections(t, n.InBody([]byte(`l-1%26&lt;a b=\"c\/d"%3e'é登😀&apos;+~=`)), "cookie lead html 0")
	})
	for before := range 3 {
		for name, coding := range map[string]*base64.Encoding{"std": base64.StdEncoding, "url": base64.RawURLEncoding} {
			t.Run(fmt.Sprint("base64 ", name, before), func(t *testing.T) {
				n := NewNeedles([]policies.Input{cookieInput("lead", "a?>b~~c-7f3k1")}, Telling)
				text := coding.EncodeToString([]byte("{{{"[:before] + "a?>b~~c-7f3k1" + `"}`))
				checkReflections(t, n.InBody([]byte("--"+text)), fmt.Sprint("cookie lead base64 ", 2+(before*8+5)/6))
			})
		}
	}
}

func jsonString(v string) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b[1 : len(b)-1])
}

func TestReflectionNear(t *testing.T) {
	inputs := []policies.Input{cookieInput("lead", "a1b2c3d4e5"), cookieInput("sid", "f6a7b8c9d0")}
	for page, want := range map[string][]string{
		`<input name="lead" value="a1b2c3d4e5">`:           {"cookie lead plain 26 in input lead"},
		`<a href="/?l=a1b2c3d4e5">`:                        {"cookie lead plain 13 in a href"},
		`<script>var lead = "a1b2c3d4e5"</script>`:         {"cookie lead plain 20 in lead"},
		`<b id="a1b2c3d4e5">a1b2c3d4e5</b>`:                {"cookie lead plain 7 in b id"},
		`<p id="a1b2c3d4e5"><i>f6a7b8c9d0</i>`:             {"cookie lead plain 7 in p id", "cookie sid plain 22 in i"},
		`<i id="x-a1b2c3d4e5">f6a7b8c9d0</i>`:              {"cookie lead plain 9 in i id", "cookie sid plain 21"}, // the name has a value in it
		`f6a7b8c9d0 a1b2c3d4e5 a1b2c3d4e5 f6a7b8c9d0`:      {"cookie sid plain 0", "cookie lead plain 11"},
		`<p title="` + strings.Repeat("x", 300) + `"></p>`: nil,
	} {
		checkReflections(t, NewNeedles(inputs, Telling).InBody([]byte(page)), want...)
	}
}

func TestReflectionInHeader(t *testing.T) {
	n := NewNeedles([]policies.Input{
		headerInput("Origin", "https://other.example"),
		headerInput("X-Forwarded-Host", "evil-host.example.net"),
		headerInput("X-Request-Id", "5f2d9c0b71e8"),
	}, Telling)
	for name, tt := range map[string]struct {
		header http.Header
		want   []string
	}{
		"nothing": {http.Header{"Content-Type": {"text/html"}}, nil},
		"CORS (Fetch §3.3)": {http.Header{"Access-Control-Allow-Origin": {"https://other.example"}},
			[]string{"header Origin plain Access-Control-Allow-Origin0"}},
		"Location (RFC 9110 §10.2.2)": {http.Header{"Location": {"https://evil-host.example.net/a"}},
			[]string{"header X-Forwarded-Host plain Location8"}},
		"second line":                  {http.Header{"Link": {"</a>", "<//evil-host.example.net>"}}, []string{"header X-Forwarded-Host plain Link3"}},
		"a name that is not canonical": {http.Header{"x-lead": {"5f2d9c0b71e8"}}, []string{"header X-Request-Id plain X-Lead0"}},
		"one for an input and a field": {http.Header{"Vary": {"5f2d9c0b71e8", "5f2d9c0b71e8"}, "Etag": {"5f2d9c0b71e8"}},
			[]string{"header X-Request-Id plain Etag0", "header X-Request-Id plain Vary0"}},
		"not stored": {http.Header{"X-Request-Id": {"5f2d9c0b71e8"}}, nil},
	} {
		t.Run(name, func(t *testing.T) { checkReflections(t, n.InHeader(tt.header), tt.want...) })
	}
}

func TestReflectionsAreBounded(t *testing.T) {
	var inputs []policies.Input
	header := http.Header{}
	var body bytes.Buffer
	for i := range 40 {
		value := fmt.Sprintf("a%dz%dk%d", i*7919, i*104729, i)
		inputs = append(inputs, cookieInput(fmt.Sprint("c", i), value))
		header[fmt.Sprint("X-", i)] = []string{value}
		body.WriteString(value + "\n")
	}
	n := NewNeedles(inputs, Any)
	if got := n.InHeader(header); len(got) != maxReflections {
		t.Errorf("%d in the header, want %d", len(got), maxReflections)
	}
	if got := n.InBody(body.Bytes()); len(got) != maxReflections {
		t.Errorf("%d in the body, want %d", len(got), maxReflections)
	}
}

func TestNoNeedles(t *testing.T) {
	for _, n := range []*Needles{nil, NewNeedles(nil, Any), NewNeedles([]policies.Input{cookieInput("a", "")}, Any)} {
		if n != nil {
			t.Error("there is something to look for")
		}
		checkReflections(t, n.InBody([]byte("a")))
		checkReflections(t, n.InHeader(http.Header{"A": {"a"}}))
	}
}

// Wherever and however a value stands in a page, it is found there.
func TestPlantedValuesAreFound(t *testing.T) {
	encoders := map[string]func(string) string{
		"plain": func(v string) string { return v },
		"query": url.QueryEscape,
		"path":  url.PathEscape,
		"html":  html.EscapeString,
		"json":  jsonString,
	}
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[a-zA-Z0-9]{6}[a-zA-Z0-9 &<>"'/+=éß登-]{0,12}[0-9][a-zA-Z][0-9]`).Draw(t, "value")
		filler := rapid.StringMatching(`([.,;\n]{0,40}|<p>)*`)
		before, after := filler.Draw(t, "before"), filler.Draw(t, "after")
		var text string
		at := len(before)
		if how := rapid.SampledFrom([]string{"plain", "query", "path", "html", "json", "base64"}).Draw(t, "coding"); how == "base64" {
			pad := rapid.StringMatching(`[.,;]{0,7}`)
			left := pad.Draw(t, "left")
			text = base64.StdEncoding.EncodeToString([]byte(left + value + pad.Draw(t, "right")))
			at += (len(left)*8 + 5) / 6
		} else {
			text = encoders[how](value)
		}
		rule := rapid.SampledFrom([]Strength{Any, Telling}).Draw(t, "rule")
		n := NewNeedles([]policies.Input{cookieInput("lead", value)}, rule)
		found := n.InBody([]byte(before + text + after))
		last := at
		if rule == Any {
			last += len(text) // it looks for the parts of a value as well
		}
		if n != nil && (len(found) != 1 || found[0].Offset < int64(at) || found[0].Offset > int64(last)) {
			t.Fatalf("found %v, want it at %d", describeAll(found), at)
		}
		if _, _, ok := rule.judge(cookieInput("lead", value), value); ok != (n != nil) {
			t.Fatalf("looked for: %t, strong enough: %t", n != nil, ok)
		}
	})
}

// Values that are on every page say nothing.
func TestOrdinaryPagesReflectNothing(t *testing.T) {
	page := `<!doctype html><html lang="en-US"><head><title>Summer sale 2024</title>
<link rel="canonical" href="https://shop.example/products/summer-sale"><meta name="theme" content="dark">
<script>var cfg = {"debug": true, "page": 1, "currency": "USD", "v": "1.2.3.40", "build": "20240301", "ajax": "XMLHttpRequest"};</script></head>
<body class="home logged-out"><a href="/products?page=2&amp;sort=price">next</a><a href="https://www.google.com/maps?q=berlin">map</a>
<p>Products for guests: basic, default, none. Call 0123456, or 10.000 people like it. Accept all cookies. Chromium, Windows.</p>
<img src="/i/1920x1080/a1b2c3d4e5f6.jpg" width="320"></body></html>`
	ordinary := []policies.Input{
		cookieInput("season", "summer"), cookieInput("lang", "en-US"), cookieInput("page", "1"), cookieInput("debug", "true"),
		cookieInput("theme", "dark"), cookieInput("currency", "USD"), cookieInput("screen", "1920x1080"[:4]),
		cookieInput("user", "guests"), cookieInput("auth", "basic"), cookieInput("session", "none"), cookieInput("token", "true"),
		cookieInput("uid", "1234"), cookieInput("sid", "c3d4"), cookieInput("build", "20240301"), cookieInput("empty", "000000000000"),
		paramInput("sort", "price"), paramInput("page", "2"), paramInput("utm_campaign", "summer-sale"),
		headerInput("Accept", "text/html"), headerInput("Accept-Language", "en-US"), headerInput("Dnt", "1"),
		headerInput("Sec-Ch-Ua-Platform", `"Windows"`), headerInput("Sec-Ch-Ua", "Chromium"), headerInput("X-Requested-With", "XMLHttpRequest"),
		headerInput("Referer", "https://www.google.com/"), headerInput("Referer", "/products?page=2&sort=price"),
		headerInput("Referer", "https://shop.example/products/summer"), headerInput("X-Forwarded-Proto", "https"),
		headerInput("Upgrade-Insecure-Requests", "1"), headerInput("Forwarded", "for=192.0.2.7;host=shop.example;proto=https"),
		headerInput("X-Forwarded-For", "1.2.3.4"), addressInput("1.2.3.4"), addressInput("::1"),
	}
	checkReflections(t, NewNeedles(ordinary, Telling).InBody([]byte(page)))
	checkReflections(t, NewNeedles(ordinary, Telling).InHeader(http.Header{
		"Content-Type": {"text/html; charset=utf-8"}, "Content-Language": {"en-US"}, "Vary": {"Accept-Language"},
		"Location": {"https://shop.example/"}, "Cache-Control": {"max-age=1234"},
	}))
}

func FuzzNeedles(f *testing.F) {
	f.Add("Referer", "https://a.example/?q=a%20b", "<a href='https://a.example/?q=a%20b'>", false)
	f.Add("Authorization", "Basic dXNlcjpwYXNz", "user", true)
	f.Add("Forwarded", `for="[2001:db8::1]:4711";by=_x, for=192.0.2.7`, "2001:db8::1", false)
	f.Add("lead", "%e7%99%bb\xff\x00&<>\"'", "\xe7\x99\xbb", true)
	f.Fuzz(func(t *testing.T, name, value, body string, telling bool) {
		rule := Any
		if telling {
			rule = Telling
		}
		inputs := []policies.Input{headerInput(name, value), cookieInput(name, value), paramInput(name, value), addressInput(value)}
		n := NewNeedles(inputs, rule)
		if n != nil {
			all := slices.Concat(n.short, n.long)
			for _, one := range all {
				if len(one.literal) > 8*maxValue {
					t.Fatalf("a needle of %d bytes", len(one.literal))
				}
			}
			if len(all) > maxNeedles || n.inputs > len(inputs) {
				t.Fatalf("%d needles of %d inputs", len(all), n.inputs)
			}
		}
		whole := body + value
		for _, r := range append(n.InBody([]byte(whole)), n.InHeader(http.Header{"X-A": {whole}})...) {
			if r.Input.Value != "" || r.Offset < 0 || r.Offset >= int64(len(whole)) {
				t.Fatalf("%v", describeAll([]Reflection{r}))
			}
		}
		if !telling && value != "" {
			if found := n.InBody([]byte(whole)); !slices.ContainsFunc(found, func(r Reflection) bool { return r.Input.Kind == policies.InputParam }) {
				t.Fatal("the value is in the body, and is not found")
			}
		}
	})
}
