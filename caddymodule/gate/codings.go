package gate

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The codings in which a value may stand in a response, as [Reflection] names them.
// What is in several at once is said to be in one of them.
const (
	CodingPlain  = "plain"
	CodingURL    = "url"
	CodingHTML   = "html"
	CodingJSON   = "json"
	CodingBase64 = "base64"
)

const (
	// minBase64 is how many characters of base64 are looked for at least.
	minBase64 = 8
	// maxEntity is the length of the longest character reference that is read.
	maxEntity = len("&#x10ffff;") + 2
)

// spelled returns how many bytes of the text's beginning spell the character, and in
// which coding; 0 if they do not. Libraries differ in what they escape, so every
// character may be escaped or not.
func spelled(text []byte, char string) (int, string) {
	if len(text) == 0 {
		return 0, ""
	}
	switch text[0] {
	case '%':
		if n := percentSpelled(text, char); n > 0 {
			return n, CodingURL
		}
	case '+':
		if char == " " {
			return 1, CodingURL
		}
	case '\\':
		if n := jsonSpelled(text, char); n > 0 {
			return n, CodingJSON
		}
	case '&':
		end := bytes.IndexByte(text[:min(len(text), maxEntity)], ';') + 1
		if end > 0 && html.UnescapeString(string(text[:end])) == char {
			return end, CodingHTML
		}
	}
	if len(text) >= len(char) && string(text[:len(char)]) == char {
		return len(char), CodingPlain
	}
	return 0, ""
}

// spelledBefore is the same of the text's end.
func spelledBefore(text []byte, char string) (int, string) {
	if len(text) > 0 && text[len(text)-1] == ';' {
		if begin := bytes.LastIndexByte(text[max(0, len(text)-maxEntity):], '&'); begin >= 0 {
			n := min(len(text), maxEntity) - begin
			if m, coding := spelled(text[len(text)-n:], char); m == n {
				return m, coding
			}
		}
	}
	// The lengths of \ud83d\ude00, \u767b, \x41, %E7%99%BB, \/ and the character.
	for _, n := range [...]int{12, 6, 4, 3 * len(char), 2, len(char)} {
		if n > len(text) {
			continue
		}
		if m, coding := spelled(text[len(text)-n:], char); m == n {
			return m, coding
		}
	}
	return 0, ""
}

// percentSpelled is RFC 3986 §2.1.
func percentSpelled(text []byte, char string) int {
	if len(text) < 3*len(char) {
		return 0
	}
	for i := range len(char) {
		b, ok := unhex(text[3*i+1 : 3*i+3])
		if text[3*i] != '%' || !ok || b != uint16(char[i]) {
			return 0
		}
	}
	return 3 * len(char)
}

// jsonSpelled is RFC 8259 §7, and what is JavaScript's alone: \' and \x41.
func jsonSpelled(text []byte, char string) int {
	if len(text) < 2 {
		return 0
	}
	r, _ := utf8.DecodeRuneInString(char)
	switch c := text[1]; c {
	case 'u':
		if u, ok := unhexAt(text, 2, 6); ok {
			if rune(u) == r {
				return 6
			}
			if low, ok := unhexAt(text, 8, 12); ok && text[6] == '\\' && text[7] == 'u' && utf16.DecodeRune(rune(u), rune(low)) == r {
				return 12
			}
		}
	case 'x':
		if x, ok := unhexAt(text, 2, 4); ok && rune(x) == r {
			return 4
		}
	default:
		if i := strings.IndexByte("bfnrt", c); i >= 0 {
			c = "\b\f\n\r\t"[i]
		}
		if char == string(rune(c)) {
			return 2
		}
	}
	return 0
}

func unhexAt(text []byte, from, to int) (uint16, bool) {
	if len(text) < to {
		return 0, false
	}
	return unhex(text[from:to])
}

func unhex(digits []byte) (uint16, bool) {
	var n uint16
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		n = n<<4 | uint16(c)
	}
	return n, true
}

// anchor is a part of a value that is looked for as it is written, and around which the
// rest is read.
type anchor struct {
	literal, coding string
	from, to        int // in the value
}

// anchors of a value: its longest run of characters that no coding has to escape. One
// that has none of these to speak of, as text in Japanese, has its longest other run,
// in each coding.
func anchors(v string) []anchor {
	from, to := longestRun(v, func(c byte) bool { return isAlnum(c) || c == '-' || c == '.' || c == '_' })
	otherFrom, otherTo := longestRun(v, func(c byte) bool { return c >= utf8.RuneSelf })
	if to-from >= min(minTogether, len(v)) || to > from && to-from >= otherTo-otherFrom {
		return []anchor{{v[from:to], CodingPlain, from, to}}
	}
	if otherTo == otherFrom {
		otherTo = len(v)
	}
	run := v[otherFrom:otherTo]
	upper := strings.ToUpper(hex.EncodeToString([]byte(run)))
	var url, unicode, decimal, hexadecimal strings.Builder
	for i := range len(run) {
		url.WriteString("%" + upper[2*i:2*i+2])
	}
	for _, r := range run {
		for _, u := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&unicode, `\u%04x`, u)
		}
		decimal.WriteString("&#" + strconv.Itoa(int(r)) + ";")
		fmt.Fprintf(&hexadecimal, "&#x%x;", r)
	}
	var all []anchor
	for _, a := range []anchor{
		{literal: run, coding: CodingPlain},
		{literal: url.String(), coding: CodingURL},
		{literal: strings.ToLower(url.String()), coding: CodingURL},
		{literal: unicode.String(), coding: CodingJSON},
		{literal: strings.ReplaceAll(strings.ToUpper(unicode.String()), `\U`, `\u`), coding: CodingJSON},
		{literal: html.EscapeString(run), coding: CodingHTML},
		{literal: decimal.String(), coding: CodingHTML},
		{literal: hexadecimal.String(), coding: CodingHTML},
	} {
		a.from, a.to = otherFrom, otherTo
		if len(all) == 0 || a.literal != run && a.literal != all[len(all)-1].literal {
			all = append(all, a)
		}
	}
	return all
}

func longestRun(v string, in func(byte) bool) (from, to int) {
	begin := 0
	for i := range len(v) {
		if !in(v[i]) {
			begin = i + 1
		} else if i+1-begin > to-from {
			from, to = begin, i+1
		}
	}
	return from, to
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// base64Spellings are what is the same of a value whatever stands before and after it:
// it may begin at each of the three bytes that make four characters.
func base64Spellings(v string) []string {
	var plain [maxValue + 2]byte
	var coded [(len(plain) + 2) / 3 * 4]byte
	size := 2 + copy(plain[2:], v)
	all := make([]string, 0, 6)
	for before := range 3 {
		from, to := (before*8+5)/6, (before+size-2)*8/6
		if to-from < minBase64 {
			continue
		}
		for _, alphabet := range [...]*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := string(alphabet.AppendEncode(coded[:0], plain[2-before:size])[from:to])
			if len(all) == 0 || all[len(all)-1] != text {
				all = append(all, text)
			}
		}
	}
	return all
}
