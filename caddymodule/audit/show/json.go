package show

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
)

// JSON writes v as indented JSON, ended by a newline. Characters that a terminal would
// obey or hide stand as \u escapes, so that reading it gives the same strings.
func JSON(w io.Writer, v any) error { return Document{Head: v}.Write(w) }

// Document is JSON that is written part by part: a list in it may be longer than fits into
// memory.
type Document struct {
	// Head is the document, or what of it is no row.
	Head any
	// Rows, if there are any to be, stand in the list that is the last member of Head,
	// which must be an empty one.
	Rows iter.Seq[Document]
}

// Write writes the document as [JSON] does.
func (d Document) Write(w io.Writer) error {
	out := documentWriter{Writer: bufio.NewWriterSize(w, 1<<16)}
	if err := out.document(d, ""); err != nil {
		return err
	}
	_ = out.WriteByte('\n')
	return out.Flush()
}

// documentWriter keeps the first error of writing: Flush returns it.
type documentWriter struct {
	*bufio.Writer
	part bytes.Buffer
}

// document writes one behind an indent, which its first line has already.
func (w *documentWriter) document(d Document, indent string) error {
	w.part.Reset()
	encoder := json.NewEncoder(&w.part)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent(indent, "  ")
	if err := encoder.Encode(d.Head); err != nil {
		return err
	}
	text := bytes.TrimSuffix(w.part.Bytes(), []byte("\n"))
	if d.Rows == nil {
		w.escaped(text)
		return nil
	}
	head, ok := bytes.CutSuffix(text, []byte("[]\n"+indent+"}"))
	if !ok {
		return fmt.Errorf("the last member of %T is not an empty list", d.Head)
	}
	w.escaped(head)
	_ = w.WriteByte('[')
	separator, end := "\n", "]"
	for row := range d.Rows {
		_, _ = w.WriteString(separator + indent + "    ")
		if err := w.document(row, indent+"    "); err != nil {
			return err
		}
		// Nobody reads on: the rest need not be made.
		if _, err := w.Write(nil); err != nil {
			return err
		}
		separator, end = ",\n", "\n"+indent+"  ]"
	}
	_, _ = w.WriteString(end + "\n" + indent + "}")
	return nil
}

// escaped writes JSON. What must not be seen can only be inside of strings; what is below
// a blank encoding/json escapes itself.
func (w *documentWriter) escaped(text []byte) {
	for _, r := range string(text) {
		switch {
		case r == '\n' || printable(r):
			_, _ = w.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(w, `\u%04x`, r)
		default:
			r -= 0x10000
			fmt.Fprintf(w, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
}
