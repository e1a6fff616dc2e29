package store

import (
	"math"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
)

// Form is the body of an object in a content coding (RFC 9110 §8.4), made once so that
// hits need not be compressed one by one. It is immutable.
type Form struct {
	// Coding is its name, as Content-Encoding has it.
	Coding string
	// Body is the coded body. Nil: the coding saves too little, which is remembered so
	// that nobody tries again.
	Body []byte
	// Length is the body's, and Tag the form's entity tag, if it has one: as they stand in the
	// header of a response.
	Length, Tag string
}

// forms are the forms of one body. They are part of the object, so that nothing can reach a form
// but through the object, and whatever ends the object's time ends theirs.
type forms struct {
	// of is the body that they were made of, and no other.
	of   []byte
	list []Form
}

// Form returns the object's body in the coding. Nil: nobody has made it.
func (o *Object) Form(coding string) *Form {
	if o.forms == nil || !same(o.forms.of, o.Body) {
		return nil
	}
	for i := range o.forms.list {
		if f := &o.forms.list[i]; f.Coding == coding {
			return f
		}
	}
	return nil
}

// Coded reports whether there is any form of the object, one that saves too little included.
func (o *Object) Coded() bool { return o.forms != nil }

// InheritForms gives o, which must not be stored yet, the forms of the object that it is an
// update of, if the update has changed neither the body, which is in the same place
// then, nor the entity tag.
func (o *Object) InheritForms(from *Object) {
	if from.forms != nil && same(from.forms.of, o.Body) && o.tag() == from.tag() {
		o.forms = from.forms
	}
}

// tag is the object's entity tag as it stands in the header.
func (o *Object) tag() (value string) {
	for name, line := range o.Header.All() {
		if name == "Etag" {
			value += line + "\n"
		}
	}
	return value
}

// same reports whether two bodies are one, and not only equal.
func same(a, b []byte) bool { return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] }

// with is a copy of the object that has the form as well.
func (o *Object) with(f Form) *Object {
	grown := *o
	grown.forms = &forms{of: o.Body}
	if o.forms != nil && same(o.forms.of, o.Body) {
		grown.forms.list = make([]Form, 0, len(o.forms.list)+1)
		for _, have := range o.forms.list {
			if have.Coding != f.Coding {
				grown.forms.list = append(grown.forms.list, have)
			}
		}
	}
	grown.forms.list = append(grown.forms.list, f)
	return &grown
}

const (
	formsOverhead = 48 // the struct, without the list
	formOverhead  = 96 // one of the list, its length, and their rounding up
)

// size is what the forms add to [Object.Size].
func (f *forms) size() int64 {
	if f == nil {
		return 0
	}
	size := int64(formsOverhead)
	for i := range f.list {
		size += formOverhead + int64(len(f.list[i].Tag)+cap(f.list[i].Body))
	}
	return size
}

// tally counts the forms of the objects that are stored.
type tally struct{ forms, bytes atomic.Int64 }

// add counts the object's forms in, or with -1 out.
func (t *tally) add(o *Object, sign int64) {
	if o.forms == nil {
		return
	}
	for i := range o.forms.list {
		if n := len(o.forms.list[i].Body); n > 0 {
			t.forms.Add(sign)
			t.bytes.Add(sign * int64(n))
		}
	}
}

// Attach implements [Store].
func (m *Memory) Attach(o *Object, f Form) (bool, error) {
	t := m.table.Load()
	if t == nil {
		return false, ErrClosed
	}
	grown := o.with(f)
	limit := m.limit.Load()
	if grown.Size() > min(limit, math.MaxUint32) || !m.grow(t, o, grown) {
		return false, nil
	}
	if m.bytes.Load() > limit {
		t.cache.CleanUp() // as after Put
	}
	return true, nil
}

// grow puts grown in the place of o, if o is still there and was not invalidated.
func (m *Memory) grow(t *table, o, grown *Object) (done bool) {
	// As for what is put: who invalidates later finds the copy in the index and in the
	// table, and what was invalidated before gets no copy.
	t.invalidated.mu.RLock()
	defer t.invalidated.mu.RUnlock()
	if t.invalidated.refuse(grown, true) {
		return false
	}
	m.bytes.Add(grown.Size())
	m.forms.add(grown, 1)
	t.tags.add(grown)
	t.cache.ComputeIfPresent(halfOf(o.Key), func(there *Object) (*Object, otter.ComputeOp) {
		if done = there == o; done {
			return grown, otter.WriteOp
		}
		return there, otter.CancelOp // replaced by now
	})
	if !done {
		m.bytes.Add(-grown.Size())
		m.forms.add(grown, -1)
		t.tags.remove(grown)
	}
	return done
}
