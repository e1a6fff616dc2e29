package gate

import (
	"bytes"
	"net/http"

	"github.com/zeebo/blake3"

	"github.com/cacheward/cacheward/caddymodule/gate/harmless"
	"github.com/cacheward/cacheward/policies"
)

// Answer is one answer of the origin, as far as it is compared.
type Answer struct {
	Status int
	// Header has the fields that would be stored. Content-Encoding, if the
	// body has one, belongs to them: it tells how to read ETag.
	Header http.Header
	Body   Body
}

// Context is what is known of two answers besides themselves. The zero value is
// right where nothing is.
type Context struct {
	// Inputs are the visitor's own, as far as they are not keyed. Nil where two
	// fills are compared.
	Inputs []policies.Input
	// StandIns are what a fill sends in place of some of them.
	StandIns []policies.Input
	// Harmless is what the route declares not to matter. Nil: nothing.
	Harmless *harmless.Set
}

// The parts of an answer, as [Divergence] names them.
const (
	PartStatus = "status"
	PartHeader = "header"
	PartBody   = "body"
)

// Span is a stretch in which two answers differ. It describes values and never
// contains one, so that it can be logged and shown.
type Span struct {
	// Part is PartStatus, PartHeader or PartBody.
	Part string `json:"part"`
	// Field is the name of the header field. Empty for other parts, and for a
	// name in only one of the answers that might itself be a value.
	Field string `json:"field,omitempty"`
	// Offset is where the span begins in the fill, in bytes of the decoded body or
	// of the field's lines joined with ", ". -1: not known, because the bodies
	// were not kept that far or could not be decoded.
	Offset int64 `json:"offset"`
	// Length is the span's length in the fill, in bytes.
	Length int64 `json:"length"`
	// OwnLength is its length in the visitor's own answer.
	OwnLength int64 `json:"own_length"`
	// Shape is what the fill's span looks like: hex-24, uuid, timestamp … It is one of
	// [policies.AllShapes], with the length in bytes for N.
	Shape string `json:"shape,omitempty"`
	// Entropy is EntropyLow, EntropyMedium or EntropyHigh: how hard the fill's span is
	// to guess. Empty where there is no shape.
	Entropy string `json:"entropy,omitempty"`
	// Near is the nearest name in the page's markup: "input lead" in
	// <input name="lead" value="…">, "a href", the path of a JSON value ("$.user.id"),
	// the variable of an assignment, else the element ("p hi" in <p id="hi">) or
	// "comment"; and "header X-Lead" in a header field. It is there, and the same, in
	// both answers. At most 64 bytes of letters, digits and _.:$-[]* and blanks.
	Near string `json:"near,omitempty"`
	// Class is what kind of thing differs.
	Class policies.Class `json:"class"`
	// Input names the input of the visitor whose value it is, where Class is
	// [policies.ClassReflected].
	Input string `json:"input,omitempty"`
	// Declared says that the route declared the place harmless. It is here because
	// it shows what a visitor sent, and that cannot be declared.
	Declared bool `json:"declared,omitempty"`
}

// Divergence says where and how two answers differed. Like [Span] it contains no
// value of either.
type Divergence struct {
	// What these say is of the first span.
	Part      string `json:"part"`
	Field     string `json:"field,omitempty"`
	Offset    int64  `json:"offset"`
	Length    int64  `json:"length"`
	OwnLength int64  `json:"own_length"`
	Shape     string `json:"shape,omitempty"`
	Entropy   string `json:"entropy,omitempty"`
	Near      string `json:"near,omitempty"`
	// Class is the most telling one among those of all spans, also of those that are
	// not listed. It is never ClassVariant: for that, a caller has to have seen the
	// body before.
	Class policies.Class `json:"class"`
	// Input is that span's: the input whose value it is.
	Input string `json:"input,omitempty"`
	// Declared says that a place which the route declared harmless shows what a
	// visitor sent.
	Declared bool `json:"declared,omitempty"`
	// Spans are the first ones, at most maxListed: the fields of the header by name,
	// then the body's by place. The one that Class is about is among them, if need be
	// in place of the last.
	Spans []Span `json:"spans,omitempty"`
	// Total is how many spans were found. From the 65th on, those of the body are one.
	Total int `json:"spans_total"`
}

const (
	// maxListed is how many spans a Divergence lists.
	maxListed = 8
	// maxFound is how many spans of header and body together are explained.
	maxFound = 4 * maxSpans
)

// Compare returns nil if the two answers are identical in status, header fields
// and decoded body, and otherwise where and how they differ.
//
// Of the header, these do not count: fields that describe the transfer (Age,
// Content-Encoding, Content-Length, Date, Transfer-Encoding, Via), those made for
// each request (httpcache.PerRequest), Set-Cookie, which [Check] judges, and what
// compressing one of the answers changed in ETag, Vary and Accept-Ranges. Expires
// counts as its distance from Date. Fields that are made from the body (ETag,
// Last-Modified, Content-Digest …) count where the bodies are the same to the byte.
//
// What the context declares harmless does not count either, but where a declared place
// shows a value of one of its inputs, in the visitor's own answer, or of a stand-in, in
// the fill. Places in a body can be left out of it only where both bodies are Whole.
//
// A body that is not Readable is identical to nothing, itself included. Whether there
// is a Divergence does not depend on which answer is which, unless the context
// has something declared. Time and memory are linear in the size of what is kept.
func Compare(own, fill Answer, c Context) *Divergence {
	k := comparison{own: own, fill: fill, context: c}
	if own.Status != fill.Status {
		k.add(differing{Span: Span{Part: PartStatus, Class: policies.ClassPersonal}})
		return k.divergence()
	}
	fields, following := differingFields(own.Header, fill.Header)
	k.compareFields(fields)
	if identical(own, fill) {
		k.compareFields(following)
	} else {
		// A validator differs because the body does, and the body's places say more.
		k.compareBodies()
	}
	return k.divergence()
}

