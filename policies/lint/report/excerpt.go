package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cacheward/cacheward/policies"
	"github.com/cacheward/cacheward/policies/lint"
)

// maxWidth is how wide an excerpt of a line is at most, in columns of a terminal.
const maxWidth = 140

// clean makes text harmless for a terminal and a log: characters that move the cursor,
// end the line or turn the direction of writing are shown by their numbers.
func clean(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, "<%02X>", s[i])
		case r == '\t':
			b.WriteByte(' ')
		case hidden(r):
			fmt.Fprintf(&b, "<U+%04X>", r)
		default:
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

// hidden says of characters that they are not seen, or change how others are seen.
func hidden(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' ||
		unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d' // joiners are part of words
}

// width is how many columns of a terminal a character takes.
func width(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me) || r == '\u200c' || r == '\u200d':
		return 0
	case r >= 0x1100 && (r <= 0x115f || // Hangul Jamo
		r >= 0x2e80 && r <= 0x303e || r >= 0x3041 && r <= 0xa4cf || // CJK, kana, Yi
		r >= 0xa960 && r <= 0xa97c || r >= 0xac00 && r <= 0xd7a3 || // Hangul
		r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f ||
		r >= 0xff00 && r <= 0xff60 || r >= 0xffe0 && r <= 0xffe6 || // full width
		r >= 0x1f300 && r <= 0x1f64f || r >= 0x1f680 && r <= 0x1f6ff || r >= 0x1f900 && r <= 0x1f9ff ||
		r >= 0x20000 && r <= 0x3fffd):
		return 2
	}
	return 1
}

// cell is a character as it is shown.
type cell struct {
	text   string
	width  int
	marked bool // within the range that is pointed at
}

// excerpt is the line of a place as a terminal shows it, and what stands below it to
// point at the range. Tabs are four columns wide, hidden characters are shown by their
// numbers, and of a long line only the surroundings of the place are given. Empty if
// there is no such line.
func excerpt(s *lint.Source, pos, end policies.Position) (line, carets string) {
	start, stop := s.Range(pos, end)
	first, last, before, after := s.Around(pos.Line, start, stop, 2*maxWidth)
	text := s.Text(first, last)
	if strings.TrimSpace(text) == "" {
		return "", ""
	}
	cells := cellsOf(text, start-first, stop-first)
	from, to, cut := window(cells)
	var a, b strings.Builder
	if from > 0 || before {
		a.WriteString("…")
		b.WriteString(" ")
	}
	for _, c := range cells[from:to] {
		a.WriteString(c.text)
		mark := " "
		if c.marked {
			mark = "^"
		}
		b.WriteString(strings.Repeat(mark, c.width))
	}
	if cut || after {
		a.WriteString("…")
	}
	if start == stop { // nothing, at the end of the line
		b.WriteString("^")
	}
	return strings.TrimRight(a.String(), " "), strings.TrimRight(b.String(), " ")
}

// cellsOf takes text apart; from and to are the bytes of the range.
func cellsOf(text string, from, to int) []cell {
	var cells []cell
	at := 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		c := cell{text: text[i : i+size], width: width(r), marked: from <= i && i < to}
		switch {
		case r == '\t':
			c.width = 4 - at%4
			c.text = strings.Repeat(" ", c.width)
		case r == utf8.RuneError && size == 1 || hidden(r):
			c.text = clean(text[i : i+size])
			c.width = len(c.text)
		}
		cells = append(cells, c)
		at += c.width
		i += size
	}
	return cells
}

// window is the part of a line that is shown: all of it, or what is around the range.
func window(cells []cell) (from, to int, cut bool) {
	total, first := 0, len(cells)
	for i, c := range cells {
		total += c.width
		if c.marked {
			first = min(first, i)
		}
	}
	if total <= maxWidth {
		return 0, len(cells), false
	}
	from = max(0, min(first, len(cells)-1))
	for before := 0; from > 0 && before+cells[from-1].width <= maxWidth/3; from-- {
		before += cells[from-1].width
	}
	shown := 0
	for to = from; to < len(cells) && shown+cells[to].width <= maxWidth; to++ {
		shown += cells[to].width
	}
	return from, to, to < len(cells)
}
