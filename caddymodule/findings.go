package caddymodule

import (
	"go.uber.org/zap/zapcore"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/gate/markers"
	"github.com/cacheward/cacheward/policies"
)

// What a finding is. The words are an interface: they stand in records.
const (
	foundMarker     = "marker"
	foundReflection = "reflection"
)

// maxFindings bounds what one record tells. A page that has this many needs no more.
const maxFindings = 16

// finding is something in a response that speaks of one visitor: where it is and what
// it looks like, never what it says.
type finding struct {
	kind string

	detector string // marker
	input    string // reflection: whose value
	coding   string // reflection: how it is written
	field    string // header field; empty: body

	offset, length int64
	shape, near    string
}

func appendReflections(found []finding, reflections []gate.Reflection) []finding {
	for _, r := range reflections {
		if len(found) == maxFindings {
			break
		}
		found = append(found, finding{
			kind: foundReflection, input: r.Input.String(), coding: r.Coding, field: r.Field, offset: r.Offset, near: r.Near,
		})
	}
	return found
}

func (h *Handler) appendMarkers(found []finding, rule *policies.Rule, seen []markers.Marker, body []byte) []finding {
	for i := range seen {
		m := &seen[i]
		h.meter(rule).marker(m.ID)
		if len(found) < maxFindings {
			found = append(found, finding{
				kind: foundMarker, detector: m.ID, offset: m.Offset, length: m.Length, near: m.Near,
				shape: gate.Shape(body[m.Offset : m.Offset+m.Length]),
			})
		}
	}
	return found
}

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (f finding) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("kind", f.kind)
	addWord(enc, "detector", f.detector)
	addWord(enc, "input", f.input)
	addWord(enc, "coding", f.coding)
	addWord(enc, "field", policies.Told(f.field))
	if f.field == "" {
		enc.AddInt64("offset", f.offset)
	}
	if f.length > 0 {
		enc.AddInt64("length", f.length)
	}
	addWord(enc, "shape", f.shape)
	addWord(enc, "near", policies.Told(f.near))
	return nil
}

func addWord(enc zapcore.ObjectEncoder, key, value string) {
	if value != "" {
		enc.AddString(key, value)
	}
}

// findings is a list of them in a record.
type findings []finding

// MarshalLogArray implements zapcore.ArrayMarshaler.
func (list findings) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	for _, f := range list {
		if err := enc.AppendObject(f); err != nil {
			return err
		}
	}
	return nil
}

// difference writes a divergence into a record: where it is and what shape it has,
// never what it says.
type difference struct{ *gate.Divergence }

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (d difference) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	addWord(enc, "class", string(d.Class))
	addWord(enc, "input", d.Input)
	if d.Declared {
		enc.AddBool("declared", true)
	}
	// The first place, where readers that want one look.
	first := gate.Span{
		Part: d.Part, Field: d.Field, Offset: d.Offset, Length: d.Length, OwnLength: d.OwnLength,
		Shape: d.Shape, Entropy: d.Entropy, Near: d.Near,
	}
	if err := (differingSpan{&first}).MarshalLogObject(enc); err != nil {
		return err
	}
	if d.Total > 1 {
		enc.AddInt("spans_total", d.Total)
		return enc.AddArray("spans", differingSpans(d.Spans))
	}
	return nil
}

type differingSpans []gate.Span

// MarshalLogArray implements zapcore.ArrayMarshaler.
func (list differingSpans) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	for i := range list {
		if err := enc.AppendObject(differingSpan{&list[i]}); err != nil {
			return err
		}
	}
	return nil
}

type differingSpan struct{ *gate.Span }

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (s differingSpan) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("part", s.Part)
	addWord(enc, "field", policies.Told(s.Field))
	if s.Part == gate.PartBody {
		enc.AddInt64("offset", s.Offset)
		enc.AddInt64("length", s.Length)
		enc.AddInt64("own_length", s.OwnLength)
	}
	addWord(enc, "shape", s.Shape)
	addWord(enc, "entropy", s.Entropy)
	addWord(enc, "near", policies.Told(s.Near))
	addWord(enc, "class", string(s.Class))
	addWord(enc, "input", s.Input)
	return nil
}