// comparison is two answers and what has been found to differ.
type comparison struct {
	own, fill Answer
	context   Context
	found     []differing
	total     int
	sent      *Needles // Context.Inputs
	standIns  *Needles // Context.StandIns
	prepared  bool     // whether these two are
}

// differing is a Span, not all of which is filled in, and the texts that it is in.
type differing struct {
	Span
	own, fill []byte
	at        span // in own and fill
	ownOffset int  // the span's own Offset
}

// add enters spans. Beyond a bound they are only counted.
func (k *comparison) add(spans ...differing) {
	k.total += len(spans)
	k.found = append(k.found, spans[:min(len(spans), maxFound-len(k.found))]...)
}

// divergence explains what has been found: nil for nothing.
func (k *comparison) divergence() *Divergence {
	if len(k.found) == 0 {
		return nil
	}
	k.classify()
	telling := 0
	for i := range k.found {
		if k.found[i].Class.Outranks(k.found[telling].Class) {
			telling = i
		}
	}
	listed := k.found[:min(len(k.found), maxListed)]
	if telling >= len(listed) {
		listed = append(listed[:len(listed)-1:len(listed)-1], k.found[telling])
	}
	d := &Divergence{Class: k.found[telling].Class, Input: k.found[telling].Input, Total: k.total}
	for i := range listed {
		span := &listed[i].Span
		if span.Part == PartBody && span.Offset >= 0 {
			span.Near = near(k.own.Body.Kept, listed[i].ownOffset, k.fill.Body.Kept, int(span.Offset))
		}
		d.Spans = append(d.Spans, *span)
	}
	for i := range k.found {
		d.Declared = d.Declared || k.found[i].Declared
	}
	first := d.Spans[0]
	d.Part, d.Field, d.Offset, d.Length, d.OwnLength = first.Part, first.Field, first.Offset, first.Length, first.OwnLength
	d.Shape, d.Entropy, d.Near = first.Shape, first.Entropy, first.Near
	return d
}

// identical reports whether two bodies are the same.
func identical(own, fill Answer) bool {
	a, b := &own.Body, &fill.Body
	switch {
	case !a.Readable || !b.Readable || a.Size != b.Size:
		return false
	case a.Opaque != b.Opaque, a.Opaque && coding(own.Header) != coding(fill.Header):
		return false // the same bytes of two codings are two bodies
	case a.Whole && b.Whole:
		return bytes.Equal(a.Kept, b.Kept)
	}
	return a.sum() == b.sum()
}

// sum is the hash of the body, which a Whole one need not have.
func (b *Body) sum() [32]byte {
	if b.Whole {
		return blake3.Sum256(b.Kept)
	}
	return b.Sum
}

// compareBodies enters where two bodies differ that are not identical.
func (k *comparison) compareBodies() {
	own, fill := &k.own.Body, &k.fill.Body
	if !own.Readable || !fill.Readable || own.Opaque || fill.Opaque {
		k.add(differing{Span: Span{Part: PartBody, Offset: -1}})
		return
	}
	whole := own.Whole && fill.Whole
	a, b := excerpt{text: own.Kept}, excerpt{text: fill.Kept}
	var declared []differing
	if whole && k.context.Harmless != nil {
		same, ownPlaces, fillPlaces := k.context.Harmless.Same(fold(k.fill.Header).fields.Get("Content-Type"), own.Kept, fill.Kept)
		if correspond(ownPlaces, fillPlaces) {
			declared = k.visitorMade(ownPlaces, fillPlaces)
			a, b = without(own.Kept, ownPlaces), without(fill.Kept, fillPlaces)
		}
		if same {
			k.add(declared...)
			return
		}
	}
	spans := explain(diff(a.text, b.text, whole), a.text, b.text)
	if len(spans) == 0 {
		spans = append(spans, differing{Span: Span{Offset: -1}})
	}
	for i := range spans {
		d := &spans[i]
		d.Part = PartBody
		if d.Offset >= 0 {
			d.Offset, d.Length = b.original(d.at.fill, d.at.fillEnd)
			at, length := a.original(d.at.own, d.at.ownEnd)
			d.ownOffset, d.OwnLength = int(at), length
		}
	}
	k.add(inOrder(spans, declared)...)
}

// explain describes the spans of two texts.
func explain(spans []span, own, fill []byte) []differing {
	out := make([]differing, 0, len(spans))
	for i, s := range spans {
		lo, hi := 0, len(fill)
		if i > 0 {
			lo = out[i-1].at.fillEnd
		}
		if i+1 < len(spans) {
			hi = spans[i+1].fill
		}
		hi = s.fillEnd + commonPrefix(own[s.ownEnd:], fill[s.fillEnd:min(hi, s.fillEnd+aroundToken)])
		s, shape := describe(s, fill, lo, hi)
		out = append(out, differing{
			Span: Span{
				Offset: int64(s.fill), Length: int64(s.fillEnd - s.fill), OwnLength: int64(s.ownEnd - s.own),
				Shape: shape, Entropy: entropy(shape, fill[s.fill:s.fillEnd]),
			},
			own: own, fill: fill, at: s, ownOffset: s.own,
		})
	}
	return out
}
