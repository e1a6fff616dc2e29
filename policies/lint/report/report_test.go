package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/policies"
	"github.com/cacheward/cacheward/policies/lint"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var today = time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)

// example has a finding of each kind: with edits, related places, a counterexample,
// suppressed by a comment and by a baseline, without a line.
func example(t *testing.T) Result {
	t.Helper()
	r := Result{Files: make(map[string][]byte), Version: "v1.2.3"}
	for _, file := range []string{"policy.yaml", "broken.yaml"} {
		data, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		u := lint.Load("sites/"+file, data)
		found := lint.Run(u, func(r lint.Rule) bool { return r.Family() == "general" })
		r.Findings = append(r.Findings, lint.Suppress(u, found, today, true)...)
		r.Files[u.Name] = data
		r.Judged = append(r.Judged, u.Name)
	}
	at := policies.Position{File: "sites/policy.yaml", Line: 6, Column: 13}
	r.Findings = append(r.Findings,
		lint.Finding{
			Rule: "CW006", Severity: lint.Error, Pos: at, End: policies.Position{File: at.File, Line: 6, Column: 16}, Route: "landing",
			Message:    `parameter "ref" is not looked at: everybody who comes in these 5m is attributed to whoever came first`,
			Suggestion: "write key: [ref]",
			Counterexample: []lint.Request{
				{Method: "GET", URL: "https://example.com/register/lp?ref=alice", Note: "Bob, sent by Alice"},
				{Method: "HEAD", URL: "https://example.com/register/lp?ref=it's", Header: [][2]string{{"Accept-Language", "ja"}}, Note: "Carol, sent by nobody"},
			},
		},
		lint.Finding{
			Rule: "CW006", Severity: lint.Warning, Pos: policies.Position{File: at.File, Line: 4, Column: 5}, Route: "landing",
			Message:    "it was so before",
			Suppressed: &lint.Suppression{Kind: lint.Baseline, Reason: "known since the baseline was written"},
		},
		lint.Finding{Rule: "CW001", Severity: lint.Error, Pos: policies.Position{File: "sites/empty.yaml"}, Message: "the policy is empty"},
	)
	r.Judged = append(r.Judged, "sites/empty.yaml", "sites/clean.yaml")
	r.Unreadable = []Unreadable{{"sites/a b.yaml", "permission denied"}}
	r.Stale = []lint.KnownFinding{{Fingerprint: "00112233445566778899aabbccddeeff", Rule: "CW101", File: "sites/old.yaml", Route: "landing", Message: "gone"}}
	return r
}

func TestGolden(t *testing.T) {
	for _, format := range Formats() {
		t.Run(format, func(t *testing.T) { golden(t, "golden."+format, format, example(t)) })
	}
	t.Run("colours", func(t *testing.T) {
		r := example(t)
		r.Colour = true
		golden(t, "golden.colours", "text", r)
	})
	t.Run("clean", func(t *testing.T) {
		for _, format := range Formats() {
			golden(t, "clean."+format, format, Result{Judged: []string{"a.yaml", "b.yaml"}, Version: "v1.2.3"})
		}
	})
}

func golden(t *testing.T, file, format string, r Result) {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, format, r); err != nil {
		t.Fatal(err)
	}
	got := withoutPages(t, b.Bytes())
	file = filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update rewrites it); got\n%s", file, got)
	}
}

// withoutPages puts a mark in the place of the rules' pages: who improves one need not
// rewrite these files.
func withoutPages(t *testing.T, report []byte) []byte {
	t.Helper()
	for _, rule := range lint.Rules() {
		for mark, page := range map[string]string{"(page)": rule.Page(), "(plain page)": PlainPage(rule)} {
			var b bytes.Buffer
			if err := encode(&b, page); err != nil {
				t.Fatal(err)
			}
			report = bytes.ReplaceAll(report, bytes.TrimSpace(b.Bytes()), []byte(`"`+mark+`"`))
		}
	}
	return report
}

func TestFormats(t *testing.T) {
	if err := Write(new(bytes.Buffer), "html", Result{}); err == nil || !strings.Contains(err.Error(), "sarif") {
		t.Errorf("an unknown format: %v", err)
	}
	if len(formats) != len(Formats()) {
		t.Errorf("%d formats are listed, %d are there", len(Formats()), len(formats))
	}
}

