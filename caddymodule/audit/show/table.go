package show

import (
	"io"
	"strings"
)

// Align is the side on which a column's cells line up.
type Align uint8

// The sides.
const (
	Left Align = iota
	Right
)

// Column is a column of a [Table].
type Column struct {
	Title string
	Align Align
	// Shorten makes a text of at most so many cells, where one does not fit. Default:
	// [Truncate].
	Shorten func(text string, cells int) string
	// Flexible columns give way where the table is wider than the terminal: their
	// cells are cut off and end with an ellipsis. The last of several gives way first.
	Flexible bool
}

// Cell is a text and its colour. The text is made [Safe] when it is written.
type Cell struct {
	Text  string
	Color Color
}

// Text is a cell without colour.
func Text(s string) Cell { return Cell{Text: s} }

// Colored is a cell in the colour.
func Colored(c Color, s string) Cell { return Cell{Text: s, Color: c} }

// Table is text in columns, two blanks apart. If any column has a title, the titles
// stand above a line.
type Table struct {
	Columns []Column
	// Indent is how many blanks stand before each line.
	Indent int

	rows [][]Cell
}

const (
	gap = 2 // blanks between columns
	// minFlexible is what a flexible column keeps, however narrow the terminal is.
	minFlexible = 12
)

// Row adds a line. Cells that are not given are empty; more than there are columns are
// left out.
func (t *Table) Row(cells ...Cell) {
	row := make([]Cell, len(t.Columns))
	for i := range row {
		if i < len(cells) {
			row[i] = Cell{Safe(cells[i].Text), cells[i].Color}
		}
	}
	t.rows = append(t.rows, row)
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Write lays the table out for a terminal of so many cells; 0 or less: without bound.
func (t *Table) Write(w io.Writer, style Style, cells int) error {
	widths, titled := t.widths(cells)
	var b strings.Builder
	if titled {
		head := make([]Cell, len(t.Columns))
		for i, c := range t.Columns {
			head[i] = Cell{Safe(c.Title), Strong}
		}
		t.line(&b, style, head, widths)
		b.WriteString(strings.Repeat(" ", t.Indent))
		b.WriteString(strings.Repeat("─", total(widths)))
		b.WriteByte('\n')
	}
	for _, row := range t.rows {
		t.line(&b, style, row, widths)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// widths of the columns, and whether any has a title.
func (t *Table) widths(cells int) (widths []int, titled bool) {
	widths = make([]int, len(t.Columns))
	for i, c := range t.Columns {
		titled = titled || c.Title != ""
		widths[i] = Width(Safe(c.Title))
		for _, row := range t.rows {
			widths[i] = max(widths[i], Width(row[i].Text))
		}
	}
	if cells <= 0 {
		return widths, titled
	}
	for i := len(t.Columns) - 1; i >= 0; i-- {
		if over := t.Indent + total(widths) - cells; over > 0 && t.Columns[i].Flexible {
			widths[i] = max(min(widths[i], minFlexible), widths[i]-over)
		}
	}
	return widths, titled
}

func total(widths []int) int {
	sum := gap * max(0, len(widths)-1)
	for _, width := range widths {
		sum += width
	}
	return sum
}

func (t *Table) line(b *strings.Builder, style Style, row []Cell, widths []int) {
	last := -1 // nothing but blanks stands behind it
	for i, c := range row {
		if strings.TrimRight(c.Text, " ") != "" {
			last = i
		}
	}
	if last >= 0 {
		b.WriteString(strings.Repeat(" ", t.Indent))
	}
	for i := 0; i <= last; i++ {
		if i > 0 {
			b.WriteString(strings.Repeat(" ", gap))
		}
		shorten := t.Columns[i].Shorten
		if shorten == nil {
			shorten = Truncate
		}
		text := shorten(row[i].Text, widths[i])
		align := t.Columns[i].Align
		if i == last && align == Left {
			b.WriteString(style.Paint(row[i].Color, strings.TrimRight(text, " ")))
			continue
		}
		blanks := strings.Repeat(" ", max(0, widths[i]-Width(text)))
		if align == Right {
			b.WriteString(blanks)
		}
		b.WriteString(style.Paint(row[i].Color, text))
		if align == Left {
			b.WriteString(blanks)
		}
	}
	b.WriteByte('\n')
}
