package demo

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
)

// lineWidth is the width to which the sentences are wrapped, in characters.
const lineWidth = 88

// The ANSI sequences of the text form.
const (
	bold  = "\x1b[1m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	plain = "\x1b[0m"
)

// writeJSON writes the results for programs.
func writeJSON(w io.Writer, results []result) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(struct {
		Scenarios []result `json:"scenarios"`
	}{results})
}

// writeText writes the results for people: a table, and what it says in words.
func writeText(w io.Writer, results []result, color bool) error {
	var b strings.Builder
	b.WriteByte('\n')
	writeTable(&b, results, color)
	for _, paragraph := range inWords(results) {
		b.WriteByte('\n')
		b.WriteString(wrap(paragraph, lineWidth))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell is a text and the colour in which it is shown; empty, in none.
type cell struct{ text, color string }

var heads = [][]string{
	{"", "", "attributed", "", "rendered", "served from", ""},
	{"scenario", "visitors", "wrongly", "", "by the app", "cache", "refused, by reason"},
}

// leftAligned are the columns of words; the others are of figures.
var leftAligned = map[int]bool{0: true, 6: true}

func writeTable(b *strings.Builder, results []result, color bool) {
	var rows [][]cell
	for _, r := range results {
		rows = append(rows, r.rows()...)
	}
	layOut(b, heads, rows, leftAligned, color)
}

// layOut writes lines of heads, a rule and lines of cells in columns, of which those
// in left are aligned to the left.
func layOut(b *strings.Builder, heads [][]string, body [][]cell, left map[int]bool, color bool) {
	rows := make([][]cell, 0, len(heads)+len(body))
	for _, head := range heads {
		row := make([]cell, len(head))
		for i, title := range head {
			row[i] = cell{title, bold}
		}
		rows = append(rows, row)
	}
	rows = append(rows, body...)
	widths := make([]int, len(heads[0]))
	for _, row := range rows {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	for i, row := range rows {
		if i == len(heads) {
			b.WriteString(rule(widths))
		}
		writeRow(b, row, widths, left, color)
	}
}

// rows are the lines of one scenario: each reason has a line of its own, so that
// the table stays narrow.
func (r result) rows() [][]cell {
	verdict := green
	if r.Misattributed > 0 {
		verdict = red
	}
	reasons := refusals(r.Refusals)
	rows := [][]cell{{
		{r.Name, ""},
		{count(r.Visitors), ""},
		{count(r.Misattributed), verdict},
		{percent(float64(r.Misattributed) / float64(r.Visitors)), verdict},
		{humanize.Comma(r.OriginRenders), ""},
		{percent(r.ServedFromCache), ""},
		{reasons[0], ""},
	}}
	for _, reason := range reasons[1:] {
		row := make([]cell, len(rows[0]))
		row[len(row)-1].text = reason
		rows = append(rows, row)
	}
	return rows
}

func writeRow(b *strings.Builder, row []cell, widths []int, left map[int]bool, color bool) {
	var line strings.Builder
	for i, c := range row {
		if i > 0 {
			line.WriteString("  ")
		}
		padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text))
		shown := c.text
		if color && c.color != "" && c.text != "" {
			shown = c.color + c.text + plain
		}
		if left[i] {
			line.WriteString(shown + padding)
		} else {
			line.WriteString(padding + shown)
		}
	}
	b.WriteString(strings.TrimRight(line.String(), " "))
	b.WriteByte('\n')
}

func rule(widths []int) string {
	total := 2 * (len(widths) - 1)
	for _, width := range widths {
		total += width
	}
	return strings.Repeat("─", total) + "\n"
}

// refusals lists reasons with their counts, the most frequent first; without any
// it has one entry, a dash.
func refusals(byReason map[string]int) []string {
	if len(byReason) == 0 {
		return []string{"–"}
	}
	reasons := slices.SortedFunc(maps.Keys(byReason), func(a, b string) int {
		return cmp.Or(cmp.Compare(byReason[b], byReason[a]), cmp.Compare(a, b))
	})
	for i, reason := range reasons {
		reasons[i] = reason + " " + count(byReason[reason])
	}
	return reasons
}

// inWords says what was seen, each paragraph for one set-up.
func inWords(results []result) []string {
	var said []string
	for _, r := range results {
		wrong := fmt.Sprintf("%s of %s new members (%s)", count(r.Misattributed), count(r.Visitors),
			percent(float64(r.Misattributed)/float64(r.Visitors)))
		switch {
		case r.cacheward && r.Misattributed > 0:
			said = append(said, fmt.Sprintf("%s: %s were recorded under somebody else's referrer, or under none, "+
				"with Cacheward in between. That must never happen: please report it.", r.Name, wrong))
		case r.Name == "naive-cdn" && r.Misattributed > 0:
			said = append(said, fmt.Sprintf("The CDN alone gave its copy of one visitor's page, token and all, to the "+
				"visitors after them: %s were recorded under somebody else's referrer.", wrong))
		case r.Name == "cacheward-mistaken-rule":
			said = append(said, fmt.Sprintf("Behind the same CDN and under the same mistaken rule, Cacheward shared "+
				"%s of these pages: they differ from visitor to visitor. Every visitor is recorded under their own "+
				"referrer.", share(r.ServedFromCache)))
		case r.Name == "cacheward-right-policy":
			said = append(said, fmt.Sprintf("With the referrer out of the HTML there was a page to share: the app "+
				"rendered it %s, %s of the pages came from a cache, and still every visitor is recorded under their "+
				"own referrer.", times(r.OriginRenders), percent(r.ServedFromCache)))
		case r.Name == "cacheward-attribution":
			said = append(said, fmt.Sprintf("With an app that reads the referrer from the address, as many do, Cacheward "+
				"took it off each landing, carried it with the visitor and put it back when they registered: the app "+
				"rendered the page %s, %s of the pages came from a cache, and still every visitor is recorded under "+
				"their own referrer.", times(r.OriginRenders), percent(r.ServedFromCache)))
		}
	}
	return said
}

func count(n int) string { return humanize.Comma(int64(n)) }

// percent does not round up to all nor down to none.
func percent(fraction float64) string {
	shown := fraction * 100
	switch {
	case fraction > 0 && shown < 0.1:
		return "< 0.1 %"
	case fraction < 1 && shown > 99.9:
		return "> 99.9 %"
	}
	return fmt.Sprintf("%.1f %%", shown)
}

func share(fraction float64) string {
	if fraction == 0 {
		return "none"
	}
	return percent(fraction)
}

func times(n int64) string {
	if n == 1 {
		return "once"
	}
	return humanize.Comma(n) + " times"
}

// wrap breaks a paragraph at spaces into lines of at most width characters, and
// ends it with a newline. A word that is longer has a line of its own.
func wrap(paragraph string, width int) string {
	var b strings.Builder
	used := 0
	for word := range strings.FieldsSeq(paragraph) {
		length := utf8.RuneCountInString(word)
		switch {
		case used == 0:
		case used+1+length > width:
			b.WriteByte('\n')
			used = 0
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += length
	}
	b.WriteByte('\n')
	return b.String()
}
