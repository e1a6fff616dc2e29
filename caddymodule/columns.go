package caddymodule

import (
	"os"
	"strings"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// columns finds the columns of tokens, which Caddy's own tokens do not have, by
// looking their text up in the file that they came from.
type columns struct {
	// files are the lines of each file, and may be shared: a configuration can have a
	// thousand handlers in one file.
	files map[string][]string
	found map[lineOf]int // how far in each line tokens were found, in bytes
}

type lineOf struct {
	file string
	line int
}

func newColumns(files map[string][]string) columns {
	return columns{files: files, found: make(map[lineOf]int)}
}

// find returns the token's column in characters, counted from 1; 0 if the file
// cannot be read or does not have the word there (a placeholder was replaced, or
// the configuration did not come from a file). Tokens are to be asked for in their
// order.
func (c columns) find(t caddyfile.Token) int {
	lines, read := c.files[t.File]
	if !read {
		if data, err := os.ReadFile(t.File); err == nil {
			lines = strings.Split(string(data), "\n")
		}
		c.files[t.File] = lines
	}
	if t.Line < 1 || t.Line > len(lines) || t.Text == "" {
		return 0
	}
	key := lineOf{t.File, t.Line}
	line, from := lines[t.Line-1], c.found[key]
	at := strings.Index(line[from:], t.Text)
	if at < 0 {
		return 0
	}
	c.found[key] = from + at + len(t.Text)
	return utf8.RuneCountInString(line[:from+at]) + 1
}
