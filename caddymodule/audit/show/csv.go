package show

import (
	"encoding/csv"
	"io"
	"regexp"
	"unicode/utf8"
)

// CSV writes lines of comma-separated values (RFC 4180, ended by a line feed). The
// values are made [Safe]. What a spreadsheet would take for a formula, because it
// begins with = + - @ (of full width as well), a tab or a carriage return, gets an apostrophe before it, which
// spreadsheets take for "this is text"; negative numbers do not.
type CSV struct{ w *csv.Writer }

// NewCSV returns a CSV that writes to w. [CSV.Flush] must be called at the end.
func NewCSV(w io.Writer) *CSV { return &CSV{csv.NewWriter(w)} }

var negative = regexp.MustCompile(`^-[0-9]+(\.[0-9]+)?$`)

// Row writes a line.
func (c *CSV) Row(values ...string) error {
	cells := make([]string, len(values))
	for i, v := range values {
		cells[i] = Safe(asText(v))
	}
	return c.w.Write(cells)
}

// Flush writes what is buffered and returns the first error of all writing.
func (c *CSV) Flush() error {
	c.w.Flush()
	return c.w.Error()
}

func asText(v string) string {
	if v == "" || negative.MatchString(v) {
		return v
	}
	switch first, _ := utf8.DecodeRuneInString(v); first {
	case '=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠':
		return "'" + v
	}
	return v
}
