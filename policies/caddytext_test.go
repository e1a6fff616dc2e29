package policies

import "strings"

// tokenize reads Caddyfile text as Caddy's lexer does, as far as policies go:
// blanks part words, " and ` quote, # begins a comment, \ escapes a quote.
func tokenize(file, text string) []Token {
	var out []Token
	line := 1
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\n':
			line++
			i++
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case c == '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case c == '"' || c == '`':
			var b strings.Builder
			begin := line
			for i++; i < len(text) && text[i] != c; i++ {
				if text[i] == '\n' {
					line++
				}
				if text[i] == '\\' && c == '"' && i+1 < len(text) {
					i++
				}
				b.WriteByte(text[i])
			}
			i++
			out = append(out, Token{File: file, Line: begin, Text: b.String(), Quoted: true})
		default:
			begin := i
			for i < len(text) && !strings.ContainsRune(" \t\r\n", rune(text[i])) {
				i++
			}
			out = append(out, Token{File: file, Line: line, Text: text[begin:i]})
		}
	}
	return out
}
