package plot

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
)

// drawing is the inside of a document.
type drawing struct{ bytes.Buffer }

// document returns the whole document: the drawing with what it shows in words.
func (d *drawing) document(width, height float64, title, words string) []byte {
	var doc bytes.Buffer
	w, h := unit(width), unit(math.Ceil(height))
	fmt.Fprintf(&doc, `<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %[1]s %[2]s" role="img" aria-labelledby="plot-title plot-words">`, w, h)
	fmt.Fprintf(&doc, "\n<title id=\"plot-title\">%s</title>\n<desc id=\"plot-words\">%s</desc>\n<style>%s</style>\n", escape(title), escape(words), style)
	fmt.Fprintf(&doc, `<rect class="page" width="%s" height="%s" rx="8"/>`+"\n", w, h)
	doc.Write(d.Bytes())
	doc.WriteString("</svg>\n")
	return doc.Bytes()
}

// unit writes a length or a place to a tenth, which is finer than can be seen.
func unit(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10+0, 'f', -1, 64)
}

func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes everything
	// Line ends stay as they are: they are ordinary space, in elements.
	return string(bytes.ReplaceAll(b.Bytes(), []byte("&#xA;"), []byte("\n")))
}

// Where a text is from the place it is put at.
const (
	after  = "start"
	around = "middle"
	before = "end"
)

func (d *drawing) text(class, anchor string, x, y float64, s string) {
	fmt.Fprintf(d, `<text class="%s" text-anchor="%s" x="%s" y="%s">%s</text>`+"\n", class, anchor, unit(x), unit(y), escape(s))
}

func (d *drawing) stroke(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(d, `<path class="%s" d="M%s %sL%s %s"/>`+"\n", class, unit(x1), unit(y1), unit(x2), unit(y2))
}

func (d *drawing) dot(class string, x, y float64) {
	fmt.Fprintf(d, `<circle class="%s" cx="%s" cy="%s" r="3.5"/>`+"\n", class, unit(x), unit(y))
}

// place is a point of a drawing.
type place struct{ x, y float64 }

func (d *drawing) path(class string, places []place) {
	fmt.Fprintf(d, `<path class="%s" d="`, class)
	for i, p := range places {
		command := "L"
		if i == 0 {
			command = "M"
		}
		fmt.Fprintf(d, "%s%s %s", command, unit(p.x), unit(p.y))
	}
	d.WriteString("\"/>\n")
}

// A headStyle is how a title is written.
type headStyle struct {
	class      string
	size, line float64
}

var (
	chartHead = headStyle{"title", 15, 20}
	sheetHead = headStyle{"sheet", 20, 27}
)

const (
	textSize     = 12 // of all but titles
	subtitleLine = 17
)

// head writes a title and a subtitle and returns where they end.
func (d *drawing) head(title, subtitle string, x, y, width float64, style headStyle) float64 {
	for _, line := range wrap(title, style.size*bold, width) {
		y += style.line
		d.text(style.class, after, x, y-5, line)
	}
	for _, line := range wrap(subtitle, textSize, width) {
		y += subtitleLine
		d.text("soft", after, x, y-4, line)
	}
	return y
}

func (l *Line) headHeight(width float64) float64 {
	var d drawing
	return d.head(l.Title, l.Subtitle, 0, 0, width, chartHead) + 6
}
