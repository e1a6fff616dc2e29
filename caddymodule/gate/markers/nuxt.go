package markers

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
)

// flattenedName is the blob in which Nuxt 3 puts its state flattened: one array, in
// which objects and arrays have, in place of their values, the places of those in
// that array (https://github.com/sveltejs/devalue).
const flattenedName = "__nuxt_data__"

// flat is an element of the array.
type flat struct {
	text    []byte
	at      int            // where in the text
	members map[string]int // of an object
	items   []int          // of an array, or of what is wrapped, as in ["Reactive", 4]
	list    bool           // whether it is an array
	arrays  int            // how many arrays it stands in; -1: not known, or not at all
}

// flattened tries detectors on the objects that members point to which they name.
// What is malformed ends the reading.
func (s *scan) flattened(r *region, b *blob) {
	if !s.spendBytes(len(r.text)) {
		return
	}
	elements := readFlat(r.text)
	for _, e := range elements {
		if e.arrays != 0 {
			continue // one of many
		}
		for key, index := range e.members {
			// Nuxt puts $s before the keys of useState.
			name := strings.TrimPrefix(strings.ToLower(key), "$s")
			for _, d := range b.members[name] {
				if index < len(elements) {
					s.flatObject(r, d, name, elements, elements[index])
				}
			}
		}
	}
}

// flatObject tries a detector on one object, put together again.
func (s *scan) flatObject(r *region, d *detector, name string, elements []flat, object flat) {
	if len(object.members) == 0 || !s.spend(d, maxObject) {
		return
	}
	whole, size := make(map[string]json.RawMessage), 0
	for key, index := range object.members {
		if index >= len(elements) {
			continue
		}
		value := elements[index].text
		if size += len(key) + len(value); size > maxObject {
			break
		}
		whole[key] = value
	}
	text, err := json.Marshal(whole)
	if err != nil {
		return
	}
	text = append([]byte(name+":"), text...)
	m := d.pattern.FindSubmatchIndex(text)
	if m == nil || d.harmless(text) {
		return
	}
	from, to := s.place(r, object.at, object.at+len(object.text))
	s.add(d, from, to, asName([]byte(name+"."+d.near(text, m))))
}

// readFlat returns the elements of the array that the text is.
func readFlat(text []byte) []flat {
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return nil
	}
	var out []flat
	for dec.More() {
		var raw json.RawMessage
		if dec.Decode(&raw) != nil {
			break
		}
		at := int(dec.InputOffset()) - len(raw)
		out = append(out, newFlat(text[at:at+len(raw)], at))
	}
	countArrays(out)
	return out
}

func newFlat(text []byte, at int) flat {
	e := flat{text: text, at: at, arrays: -1}
	switch text[0] {
	case '{':
		var members map[string]int
		if json.Unmarshal(text, &members) == nil {
			// Below zero are values that JSON does not have.
			maps.DeleteFunc(members, func(_ string, index int) bool { return index < 0 })
			e.members = members
		}
	case '[':
		var items []any
		if json.Unmarshal(text, &items) != nil {
			break
		}
		_, wrapped := first(items).(string)
		e.list = !wrapped
		for _, item := range items {
			if n, ok := item.(float64); ok && n >= 0 && n < maxBlob {
				e.items = append(e.items, int(n))
			}
		}
	}
	return e
}

func first(items []any) any {
	if len(items) == 0 {
		return nil
	}
	return items[0]
}

// countArrays walks from the first element to all others, to those in fewer arrays
// first.
func countArrays(elements []flat) {
	for level, arrays := []int{0}, 0; len(level) > 0; arrays++ {
		var inMore []int
		for len(level) > 0 {
			index := level[len(level)-1]
			level = level[:len(level)-1]
			if index >= len(elements) || elements[index].arrays >= 0 {
				continue
			}
			e := &elements[index]
			e.arrays = arrays
			for _, member := range e.members {
				level = append(level, member)
			}
			if e.list {
				inMore = append(inMore, e.items...)
			} else {
				level = append(level, e.items...)
			}
		}
		level = inMore
	}
}
