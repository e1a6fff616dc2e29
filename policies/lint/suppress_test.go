package lint

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/policies"
)

// onlyGeneral: the rules of other families are of no matter here.
func onlyGeneral(r Rule) bool { return r.Family() == "general" }

// lines are the findings after suppression, shortly: line, rule, and ~ if suppressed.
func lines(u *Unit, now time.Time, allowInline bool) string {
	var out []string
	for _, f := range Suppress(u, Run(u, onlyGeneral), now, allowInline) {
		mark := ""
		if f.Suppressed != nil {
			mark = "~"
		}
		out = append(out, fmt.Sprintf("%d%s%s", f.Pos.Line, mark, strings.TrimPrefix(f.Rule, "CW00")))
	}
	return strings.Join(out, " ")
}

func TestSuppress(t *testing.T) {
	const head = "routes:\n  - name: a\n    match: {paths: [/a]}\n    cache: 5m\n    params:\n"
	const twice = "      strip: [x1, \"x*\"]"
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", head + twice + "\n", "66"},
		{"at the end of the line", head + twice + " # cacheward:ignore CW006 -- why\n", "6~6"},
		{"by name, whatever the case of the id", head + twice + " # cacheward:ignore cw006 -- why\n", "6~6"},
		{"above the line", head + "      # cacheward:ignore CW006 -- why\n" + twice + "\n", "7~6"},
		{"above the line, with others between", head + "      # cacheward:ignore CW006 -- why\n\n      # more\n" + twice + "\n", "9~6"},
		{"without a reason", head + twice + " # cacheward:ignore CW006\n", "66 62"},
		{"with an empty reason", head + twice + " # cacheward:ignore CW006 -- \n", "66 62"},
		{"a reason that is not parted", head + twice + " # cacheward:ignore CW006 --why\n", "66 62"},
		{"below the line", head + twice + "\n      # cacheward:ignore CW006 -- why\n", "66 73"},
		{"two rules", head + twice + " # cacheward:ignore CW003,CW006 -- why\n", "6~6 64"},
		{"two rules, apart", head + twice + " # cacheward:ignore CW999, CW006 -- why\n", "6~6 64"},
		{"twice", head + twice + " # cacheward:ignore CW006,CW006 -- why\n", "6~6 63"},
		{"until today", head + twice + " # cacheward:ignore CW006 until=2026-11-23 -- why\n", "6~6"},
		{"until yesterday", head + twice + " # cacheward:ignore CW006 until=2026-11-22 -- why\n", "66 65"},
		{"until nothing", head + twice + " # cacheward:ignore CW006 until= -- why\n", "66 65"},
		{"until no day", head + twice + " # cacheward:ignore CW006 until=2026-02-30 -- why\n", "66 65"},
		{"another word", head + twice + " # cacheward:ignored CW006 -- why\n", "66"},
		{"no blank before", head + "      strip: [x1#cacheward:ignore,x*]\n", "61"},
		{"in quotes", head + "      strip: [\"x1 # cacheward:ignore CW006 -- why\"]\n", "61"},
		{"behind quotes", head + "      strip: [x1, 'x*', \"it's\"] # cacheward:ignore CW006 -- why\n", "6~6"},
		{"an apostrophe is no quote", head + "      strip: [x1, x*, it's] # cacheward:ignore CW006 -- why\n", "6~6"},
		{"CRLF", strings.ReplaceAll(head+twice+" # cacheward:ignore CW006 -- why\n", "\n", "\r\n"), "6~6"},
		{"above the route", strings.Replace(head, "  -", "  # cacheward:ignore CW006 -- why\n  -", 1) + twice + "\n", "7~6"},
		{"above the route, which ends", strings.Replace(head, "  -", "  # cacheward:ignore CW006 -- why\n  -", 1) + twice + "\n" +
			strings.Replace(strings.TrimPrefix(head, "routes:\n"), "name: a", "name: b", 1) + twice + "\n", "7~6 126"},
		{"above a dash", strings.Replace(head, "  - name", "  # cacheward:ignore CW006 -- why\n  -\n    name", 1) + twice + "\n", "8~6"},
		{"two above the route", strings.Replace(head, "  -", "  # cacheward:ignore CW006 -- why\n  # cacheward:ignore CW006 -- why\n  -", 1) + twice + "\n", "23 8~6"},
		{"what cannot be read", "routes: # cacheward:ignore CW001,CW006 -- why\n", "11 14"},
		{"the line is nearer than the route", strings.Replace(head, "  -", "  # cacheward:ignore CW006 -- why\n  -", 1) + twice + " # cacheward:ignore CW006 -- why\n", "23 7~6"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := Load("f.yaml", []byte(tt.text))
			if got := lines(u, today, true); got != tt.want {
				t.Errorf("got %q, want %q; faults %v\n%s", got, tt.want, u.Faults, tt.text)
			}
		})
	}
}

