package show

import (
	"bytes"
	"errors"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTable(t *testing.T) {
	table := Table{Indent: 1, Columns: []Column{
		{Title: "Route"}, {Title: "N", Align: Right}, {Title: "URL", Flexible: true},
	}}
	table.Row(Text("landing"), Text("1,200"), Text("https://a.example/register/lp?ref=A1"))
	table.Row(Colored(Info, "日本"), Text("7"), Text(""))
	table.Row()
	var b bytes.Buffer
	if err := table.Write(&b, Style{}, 40); err != nil {
		t.Fatal(err)
	}
	want := ` Route        N  URL
 ───────────────────────────────────────
 landing  1,200  https://a.example/regi…
 日本         7

`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	b.Reset()
	if err := table.Write(&b, Style{Color: true}, 40); err != nil {
		t.Fatal(err)
	}
	if got := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(b.String(), ""); got != want {
		t.Errorf("with colours\n%s", got)
	}
}

// No line is wider than the terminal, if the columns that cannot give way leave room.
func TestTableFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := Table{Indent: 2, Columns: []Column{{Title: "a", Align: Right}, {Title: "b", Flexible: true}, {Title: "c", Flexible: true}}}
		for range rapid.IntRange(0, 5).Draw(t, "rows") {
			table.Row(Text(strconv.Itoa(rapid.IntRange(-999, 9999).Draw(t, "n"))), Text(rapid.String().Draw(t, "b")), Text(rapid.String().Draw(t, "c")))
		}
		width := rapid.IntRange(36, 100).Draw(t, "width")
		var b bytes.Buffer
		if err := table.Write(&b, Style{}, width); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if line = strings.TrimSuffix(line, "\n"); Width(line) > width {
				t.Fatalf("%q has %d cells, of %d", line, Width(line), width)
			}
		}
	})
}

func TestWidth(t *testing.T) {
	for in, want := range map[string]int{"": 0, "abc": 3, "日本": 4, "ｱ": 1, "Ａ": 2, "e\u0301": 1, "😀": 2, "▁█·": 3} {
		if got := Width(in); got != want {
			t.Errorf("%q has %d cells, want %d", in, got, want)
		}
	}
	for _, tt := range []struct {
		in    string
		cells int
		want  string
	}{{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"}, {"abc", 1, "…"}, {"abc", 0, ""}} {
		if got := Truncate(tt.in, tt.cells); got != tt.want {
			t.Errorf("%q in %d cells is %q, want %q", tt.in, tt.cells, got, tt.want)
		}
	}
}

func TestWrap(t *testing.T) {
	if got, want := Wrap("a page that nobody\x1b reads", "  ", 12), "  a page\n  that\n  nobody\\x1b\n  reads\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Wrap("", "  ", 12); got != "\n" {
		t.Errorf("nothing wraps to %q", got)
	}
}

func TestCharts(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   string
	}{
		{nil, ""},
		{[]float64{0, 0}, "··"},
		{[]float64{0, 1, 2, 3, 4, 5, 6, 7, 8}, "·▂▃▄▅▆▇██"},
		{[]float64{0.001, 1000}, "▁█"},
		{[]float64{math.NaN(), -1, 5}, " ·█"},
		{[]float64{math.Inf(1), 1}, "██"},
		{[]float64{5e-324}, "█"},
	} {
		if got := Sparkline(tt.values); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.values, got, tt.want)
		}
	}
	if got := SparklineTo([]float64{0.5, 1, 2}, 1); got != "▅██" {
		t.Errorf("shares: %q", got)
	}
	for share, want := range map[float64]string{0: "░░░░", 0.001: "█░░░", 0.5: "██░░", 0.9999: "███░", 1: "████", 7: "████", -1: "░░░░"} {
		if got := Bar(share, 4); got != want {
			t.Errorf("%v: %q, want %q", share, got, want)
		}
	}
	if got := Bar(math.NaN(), 2); got != "░░" {
		t.Errorf("no share: %q", got)
	}
}

