package lint

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cacheward/cacheward/policies"
)

// The examples of a rule are in testdata/CWnnn. In bad-* files, each line that must have
// the finding ends with "# want CWnnn", and no other line may have it; good-* files must
// have none. Findings of other rules are of no matter here. Files whose name ends with
// .Caddyfile hold what stands within a cacheward block. The examples of the rules on
// whole Caddy configurations (CW7nn) are read by the tests of what adapts those.

var want = regexp.MustCompile(`[ \t]*# want((?: CW\d{3})+)[ \t]*(?m:$)`)

// today is a day on which no example has expired.
var today = time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)

func TestRulesAreComplete(t *testing.T) {
	id, name := regexp.MustCompile(`^CW\d{3}$`), regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	taken := make(map[string]bool)
	for _, r := range Rules() {
		t.Run(r.ID, func(t *testing.T) {
			if !id.MatchString(r.ID) || !name.MatchString(r.Name) || r.Family() == "" {
				t.Errorf("id %q, name %q, family %q", r.ID, r.Name, r.Family())
			}
			if taken[r.ID] || taken[r.Name] {
				t.Error("its id or name is another rule's too")
			}
			taken[r.ID], taken[r.Name] = true, true
			if _, ok := rank[r.Severity]; !ok {
				t.Errorf("severity %q", r.Severity)
			}
			if !strings.HasSuffix(r.Summary, ".") {
				t.Errorf("the summary is no sentence: %q", r.Summary)
			}
			if heading := "# " + r.ID + " " + r.Name + "\n"; !strings.HasPrefix(r.Page(), heading) {
				t.Errorf("rules/%s.md is missing, or does not begin with %q", r.ID, heading)
			}
			for _, kind := range []string{"bad", "good"} {
				if len(examples(t, r.ID, kind)) == 0 {
					t.Errorf("there is no testdata/%s/%s-* file", r.ID, kind)
				}
			}
		})
	}
}

func TestExamples(t *testing.T) {
	for _, r := range Rules() {
		if r.Family() == "caddy" {
			continue
		}
		for _, file := range examples(t, r.ID, "bad") {
			t.Run(strings.TrimPrefix(file, "testdata/"), func(t *testing.T) {
				u, wanted := loadExample(t, file)
				if len(wanted[r.ID]) == 0 {
					t.Errorf("no line ends with # want %s", r.ID)
				}
				found := judge(t, u, r)
				if got := linesOf(found); !slices.Equal(got, wanted[r.ID]) {
					t.Errorf("%s at lines %v, want %v", r.ID, got, wanted[r.ID])
					for _, f := range found {
						t.Logf("%v: %s: %s; %s", f.Pos, f.Rule, f.Message, f.Suggestion)
					}
				}
				for _, f := range found {
					checkFinding(t, u, f)
				}
				checkEdits(t, file, u, found)
			})
		}
		for _, file := range examples(t, r.ID, "good") {
			t.Run(strings.TrimPrefix(file, "testdata/"), func(t *testing.T) {
				u, wanted := loadExample(t, file)
				if len(wanted) > 0 {
					t.Error("a good file wants nothing")
				}
				for _, f := range judge(t, u, r) {
					t.Errorf("%v: %s: %s; %s", f.Pos, f.Rule, f.Message, f.Suggestion)
				}
				if len(u.Faults) > 0 {
					t.Errorf("it is not valid: %v", u.Faults)
				}
			})
		}
	}
}

func examples(t *testing.T, rule, kind string) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/" + rule + "/" + kind + "-*")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// loadExample reads a file, without its marks, and says which lines are marked for
// which rule.
func loadExample(t *testing.T, file string) (*Unit, map[string][]int) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wanted := make(map[string][]int)
	lines := strings.Split(string(data), "\n")
	for i, line := range lines {
		if m := want.FindStringSubmatch(line); m != nil {
			for _, id := range strings.Fields(m[1]) {
				wanted[id] = append(wanted[id], i+1)
			}
			lines[i] = strings.TrimSuffix(line, m[0])
		}
	}
	return loadText(t, file, strings.Join(lines, "\n")), wanted
}

func loadText(t *testing.T, file, text string) *Unit {
	t.Helper()
	switch filepath.Ext(file) {
	case ".yaml", ".json":
		return Load(file, []byte(text))
	case ".Caddyfile":
		u := &Unit{Name: file, Files: map[string][]byte{file: []byte(text)}}
		p, err := policies.ParseTokens(tokens(file, text))
		if err != nil {
			u.Fault(file, err)
			return u
		}
		u.Scopes = []Scope{{Policy: p}}
		if u.Scopes[0].Compiled, err = policies.Compile(p, "lint"); err != nil {
			u.Fault(file, err)
		}
		return u
	}
	t.Fatalf("%s: examples are .yaml, .json or .Caddyfile", file)
	return nil
}

