package lint

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

// TestReference holds that nothing is found in the examples of the reference, in any
// spelling, but what is suppressed there, with a reason. JSON has no comments, so no suppressions either: there it is
// the findings of the YAML before they were suppressed.
func TestReference(t *testing.T) {
	data, err := os.ReadFile("../REFERENCE.md")
	if err != nil {
		t.Fatal(err)
	}
	fence := regexp.MustCompile("(?s)```(yaml|json|caddyfile)\n(.*?)```")
	seen := 0
	for section := range strings.SplitSeq(string(data), "\n## ") {
		title, _, _ := strings.Cut(section, "\n")
		var unsuppressed [][]string
		for _, block := range fence.FindAllStringSubmatch(section, -1) {
			seen++
			name := map[string]string{"yaml": "e.yaml", "json": "e.json", "caddyfile": "e.Caddyfile"}[block[1]]
			u := loadText(t, name, block[2])
			all := Run(u, nil)
			unsuppressed = append(unsuppressed, ruleIDs(all))
			if block[1] == "json" {
				continue
			}
			left := slices.DeleteFunc(Suppress(u, all, today, true), func(f Finding) bool { return f.Suppressed != nil })
			if got := ruleIDs(left); len(got) > 0 {
				t.Errorf("%s, %s: %v", title, block[1], got)
				for _, f := range left {
					t.Logf("%v: %s: %s: %s; %s", f.Pos, f.Severity, f.Rule, f.Message, f.Suggestion)
				}
			}
		}
		for _, ids := range unsuppressed {
			if !slices.Equal(ids, unsuppressed[0]) {
				t.Errorf("%s: the spellings have different findings: %v", title, unsuppressed)
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d examples were found", seen)
	}
}

// ruleIDs are the rules of the findings, each once.
func ruleIDs(found []Finding) []string {
	var ids []string
	for _, f := range found {
		ids = append(ids, f.Rule)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// TestCaddyfileExample holds that nothing is found in the policy of Caddyfile.example but
// what is suppressed there, with a reason.
func TestCaddyfileExample(t *testing.T) {
	const file = "../../Caddyfile.example"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policies.ParseTokens(policyTokens(t, tokens(file, string(data))))
	if err != nil {
		t.Fatal(err)
	}
	u := &Unit{Name: file, Files: map[string][]byte{file: data}, Scopes: []Scope{{Policy: p}}}
	if u.Scopes[0].Compiled, err = policies.Compile(p, "lint"); err != nil {
		t.Fatal(err)
	}
	noFindings(t, u)
}

// TestCaddyfileExampleAttribution holds that nothing is found, either, once the
// attribution that the example shows is put in as it says: but that no route is there for
// the request that converts, which the policy's default governs.
func TestCaddyfileExampleAttribution(t *testing.T) {
	const file = "../../Caddyfile.example"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	block := regexp.MustCompile(`(?m)^\t\t\t# attribution \{\n(\t\t\t# .*\n)+`).FindString(text)
	instead := regexp.MustCompile(`(?m)^\t\t\t# `).ReplaceAllString(block, "\t\t\t")
	for _, edit := range [][2]string{
		{block, instead},
		{"\t\t\t# cacheward:ignore CW101 -- the page's own script puts them into its form\n\t\t\tparam strip ref source @analytics\n", "\t\t\tparam strip @analytics\n"},
		{"\t\t\tparam plain ref source\n", ""},
		{"\t\t\t# cacheward:ignore CW603 -- the page's own script reads who sent the visitor\n\t\t\tdownstream 60s\n", ""},
	} {
		if edit[0] == "" || !strings.Contains(text, edit[0]) {
			t.Fatalf("%s has no %q", file, edit[0])
		}
		text = strings.Replace(text, edit[0], edit[1], 1)
	}
	p, err := policies.ParseTokens(policyTokens(t, tokens(file, text)))
	if err != nil {
		t.Fatal(err)
	}
	u := &Unit{Name: file, Files: map[string][]byte{file: []byte(text)}, Scopes: []Scope{{Policy: p}}}
	if u.Scopes[0].Compiled, err = policies.Compile(p, "lint"); err != nil {
		t.Fatal(err)
	}
	if !p.HasAttribution() {
		t.Fatal("the attribution was not put in")
	}
	found := Suppress(u, Run(u, nil), today, true)
	if got := ruleIDs(found); !slices.Equal(got, []string{"CW107"}) {
		t.Errorf("found %v", got)
		for _, f := range found {
			t.Logf("%v: %s: %s; %s", f.Pos, f.Rule, f.Message, f.Suggestion)
		}
	}
}

// policyTokens are those of the policy in the first cacheward block: all but store and
// audit, which are the module's own.
func policyTokens(t *testing.T, all []policies.Token) []policies.Token {
	t.Helper()
	begin := slices.IndexFunc(all, func(tk policies.Token) bool { return tk.Text == "cacheward" })
	if begin < 0 || all[begin+1].Text != "{" {
		t.Fatal("there is no cacheward block")
	}
	var out []policies.Token
	depth, skipped := 0, false
	for i, tk := range all[begin+2:] {
		if firstOfLine := tk.Line != all[begin+1+i].Line; firstOfLine && depth == 0 && tk.Text != "}" {
			skipped = tk.Text == "store" || tk.Text == "audit"
		}
		switch tk.Text {
		case "{":
			depth++
		case "}":
			depth--
		}
		if depth < 0 {
			return out
		}
		if !skipped {
			out = append(out, tk)
		}
	}
	t.Fatal("the cacheward block does not end")
	return nil
}
