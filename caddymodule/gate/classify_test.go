package gate

import (
	"encoding/base64"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/policies"
)

func cookie(name, value string) policies.Input {
	return policies.Input{Kind: policies.InputCookie, Name: name, Value: value}
}

func param(name, value string) policies.Input {
	return policies.Input{Kind: policies.InputParam, Name: name, Value: value}
}

// standIns are what the fills of these tests say of the visitor.
var testStandIns = []policies.Input{
	{Kind: policies.InputAddress, Value: "192.0.2.1"},
	{Kind: policies.InputHeader, Name: "User-Agent", Value: "Cacheward"},
}

// What differs, by class.
func TestClass(t *testing.T) {
	lorem := strings.Repeat("<p>Some text that everybody gets, and nothing else in it.</p>\n", 20)
	letter := func(name string) string {
		return strings.Repeat("<p>Dear "+name+", this is a letter to "+name+" alone.</p>\n", 40)
	}
	items := func(names ...string) (list string) {
		for _, name := range names {
			list += "<li><a href=\"/items/" + name + "\">" + name + "</a></li>\n"
		}
		return list
	}
	tests := []struct {
		name      string
		own, fill string
		inputs    []policies.Input
		class     policies.Class
		input     string
		near      string
	}{
		// The founding incident (incidents 1).
		{"the lead", `<input type="hidden" name="lead" value="1001">`, `<input type="hidden" name="lead" value="1002">`, nil, policies.ClassCounter, "", "input lead"},
		{"the lead, of a busy site", `<input name="lead" value="1048001">`, `<input name="lead" value="1048077">`, nil, policies.ClassCounter, "", "input lead"},
		{"the lead, with another number", `<input name="lead" value="L-1001"><i data-n="77">`, `<input name="lead" value="L-1002"><i data-n="78">`, nil, policies.ClassCounter, "", ""},
		{"a number with the time in it", `<b>1832600000000123904</b>`, `<b>1832600000041943040</b>`, nil, policies.ClassCounter, "", "b"},
		{"numbers far apart", `<b>12</b>`, `<b>5120</b>`, nil, policies.ClassContent, "", "b"},

		{"hexadecimal token", `<meta name="csrf-token" content="9f86d081884c7d65">`, `<meta name="csrf-token" content="2c26b46b68ffc68f">`, nil, policies.ClassToken, "", "meta csrf-token"},
		{"base64 token", `<input name=t value="q8/Zx+TTmYk3aa0=">`, `<input name=t value="AA/Zy+TTmYk3aa1=">`, nil, policies.ClassToken, "", "input t"},
		{"uuid", `<b>6d3e1c3a-2f0b-4a51-9d5e-0a1b2c3d4e5f</b>`, `<b>0a3e1c3a-2f0b-4a51-9d5e-0a1b2c3d4e50</b>`, nil, policies.ClassToken, "", "b"},
		{"base 36", `<b>5x2k9d0q7bz31m</b>`, `<b>8p3j6s1w4na02c</b>`, nil, policies.ClassToken, "", "b"},
		{"a random number", `<b>839201748302</b>`, `<b>110294857261</b>`, nil, policies.ClassToken, "", "b"},
		{"token and time", `<i title="9f86d081884c7d65">12:00:01</i>`, `<i title="2c26b46b68ffc68f">12:00:02</i>`, nil, policies.ClassToken, "", ""},
		{"token in one only", `<b>9f86d081884c7d65</b>`, `<b></b>`, nil, policies.ClassContent, "", "b"},

		{"date", `<b>1 March 2027</b>`, `<b>2 March 2027</b>`, nil, policies.ClassClock, "", "b"},
		{"time of day", `<b>at 12:59:59 pm</b>`, `<b>at 1:00:03 pm</b>`, nil, policies.ClassClock, "", "b"},
		{"Japanese date", `<b>2027年3月1日 12時00分</b>`, `<b>2027年3月1日 12時01分</b>`, nil, policies.ClassClock, "", "b"},
		{"seconds and a fraction", `<b>1803902400.125</b>`, `<b>1803902401.5</b>`, nil, policies.ClassClock, "", "b"},
		{"milliseconds", `{"now":1803902400000}`, `{"now":1803902400417}`, nil, policies.ClassClock, "", "$.now"},
		{"how long it took", `<!-- made in 0.032s -->`, `<!-- made in 0.1s -->`, nil, policies.ClassClock, "", "comment"},
		{"when and how long", `<!-- 12:00:01, 31 ms -->`, `<!-- 12:00:02, 9 ms -->`, nil, policies.ClassClock, "", "comment"},

		{"a shuffled list", items("apple", "pear", "plum", "fig"), items("plum", "apple", "fig", "pear"), nil, policies.ClassOrder, "", ""},
		{"a shuffled list far apart", "one " + lorem + "two", "two " + lorem + "one", nil, policies.ClassOrder, "", ""},
		{"words", `<q>Early to bed</q>`, `<q>Early to rise</q>`, nil, policies.ClassContent, "", "q"},
		{"white space", "<p>a  b</p>", "<p>a b</p>", nil, policies.ClassContent, "", "p"},
		{"much of the page", lorem + letter("Anna"), lorem + letter("Bob"), nil, policies.ClassPersonal, "", ""},
		{"a greeting in a small page", `<p>Hello, Anna!</p>`, `<p>Hello, Bob!</p>`, nil, policies.ClassContent, "", "p"},

		{"a parameter", `<b>for A77</b>`, `<b>for </b>`, []policies.Input{param("x", "1"), param("ref", "A77")}, policies.ClassReflected, "param ref", "b"},
		{"a parameter within a token", `<b>from-blog-77-x</b>`, `<b>x</b>`, []policies.Input{param("ref", "blog-77")}, policies.ClassReflected, "param ref", "b"},
		{"a cookie in a link", `<a href="/r?u=https%3a%2f%2fblog.example%2fa+b">`, `<a href="/r?u=">`, []policies.Input{cookie("from", "https://blog.example/a b")}, policies.ClassReflected, "cookie from", "a href"},
		{"a stand-in", `<b>you are 203.0.113.9</b>`, `<b>you are 192.0.2.1</b>`, nil, policies.ClassReflected, "address", "b"},
		{"both of an address", `<b>you are 203.0.113.9</b>`, `<b>you are 192.0.2.1</b>`, []policies.Input{{Kind: policies.InputAddress, Value: "203.0.113.9"}}, policies.ClassReflected, "address", "b"},
		{"the longest of several", `<b>blog.example/summer</b>`, `<b></b>`, []policies.Input{param("a", "summer"), param("b", "blog.example/summer"), param("c", "blog.example")}, policies.ClassReflected, "param b", "b"},
		{"a value that both have", `<b>red summer sale, red</b>`, `<b>blue summer sale, blue</b>`, []policies.Input{param("x", "summer sale")}, policies.ClassContent, "", "b"},
		{"part of a number", `<input name="lead" value="1001">`, `<input name="lead" value="1002">`, []policies.Input{param("n", "100")}, policies.ClassCounter, "", "input lead"},
		{"two bytes", `<b>A7</b>`, `<b></b>`, []policies.Input{param("ref", "A7")}, policies.ClassContent, "", "b"},
		{"a short word in a long text", `<q>Early to bed, said the old one</q>`, `<q>Nothing of the kind, nobody</q>`, []policies.Input{param("x", "bed")}, policies.ClassContent, "", "q"},
		{"an input and a counter", `<b>5</b>` + lorem + `<b>for A77</b>`, `<b>6</b>` + lorem + `<b>for </b>`, []policies.Input{param("ref", "A77")}, policies.ClassReflected, "param ref", "b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Compare(answer(tt.own), answer(tt.fill), Context{Inputs: tt.inputs, StandIns: testStandIns})
			if got == nil {
				t.Fatal("no divergence")
			}
			if why := wellFormed(got); why != "" {
				t.Error(why)
			}
			if got.Class != tt.class || got.Input != tt.input || tt.near != "" && got.Near != tt.near {
				t.Errorf("got %s %q near %q, want %s %q near %q", got.Class, got.Input, got.Near, tt.class, tt.input, tt.near)
			}
		})
	}
}

