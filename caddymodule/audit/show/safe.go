package show

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many combining marks may stand on one character. A tower of them
// covers the lines above.
const maxMarks = 3

// Safe is s with nothing in it that a terminal would obey or hide: control characters,
// escape sequences, line breaks, marks of writing direction, invisible characters and
// broken UTF-8 stand as \n, \x1b, \u202e. A backslash stands as it is. What is left can
// be printed, and applying Safe again changes nothing.
func Safe(s string) string {
	if isSafe(s) {
		return s
	}
	var b strings.Builder
	marks := 0
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				fmt.Fprintf(&b, `\x%02x`, s[i])
				marks = 0
				continue
			}
		}
		if isMark(r) {
			marks++
		} else {
			marks = 0
		}
		if printable(r) && marks <= maxMarks {
			b.WriteRune(r)
		} else {
			writeEscaped(&b, r)
		}
	}
	return b.String()
}

// isSafe is the short way for what nearly every value is: printable ASCII.
func isSafe(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// printable is what takes up room on the screen and does nothing else there.
func printable(r rune) bool {
	// Letters by their category, blanks or nothing on the screen.
	switch r {
	case '\u115f', '\u1160', '\u3164', '\uffa0', '\u2800':
		return false
	}
	return unicode.IsPrint(r) && !unicode.Is(unicode.Variation_Selector, r) && r != '\u034f'
}

func isMark(r rune) bool { return unicode.In(r, unicode.Mn, unicode.Me) }

func writeEscaped(b *strings.Builder, r rune) {
	switch {
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\r':
		b.WriteString(`\r`)
	case r == '\t':
		b.WriteString(`\t`)
	case r < 0x80:
		fmt.Fprintf(b, `\x%02x`, r)
	case r <= 0xffff:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}
