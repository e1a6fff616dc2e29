package explain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"
)

func textOf(t *testing.T, e *Explanation) string {
	t.Helper()
	var b bytes.Buffer
	if err := e.WriteText(&b, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestJSONHasItAll: an explanation that came over the wire reads like one that did not.
func TestJSONHasItAll(t *testing.T) {
	s := newSite(t, sitePolicy)
	for _, url := range []string{"/register/lp?ref=1", "/static/a", "/once", "/x", "/none"} {
		e := s.ask("http://hapitas.example"+url, "X-Trace", "4bf92f3577b34da6", "Accept-Language", "ja-JP")
		for range 2 {
			if err := e.Speak([]string{AllProfiles}); err != nil {
				t.Fatal(err)
			}
			data, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			var back Explanation
			if err := json.Unmarshal(data, &back); err != nil {
				t.Fatal(err)
			}
			if got, want := textOf(t, &back), textOf(t, e); got != want {
				t.Errorf("%s: got\n%s\nwant\n%s", url, got, want)
			}
			e.Judge(Response{Status: 200, Header: header("Cache-Control", "max-age=60")})
		}
	}
}

// TestTextOfManyRoutes: of many routes that do not match those are told that nearly do,
// and the rest is counted.
func TestTextOfManyRoutes(t *testing.T) {
	var yaml strings.Builder
	yaml.WriteString("mode: observe\nambiguous: deny\nroutes:\n")
	for i := range 100 {
		fmt.Fprintf(&yaml, "  - {name: far%d, match: {hosts: [a%d.example], paths: [/%d]}, cache: never}\n", i, i, i)
	}
	yaml.WriteString("  - {name: near, match: {hosts: [b.example], paths: [/near]}, cache: never}\n")
	yaml.WriteString("  - {name: right, match: {hosts: [b.example], paths: [/*]}, cache: 1m}\n")
	s := newSite(t, yaml.String())
	e := s.ask("http://b.example/x")
	if n := len(e.Route.PassedOver); n != maxPassedOver || e.Route.PassedOver[0].Name != "near" || e.Route.PassedOverTotal != 101 {
		t.Errorf("%d routes of %d, first %+v", n, e.Route.PassedOverTotal, e.Route.PassedOver[0])
	}
	for _, want := range []string{"right, cache 1m, observe at policy.yaml:105:5", "not near: its paths do not match at policy.yaml:104:5", "not far0: its hosts and its paths", "not 96 others", "only observes"} {
		if text := textOf(t, e); !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if text := textOf(t, s.ask("http://b.example//x")); !strings.Contains(text, "refused with 400") {
		t.Errorf("a denied request:\n%s", text)
	}
	brief := s.explain(Request{URL: "http://b.example/x", Brief: true})
	if brief.Route.PassedOver != nil || brief.Route.PassedOverTotal != 101 {
		t.Errorf("brief: %+v", brief.Route)
	}
}

// TestTextIsPrintable: what a request has in it does not steer a terminal.
func TestTextIsPrintable(t *testing.T) {
	s := newSite(t, sitePolicy)
	e := s.ask("http://hapitas.example/static/%1b[31m?a=\u009b31m", "X-Trace", "\x1b[2J\u202e", "Cookie", "a\x07b=\x1b")
	for _, r := range textOf(t, e) {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%q is in the text", r)
		}
	}
}
