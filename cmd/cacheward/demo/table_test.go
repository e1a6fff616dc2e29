package demo

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var seen = []result{
	{Name: "no-cache", Visitors: 2000, OriginRenders: 2000},
	{Name: "naive-cdn", Visitors: 2000, Misattributed: 1987, OriginRenders: 13, ServedFromCache: 0.9935},
	{
		Name: "cacheward-mistaken-rule", Visitors: 2000, OriginRenders: 2004, cacheward: true,
		Refusals: map[string]int{"remembered-refusal": 1920, "identity": 64, "divergent": 16},
	},
	{
		Name: "cacheward-right-policy", Visitors: 2000, OriginRenders: 5, ServedFromCache: 0.9975, cacheward: true,
		Refusals: map[string]int{"identity": 1},
	},
	{Name: "cacheward-attribution", Visitors: 2000, OriginRenders: 4, ServedFromCache: 0.993, cacheward: true},
}

var leaking = []result{
	{Name: "no-cache", Visitors: 1, OriginRenders: 1},
	{Name: "naive-cdn", Visitors: 1, OriginRenders: 1},
	{Name: "cacheward-mistaken-rule", Visitors: 1500, Misattributed: 1, OriginRenders: 1499, ServedFromCache: 0.0006, cacheward: true},
	{Name: "cacheward-right-policy", Visitors: 1, OriginRenders: 1, cacheward: true},
	{Name: "cacheward-attribution", Visitors: 2000, Misattributed: 12, OriginRenders: 4, ServedFromCache: 0.993, cacheward: true},
}

func TestTextGoldens(t *testing.T) {
	for name, test := range map[string]struct {
		results []result
		color   bool
	}{
		"plain":   {seen, false},
		"color":   {seen, true},
		"leaking": {leaking, false},
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := writeText(&got, test.results, test.color); err != nil {
				t.Fatal(err)
			}
			golden := "testdata/" + name + ".golden"
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("got:\n%s\nwant:\n%s", &got, want)
			}
		})
	}
}

func TestPercentIsNeverRoundedToNoneOrAll(t *testing.T) {
	for fraction, want := range map[float64]string{
		0: "0.0 %", 0.0004: "< 0.1 %", 0.001: "0.1 %", 0.5: "50.0 %", 0.999: "99.9 %", 0.9995: "> 99.9 %", 1: "100.0 %",
	} {
		if got := percent(fraction); got != want {
			t.Errorf("%v: %q, want %q", fraction, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOf(rapid.StringMatching(`[a-zä–]{1,12}`)).Draw(t, "words")
		width := rapid.IntRange(1, 30).Draw(t, "width")
		got := wrap(strings.Join(words, " "), width)
		if back := strings.Join(strings.Fields(got), " "); back != strings.Join(words, " ") {
			t.Fatalf("the words became %q", back)
		}
		for line := range strings.Lines(got) {
			line = strings.TrimSuffix(line, "\n")
			if utf8.RuneCountInString(line) > width && strings.Contains(line, " ") {
				t.Fatalf("line %q is wider than %d", line, width)
			}
			if line != strings.TrimSpace(line) {
				t.Fatalf("line %q begins or ends with a space", line)
			}
		}
	})
}
