package plot

import (
	"slices"
	"strings"
)

// textWidth estimates how wide a line of text is in the reader's font, which is not
// known: widths are those of DejaVu Sans, the widest of those that systems choose.
func textWidth(s string, size float64) float64 {
	width := 0.0
	for _, r := range s {
		switch {
		case strings.ContainsRune("ijltfrI.,:;'|!()[]/- ", r):
			width += 0.38
		case strings.ContainsRune("mwMW@%", r):
			width += 0.98
		case r >= 'A' && r <= 'Z':
			width += 0.73
		case r >= 0x1100: // the scripts with wide characters are above
			width += 1
		default:
			width += 0.63
		}
	}
	return width * size
}

// bold is how much wider bold text is.
const bold = 1.1

// wrap breaks a text into lines that are no wider, between words. A word that is wider is
// broken.
func wrap(s string, size, width float64) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && textWidth(line+" "+word, size) <= width {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		line = ""
		for _, r := range word {
			if line != "" && textWidth(line+string(r), size) > width {
				lines = append(lines, line)
				line = ""
			}
			line += string(r)
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// label is a text beside a height that it is meant for.
type label struct {
	lines  []string
	wanted float64 // the height of the middle
	got    float64
	series int
}

// labelLine is the height of a line of a label.
const labelLine = 15

func (l *label) height() float64 { return float64(len(l.lines)) * labelLine }

// spreadLabels moves labels apart, as little as they overlap, and into the range from top
// to bottom, as far as there is room. The order of their heights stays.
func spreadLabels(labels []label, top, bottom float64) {
	slices.SortStableFunc(labels, func(a, b label) int {
		switch {
		case a.wanted < b.wanted:
			return -1
		case a.wanted > b.wanted:
			return 1
		}
		return 0
	})
	// Labels that would overlap stand together, around the mean of where they want to be.
	type block struct {
		first, n       int
		middle, height float64
	}
	var blocks []block
	place := func(b *block) {
		sum := 0.0
		b.height = 0
		for _, l := range labels[b.first : b.first+b.n] {
			sum += l.wanted
			b.height += l.height()
		}
		b.middle = max(top+b.height/2, min(bottom-b.height/2, sum/float64(b.n)))
	}
	for i := range labels {
		b := block{first: i, n: 1}
		place(&b)
		for len(blocks) > 0 {
			above := blocks[len(blocks)-1]
			if above.middle+above.height/2 <= b.middle-b.height/2 {
				break
			}
			blocks = blocks[:len(blocks)-1]
			b = block{first: above.first, n: above.n + b.n}
			place(&b)
		}
		blocks = append(blocks, b)
	}
	for _, b := range blocks {
		y := b.middle - b.height/2
		for i := b.first; i < b.first+b.n; i++ {
			labels[i].got = y + labels[i].height()/2
			y += labels[i].height()
		}
	}
}