func TestClassOfHeaders(t *testing.T) {
	tests := []struct {
		name      string
		own, fill []string
		class     policies.Class
		input     string
	}{
		{"a type", []string{"Content-Type", "text/html"}, []string{"Content-Type", "application/json"}, policies.ClassPersonal, ""},
		{"a type's parameter", []string{"Content-Type", "text/html; charset=utf-8"}, []string{"Content-Type", "text/html"}, policies.ClassContent, ""},
		{"a counter", []string{"X-Lead", "1001"}, []string{"X-Lead", "1002"}, policies.ClassCounter, ""},
		{"an input", []string{"Location", "/welcome?from=A77"}, []string{"Location", "/welcome?from="}, policies.ClassReflected, "param ref"},
		{"a nonce", []string{"Content-Security-Policy", "script-src 'nonce-q8Zx1TTmYk3aa0'"}, []string{"Content-Security-Policy", "script-src 'nonce-AAZx1TTmYk3aa0'"}, policies.ClassToken, ""},
		{"lines", []string{"Link", "<a>, <b>"}, []string{"Link", "<a>", "Link", "<b>"}, policies.ClassContent, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Compare(answer("x", tt.own...), answer("x", tt.fill...), Context{Inputs: []policies.Input{param("ref", "A77")}})
			if got == nil || got.Class != tt.class || got.Input != tt.input || got.Near != "header "+tt.own[0] {
				t.Fatalf("got %+v, want %s %q", got, tt.class, tt.input)
			}
			if why := wellFormed(got); why != "" {
				t.Error(why)
			}
		})
	}
}

