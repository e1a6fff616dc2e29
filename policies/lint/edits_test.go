package lint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/policies"
)

func TestApplyEdits(t *testing.T) {
	for _, tt := range []struct {
		name  string
		edits []Edit
		want  string // "" for an error
	}{
		{"none", nil, "abcdef"},
		{"out of order", []Edit{{Start: 4, End: 5, New: "E"}, {Start: 0, End: 2}}, "cdEf"},
		{"beside each other", []Edit{{Start: 0, End: 2, New: "x"}, {Start: 2, End: 3, New: "y"}}, "xydef"},
		{"at both ends", []Edit{{Start: 0, End: 0, New: "x"}, {Start: 6, End: 6, New: "y"}}, "xabcdefy"},
		{"overlapping", []Edit{{Start: 0, End: 3}, {Start: 2, End: 4}}, ""},
		{"beyond the end", []Edit{{Start: 6, End: 7}}, ""},
		{"before the beginning", []Edit{{Start: -1, End: 2}}, ""},
		{"backwards", []Edit{{Start: 3, End: 2}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := []byte("abcdef")
			got, err := ApplyEdits(data, tt.edits)
			if string(got) != tt.want || (err != nil) != (tt.want == "") {
				t.Errorf("got %q, %v", got, err)
			}
			if string(data) != "abcdef" {
				t.Error("the data was changed")
			}
		})
	}
}

func TestPickEdits(t *testing.T) {
	edit := func(start, end int) Edit { return Edit{File: "f", Start: start, End: end} }
	found := []Finding{
		{Edits: []Edit{edit(10, 12)}},
		{Edits: []Edit{edit(0, 2), edit(11, 13)}}, // overlaps: not even its first edit is made
		{Edits: []Edit{edit(2, 10)}},
		{Edits: []Edit{edit(10, 12), edit(20, 21)}}, // the first is made already
		{Edits: []Edit{edit(30, 31)}, Suppressed: &Suppression{}},
		{Edits: []Edit{{File: "g", Start: 40, End: 41}}},
		{},
	}
	want := []Edit{edit(2, 10), edit(10, 12), edit(20, 21)}
	if got := PickEdits("f", found); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestDiff(t *testing.T) {
	var b strings.Builder
	for i := range 20 {
		fmt.Fprintf(&b, "%d\n", i+1)
	}
	data := strings.TrimSuffix(b.String(), "\n")
	at := func(s string) int { return strings.Index(data, s) }
	edits := []Edit{
		{Start: at("2\n"), End: at("3\n"), New: ""},
		{Start: at("7\n"), End: at("7\n") + 1, New: "seven\nand a half"},
		{Start: at("20"), End: at("20") + 2, New: "end"},
	}
	got, err := Diff("f.yaml", []byte(data), edits)
	want := `--- a/f.yaml
+++ b/f.yaml
@@ -1,10 +1,10 @@
 1
-2
 3
 4
 5
 6
-7
+seven
+and a half
 8
 9
 10
@@ -17,4 +17,4 @@
 17
 18
 19
-20
\ No newline at end of file
+end
\ No newline at end of file
`
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
	if got, err := Diff("f", []byte(data), []Edit{{Start: 1, End: 1}}); err != nil || len(got) > 0 {
		t.Errorf("no change: %v\n%s", err, got)
	}
	if _, err := Diff("f", []byte(data), []Edit{{Start: 1, End: 1000}}); err == nil {
		t.Error("an edit beyond the end is accepted")
	}
}

// TestDiffApplies: what the diff says, done to the file, is what the edits do.
func TestDiffApplies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.StringMatching(`([ab]{0,2}\n){0,12}[ab]{0,2}`).Draw(t, "data")
		var edits []Edit
		for at := 0; at <= len(data); {
			e := Edit{Start: at + rapid.IntRange(0, 6).Draw(t, "gap")}
			e.End = e.Start + rapid.IntRange(0, 4).Draw(t, "length")
			e.New = rapid.SampledFrom([]string{"", "x", "x\n", "\n", "x\ny"}).Draw(t, "new")
			if e.End <= len(data) {
				edits = append(edits, e)
			}
			at = e.End + 1
		}
		want, err := ApplyEdits([]byte(data), edits)
		if err != nil {
			t.Fatal(err)
		}
		diff, err := Diff("f", []byte(data), edits)
		if err != nil {
			t.Fatal(err)
		}
		if got := patch(t, data, string(diff)); got != string(want) {
			t.Fatalf("got %q, want %q from\n%s", got, want, diff)
		}
	})
}

