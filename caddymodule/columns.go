package caddymodule

import (
	"os"
	"strings"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// columns finds the columns of tokens, which Caddy's own tokens do not have, by
// looking their text up in the file that they came from.
type columns map[string]*sourceFile

type sourceFile struct {
	lines []string
	found []int // how far in each line tokens were found, in bytes
}

// find returns the token's column in characters, counted from 1; 0 if the file
// cannot be read or does not have the word there (a placeholder was replaced, or
// the configuration did not come from a file). Tokens are to be asked for in their
// order.
func (c columns) find(t caddyfile.Token) int {
	source, read := c[t.File]
	if !read {
		source = new(sourceFile)
		if data, err := os.ReadFile(t.File); err == nil {
			source.lines = strings.Split(string(data), "\n")
			source.found = make([]int, len(source.lines))
		}
		c[t.File] = source
	}
	n := t.Line - 1
	if n < 0 || n >= len(source.lines) || t.Text == "" {
		return 0
	}
	line, from := source.lines[n], source.found[n]
	at := strings.Index(line[from:], t.Text)
	if at < 0 {
		return 0
	}
	source.found[n] = from + at + len(t.Text)
	return utf8.RuneCountInString(line[:from+at]) + 1
}