// Every differing field and every differing place of the body is told.
func TestEverySpanIsTold(t *testing.T) {
	far := strings.Repeat("<p>some text between them</p>\n", 10)
	page := func(lead, token, when string) string {
		return `<input name="lead" value="` + lead + `">` + far + `<meta name="t" content="` + token + `">` + far + `<b>` + when + `</b>`
	}
	own := answer(page("1001", "9f86d081884c7d65", "12:00"), "X-A", "1", "X-B", "same", "Etag", `"1"`)
	fill := answer(page("1002", "2c26b46b68ffc68f", "12:01"), "X-A", "2", "X-B", "same", "Etag", `"2"`)
	got := Compare(own, fill, Context{})
	if got == nil || got.Total != 4 || got.Class != policies.ClassToken || got.Part != PartHeader {
		t.Fatalf("got %+v", got)
	}
	var told []string
	for _, s := range got.Spans {
		told = append(told, fmt.Sprintf("%s %s %s", s.Near, s.Shape, s.Class))
	}
	want := []string{"header X-A decimal-1 counter", "input lead decimal-4 counter", "meta t hex-16 token", "b time clock"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// The span that the class is about is listed, however many come before it.
func TestTellingSpanIsListed(t *testing.T) {
	var own, fill strings.Builder
	for i := range 12 {
		fmt.Fprintf(&own, "<p>this is the paragraph numbered %c, for all</p><b>12:%02d</b>\n", 'a'+i, 10+2*i)
		fmt.Fprintf(&fill, "<p>this is the paragraph numbered %c, for all</p><b>13:%02d</b>\n", 'a'+i, 11+2*i)
	}
	own.WriteString(`<p>and here is where to register</p><input name="lead" value="1001">`)
	fill.WriteString(`<p>and here is where to register</p><input name="lead" value="1002">`)
	got := Compare(answer(own.String()), answer(fill.String()), Context{})
	if got == nil || got.Total != 13 || got.Class != policies.ClassCounter {
		t.Fatalf("got %+v", got)
	}
	if last := got.Spans[len(got.Spans)-1]; len(got.Spans) != maxListed || last.Near != "input lead" {
		t.Errorf("listed: %+v", got.Spans)
	}
	if why := wellFormed(got); why != "" {
		t.Error(why)
	}
}

// A value of the visitor's, in whatever coding and wherever in the page, is named.
func TestReflectionIsNamed(t *testing.T) {
	codings := map[string]func(string) string{
		"plain": func(s string) string { return s }, "query": url.QueryEscape, "path": url.PathEscape, "html": html.EscapeString,
		"json":   func(s string) string { return strings.NewReplacer(`"`, `\"`, "/", `\/`).Replace(s) },
		"base64": func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	}
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range codings {
			if !yield(name) {
				return
			}
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[A-Za-z0-9&"<' /é-]{9,30}`).Draw(t, "value")
		before, after := pageAround(t)
		if strings.Contains(before+after, value[:4]) {
			t.Skip("the page has it anyway")
		}
		coding := rapid.SampledFrom(names).Draw(t, "coding")
		written := codings[coding](value)
		got := Compare(answer(before+written+after), answer(before+after), Context{Inputs: []policies.Input{param("other", "something else"), cookie("ref", value)}})
		if got == nil || got.Class != policies.ClassReflected || got.Input != "cookie ref" {
			t.Fatalf("%s: got %+v", coding, got)
		}
		if why := wellFormed(got); why != "" {
			t.Fatal(why)
		}
		// And nothing of the kind is said where there is nothing of the kind.
		other := Compare(answer(before+after), answer(before+written+after), Context{Inputs: []policies.Input{cookie("ref", value)}})
		if other == nil || other.Class == policies.ClassReflected {
			t.Fatalf("%s, the other way round: got %+v", coding, other)
		}
	})
}

func TestEntropy(t *testing.T) {
	for _, tt := range []struct{ value, want string }{
		{"", EntropyLow},
		{"1001", EntropyLow},
		{"8392017483", EntropyMedium},
		{"9f86d08", EntropyLow},
		{"9f86d081", EntropyMedium},
		{"9f86d081884c7d65", EntropyHigh},
		{"6d3e1c3a-2f0b-4a51-9d5e-0a1b2c3d4e5f", EntropyHigh},
		{"n0Zq8vTTmYk3aaaa", EntropyHigh},
		{"2027-03-01T12:00:00Z", EntropyLow},
		{"192.0.2.1", EntropyMedium},
		{"Early to bed", EntropyLow},
		{`5" name="x`, EntropyLow},
	} {
		if got := entropy(Shape([]byte(tt.value)), []byte(tt.value)); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.value, got, tt.want)
		}
	}
}

