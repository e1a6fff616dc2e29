package reading

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/audit"
)

func TestFilter(t *testing.T) {
	moment := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	entry := &Entry{
		Time: moment, Schema: 1, Event: audit.EventRefuse, Route: "landing", Reasons: []string{"set-cookie", "private"},
		Status: 503, Age: 5, URL: "https://www.example.com/lp/summer?ref=P1", Size: 10, Coding: "zstd",
		Divergence: &Divergence{Class: "token", Offset: 7, Spans: []Divergence{{Class: "clock"}}},
		Findings:   []Finding{{Kind: "marker", Detector: "csrf"}},
		Probe:      true, From: moment.Add(-time.Minute),
		Evidence: &Evidence{Kind: "canary", Input: "param ref", Status: map[string]string{"age": "12"}},
	}
	for _, tt := range []struct {
		expr string
		want bool
	}{
		{"", true},
		{`event == "refuse" && status >= 500 && "set-cookie" in reasons`, true},
		{`"refuse" == event`, true},
		{`event == "serve"`, false},
		{`"status" in reasons`, false},
		{`event == "refuse" && (status < 500 || "private" in reasons)`, true},
		{`event == "serve" || route == "landing"`, true},
		{`!(event == "refuse")`, false},
		{`url.contains("/lp") && url.matches("ref=P[0-9]$") && !url.startsWith("http://")`, true},
		{`ts >= timestamp("2026-11-23T03:00:00Z") && ts < timestamp("2026-11-23T03:00:01Z")`, true},
		{`ts.getHours() == 3`, true},
		{`age_s > 4 && age_s < 5.5 && age_s == 5.0 && ttl_s == 0.0 && size_bytes == 10`, true},
		{`visitor == "" && would == "" && !soft && removed == 0`, true},
		{`divergence.class == "token" && divergence.offset == 7 && divergence.near == ""`, true},
		{`divergence.spans.exists(s, s.class == "clock" && s.near == "")`, true},
		{`findings.exists(f, f.detector == "csrf" && f.near == "")`, true},
		{`findings.size() == 1 && reasons.size() == 2`, true},
		{`coding == "zstd" && !(coding in ["", "gzip"])`, true},
		{`probe && from == timestamp("2026-11-23T02:59:00Z") && until < from`, true},
		{`evidence.kind == "canary" && evidence.input.startsWith("param ") && evidence.giver == ""`, true},
		{`evidence.status["age"] == "12" && !("x-cache" in evidence.status)`, true},
		{`event in ["serve", "refuse"]`, true},
		{`reasons[5] == "x"`, false}, // makes no sense
		{`!(reasons[5] == "x")`, false},
		{`true`, true},
	} {
		f, err := CompileFilter(tt.expr)
		if err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		if got := f.Match(entry); got != tt.want {
			t.Errorf("%s: %v", tt.expr, got)
		}
		if f.Match(&Entry{}) && tt.expr != "" && tt.expr != "true" && strings.Contains(tt.expr, "==") && !strings.Contains(tt.expr, "!") &&
			!strings.Contains(tt.expr, "visitor") {
			t.Errorf("%s: an empty record matches", tt.expr)
		}
	}
	for _, tt := range []struct {
		filter Filter
		want   bool
	}{
		{Filter{}, true},
		{Filter{Since: moment}, true},
		{Filter{Since: moment.Add(1)}, false},
		{Filter{Until: moment}, false},
		{Filter{Until: moment.Add(1)}, true},
		{Filter{Routes: []string{"product", "landing"}}, true},
		{Filter{Routes: []string{"product"}}, false},
	} {
		if got := tt.filter.Match(entry); got != tt.want {
			t.Errorf("%+v: %v", tt.filter, got)
		}
	}
}

// TestFilterRoutesOfLeaks: a leak may be of several routes, and is of each.
func TestFilterRoutesOfLeaks(t *testing.T) {
	f := &Filter{Routes: []string{"product"}}
	for _, tt := range []struct {
		event audit.Event
		route string
		want  bool
	}{
		{audit.EventLeak, "landing, product", true},
		{audit.EventClear, "product", true},
		{audit.EventLeak, "landing", false},
		{audit.EventLeak, "", false},
		{audit.EventServe, "landing, product", false},
	} {
		if got := f.Match(&Entry{Event: tt.event, Route: tt.route}); got != tt.want {
			t.Errorf("%s of %q: %v", tt.event, tt.route, got)
		}
	}
}