// judge returns what counts of the rule's findings.
func judge(t *testing.T, u *Unit, r Rule) []Finding {
	t.Helper()
	if r.Family() != "general" && len(u.Faults) > 0 {
		t.Fatalf("%s cannot be read: %v", u.Name, u.Faults)
	}
	found := Suppress(u, Run(u, nil), today, true)
	return slices.DeleteFunc(found, func(f Finding) bool { return f.Rule != r.ID || f.Suppressed != nil })
}

func linesOf(found []Finding) []int {
	var lines []int
	for _, f := range found {
		lines = append(lines, f.Pos.Line)
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// checkFinding checks what holds for all findings.
func checkFinding(t *testing.T, u *Unit, f Finding) {
	t.Helper()
	data, ok := u.Files[f.Pos.File]
	if source := NewSource(data); !ok || f.Pos.Line < 1 || f.Pos.Line > source.Lines() {
		t.Errorf("%v is no place in a file of the unit", f.Pos)
	}
	if f.End.Column > 0 && (f.End.Line != f.Pos.Line || f.End.Column <= f.Pos.Column) {
		t.Errorf("it ends at %v and begins at %v", f.End, f.Pos)
	}
	if f.Message == "" || strings.HasSuffix(f.Message, ".") || strings.Contains(f.Message, "\n") {
		t.Errorf("message %q", f.Message)
	}
	if strings.HasSuffix(f.Suggestion, ".") || strings.Contains(f.Suggestion, "\n") {
		t.Errorf("suggestion %q", f.Suggestion)
	}
	if n := len(f.Counterexample); n == 1 {
		t.Error("a counterexample is two requests")
	}
	for _, r := range f.Counterexample {
		if !strings.Contains(r.URL, "://") || r.Note == "" {
			t.Errorf("counterexample %+v: wants a whole URL, and who sends it", r)
		}
	}
}

// checkEdits applies what the findings offer: the file must be readable then if it was
// before, and what the edits belong to must be gone.
func checkEdits(t *testing.T, file string, u *Unit, found []Finding) {
	t.Helper()
	edits := PickEdits(file, found)
	if len(edits) == 0 {
		return
	}
	fixed, err := ApplyEdits(u.Files[file], edits)
	if err != nil {
		t.Fatal(err)
	}
	again := loadText(t, file, string(fixed))
	if len(again.Faults) > len(u.Faults) {
		t.Fatalf("the edits break it: %v\n%s", again.Faults, fixed)
	}
	for _, f := range Suppress(again, Run(again, nil), today, true) {
		if f.Suppressed == nil && len(f.Edits) > 0 && f.Rule == found[0].Rule {
			t.Errorf("it remains: %v: %s\n%s", f.Pos, f.Message, fixed)
		}
	}
}

// tokens reads Caddyfile text as Caddy's lexer does, as far as policies go: blanks part
// words, " and ` quote, # begins a comment, \ escapes a quote.
func tokens(file, text string) []policies.Token {
	var out []policies.Token
	line, begin := 1, 0 // of the line
	for i := 0; i < len(text); {
		tk := policies.Token{File: file, Line: line, Column: utf8.RuneCountInString(text[begin:i]) + 1}
		switch c := text[i]; {
		case c == '\n':
			line++
			i++
			begin = i
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case c == '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case c == '"' || c == '`':
			var b strings.Builder
			for i++; i < len(text) && text[i] != c; i++ {
				if text[i] == '\n' {
					line++
					begin = i + 1
				}
				if text[i] == '\\' && c == '"' && i+1 < len(text) {
					i++
				}
				b.WriteByte(text[i])
			}
			i++
			tk.Text, tk.Quoted = b.String(), true
			out = append(out, tk)
		default:
			start := i
			for i < len(text) && !strings.ContainsRune(" \t\r\n", rune(text[i])) {
				i++
			}
			tk.Text = text[start:i]
			out = append(out, tk)
		}
	}
	return out
}

func TestTokens(t *testing.T) {
	var got []string
	for _, tk := range tokens("f", "a \"b c\" # d\n\té `e\nf` g#\n") {
		got = append(got, fmt.Sprintf("%d:%d %q %v", tk.Line, tk.Column, tk.Text, tk.Quoted))
	}
	expect := []string{`1:1 "a" false`, `1:3 "b c" true`, `2:2 "é" false`, `2:4 "e\nf" true`, `3:4 "g#" false`}
	if !slices.Equal(got, expect) {
		t.Errorf("got %v", got)
	}
}
