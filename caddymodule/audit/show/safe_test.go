package show

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestSafe(t *testing.T) {
	for in, want := range map[string]string{
		"":                                "",
		"/register/lp?ref=A1":             "/register/lp?ref=A1",
		"日本語 é":                           "日本語 é",
		"\x1b[31mred\x1b[0m":              `\x1b[31mred\x1b[0m`,
		"\x1b]0;title\a":                  `\x1b]0;title\x07`,
		"a\nb\r\tc":                       `a\nb\r\tc`,
		"\u009b2J":                        `\u009b2J`,
		"bad \xff\xc0 utf-8":              `bad \xff\xc0 utf-8`,
		"\ufffd":                          "\ufffd",
		"abc\u202etxt":                    `abc\u202etxt`,
		"zero\u200bwidth\ufeff":           `zero\u200bwidth\ufeff`,
		"\u2028":                          `\u2028`,
		"\U000e0041tag":                   `\U000e0041tag`,
		"\x7f":                            `\x7f`,
		"\u3164":                          `\u3164`,
		"e" + strings.Repeat("\u0301", 5): "e" + strings.Repeat("\u0301", 3) + `\u0301\u0301`,
	} {
		if got := Safe(in); got != want {
			t.Errorf("Safe(%q) is %q, want %q", in, got, want)
		}
	}
}

// checkSafe holds that a terminal obeys nothing in s.
func checkSafe(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Errorf("%q is no UTF-8", s)
	}
	for _, r := range s {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
			t.Errorf("%q has %U", s, r)
		}
	}
}

func FuzzSafe(f *testing.F) {
	for _, seed := range []string{"", "a", "\x1b[2J", "\u009b", "\xff", "日本\u202e", "e\u0301\u0301\u0301\u0301", "=1+1", "-1", "\t=x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		safe := Safe(s)
		checkSafe(t, safe)
		if again := Safe(safe); again != safe {
			t.Errorf("Safe(%q) is %q, and of that %q", s, safe, again)
		}
		for _, cells := range []int{0, 1, 2, 7} {
			if cut := Truncate(safe, cells); Width(cut) > cells {
				t.Errorf("%q in %d cells is %q", safe, cells, cut)
			}
		}
		checkSafe(t, Style{}.Paint(Bad, s))
		for line := range strings.Lines(Wrap(s, "  ", 20)) {
			checkSafe(t, strings.TrimSuffix(line, "\n"))
		}
		checkTable(t, s)
		checkCSV(t, s)
		checkJSON(t, s)
	})
}

// checkTable holds that a value stays in its line and column.
func checkTable(t *testing.T, s string) {
	t.Helper()
	table := Table{Columns: []Column{{Title: s}, {Title: "n", Align: Right, Flexible: true}}}
	table.Row(Text(s), Text(s))
	var b bytes.Buffer
	if err := table.Write(&b, Style{}, 40); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	if len(lines) != 4 {
		t.Fatalf("%q makes %d lines", s, len(lines)-1)
	}
	for _, line := range lines {
		checkSafe(t, line)
	}
}

func checkCSV(t *testing.T, s string) {
	t.Helper()
	var b bytes.Buffer
	c := NewCSV(&b)
	if err := c.Row("x", s); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 1 || len(rows[0]) != 2 {
		t.Fatalf("%q: %q, %v", s, rows, err)
	}
	value := rows[0][1]
	checkSafe(t, value)
	if strings.IndexAny(value, "=+-@\t\r") == 0 && !negative.MatchString(value) {
		t.Errorf("%q is written as %q, which is a formula", s, value)
	}
}

func checkJSON(t *testing.T, s string) {
	t.Helper()
	var b bytes.Buffer
	if err := JSON(&b, []string{s}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		checkSafe(t, strings.TrimSuffix(line, "\n"))
	}
	var back []string
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || len(back) != 1 {
		t.Fatalf("%q: %v", b.String(), err)
	}
	if utf8.ValidString(s) && back[0] != s {
		t.Errorf("%q comes back as %q", s, back[0])
	}
}

func TestCSV(t *testing.T) {
	for in, want := range map[string]string{
		"":              "",
		"A1":            "A1",
		"=HYPERLINK(1)": "'=HYPERLINK(1)",
		"+81":           "'+81",
		"-1+cmd|'/c'!A": "'-1+cmd|'/c'!A",
		"-12.5":         "-12.5",
		"@SUM(A1)":      "'@SUM(A1)",
		"＝1+1":          "'＝1+1",
		"\t=1":          `'\t=1`,
		"\r=1":          `'\r=1`,
		"a,b":           `"a,b"`,
		`say "x"`:       `"say ""x"""`,
	} {
		var b bytes.Buffer
		c := NewCSV(&b)
		if err := c.Row(in, "x"); err != nil {
			t.Fatal(err)
		}
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); got != want+",x\n" {
			t.Errorf("%q: %q, want %q", in, got, want+",x\n")
		}
	}
}
