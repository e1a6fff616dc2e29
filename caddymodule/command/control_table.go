package command

import (
	"slices"
	"strings"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// column is a column of a table of T.
type column[T any] struct {
	show.Column
	cell func(T) show.Cell
	// ifAny leaves it out where there is nothing in it, in no row.
	ifAny bool
	// ifRoom leaves it out where the terminal is too narrow, the first such column first.
	ifRoom bool
}

// writeTable writes a line for each of the rows.
func writeTable[T any](p *page, columns []column[T], rows []T) {
	columns = slices.DeleteFunc(columns, func(c column[T]) bool {
		return c.ifAny && !slices.ContainsFunc(rows, func(row T) bool {
			text := c.cell(row).Text
			return text != "" && text != "0"
		})
	})
	for p.terminal && tableWidth(columns, rows) > p.width {
		spare := slices.IndexFunc(columns, func(c column[T]) bool { return c.ifRoom })
		if spare < 0 {
			break
		}
		columns = slices.Delete(columns, spare, spare+1)
	}
	width := 0
	if p.terminal {
		width = p.width
	}
	_ = tableOf(columns, rows).Write(&p.Builder, p.Style, width) // a Builder takes everything
}

func tableOf[T any](columns []column[T], rows []T) *show.Table {
	t := &show.Table{Indent: 2}
	for _, c := range columns {
		t.Columns = append(t.Columns, c.Column)
	}
	for _, row := range rows {
		cells := make([]show.Cell, len(columns))
		for i, c := range columns {
			cells[i] = c.cell(row)
		}
		t.Row(cells...)
	}
	return t
}

// tableWidth is how many cells of a terminal the table takes.
func tableWidth[T any](columns []column[T], rows []T) (width int) {
	var b strings.Builder
	_ = tableOf(columns, rows).Write(&b, show.Style{}, 0) // a Builder takes everything
	for line := range strings.Lines(b.String()) {
		width = max(width, show.Width(strings.TrimSuffix(line, "\n")))
	}
	return width
}

// words and figures are the columns that most are.
func words[T any](title string, cell func(T) show.Cell) column[T] {
	return column[T]{Column: show.Column{Title: title}, cell: cell}
}

func figures[T any](title string, cell func(T) show.Cell) column[T] {
	return column[T]{Column: show.Column{Title: title, Align: show.Right}, cell: cell}
}

func (c column[T]) flexible() column[T] {
	c.Flexible = true
	return c
}

func (c column[T]) unlessEmpty() column[T] {
	c.ifAny = true
	return c
}

func (c column[T]) unlessNarrow() column[T] {
	c.ifRoom = true
	return c
}