// Every shape that a value can have is in the catalogue, and every one in the
// catalogue is a value's.
func TestShapesAreInTheCatalogue(t *testing.T) {
	examples := []string{
		"", "6d3e1c3a-2f0b-4a51-9d5e-0a1b2c3d4e5f", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2ln", "2027-03-01T12:00:00Z", "1 March 2027",
		"anna@shop.example", "192.0.2.1", "12:00", "31 ms", "1001", "9f86", "q8/Zx+TTmYk3aa0=", "q8_Zx-TTmYk3aa0", "Anna", "5 & 6",
		"2027年3月1日", "12時00分", "Mon Mar  1 12:00:00 UTC 2027", "1803902400.5", "March 1st, 2027 at 1:05 p.m.",
	}
	seen := map[string]bool{}
	for _, text := range examples {
		shape := Shape([]byte(text))
		if !knownShape(shape) {
			t.Errorf("%q: %q is not in the catalogue", text, shape)
		}
		kind, _, sized := strings.Cut(shape, "-")
		if sized {
			kind += "-N"
		}
		seen[kind] = true
	}
	for _, info := range policies.AllShapes() {
		if !seen[info.Shape] {
			t.Errorf("nothing is %s", info.Shape)
		}
	}
	for _, f := range forms {
		if !knownShape(f.shape) {
			t.Errorf("%q is not in the catalogue", f.shape)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		if shape := Shape(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "value")); !knownShape(shape) {
			t.Fatalf("%q is not in the catalogue", shape)
		}
	})
}
