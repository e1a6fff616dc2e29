package report_test

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/report"
	"github.com/cacheward/cacheward/caddymodule/audit/report/reporttest"
)

// hostile are values that somebody may send so that they get into a log.
var hostile = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`' onmouseover='alert(1)`,
	`</style></title></textarea><svg onload=alert(1)>`,
	`javascript:alert(1)`,
	`{{.Policy}}${alert(1)}`,
	`</script><!--`,
	"a\x00b\x1b[31mred\u202eevil\u2066\r\n\u200b",
	"`\"><b>`",
	"\xff\xfe<b>",
	`&lt;script&gt;&#x3c;b&#x3e;`,
}

// poisoned are records of all kinds with the value wherever there is room for one.
func poisoned(v string) []reading.Entry {
	at := reporttest.Start
	divergence := &reading.Divergence{Class: v, Input: v, Part: v, Field: v, Shape: v, Entropy: v, Near: v}
	base := reading.Entry{
		Time: at, Route: v, Mode: v, Would: v, Reasons: []string{v, v + "2"}, Key: v, Object: v, Coding: v, Method: v, Host: v, URL: v, Visitor: v,
		Divergence: divergence, Findings: []reading.Finding{{Kind: v, Detector: v, Input: v, Coding: v, Field: v, Shape: v, Near: v}},
		Detail: v, Error: v, By: v, Why: v, Scope: v, Records: 1, Removed: 2, Status: 200,
		From: at, Until: at.Add(time.Second), Evidence: &reading.Evidence{Kind: v, Input: v, Where: v, Sentence: v},
	}
	var entries []reading.Entry
	for _, event := range append(audit.AllEvents(), audit.Event(v)) {
		for _, outcome := range []string{"hit", "observe", "bypass", v} {
			for _, probe := range []bool{false, true} { // some questions leave probes out
				e := base
				e.Event, e.Outcome, e.Probe = event, outcome, probe
				entries = append(entries, e)
			}
		}
	}
	return entries
}

// allowed are the elements of the page and their attributes.
var allowed = map[string]string{
	"html": "lang", "head": "", "meta": "charset http-equiv content name", "link": "rel href", "title": "id", "style": "", "script": "", "body": "",
	"a": "class href", "header": "class", "footer": "", "main": "id tabindex", "section": "class aria-labelledby", "div": "class role aria-label aria-labelledby tabindex",
	"h1": "", "h2": "id", "h3": "id", "p": "class", "span": "class aria-hidden", "strong": "class", "small": "", "b": "", "br": "", "code": "class", "time": "",
	"button": "type id aria-pressed hidden", "ul": "class", "ol": "class", "li": "", "dl": "class", "dt": "", "dd": "class", "figure": "", "figcaption": "id",
	"details": "", "summary": "", "table": "class", "caption": "", "thead": "", "tbody": "", "tr": "", "th": "scope class data-v", "td": "class data-v",
	"svg": "class width height viewBox preserveAspectRatio role aria-label aria-labelledby aria-hidden", "desc": "id", "defs": "",
	"pattern": "id width height patternUnits", "rect": "class x y width height fill", "path": "class d", "circle": "class cx cy r",
	"g": "class transform", "text": "x y dx dy text-anchor",
}

// fixed are attributes that an attacker would like to choose, with all values they may have.
var fixed = map[string][]string{
	"href": {"#main", "data:,"}, "http-equiv": {"Content-Security-Policy"}, "rel": {"icon"},
	"fill": {"url(#p-cache)", "url(#p-fill)", "url(#p-pass)", "url(#p-bypass)", "url(#p-observe)", "url(#p-deny)", "url(#p-fault)"},
}

type failer interface {
	Helper()
	Errorf(string, ...any)
	Fatalf(string, ...any)
}