// TestHostile: what a file says must not break out of the form that it is shown in.
func TestHostile(t *testing.T) {
	bad := "x\x1b[2J\n::error::owned\r\n##[error]\u202eevil]]>&\"'\x00\xff%0A"
	file := "a\n::b,c:\x1b.yaml"
	r := Result{
		Files:  map[string][]byte{file: []byte("routes: # " + bad)},
		Judged: []string{file}, Unreadable: []Unreadable{{file, bad}},
		Findings: []lint.Finding{{
			Rule: "CW006", Severity: lint.Error, Pos: policies.Position{File: file, Line: 1, Column: 1}, Route: bad, Message: bad, Suggestion: bad,
			Related:        []lint.Related{{Pos: policies.Position{File: file, Line: 2, Column: 3}, Message: bad}},
			Counterexample: []lint.Request{{Method: bad, URL: bad, Header: [][2]string{{bad, bad}}, Note: bad}},
		}},
		Stale: []lint.KnownFinding{{File: bad, Message: bad}},
	}
	for range maxAnnotations {
		r.Findings = append(r.Findings, r.Findings[0])
	}
	for _, format := range Formats() {
		t.Run(format, func(t *testing.T) {
			var b bytes.Buffer
			if err := Write(&b, format, r); err != nil {
				t.Fatal(err)
			}
			if i := bytes.IndexAny(b.Bytes(), "\x00\x1b\r\u202e"); i >= 0 && format != "json" && format != "sarif" && format != "gitlab" {
				t.Errorf("a character that acts on a terminal is written: %q", b.Bytes()[max(0, i-20):i+5])
			}
			switch format {
			case "json", "sarif", "gitlab":
				if !json.Valid(b.Bytes()) {
					t.Error("it is no JSON")
				}
			case "junit", "checkstyle":
				if err := xml.Unmarshal(b.Bytes(), new(struct{ XMLName xml.Name })); err != nil {
					t.Error(err)
				}
			case "github":
				for line := range strings.Lines(b.String()) {
					if strings.HasPrefix(line, "::") && !strings.HasPrefix(line, "::error file=") || strings.Contains(line, "##[") {
						t.Errorf("a command of the file's own: %q", line)
					}
				}
			}
		})
	}
}

// TestGitHubLimit: GitHub shows ten of a kind, so these are the worst ones.
func TestGitHubLimit(t *testing.T) {
	var r Result
	for _, s := range []lint.Severity{lint.Info, lint.Warning, lint.Error} {
		for range 12 {
			r.Findings = append(r.Findings, lint.Finding{Rule: "CW006", Severity: s, Pos: policies.Position{File: "f", Line: 1}, Message: "m"})
		}
	}
	var b bytes.Buffer
	if err := Write(&b, "github", r); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	for i, prefix := range []string{"::error ", "::warning ", "::notice "} {
		for _, line := range lines[10*i : 10*i+10] {
			if !strings.HasPrefix(line, prefix) {
				t.Errorf("got %q, want %s", line, prefix)
			}
		}
	}
	if rest := lines[30:]; len(rest) != 8 || !strings.HasPrefix(rest[0], "- f:1: error: ") || rest[6] != "12 errors, 12 warnings, 12 infos in 0 files" {
		t.Errorf("the rest is %q", rest)
	}
}

func TestGitLabFingerprints(t *testing.T) {
	f := lint.Finding{Rule: "CW006", Severity: lint.Error, Pos: policies.Position{File: "./f"}, Message: "m"}
	var b bytes.Buffer
	if err := Write(&b, "gitlab", Result{Findings: []lint.Finding{f, f, f}}); err != nil {
		t.Fatal(err)
	}
	var issues []gitlabIssue
	if err := json.Unmarshal(b.Bytes(), &issues); err != nil {
		t.Fatal(err)
	}
	var prints []string
	for _, issue := range issues {
		prints = append(prints, issue.Fingerprint)
		if issue.Location.Path != "f" || issue.Location.Lines.Begin != 1 {
			t.Errorf("at %+v", issue.Location)
		}
	}
	slices.Sort(prints)
	if len(slices.Compact(prints)) != 3 {
		t.Errorf("fingerprints %v", prints)
	}
}