func TestFilterErrors(t *testing.T) {
	for _, tt := range []struct{ expr, want string }{
		{`evnt == "serve"`, `column 1: there is no field "evnt"; did you mean "event"?`},
		{`event == "serve" && statsu >= 500`, `column 21: there is no field "statsu"; did you mean "status"?`},
		{`xyzzyx`, `column 1: there is no field "xyzzyx"`},
		{`divergence.klass == "token"`, `column 1: there is no field "divergence.klass"; did you mean "divergence.class"?`},
		{`evidence.knd == "canary"`, `column 1: there is no field "evidence.knd"; did you mean "evidence.kind"?`},
		{`divergence.class == "a" && evidence.knd == "canary"`, `column 28: there is no field "evidence.knd"; did you mean "evidence.kind"?`},
		{`event = "serve"`, `column 7: Syntax error: token recognition error at: '= '`},
		{`event == `, `column 10: Syntax error: mismatched input '<EOF>'`},
		{`event == 5`, `column 7: found no matching overload for '_==_' applied to '(string, int)'`},
		{`event`, `column 1: the expression is of type string; a condition was expected`},
		{"event == \"a\" &&\n  x", `line 2, column 3: there is no field "x"`},
		{`url.matches("(")`, "error parsing regexp: missing closing ): `(`"},
		{`status.startsWith("5")`, `column 18: found no matching overload for 'startsWith' applied to 'int.(string)'`},
	} {
		_, err := CompileFilter(tt.expr)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q\ngot  %v\nwant %s", tt.expr, err, tt.want)
		}
	}
}

// TestSimpleConditions: what is looked at without CEL is what CEL would say.
func TestSimpleConditions(t *testing.T) {
	texts := rapid.SampledFrom([]string{"", "a", "b", "a\"b", "ü", "a\\", "\x01", "�"})
	rapid.Check(t, func(t *rapid.T) {
		e := &Entry{
			Event: audit.Event(texts.Draw(t, "event")), Route: texts.Draw(t, "route"), URL: texts.Draw(t, "url"),
			Reasons: rapid.SliceOfN(texts, 0, 3).Draw(t, "reasons"),
		}
		if rapid.Bool().Draw(t, "diverges") {
			e.Divergence = &Divergence{Class: texts.Draw(t, "class")}
		}
		var parts []string
		for range rapid.IntRange(1, 4).Draw(t, "parts") {
			text := quoted(texts.Draw(t, "text"))
			parts = append(parts, rapid.SampledFrom([]string{
				"event == " + text, text + " == route", text + " in reasons", "divergence.class == " + text, "url.contains(" + text + ")",
			}).Draw(t, "part"))
		}
		expr := strings.Join(parts, " && ")
		fast, err := CompileFilter(expr)
		if err != nil {
			t.Fatal(expr, err)
		}
		slow, err := CompileFilter("(" + expr + ") == true") // nothing simple in it
		if err != nil {
			t.Fatal(expr, err)
		}
		if len(slow.where.simple) != 0 {
			t.Fatal("not slow")
		}
		if fast.Match(e) != slow.Match(e) {
			t.Fatalf("%s: %v for %+v", expr, fast.Match(e), e)
		}
	})
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestSimpleConditionsNeedNoCEL(t *testing.T) {
	f, err := CompileFilter(`event == "refuse" && "set-cookie" in reasons && divergence.class == "token"`)
	if err != nil || f.where.program != nil || len(f.where.simple) != 3 {
		t.Errorf("%+v, %v", f, err)
	}
}

// TestFieldsAreTheSchemas: every field of SCHEMA.md can be asked about.
func TestFieldsAreTheSchemas(t *testing.T) {
	schema, err := os.ReadFile("../SCHEMA.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(schema), "\n## Fields")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(table, -1)
	if len(rows) < 20 {
		t.Fatalf("%d fields in SCHEMA.md", len(rows))
	}
	for _, row := range rows {
		if _, ok := byName[row[1]]; !ok && !slices.Contains([]string{"divergence", "evidence", "attribution"}, row[1]) {
			t.Errorf("no expression can speak of %s", row[1])
		}
	}
}

func FuzzCompileFilter(f *testing.F) {
	for _, s := range []string{`event == "refuse" && status >= 500`, `"a" in reasons`, `url.contains("/lp")`, `evnt`, `(`, `findings.exists(f, f.kind == "x")`, `attribution.paid && attribution.landed < ts && "ref" in attribution.params`, `probe && evidence.status["age"] > "1" && until - from < duration("1s")`} {
		f.Add(s)
	}
	e := &Entry{Reasons: []string{"a"}, Findings: []Finding{{}}}
	f.Fuzz(func(t *testing.T, expr string) {
		if len(expr) > 200 {
			return // nested macros take their time
		}
		filter, err := CompileFilter(expr)
		switch {
		case err == nil:
			filter.Match(e)
		case strings.Contains(err.Error(), "\n"):
			t.Errorf("more than one line: %q", fmt.Sprint(err))
		}
	})
}
