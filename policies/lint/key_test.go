package lint

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestKeyCounterexamples holds that the safety findings of these rules show two requests
// that would share a response.
func TestKeyCounterexamples(t *testing.T) {
	tests := []struct{ rule, text, differ string }{
		{"CW301", "routes:\n  - name: a\n    match: {hosts: [\"*.a.example\"], paths: [/p/*]}\n    cache: 5m\n    cookies: {others: strip}\n", "currency=A"},
		{"CW309", "routes:\n  - name: a\n    match: {paths: [/p]}\n    cache: origin\n    headers: {forward: [{name: X-User-Id, reason: r}]}\n", "bob"},
		{"CW309", "routes:\n  - name: a\n    match: {paths: [/p]}\n    cache: origin\n    headers: {forward: [{name: X-Real-Ip, reason: r}]}\n", "203.0.113.7"},
		{"CW310", "routes:\n  - name: a\n    match: {paths: [/p]}\n    cache: 5m\n    headers: {forward: [{name: accept-language, reason: r}]}\n", "ja"},
		{"CW407", "routes:\n  - name: all\n    match: {paths: [/*]}\n    cache: 5m\n    cookies: {others: strip}\n  - name: a\n    match: {paths: [/account]}\n    cache: never\n", "session=bob"},
	}
	for _, tt := range tests {
		found := Run(Load("policy.yaml", []byte(tt.text)), func(r Rule) bool { return r.ID == tt.rule })
		if len(found) != 1 || len(found[0].Counterexample) != 2 {
			t.Errorf("%s: %+v", tt.rule, found)
			continue
		}
		values := func(r Request) string {
			var b strings.Builder
			for _, field := range r.Header {
				b.WriteString(field[1])
			}
			return b.String()
		}
		a, b := values(found[0].Counterexample[0]), values(found[0].Counterexample[1])
		if a == b || a != tt.differ && b != tt.differ {
			t.Errorf("%s: %q and %q, want %q", tt.rule, a, b, tt.differ)
		}
	}
}

// TestNoCounterexampleWhereThereIsNone: what an identity names is a bypass.
func TestNoCounterexampleWhereThereIsNone(t *testing.T) {
	const text = "identity: {cookies: [session]}\nroutes:\n  - name: all\n    match: {paths: [/*]}\n    cache: 5m\n    cookies: {others: strip}\n  - name: a\n    match: {paths: [/account]}\n    cache: never\n"
	found := Run(Load("policy.yaml", []byte(text)), func(r Rule) bool { return r.ID == "CW407" })
	if len(found) != 1 || found[0].Counterexample != nil {
		t.Errorf("%+v", found)
	}
}

// TestPagesShowWhatIsTested holds that the examples on the pages are the tested ones.
func TestPagesShowWhatIsTested(t *testing.T) {
	for _, r := range Rules() {
		if r.Family() != "key" && r.Family() != "routing" {
			continue
		}
		for heading, file := range map[string]string{"\n## Triggers it\n": "bad-page.yaml", "\n## Does not\n": "good-page.yaml"} {
			data, err := os.ReadFile("testdata/" + r.ID + "/" + file)
			if err != nil {
				t.Error(err)
				continue
			}
			lines := strings.Split(strings.TrimSpace(string(data)), "\n")
			for i, line := range lines {
				lines[i] = strings.TrimRight(want.ReplaceAllString(line, ""), " ")
			}
			_, section, _ := strings.Cut(r.Page(), heading)
			section, _, _ = strings.Cut(section, "\n## ")
			if !strings.Contains(section, "```yaml\n"+strings.Join(lines, "\n")+"\n```") {
				t.Errorf("%s: the example below %q is not %s", r.ID, strings.TrimSpace(heading), file)
			}
		}
	}
}

func TestVisitorCookies(t *testing.T) {
	for name, yes := range map[string]bool{
		"_ga": true, "_ga*": true, "_fbp": true, "visitor_id": true, "visitorId": true, "device-id": true, "uid": true, "app_uuid": true,
		"lang": false, "currency": false, "visitor_type": false, "ab_variant": false, "guided_tour": false, "PHPSESSID": false, "tracking_consent": false,
	} {
		if got := visitorCookie(name); got != yes {
			t.Errorf("visitorCookie(%q) = %t", name, got)
		}
	}
}

func TestEachHost(t *testing.T) {
	for host, want := range map[string][]string{
		"":                 {""},
		"a.B.example":      {"", "a.b.example", "*.b.example", "*.example"},
		"*.b.example":      {"", "*.b.example", "*.example"},
		"a.example:81":     {"", "a.example:81", "a.example", "*.example:81", "*.example"},
		"[2001:db8::1]:81": {"", "[2001:db8::1]:81", "[2001:db8::1]"},
	} {
		var got []string
		eachHost(host, func(pattern string) { got = append(got, pattern) })
		if !slices.Equal(got, want) {
			t.Errorf("eachHost(%q): %q, want %q", host, got, want)
		}
	}
}
