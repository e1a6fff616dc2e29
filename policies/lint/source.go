package lint

import (
	"bytes"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/cacheward/cacheward/policies"
)

// Source is the text of a file by lines. Lines and columns count from 1, columns in
// characters (code points), as those of [policies.Position] do.
type Source struct {
	data    []byte
	starts  []int         // where each line begins
	anchors *bool         // see anchored; nil: nobody has looked
	index   map[int][]int // see columns
}

// NewSource cuts a file into lines. It keeps the data and does not change it.
func NewSource(data []byte) *Source {
	s := &Source{data: data, starts: []int{0}}
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		s.starts[0] = 3 // a byte order mark is no column
	}
	for i, c := range data {
		if c == '\n' && i+1 < len(data) {
			s.starts = append(s.starts, i+1)
		}
	}
	return s
}

// Lines is how many lines there are, at least one.
func (s *Source) Lines() int { return len(s.starts) }

// bounds are where the line begins and ends, without its line break.
func (s *Source) bounds(line int) (start, end int) {
	if line < 1 || line > len(s.starts) {
		return len(s.data), len(s.data)
	}
	start, end = s.starts[line-1], len(s.data)
	if line < len(s.starts) {
		end = s.starts[line]
	}
	for end > start && (s.data[end-1] == '\n' || s.data[end-1] == '\r') {
		end--
	}
	return start, end
}

// Line is a line without its line break; empty if there is no such line.
func (s *Source) Line(line int) string {
	start, end := s.bounds(line)
	return string(s.data[start:end])
}

// Offset is the byte at which a place begins. A column behind the end of the line is
// its end. False if there is no such line, or no column is known.
func (s *Source) Offset(pos policies.Position) (int, bool) {
	if pos.Line < 1 || pos.Line > len(s.starts) || pos.Column < 1 {
		return 0, false
	}
	_, end := s.bounds(pos.Line)
	index := s.columns(pos.Line)
	known := min((pos.Column-1)/stride, len(index)-1)
	at := index[known]
	for column := known*stride + 1; column < pos.Column && at < end; column++ {
		_, size := utf8.DecodeRune(s.data[at:end])
		at += size
	}
	return at, true
}

// Position is the line and column of a byte.
func (s *Source) Position(file string, offset int) policies.Position {
	line := max(1, sort.SearchInts(s.starts, offset+1))
	start, end := s.bounds(line)
	offset = min(max(offset, start), end)
	index := s.columns(line)
	known := max(0, sort.SearchInts(index, offset+1)-1)
	return policies.Position{File: file, Line: line, Column: known*stride + utf8.RuneCount(s.data[index[known]:offset]) + 1}
}

// stride is how many columns are between two that are remembered.
const stride = 1024

// columns are the bytes at which every stride-th column of a line begins, from the first
// on: JSON that a program wrote is one line with thousands of places.
func (s *Source) columns(line int) []int {
	at, end := s.bounds(line)
	if end-at <= stride {
		return []int{at}
	}
	if index, ok := s.index[line]; ok {
		return index
	}
	index := []int{at}
	for column := 1; at < end; column++ {
		_, size := utf8.DecodeRune(s.data[at:end])
		at += size
		if column%stride == 0 {
			index = append(index, at)
		}
	}
	if s.index == nil {
		s.index = make(map[int][]int)
	}
	s.index[line] = index
	return index
}

// Text is the bytes from start up to, not including, stop.
func (s *Source) Text(start, stop int) string {
	start = min(max(start, 0), len(s.data))
	return string(s.data[start:min(max(stop, start), len(s.data))])
}

// Around is the line of a place between the bytes start and stop, and at most n bytes
// more on either side; before and after say whether something of it is left out.
func (s *Source) Around(line, start, stop, n int) (first, last int, before, after bool) {
	first, last = s.bounds(line)
	if start-first > n {
		for first, before = start-n, true; first < start && !utf8.RuneStart(s.data[first]); {
			first++
		}
	}
	if last-stop > n {
		for last, after = stop+n, true; last > stop && !utf8.RuneStart(s.data[last]); {
			last--
		}
	}
	return first, last, before, after
}

// Range is what a finding points at, in bytes of its line: from Pos to End, or to the
// end of the word. With no column it is the line without the blanks around it. It is
// empty only if the line is, or if there is no such line.
func (s *Source) Range(pos, end policies.Position) (start, stop int) {
	first, last := s.bounds(pos.Line)
	start, known := s.Offset(pos)
	if !known {
		line := s.data[first:last]
		start = first + len(line) - len(bytes.TrimLeft(line, " \t"))
		return start, first + max(start-first, len(bytes.TrimRight(line, " \t")))
	}
	if end.Line == pos.Line && end.Column > pos.Column {
		stop, _ = s.Offset(end)
		return start, stop
	}
	return start, start + wordLength(s.Text(start, min(last, start+maxWord)))
}

// maxWord is how far the end of a word is looked for, in bytes.
const maxWord = 4096

// wordLength is how long the word is with which the text begins: up to the closing
// quote, or to what parts words in YAML, JSON and Caddyfiles.
func wordLength(text string) int {
	if text == "" {
		return 0
	}
	switch quote := text[0]; quote {
	case '"', '\'', '`':
		for i := 1; i < len(text); i++ {
			if text[i] == '\\' && quote == '"' {
				i++
				continue
			}
			if text[i] == quote {
				return i + 1
			}
		}
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case strings.IndexByte(" \t,]}", c) >= 0, c == ':' && (i+1 == len(text) || text[i+1] == ' '):
			return max(i, 1)
		}
	}
	return len(text)
}