// check holds that the page has no elements, attributes or characters but those that it
// should have, and returns its text.
func check(t failer, page string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatalf("the page cannot be parsed: %v", err)
	}
	var text strings.Builder
	scripts, ids := 0, make(map[string]bool)
	for n := range root.Descendants() {
		switch n.Type {
		case html.CommentNode:
			t.Errorf("a comment: %q", n.Data)
		case html.TextNode:
			text.WriteString(n.Data)
			for _, r := range n.Data {
				if r != '\n' && n.Parent.Data != "script" && n.Parent.Data != "style" && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
					t.Errorf("%U in %q", r, n.Data)
				}
			}
		case html.ElementNode:
			names, known := allowed[n.Data]
			if !known {
				t.Errorf("an element %s", n.Data)
			}
			if n.Data == "script" {
				scripts++
			}
			for _, a := range n.Attr {
				if !slices.Contains(strings.Fields(names), a.Key) {
					t.Errorf("an attribute %s=%q of %s", a.Key, a.Val, n.Data)
				}
				if values := fixed[a.Key]; values != nil && !slices.Contains(values, a.Val) {
					t.Errorf("%s=%q of %s", a.Key, a.Val, n.Data)
				}
				if a.Key == "id" && ids[a.Val] {
					t.Errorf("two elements have the id %q", a.Val)
				}
				ids[a.Val] = ids[a.Val] || a.Key == "id"
			}
		}
	}
	if scripts != 1 {
		t.Errorf("%d scripts", scripts)
	}
	return text.String()
}

// TestHostile: whatever is in a log is text in the page.
func TestHostile(t *testing.T) {
	for _, v := range hostile {
		page := pageOf(t, poisoned(v), report.PageOptions{Title: v, Files: []string{v}, Asked: v})
		text := check(t, page)
		if visible := strings.Split(strings.SplitN(v, "\x00", 2)[0], "`")[0]; len(visible) > 3 && !strings.Contains(text, visible) && !strings.Contains(v, "\xff") {
			t.Errorf("%q is not in the page, so nothing was tested", v)
		}
	}
}

// TestHostileAny is TestHostile for any value.
func TestHostileAny(t *testing.T) {
	pieces := rapid.SliceOf(rapid.OneOf(rapid.String(), rapid.SampledFrom(hostile), rapid.SampledFrom([]string{"<", ">", "\"", "'", "`", "=", "/", "-->", "]]>", "\\", "${"})))
	rapid.Check(t, func(r *rapid.T) {
		v := strings.Join(pieces.Draw(r, "value"), "")
		check(r, pageOf(t, poisoned(v), report.PageOptions{Title: v, Files: []string{v}, Asked: v}))
	})
}

// TestPolicy: the page's policy names its own style and script, and nothing else.
func TestPolicy(t *testing.T) {
	entries, _ := entriesOf(t, day(t, 100))
	root, err := html.Parse(strings.NewReader(pageOf(t, entries, report.PageOptions{})))
	if err != nil {
		t.Fatal(err)
	}
	directives, found := make(map[string]string), make(map[string]string)
	for n := range root.Descendants() {
		switch n.Data {
		case "meta":
			attributes := make(map[string]string)
			for _, a := range n.Attr {
				attributes[a.Key] = a.Val
			}
			if attributes["http-equiv"] != "Content-Security-Policy" {
				continue
			}
			for directive := range strings.SplitSeq(attributes["content"], ";") {
				name, value, _ := strings.Cut(strings.TrimSpace(directive), " ")
				directives[name] = value
			}
		case "style", "script":
			if n.Type == html.ElementNode {
				if len(directives) == 0 {
					t.Errorf("%s comes before the policy", n.Data)
				}
				sum := sha256.Sum256([]byte(n.FirstChild.Data))
				found[n.Data+"-src"] = "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
				if n.Data == "script" && len(n.FirstChild.Data) > 6<<10 {
					t.Errorf("the script has %d bytes", len(n.FirstChild.Data))
				}
			}
		}
	}
	want := map[string]string{"default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'"}
	maps.Copy(want, found)
	if len(found) != 2 || !maps.Equal(directives, want) {
		t.Errorf("the policy is %v, want %v", directives, want)
	}
}