func TestExcerpt(t *testing.T) {
	long := strings.Repeat("a, ", 100) + "here" + strings.Repeat(", b", 100)
	for _, tt := range []struct {
		name, text   string
		column, end  int
		line, carets string
	}{
		{"a word", "a: bcd", 4, 0, "a: bcd", "   ^^^"},
		{"up to a comma", "[ab, c]", 2, 0, "[ab, c]", " ^^"},
		{"a key", "abc: d", 1, 0, "abc: d", "^^^"},
		{"with quotes", `a "b \" c" d`, 3, 0, `a "b \" c" d`, "  ^^^^^^^^"},
		{"a range", "abcdef", 2, 4, "abcdef", " ^^"},
		{"no column", "  ab c ", 0, 0, "  ab c", "  ^^^^"},
		{"tabs", "\ta\tb", 4, 0, "    a   b", "        ^"},
		{"wide runes", "登録 lp", 1, 0, "登録 lp", "^^^^"},
		{"behind wide runes", "登録 lp", 4, 0, "登録 lp", "     ^^"},
		{"combining marks", "e\u0301x y", 5, 0, "e\u0301x y", "   ^"},
		{"hidden characters", "a\u202eb c", 5, 0, "a<U+202E>b c", strings.Repeat(" ", 11) + "^"},
		{"at the end", "ab", 3, 0, "ab", "  ^"},
		{"far behind the end", "ab", 9, 0, "ab", "  ^"},
		{"an empty line", "", 1, 0, "", ""},
		{"of two lines", "ab\ncd", 1, 0, "ab", "^^"},
		{"a long line", long, 301, 0, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pos := policies.Position{File: "f", Line: 1, Column: tt.column}
			end := policies.Position{File: "f", Line: 1, Column: tt.end}
			line, carets := excerpt(lint.NewSource([]byte(tt.text)), pos, end)
			if tt.name == "a long line" {
				if len([]rune(line)) > maxWidth+2 || !strings.HasPrefix(line, "…") || !strings.HasSuffix(line, "…") {
					t.Errorf("%d wide: %s", len([]rune(line)), line)
				}
				if at := strings.Index(carets, "^"); string([]rune(line)[at:at+4]) != "here" || strings.Count(carets, "^") != 4 {
					t.Errorf("points at the wrong place:\n%s\n%s", line, carets)
				}
				return
			}
			if line != tt.line || carets != tt.carets {
				t.Errorf("got\n%q\n%q, want\n%q\n%q", line, carets, tt.line, tt.carets)
			}
		})
	}
}

func TestCurl(t *testing.T) {
	for want, q := range map[string]lint.Request{
		`curl 'https://a/?b=c&d'`:                     {URL: "https://a/?b=c&d"},
		`curl --head 'https://a/' -H 'Cookie: a=b'`:   {Method: "HEAD", URL: "https://a/", Header: [][2]string{{"Cookie", "a=b"}}},
		`curl -X 'POST' 'https://a/it'\''s$(reboot)'`: {Method: "POST", URL: "https://a/it's$(reboot)"},
	} {
		if got := Curl(q); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestCatalogue(t *testing.T) {
	rule, _ := lint.Find("CW006")
	var b bytes.Buffer
	if err := Explain(&b, rule, "text", false); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"CW006 redundant-name\n", "\nTriggers it\n\n    params:\n      strip: [utm_source, \"utm_*\"]\n"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("the page has no %q:\n%s", part, b.String())
		}
	}
	if strings.Contains(b.String(), "```") || strings.Contains(b.String(), "\n#") {
		t.Errorf("marks of Markdown are left:\n%s", b.String())
	}
	b.Reset()
	if err := List(&b, "text", false); err != nil {
		t.Fatal(err)
	}
	for _, r := range lint.Rules() {
		if !strings.Contains(b.String(), "  "+r.ID+"  "+r.Name+" ") || !strings.Contains(b.String(), r.Summary) {
			t.Errorf("the list has no %s", r.ID)
		}
	}
	for _, write := range []func(*bytes.Buffer, string) error{
		func(b *bytes.Buffer, format string) error { return List(b, format, false) },
		func(b *bytes.Buffer, format string) error { return Explain(b, rule, format, false) },
	} {
		b.Reset()
		if err := write(&b, "json"); err != nil || !json.Valid(b.Bytes()) || !strings.Contains(b.String(), `"id": "CW006"`) {
			t.Errorf("%v: %s", err, b.String())
		}
		if err := write(&b, "sarif"); err == nil {
			t.Error("an unknown format is accepted")
		}
	}
}

// TestOneLongLine: JSON that a program wrote has everything on one line.
func TestOneLongLine(t *testing.T) {
	const n = 3_000
	line := strings.Repeat(`"é", `, n)
	r := Result{Files: map[string][]byte{"f.json": []byte(line)}}
	for i := range n {
		r.Findings = append(r.Findings, lint.Finding{Rule: "CW006", Severity: lint.Info, Pos: policies.Position{File: "f.json", Line: 1, Column: 5*i + 1}, Message: "m"})
	}
	for _, format := range Formats() {
		var b bytes.Buffer
		start := time.Now()
		if err := Write(&b, format, r); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s takes %v", format, took)
		}
		if format == "sarif" && strings.Count(b.String(), `"text": "\"é\""`) != n {
			t.Error("the snippets are wrong")
		}
	}
}