// patch does what a unified diff says, and trusts none of its numbers.
func patch(t *rapid.T, data, diff string) string {
	if diff == "" {
		return data
	}
	old := strings.SplitAfter(data, "\n")
	var out strings.Builder
	at, written := 0, 0
	lines := strings.SplitAfter(diff, "\n")[2:]
	for i := 0; i < len(lines) && lines[i] != ""; {
		var first, n, first2, n2 int
		parse := func(s string, first, n *int) {
			a, b, ok := strings.Cut(s[1:], ",")
			*first, _ = strconv.Atoi(a)
			*n = 1
			if ok {
				*n, _ = strconv.Atoi(b)
			}
			if *n == 0 {
				*first++
			}
		}
		head := strings.Fields(lines[i])
		parse(head[1], &first, &n)
		parse(head[2], &first2, &n2)
		for ; at < first-1; at++ {
			out.WriteString(old[at])
			written++
		}
		if written != first2-1 {
			t.Fatalf("the hunk begins at line %d, not %d:\n%s", written+1, first2, diff)
		}
		for i++; i < len(lines) && lines[i] != "" && lines[i][0] != '@'; i++ {
			text := lines[i][1:]
			if i+1 < len(lines) && strings.HasPrefix(lines[i+1], `\`) {
				text = strings.TrimSuffix(text, "\n")
			}
			switch lines[i][0] {
			case '\\':
				continue
			case ' ', '-':
				if old[at] != text {
					t.Fatalf("line %d is %q, not %q:\n%s", at+1, old[at], text, diff)
				}
				at++
				n--
			}
			if lines[i][0] != '-' {
				out.WriteString(text)
				written++
				n2--
			}
		}
		if n != 0 || n2 != 0 {
			t.Fatalf("%d and %d lines are missing in a hunk:\n%s", n, n2, diff)
		}
	}
	for ; at < len(old); at++ {
		out.WriteString(old[at])
	}
	return out.String()
}

// TestRepair: slips of the hand and names given twice, in what is not valid.
func TestRepair(t *testing.T) {
	const route = "routes:\n  - name: a\n    match: {paths: [/a]}\n    cache: 5m\n"
	for _, tt := range []struct{ name, file, text, want string }{
		{"a key", "f.yaml", strings.Replace(route, "cache", "cahce", 1), route},
		{"a value in quotes", "f.yaml", "mode: \"enforc\" # c\n" + route, "mode: \"enforce\" # c\n" + route},
		{"a method", "f.yaml", strings.Replace(route, "]}", "], methods: [get, HEAD]}", 1), strings.Replace(route, "]}", "], methods: [GET, HEAD]}", 1)},
		{"twice in a flow list", "f.yaml", route + "    params:\n      strip: [ab, c, ab]\n", route + "    params:\n      strip: [ab, c]\n"},
		{"twice in a flow list, first", "f.yaml", route + "    params:\n      strip: [ab, ab, c]\n", route + "    params:\n      strip: [ab, c]\n"},
		{"twice in a flow list of several lines", "f.yaml", route + "    params:\n      strip: [ab,\n        ab,\n        c]\n", route + "    params:\n      strip: [ab,\n        c]\n"},
		{"twice in a flow list, last on its line", "f.yaml", route + "    params:\n      strip: [ab,\n        ab\n        ]\n", route + "    params:\n      strip: [ab\n        ]\n"},
		{"twice in a block list", "f.yaml", route + "    params:\n      strip:\n        - ab\n        - \"ab\"\n        - c\n", route + "    params:\n      strip:\n        - ab\n        - c\n"},
		{"with a comment", "f.yaml", route + "    params:\n      strip:\n        - ab\n        - ab # twice is safer\n", ""},
		{"in a list used elsewhere", "f.yaml", route + "    params: {strip: &s [ab, ab]}\n", ""},
		{"JSON", "f.json", `{"mode": "observ", "routes": [{"name": "a", "match": {"paths": ["/a"]}, "cache": "5m", "params": {"strip": ["b", "b"]}}]}`,
			`{"mode": "observe", "routes": [{"name": "a", "match": {"paths": ["/a"]}, "cache": "5m", "params": {"strip": ["b"]}}]}`},
		{"Caddyfile", "f.Caddyfile", "route a {\n\tpath /a\n\tcache 5m\n\tparam strip b\n\tparam strip c b\n\tparam strip b c2\n\tparam strip b\n\tpram key d\n}\n",
			"route a {\n\tpath /a\n\tcache 5m\n\tparam strip b\n\tparam strip c\n\tparam strip c2\n\tparam key d\n}\n"},
		{"a name that is no item", "f.yaml", route + "    tolerate:\n      - {detector: email, reason: a}\n      - {detector: email, reason: b}\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := loadText(t, tt.file, tt.text)
			if len(u.Faults) == 0 {
				t.Fatal("there is nothing to repair")
			}
			want := tt.want
			if want == "" {
				want = tt.text
			}
			got, err := ApplyEdits([]byte(tt.text), PickEdits(tt.file, Run(u, onlyGeneral)))
			// What a slip hides is told, and repaired, only when it is gone.
			if u = loadText(t, tt.file, string(got)); err == nil && len(u.Faults) > 0 {
				got, err = ApplyEdits(got, PickEdits(tt.file, Run(u, onlyGeneral)))
			}
			if err != nil || string(got) != want {
				t.Errorf("%v\n%s\nwant\n%s\nfaults %v", err, got, want, u.Faults)
			}
		})
	}
}

func TestSource(t *testing.T) {
	s := NewSource([]byte("\xef\xbb\xbfaé\r\n\r\n日本 x"))
	if s.Lines() != 3 || s.Line(1) != "aé" || s.Line(2) != "" || s.Line(3) != "日本 x" || s.Line(4) != "" || s.Line(0) != "" {
		t.Errorf("%d lines: %q %q %q", s.Lines(), s.Line(1), s.Line(2), s.Line(3))
	}
	for _, tt := range []struct{ line, column, offset int }{{1, 1, 3}, {1, 2, 4}, {1, 3, 6}, {1, 9, 6}, {2, 1, 8}, {3, 3, 16}, {3, 4, 17}} {
		pos := policies.Position{File: "f", Line: tt.line, Column: tt.column}
		if got, ok := s.Offset(pos); !ok || got != tt.offset {
			t.Errorf("%v is at byte %d, want %d", pos, got, tt.offset)
		}
		if got := s.Position("f", tt.offset); got != pos && tt.column != 9 {
			t.Errorf("byte %d is at %v, want %v", tt.offset, got, pos)
		}
	}
	long := NewSource([]byte("x\n" + strings.Repeat("aé", 3*stride) + "\nx"))
	for _, column := range []int{1, 2, stride - 1, stride, stride + 1, stride + 2, 2 * stride, 5*stride + 7, 6 * stride, 6*stride + 1} {
		pos := policies.Position{File: "f", Line: 2, Column: column}
		at, ok := long.Offset(pos)
		if want := 2 + (column-1)/2*3 + (column-1)%2; !ok || at != want || long.Position("f", at) != pos {
			t.Errorf("column %d of a long line is at byte %d, want %d, and there is %v", column, at, want, long.Position("f", at))
		}
	}
	for _, pos := range []policies.Position{{}, {Line: 4, Column: 1}, {Line: 1}} {
		if _, ok := s.Offset(pos); ok {
			t.Errorf("%v is said to be in the file", pos)
		}
	}
}