func TestFigures(t *testing.T) {
	for got, want := range map[string]string{
		Count(1234567):                                  "1,234,567",
		Estimate(1234, true):                            "~1,234",
		Bytes(18211):                                    "18 KiB",
		Bytes(math.MinInt64):                            "-8.0 EiB",
		Percent(0, 0):                                   "–",
		Percent(0, 7):                                   "0.0 %",
		Percent(7, 7):                                   "100.0 %",
		Percent(9999, 10000):                            "> 99.9 %",
		Percent(999999, 1000000):                        "> 99.9 %",
		Percent(1, 100000):                              "< 0.1 %",
		Percent(1, 1000):                                "0.1 %",
		Percent(1, 3):                                   "33.3 %",
		PercentOf(math.NaN()):                           "–",
		Duration(0):                                     "0 s",
		Duration(time.Microsecond):                      "< 1 ms",
		Duration(41 * time.Millisecond):                 "41 ms",
		Duration(1540e6):                                "1.5 s",
		Duration(41 * time.Second):                      "41 s",
		Duration(90 * time.Second):                      "1 min 30 s",
		Duration(130 * time.Minute):                     "2 h 10 min",
		Duration(72 * time.Hour):                        "3 d",
		Duration(-time.Second):                          "-1 s",
		Duration(math.MinInt64):                         "-106751 d 23 h",
		Seconds(259.4):                                  "4 min 19 s",
		Seconds(math.NaN()):                             "–",
		Seconds(math.Inf(-1)):                           "-106751 d 23 h",
		Time(time.Time{}, nil):                          "–",
		Time(time.Unix(0, 0), nil):                      "1970-01-01 00:00:00",
		Clock(time.Unix(61, 0), time.UTC):               "00:01:01",
		Day(time.Unix(0, 0), time.FixedZone("", -3600)): "1969-12-31",
		Span(time.Unix(0, 0), time.Unix(60, 0), nil):    "1970-01-01 00:00:00 – 00:01:00 UTC (1 min)",
		Span(time.Unix(0, 0), time.Unix(86400, 0), time.FixedZone("+09", 9*3600)): "1970-01-01 09:00:00 – 1970-01-02 09:00:00 UTC+09 (1 d)",
		Span(time.Time{}, time.Time{}, nil):                                       "–",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Every colour is readable on black and on white (WCAG 2.2 asks for 3:1 at least where
// letters are large, 4.5:1 for all others; no colour can have more than 4.58:1 on both).
func TestColoursAreReadable(t *testing.T) {
	for _, c := range []Color{Dim, Good, Warn, Bad, Info} {
		n, err := strconv.Atoi(regexp.MustCompile(`38;5;(\d+)`).FindStringSubmatch(sequences[c])[1])
		if err != nil {
			t.Fatal(err)
		}
		light := luminance(n)
		if onBlack, onWhite := (light+0.05)/0.05, 1.05/(light+0.05); onBlack < 3.9 || onWhite < 3.9 {
			t.Errorf("colour %d: %.1f on black, %.1f on white", n, onBlack, onWhite)
		}
	}
	if got := (Style{Color: true}).Paint(Bad, "x\x1b"); got != sequences[Bad]+`x\x1b`+reset {
		t.Errorf("painted: %q", got)
	}
	if got := (Style{}).Paint(Alarm, "x"); got != "x" {
		t.Errorf("without colours: %q", got)
	}
	if got := (Style{Color: true}).Paint(Color(99), "x"); got != "x" {
		t.Errorf("no such colour: %q", got)
	}
}

// luminance of one of the 256 colours (WCAG 2.2).
func luminance(n int) float64 {
	steps := []int{0, 95, 135, 175, 215, 255}
	r, g, b := 8+10*(n-232), 8+10*(n-232), 8+10*(n-232)
	if n < 232 {
		r, g, b = steps[(n-16)/36], steps[(n-16)/6%6], steps[(n-16)%6]
	}
	linear := func(v int) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}

// TestDocument: row by row it is what it is at once.
func TestDocument(t *testing.T) {
	type row struct {
		Name string   `json:"name"`
		More []string `json:"more"`
	}
	type head struct {
		Schema int   `json:"schema"`
		Rows   []row `json:"rows"`
	}
	for _, rows := range [][]row{{}, {{"a\u202e<&>", []string{}}}, {{"a", []string{"x", "\x1b\U000e0001"}}, {"[]", []string{}}}} {
		var at, by bytes.Buffer
		if err := JSON(&at, head{1, rows}); err != nil {
			t.Fatal(err)
		}
		document := Document{Head: head{1, []row{}}, Rows: func(yield func(Document) bool) {
			for _, r := range rows {
				more := func(yield func(Document) bool) {
					for _, m := range r.More {
						if !yield(Document{Head: m}) {
							return
						}
					}
				}
				if !yield(Document{Head: row{r.Name, []string{}}, Rows: more}) {
					return
				}
			}
		}}
		if err := document.Write(&by); err != nil || at.String() != by.String() {
			t.Errorf("%v\n%s\n%s", err, &at, &by)
		}
	}
	document := Document{Head: head{Rows: []row{{}}}, Rows: func(func(Document) bool) {}}
	if err := document.Write(io.Discard); err == nil {
		t.Error("a list that is not empty was written over")
	}
}

// TestDocumentEndsWithItsReader: a pager that was closed does not wait for millions of rows.
func TestDocumentEndsWithItsReader(t *testing.T) {
	made := 0
	document := Document{Head: struct {
		Rows []string `json:"rows"`
	}{[]string{}}, Rows: func(yield func(Document) bool) {
		for ; made < 1_000_000; made++ {
			if !yield(Document{Head: strings.Repeat("x", 1000)}) {
				return
			}
		}
	}}
	r, w := io.Pipe()
	_ = r.Close()
	if err := document.Write(w); !errors.Is(err, io.ErrClosedPipe) || made > 1000 {
		t.Errorf("%v after %d rows", err, made)
	}
}

func TestTruncateURL(t *testing.T) {
	for _, test := range []struct {
		cells int
		want  string
	}{
		{31, "https://shop.example/lp?ref=A1&"}, {30, "shop.example/lp?ref=A1&"}, {22, "/lp?ref=A1&"}, {10, "/lp?ref=A…"}, {0, ""},
	} {
		if got := TruncateURL("https://shop.example/lp?ref=A1&", test.cells); got != test.want {
			t.Errorf("in %d cells %q, not %q", test.cells, got, test.want)
		}
	}
	for s, want := range map[string]string{"route landing": "route lan…", "https://shop.example": "shop.exam…"} {
		if got := TruncateURL(s, 10); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
