package store

import (
	"maps"
	"net/http"
	"slices"
)

// Field is one line of a header: a name in its canonical form, and a value.
type Field struct{ Name, Value string }

// Fields are the header of an object, line by line, those of one name together and
// in their order. Beside http.Header they take a quarter of the memory, and they are
// read in order, which every hit does.
type Fields []Field

// FieldsOf lists the lines of h, names in order.
func FieldsOf(h http.Header) Fields {
	n := 0
	for _, lines := range h {
		n += len(lines)
	}
	fields := make(Fields, 0, n)
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, line := range h[name] {
			fields = append(fields, Field{name, line})
		}
	}
	return fields
}

// Header returns the fields as a header of their own.
func (f Fields) Header() http.Header {
	h := make(http.Header, len(f))
	for _, field := range f {
		h[field.Name] = append(h[field.Name], field.Value)
	}
	return h
}
