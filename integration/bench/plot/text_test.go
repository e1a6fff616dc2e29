package plot

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWrap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([a-zA-Z日]{1,30} {0,2}){0,10}`).Draw(t, "text")
		width := rapid.Float64Range(20, 300).Draw(t, "width")
		lines := wrap(text, 12, width)
		for _, line := range lines {
			if textWidth(line, 12) > width || strings.TrimSpace(line) != line || line == "" {
				t.Fatalf("line %q, %v wide", line, textWidth(line, 12))
			}
		}
		if got, want := strings.Join(strings.Fields(strings.Join(lines, "")), ""), strings.Join(strings.Fields(text), ""); got != want {
			t.Fatalf("%q became %q", want, got)
		}
	})
}

// Labels do not overlap, keep their order and, if there is room, stay in the range; one
// that is alone stays where it is.
func TestSpreadLabels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const top, bottom = 100.0, 400.0
		labels := make([]label, rapid.IntRange(1, 8).Draw(t, "n"))
		room := bottom - top
		for i := range labels {
			labels[i] = label{lines: make([]string, rapid.IntRange(1, 3).Draw(t, "lines")), wanted: rapid.Float64Range(top, bottom).Draw(t, "wanted"), series: i}
			room -= labels[i].height()
		}
		spreadLabels(labels, top, bottom)
		const little = 1e-6
		for i, l := range labels {
			if i > 0 {
				last := labels[i-1]
				if l.wanted < last.wanted || l.got-l.height()/2 < last.got+last.height()/2-little {
					t.Fatalf("%+v overlaps %+v", l, last)
				}
			}
			if room >= 0 && (l.got-l.height()/2 < top-little || l.got+l.height()/2 > bottom+little) {
				t.Fatalf("%+v is out of the range", l)
			}
		}
		if l := labels[0]; len(labels) == 1 && l.wanted > top+l.height()/2 && l.wanted < bottom-l.height()/2 && l.got != l.wanted {
			t.Fatalf("%+v was moved", l)
		}
	})
}
