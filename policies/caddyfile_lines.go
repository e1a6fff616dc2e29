package policies

import (
	"fmt"
	"strings"
)

// Token is a word of a Caddyfile.
type Token struct {
	File string
	Line int // counts from 1
	// Column counts from 1; 0 if it is not known.
	Column int
	Text   string
	// Quoted words are never braces.
	Quoted bool
	// NewLine says that the word begins a line, although it stands where the one
	// before it does: a snippet of one line that is imported twice.
	NewLine bool
}

func (t Token) position() Position { return Position{File: t.File, Line: t.Line, Column: t.Column} }

func (t Token) brace(s string) bool { return !t.Quoted && t.Text == s }

// follows says whether the token stands on the line on which before ends. A quoted
// word may itself contain line breaks.
func (t Token) follows(before Token) bool {
	if t.File != before.File || t.NewLine {
		return false
	}
	end := before.Line
	if before.Quoted {
		end += strings.Count(before.Text, "\n")
	}
	return before.Line <= t.Line && t.Line <= end
}

// statement is a line of words and, if it ends with a brace, the block after it.
type statement struct {
	words []Token
	open  bool // whether there is a block, which may be empty
	block []statement
}

func (s statement) position() Position { return s.words[0].position() }

// lineReader groups tokens into statements.
type lineReader struct {
	tokens []Token
	next   int
	diags  Diagnostics
}

func (l *lineReader) fault(at Token, message, fix string) {
	l.diags = append(l.diags, Diagnostic{Pos: at.position(), Message: message, Fix: fix})
}

// block reads statements up to the brace that closes the one that open is; nil is
// the outermost block, which the end of the tokens closes.
func (l *lineReader) block(open *Token, depth int) []statement {
	var out []statement
	for l.next < len(l.tokens) {
		tk := l.tokens[l.next]
		if tk.brace("}") {
			l.next++
			if open == nil {
				l.fault(tk, `"}" closes nothing`, "")
				continue
			}
			l.alone(tk)
			return out
		}
		if s := l.statement(depth); len(s.words) > 0 {
			out = append(out, s)
		}
	}
	if open != nil {
		l.fault(*open, `"{" is never closed`, `write "}" on a line of its own`)
	}
	return out
}

// statement reads the words of one line and the block that they may open.
func (l *lineReader) statement(depth int) statement {
	var s statement
	for l.next < len(l.tokens) {
		tk := l.tokens[l.next]
		if n := len(s.words); n > 0 && !tk.follows(s.words[n-1]) {
			return s
		}
		if tk.brace("}") {
			l.fault(tk, `"}" stands behind other words`, "write it on a line of its own")
			return s
		}
		l.next++
		if !tk.brace("{") {
			s.words = append(s.words, tk)
			continue
		}
		if len(s.words) == 0 {
			l.fault(tk, `"{" stands alone`, "write it behind the word whose block it opens")
		}
		if depth >= maxDepth {
			l.fault(tk, fmt.Sprintf("blocks nest deeper than %d levels", maxDepth), "")
			l.next = len(l.tokens)
			return s
		}
		l.alone(tk)
		s.open = true
		s.block = l.block(&tk, depth+1)
		return s
	}
	return s
}

// alone reports words that stand behind a brace.
func (l *lineReader) alone(brace Token) {
	if l.next < len(l.tokens) && l.tokens[l.next].follows(brace) && !l.tokens[l.next].brace("}") {
		l.fault(l.tokens[l.next], fmt.Sprintf("%q stands behind %q", l.tokens[l.next].Text, brace.Text), "write it on a line of its own")
	}
}
