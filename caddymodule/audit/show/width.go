package show

import (
	"strings"

	"golang.org/x/text/width"
)

// Width is how many cells of a terminal a [Safe] text takes: East Asian wide characters
// take two, combining marks none.
func Width(s string) int {
	cells := 0
	for _, r := range s {
		cells += runeWidth(r)
	}
	return cells
}

func runeWidth(r rune) int {
	switch {
	case r < 0x300: // nothing below is wide or combines
		return 1
	case isMark(r):
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Truncate is a [Safe] text, or its beginning and an ellipsis, in at most cells cells.
func Truncate(s string, cells int) string {
	if Width(s) <= cells {
		return s
	}
	if cells < 1 {
		return ""
	}
	used := 0
	for i, r := range s {
		if used += runeWidth(r); used > cells-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// TruncateURL is a [Safe] URL in at most cells cells: without its scheme, without its host,
// and with an ellipsis, as far as it must be.
func TruncateURL(s string, cells int) string {
	if Width(s) <= cells {
		return s
	}
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
		if at := strings.IndexByte(s, '/'); at > 0 && Width(s) > cells {
			s = s[at:]
		}
	}
	return Truncate(s, cells)
}

// Wrap breaks a paragraph, made [Safe], at blanks into lines of at most cells cells,
// each behind indent, and ends it with a newline. A longer word has a line of its own.
func Wrap(paragraph, indent string, cells int) string {
	var b strings.Builder
	for _, line := range Lines(paragraph, cells-Width(indent)) {
		b.WriteString(indent + line + "\n")
	}
	if b.Len() == 0 {
		return "\n"
	}
	return b.String()
}

// Lines are those of a paragraph, made [Safe] and broken at blanks, of at most cells
// cells. A longer word has a line of its own. Without words there is none.
func Lines(paragraph string, cells int) []string {
	var lines []string
	used := 0
	for word := range strings.FieldsSeq(Safe(paragraph)) {
		length := Width(word)
		if used == 0 || used+1+length > cells {
			lines = append(lines, word)
			used = length
			continue
		}
		lines[len(lines)-1] += " " + word
		used += 1 + length
	}
	return lines
}
