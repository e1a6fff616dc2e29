package command

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cacheward/cacheward/policies"
)

// line is a line of a Caddyfile after its imports have been resolved: words, and the
// block that they may open.
type line struct {
	words []policies.Token
	block []*line
	// from and to are where in the tokens it and its block stand.
	from, to int
	// taken: a handler was found for it.
	taken bool
}

func (l *line) name() string { return l.words[0].Text }

func (l *line) pos() policies.Position { return positionOf(l.words[0]) }

// args are the words behind the first.
func (l *line) args() []policies.Token { return l.words[1:] }

func positionOf(t policies.Token) policies.Position {
	return policies.Position{File: t.File, Line: t.Line, Column: t.Column}
}

// tokens turns the tokens of a Caddyfile into those of a policy, with columns, and with
// files called as people call them. Only Caddy's own Dispenser can tell lines apart
// where snippets are imported.
func (l *loader) tokens(segment caddyfile.Segment) []policies.Token {
	d := caddyfile.NewDispenser(segment)
	var out []policies.Token
	for {
		sameLine := d.NextArg()
		if !sameLine && !d.Next() {
			return out
		}
		t := d.Token()
		brace := t.Text == "{" && !t.Quoted()
		begins := len(out) == 0 || !sameLine && !brace
		file := l.display(t.File)
		out = append(out, policies.Token{
			File: file, Line: t.Line, Column: l.column(file, t.Line, t.Text, begins), Text: t.Text,
			Quoted: t.Quoted(), NewLine: begins,
		})
	}
}

// column finds a word in its line, in characters from 1; 0 if it does not stand there
// as it is: a placeholder was replaced. Words are to be asked for in their order.
func (l *loader) column(file string, number int, text string, begins bool) int {
	lines, split := l.lines[file]
	if !split {
		lines = strings.Split(string(l.files[file]), "\n")
		l.lines[file] = lines
	}
	key := fileLine{file, number}
	if begins {
		delete(l.found, key)
	}
	if number < 1 || number > len(lines) || text == "" {
		return 0
	}
	whole := lines[number-1]
	for from := l.found[key]; ; {
		at := strings.Index(whole[from:], text)
		if at < 0 {
			return 0
		}
		at += from
		from = at + len(text)
		if before, _ := utf8.DecodeLastRuneInString(whole[:at]); at > 0 && !unicode.IsSpace(before) && before != '"' && before != '`' {
			continue
		}
		l.found[key] = from
		return utf8.RuneCountInString(whole[:at]) + 1
	}
}

type fileLine struct {
	file string
	line int
}

// maxBlocks bounds the nesting of blocks.
const maxBlocks = 200

// linesOf groups tokens. It begins at the token with that number, and returns the one
// behind the brace that closes.
func linesOf(tokens []policies.Token, i, depth int) ([]*line, int) {
	var out []*line
	for i < len(tokens) {
		t := tokens[i]
		if !t.Quoted && t.Text == "}" {
			return out, i + 1
		}
		if !t.Quoted && t.Text == "{" {
			l := &line{words: []policies.Token{t}, from: i}
			if len(out) > 0 && out[len(out)-1].block == nil {
				l = out[len(out)-1]
			}
			if depth >= maxBlocks {
				return out, len(tokens)
			}
			l.block, i = linesOf(tokens, i+1, depth+1)
			l.to = i
			continue
		}
		if t.NewLine || len(out) == 0 || out[len(out)-1].block != nil {
			out = append(out, &line{from: i})
		}
		l := out[len(out)-1]
		l.words = append(l.words, t)
		i++
		l.to = i
	}
	return out, i
}

// walk calls fn for each line, and for the lines in its block after it.
func walk(lines []*line, fn func(*line)) {
	for _, l := range lines {
		fn(l)
		walk(l.block, fn)
	}
}