func TestSuppressCaddyfile(t *testing.T) {
	const text = "# cacheward:ignore CW006 -- why\nroute a {\n\tpath /a\n\tcache 5m {\n\t\tstatus 404 5s\n\t}\n\tparam strip x1 x*\n}\nroute b { # cacheward:ignore CW006 -- why\n\tpath /b\n\tcache 5m\n\tparam strip x1 x*\n\t# cacheward:ignore CW006 -- why\n\tcookie strip `a#` \"b\\\"\" a* # }\n}\n"
	u := loadText(t, "f.Caddyfile", strings.ReplaceAll(text, "\"b\\\"\"", `"b#"`))
	if got, want := lines(u, today, true), "7~6 93 126 14~6"; got != want {
		t.Errorf("got %q, want %q; faults %v", got, want, u.Faults)
	}
}

func TestSuppressForbidden(t *testing.T) {
	u := Load("f.yaml", []byte("routes:\n  - name: a\n    match: {paths: [/a, /a]} # cacheward:ignore CW006 -- why\n    cache: never # cacheward:ignore CW999\n"))
	if got, want := lines(u, today, false), "36"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSuppressLeftOut: a rule that was not asked cannot show that a comment is of use.
func TestSuppressLeftOut(t *testing.T) {
	u := Load("f.yaml", []byte("routes:\n  - name: a\n    match: {paths: [/a]} # cacheward:ignore CW006 -- why\n    cache: never\n"))
	found := Suppress(u, Run(u, func(r Rule) bool { return onlyGeneral(r) && r.ID != "CW006" }), today, true)
	if len(found) > 0 {
		t.Errorf("found %v", found)
	}
	if found = Suppress(u, Run(u, onlyGeneral), today, true); len(found) != 1 || found[0].Rule != "CW003" {
		t.Errorf("found %v", found)
	}
}

func TestSuppressionIsTold(t *testing.T) {
	u := Load("f.yaml", []byte("routes:\n  - name: a\n    match: {paths: [/a, /a]}   # cacheward:ignore CW006 -- one -- and two\n    cache: never\n"))
	found := Suppress(u, Run(u, onlyGeneral), today, true)
	want := Suppression{Kind: Inline, Reason: "one -- and two", Pos: policies.Position{File: "f.yaml", Line: 3, Column: 32}}
	if len(found) != 1 || found[0].Suppressed == nil || *found[0].Suppressed != want {
		t.Errorf("found %+v", found)
	}
}

// TestManyComments: each route has its own.
func TestManyComments(t *testing.T) {
	var b strings.Builder
	b.WriteString("routes:\n")
	for i := range 500 {
		b.WriteString("  # cacheward:ignore CW006 -- why\n")
		fmt.Fprintf(&b, "  - name: a%d\n    match: {paths: [/a, /a]}\n    cache: never\n", i)
	}
	u := Load("f.yaml", []byte(b.String()))
	found := Suppress(u, Run(u, onlyGeneral), today, true)
	if len(found) != 500 || slices.ContainsFunc(found, func(f Finding) bool { return f.Suppressed == nil }) {
		t.Errorf("%d findings", len(found))
	}
}

// FuzzSuppressCaddyfile: comments are found in whatever text, and what removing the
// unused ones leaves can be read as before.
func FuzzSuppressCaddyfile(f *testing.F) {
	f.Add("# cacheward:ignore CW006 -- why\nroute a {\n\tpath /a\n\tcache 5m {\n\t}\n\tparam strip `x1` x*\n}\n")
	f.Add("route b { # cacheward:ignore CW006,CW404 until=2027-01-01 -- why\n\tpath \"/b # c\"\n\tcache never }\n}\n{\n}")
	f.Add("route b {\n\tpath /b\n\tcache 5m\n\tparam strip \"x1\"x* \"y\" y*\n}")
	f.Fuzz(func(t *testing.T, text string) {
		u := loadText(t, "f.Caddyfile", text)
		found := Suppress(u, Run(u, onlyGeneral), today, true)
		fixed, err := ApplyEdits([]byte(text), PickEdits("f.Caddyfile", found))
		if err != nil {
			t.Fatal(err)
		}
		if again := loadText(t, "f.Caddyfile", string(fixed)); len(u.Faults) == 0 && len(again.Faults) > 0 {
			t.Errorf("the edits break it:\n%s\n%v", fixed, again.Faults)
		}
	})
}
