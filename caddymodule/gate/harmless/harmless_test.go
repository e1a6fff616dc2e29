package harmless

import (
	"slices"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

func compiled(t testing.TB, declared ...policies.Harmless) *Set {
	t.Helper()
	s, err := Compile(declared)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// values are what stands in the places.
func values(body string, places []Place) []string {
	out := make([]string, 0, len(places))
	for _, p := range places {
		out = append(out, body[p.Start:p.End])
	}
	return out
}

func TestHTMLPlaces(t *testing.T) {
	tests := []struct {
		name           string
		html, matching string
		body           string
		want           []string
	}{
		// HTML §13.1.6, §13.2.5.43 to §13.2.5.51.
		{"comment", "comment", "generated at *", `<p>a<!-- generated at 12:01 --> b`, []string{" generated at 12:01 "}},
		{"comments", "comment", "generated*", `<!--generated 1--><!-- other --><!--generated 2-->`, []string{"generated 1", "generated 2"}},
		{"comment that says something else", "comment", "generated at *", `<!-- lead 17 generated at 5 -->`, nil},
		{"comment that nothing ends", "comment", "generated at *", `<p><!-- generated at 5 <input name=lead value=17>`, nil},
		{"comment that another one ends", "comment", "generated at *", `<!-- generated at 5 <input name=lead> <!-- x -->y`, []string{" generated at 5 <input name=lead> <!-- x "}},
		{"comment that --!> ends", "comment", "generated*", `<!--generated 5--!>x`, []string{"generated 5"}},
		{"comment that !> does not end", "comment", "*gen*", `<!--!>gen`, nil},
		{"comment of nothing", "comment", "*", `<!----><!--->`, []string{""}},
		{"comment that is none", "comment", "*gen*", `<!gen 1><?gen 2></ gen 3><![CDATA[gen 4]]>`, nil},
		{"comment in a script", "comment", "generated*", `<script><!--generated 1--></script><!--generated 2-->`, []string{"generated 2"}},
		{"comment in a title", "comment", "generated*", `<title><!--generated 1--></title>`, nil},
		{"comment in an attribute", "comment", "generated*", `<p title="<!--generated 1-->">`, nil},
		{"comment too long", "comment", "generated*", `<!--generated ` + strings.Repeat("x", maxPlace) + `-->`, nil},

		// HTML §13.1.2.3.
		{"attribute", "time datetime", "", `<time datetime="2026-01-01">x</time>`, []string{"2026-01-01"}},
		{"letter case", "TIME DateTime", "", `<Time DATETIME='5'>`, []string{"5"}},
		{"without quotes", "time datetime", "", `<time datetime=5 class=x><time datetime=6>`, []string{"5", "6"}},
		{"unquoted, with a slash", "time datetime", "", `<time datetime=5/>`, []string{"5/"}},
		{"spaces", "time datetime", "", "<time\n datetime\t=\n '5' >", []string{"5"}},
		{"empty", "time datetime", "", `<time datetime="">`, []string{""}},
		{"no value", "time datetime", "", `<time datetime><time datetime=>`, nil},
		{"the first counts", "time datetime", "", `<time datetime="5" datetime="6">`, []string{"5"}},
		{"the first has no value", "time datetime", "", `<time datetime datetime="6">`, nil},
		{"another's value", "time datetime", "", `<time title="datetime=5" data-datetime=6 xdatetime=7 datetimex=8>`, nil},
		{"> in a value", "time datetime", "", `<time title=">" datetime="5>6">`, []string{"5>6"}},
		{"quote that nothing ends", "time datetime", "", `<time datetime="5>x</time><p>`, nil},
		{"tag that nothing ends", "time datetime", "", `<time datetime="5" `, nil},
		{"Kelvin sign", "time datak", "", "<time data\u212a=5>", nil},
		{"selected", "meta[name=generated] content", "", `<meta name=other content=1><meta content=2><meta name="generated" content="3">`, []string{"3"}},
		{"selected, the other way round", "meta[name=generated] content", "", `<meta content="3" name=generated>`, []string{"3"}},
		{"selected by the first", "meta[name=generated] content", "", `<meta name=other name=generated content=3>`, nil},
		{"by reference", "meta[name=generated] content", "", `<meta name="gener&#97;ted" content=3>`, []string{"3"}},
		{"id", "p#a data-at", "", `<p id=b data-at=1><p id=A data-at=2><p id=a data-at=3>`, []string{"3"}},
		{"matching a reference", "p data-at", "a & ?", `<p data-at="a &amp; b">`, []string{"a &amp; b"}},
		{"not matching", "p data-at", "5 ??", `<p data-at="5 ms"><p data-at="5  s"><p data-at="5 min"><p data-at=" 6 ms">`, []string{"5 ms", "5  s"}},

		// HTML §13.1.2: the text of an element, and nothing but text.
		{"text", "span#stamp", "", `<p><span id="stamp">12:01</span></p>`, []string{"12:01"}},
		{"no text", "span#stamp", "", `<span id="stamp"></span>`, []string{""}},
		{"text with a child", "span#stamp", "", `<span id="stamp">12:01<b>x</b></span>`, nil},
		{"text behind a child", "span#stamp", "", `<span id="stamp"><b>x</b>12:01</span>`, nil},
		{"text with a comment", "span#stamp", "", `<span id="stamp">12<!-- -->:01</span>`, nil},
		{"text that another end tag ends", "span#stamp", "", `<p><span id="stamp">12:01</p>`, nil},
		{"text that the page ends", "span#stamp", "", `<span id="stamp">12:01`, nil},
		{"text that the page ends in a tag", "span#stamp", "", `<span id="stamp">12:01</span`, nil},
		{"text of a self-closing tag", "span#stamp", "", `<span id="stamp"/>12:01</span>`, nil},
		{"nested", "span#stamp", "", `<span id="stamp"><span id="stamp">1</span>2</span>`, []string{"1"}},
		{"< that begins nothing", "span#stamp", "", `<span id="stamp">a < 5</span>`, []string{"a < 5"}},
		{"end tag with attributes", "span#stamp", "", `<span id="stamp">5</SPAN id=x>`, []string{"5"}},
		{"RCDATA", "title", "built *", `<title>built <b>5</title>`, []string{"built <b>5"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := compiled(t, policies.Harmless{HTML: tt.html, Matching: tt.matching})
			got := values(tt.body, s.Places("text/html; charset=utf-8", []byte(tt.body)))
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestHTMLOrder: places come in the order of the page, whatever the order of the rules,
// and each belongs to one rule.
func TestHTMLOrder(t *testing.T) {
	s := compiled(t,
		policies.Harmless{HTML: "time#a", Matching: "1*"},
		policies.Harmless{HTML: "time"},
		policies.Harmless{HTML: "time datetime"},
		policies.Harmless{HTML: "time data-at"},
	)
	body := `<time id=a data-at="x" datetime="y">12</time><time datetime=z id=a>20</time>`
	got := s.Places("text/html", []byte(body))
	if want := []string{"x", "y", "12", "z", "20"}; !slices.Equal(values(body, got), want) {
		t.Errorf("got %q, want %q", values(body, got), want)
	}
	var rules []int
	for _, p := range got {
		rules = append(rules, p.Rule)
	}
	if want := []int{3, 2, 0, 2, 1}; !slices.Equal(rules, want) {
		t.Errorf("got rules %v, want %v", rules, want)
	}
}

// TestLongToken: what the tokenizer would have to hold is bounded.
func TestLongToken(t *testing.T) {
	s := compiled(t, policies.Harmless{HTML: "time"})
	script := "<script>" + strings.Repeat("x", maxToken) + "</script>"
	body := "<time>1</time>" + script + "<time>2</time>"
	if got := values(body, s.Places("text/html", []byte(body))); !slices.Equal(got, []string{"1"}) {
		t.Errorf("got %q", got)
	}
}

func TestJSONPlaces(t *testing.T) {
	deep := func(n int) string {
		return strings.Repeat(`{"a":`, n) + "5" + strings.Repeat("}", n)
	}
	tests := []struct {
		name           string
		json, matching string
		body           string
		want           []string
	}{
		{"number", "$.at", "", `{"at": 1.5e+3, "b": 1}`, []string{"1.5e+3"}},
		{"string with its quotes", "$.at", "", `{"at":"a\"b\u0041"}`, []string{`"a\"b\u0041"`}},
		{"matching what it says", "$.at", "?\"A", `{"at":"x\"\u0041"}`, []string{`"x\"\u0041"`}},
		{"not matching", "$.at", "2026-*", `{"at":"17"}`, nil},
		{"literals", "$[*]", "", `[true, false,null ]`, []string{"true", "false", "null"}},
		{"item", "$.a[1]", "", `{"a":[1,2,3]}`, []string{"2"}},
		{"items", "$.a[*].t", "", `{"a":[{"t":1},{"u":2},{"t":3}],"t":4}`, []string{"1", "3"}},
		{"members are no items", "$.a[*]", "", `{"a":{"b":1}}`, nil},
		{"items are no members", "$.a", "", `[{"a":1}]`, nil},
		{"quoted member", "$['a b']['it\\'s']", "", `{"a b":{"it's":1}}`, []string{"1"}},
		{"escaped member", "$.at", "", `{"\u0061t":1}`, []string{"1"}},
		{"twice", "$.at", "", `{"at":1,"at":2}`, []string{"1", "2"}},
		{"objects and lists are none", "$.at", "", `{"at":{"at":1}} `, nil},
		{"nor is a list", "$.at", "", `{"at":[1]}`, nil},
		{"deeper only", "$.a.a", "", `{"a":{"a":{"a":1}}}`, nil},
		{"too long", "$.at", "", `{"at":"` + strings.Repeat("x", maxPlace) + `"}`, nil},
		{"as deep as can be", strings.Repeat(".a", maxDepth), "", deep(maxDepth), []string{"5"}},
		{"too deep", strings.Repeat(".a", maxDepth+1), "", deep(maxDepth + 1), nil},
		// RFC 8259 §2 to §8: from what is none on there are no places.
		{"cut off", "$.at", "", `{"at":1,"b":{"at":`, []string{"1"}},
		{"string cut off", "$.at", "", `{"at":"1`, nil},
		{"escape cut off", "$.at", "", `{"at":"\`, nil},
		{"no escape", "$.at", "", `{"at":"\x41"}`, nil},
		{"short escape", "$.at", "", `{"at":"\u12"}`, nil},
		{"control character", "$.at", "", "{\"at\":\"\n\"}", nil},
		{"comma missing", "$.at", "", `{"b":1 "at":2}`, nil},
		{"comma too many", "$.at", "", `{"b":1,,"at":2}`, nil},
		{"colon missing", "$.at", "", `{"at" 2}`, nil},
		{"name without quotes", "$.at", "", `{at:2}`, nil},
		{"single quotes", "$.at", "", `{'at':2}`, nil},
		{"number that is none", "$.at", "", `{"at":-}`, nil},
		{"no literal", "$.at", "", `{"at":nul}`, nil},
		{"NUL", "$.at", "", "\x00{\"at\":1}", nil},
		{"byte order mark", "$.at", "", "\ufeff{\"at\":1}", nil},
		{"JSONP", "$.at", "", `cb({"at":1})`, nil},
		{"nothing", "$.at", "", ``, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := tt.json
			if path[0] != '$' {
				path = "$" + path
			}
			s := compiled(t, policies.Harmless{JSON: path, Matching: tt.matching})
			got := values(tt.body, s.Places("application/json", []byte(tt.body)))
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestContentTypes: RFC 9110 §8.3. What is not declared HTML or JSON is neither.
func TestContentTypes(t *testing.T) {
	s := compiled(t, policies.Harmless{HTML: "time"}, policies.Harmless{JSON: "$.t"})
	page, data := []byte(`<time>1</time>`), []byte(`{"t":1}`)
	for contentType, want := range map[string]string{
		"text/html":                          "html",
		"TEXT/HTML; charset=Shift_JIS":       "html",
		"text/html;charset=utf-8":            "html",
		"application/xhtml+xml":              "html",
		"text/html; charset=utf-16":          "",
		"text/html; charset=iso-2022-jp":     "",
		"text/html; charset=utf-8; charset=": "",
		"text/html, text/plain":              "",
		"text/plain":                         "",
		"image/svg+xml":                      "",
		"":                                   "",
		"application/json":                   "json",
		"application/problem+json":           "json",
		"application/json; charset=utf-16le": "",
		"text/json":                          "",
		"application/javascript":             "",
	} {
		got := ""
		if len(s.Places(contentType, page)) > 0 {
			got += "html"
		}
		if len(s.Places(contentType, data)) > 0 {
			got += "json"
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", contentType, got, want)
		}
	}
}

// TestXHTML: in XHTML a CDATA section is text, in HTML a comment of no kind.
func TestXHTML(t *testing.T) {
	s := compiled(t, policies.Harmless{HTML: "comment", Matching: "gen*"})
	body := []byte(`<p><![CDATA[ > <!--gen 1--> ]]></p><!--gen 2-->`)
	if got := s.Places("application/xhtml+xml", body); len(got) != 1 {
		t.Errorf("got %q", values(string(body), got))
	}
}

func TestSame(t *testing.T) {
	s := compiled(t,
		policies.Harmless{HTML: "comment", Matching: "gen*"},
		policies.Harmless{HTML: "span#stamp", Matching: "??:??"},
		policies.Harmless{HTML: "span#stamp"},
	)
	tests := []struct {
		name, a, b string
		want       bool
	}{
		{"the same", `<p>a`, `<p>a`, true},
		{"in a place", `<!--gen 1--><p>a`, `<!--gen 1000--><p>a`, true},
		{"in two", `<!--gen 1--><span id=stamp>12:01</span>`, `<!--gen 22--><span id=stamp>12:02</span>`, true},
		{"beside a place", `<!--gen 1--><p>a`, `<!--gen 2--><p>b`, false},
		{"before a place", `a<!--gen 1-->`, `b<!--gen 2-->`, false},
		{"by another rule", `<span id=stamp>12:01</span>`, `<span id=stamp>lead</span>`, false},
		{"one more place", `<!--gen 1-->`, `<!--gen 1--><!--gen 1-->`, false},
		{"no place in one", `<!--gen 1-->`, `<!--lead 1-->`, false},
		{"a place that is not closed", `<!--gen 1-->`, `<!--gen 1`, false},
		{"a quote of another kind", `<span id=stamp>12:01</span>`, `<span id="stamp">12:01</span>`, false},
		{"in another place", `<!--gen 1--><b>`, `<b><!--gen 1-->`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, pa, pb := s.Same("text/html", []byte(tt.a), []byte(tt.b))
			again, _, _ := s.Same("text/html", []byte(tt.b), []byte(tt.a))
			if got != tt.want || again != tt.want {
				t.Errorf("got %v and %v, want %v", got, again, tt.want)
			}
			if got && len(pa) != len(pb) {
				t.Errorf("%d places and %d", len(pa), len(pb))
			}
		})
	}
}

func TestHeader(t *testing.T) {
	s := compiled(t,
		policies.Harmless{Header: "x-build"},
		policies.Harmless{Header: "X-Node", Matching: "web-??"},
		policies.Harmless{Header: "X-Node", Matching: "app-*"},
	)
	tests := []struct {
		name, field string
		own, fill   []string
		want        bool
	}{
		{"declared", "X-Build", []string{"1"}, []string{"2"}, true},
		{"in any letter case", "x-BUILD", []string{"1"}, []string{""}, true},
		{"not declared", "X-Built", []string{"1"}, []string{"2"}, false},
		{"matching", "X-Node", []string{" web-01"}, []string{"web-02 "}, true},
		{"matching another", "X-Node", []string{"app-1"}, []string{"app-22"}, true},
		{"matching one each", "X-Node", []string{"web-01"}, []string{"app-1"}, false},
		{"one does not match", "X-Node", []string{"web-01"}, []string{"lead-17"}, false},
		{"lines", "X-Node", []string{"web-01", "web-02"}, []string{"web-02", "web-03"}, true},
		{"one line does not match", "X-Node", []string{"web-01", "lead"}, []string{"web-02", "web-03"}, false},
		{"more lines", "X-Build", []string{"1"}, []string{"1", "2"}, false},
		{"in one only", "X-Build", nil, []string{"1"}, false},
		{"in none", "X-Build", nil, nil, false},
		{"too long", "X-Build", []string{"1"}, []string{strings.Repeat("x", maxPlace+1)}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := s.Header(tt.field, tt.own, tt.fill); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestNothingDeclared(t *testing.T) {
	s, err := Compile(nil)
	if s != nil || err != nil {
		t.Fatalf("got %v, %v", s, err)
	}
	if s.Header("X-Build", []string{"1"}, []string{"2"}) || s.Places("text/html", []byte("<time>1</time>")) != nil {
		t.Error("nothing is declared")
	}
	for b, want := range map[string]bool{"a": true, "b": false, "aa": false} {
		if same, _, _ := s.Same("text/html", []byte("a"), []byte(b)); same != want {
			t.Errorf("%q: got %v", b, same)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, h := range []policies.Harmless{
		{},
		{HTML: "comment", JSON: "$.a"},
		{HTML: "input[name=a] value"},
		{HTML: "<p>"},
		{JSON: "a"},
		{JSON: "$.user"},
	} {
		if s, err := Compile([]policies.Harmless{h}); err == nil || s != nil {
			t.Errorf("%+v is accepted", h)
		}
	}
	if _, err := Compile(slices.Repeat([]policies.Harmless{{JSON: "$.a"}}, maxRules)); err != nil {
		t.Error(err)
	}
	if _, err := Compile(slices.Repeat([]policies.Harmless{{JSON: "$.a"}}, maxRules+1)); err == nil {
		t.Error("any number is accepted")
	}
}

func TestMatchGlob(t *testing.T) {
	tests := []struct {
		glob, value string
		want        bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "a\nb", true},
		{"?", "", false},
		{"?", "é", true},
		{"??", "é", false},
		{"a*c", "abc", true},
		{"a*c", "abcd", false},
		{"a*b*c", "aXbXbXc", true},
		{"*ab", "aab", true},
		{"*é?", "ééa", true},
		{"[a]", "a", false},
		{`\*`, `\x`, true},
		{"?", "\xff", true},
		{strings.Repeat("*a", 50), strings.Repeat("a", 49), false},
	}
	for _, tt := range tests {
		if got := matchGlob(tt.glob, tt.value); got != tt.want {
			t.Errorf("%q, %q: got %v", tt.glob, tt.value, got)
		}
	}
}
