package gate

import "net/http"

// Answer is one answer of the origin, as far as it is compared.
type Answer struct {
	Status int
	// Header has the fields that would be stored. Content-Encoding, if the
	// body has one, belongs to them: it tells how to read ETag.
	Header http.Header
	Body   Body
}

// The parts of an answer, as [Divergence] names them.
const (
	PartStatus = "status"
	PartHeader = "header"
	PartBody   = "body"
)

// Divergence says where two answers differed. It describes values and never
// contains one, so that it can be logged and shown.
type Divergence struct {
	// Part is PartStatus, PartHeader or PartBody.
	Part string `json:"part"`
	// Field is the name of the header field. Empty for other parts, and for a
	// name in only one of the answers that might itself be a value.
	Field string `json:"field,omitempty"`
	// Offset is where the differing span begins, in bytes of the decoded body or
	// of the field's lines joined with ", ". -1: not known, because the bodies
	// were not kept that far or could not be decoded.
	Offset int64 `json:"offset"`
	// Length is the span's length in the fill, in bytes.
	Length int64 `json:"length"`
	// OwnLength is its length in the visitor's own answer.
	OwnLength int64 `json:"own_length"`
	// Shape is what the fill's span looks like: hex-24, uuid, timestamp … See
	// [Compare].
	Shape string `json:"shape,omitempty"`
	// Near is the nearest name in the page's markup: "input lead" in
	// <input name="lead" value="…">, "a href", the key of a JSON member, the
	// variable of an assignment, else the element ("p hi" in <p id="hi">) or
	// "comment". It is there, and the same, in both answers. At most 64 bytes of
	// letters, digits and _.:$- and blanks.
	Near string `json:"near,omitempty"`
}

// Compare returns nil if the two answers are identical in status, header fields
// and decoded body, and otherwise where they first differ.
//
// Of the header, these do not count: fields that describe the transfer (Age,
// Content-Encoding, Content-Length, Date, Transfer-Encoding, Via), those made for
// each request (httpcache.PerRequest), Set-Cookie, which [Check] judges, and what
// compressing one of the answers changed in ETag, Vary and Accept-Ranges. Expires
// counts as its distance from Date.
//
// The differing span is widened to whole tokens, and its shape is one of empty,
// uuid, jwt, email, ip, timestamp, and with the length in bytes decimal-N, hex-N,
// base64-N, base64url-N, text-N and mixed-N.
//
// A body that is not Readable is identical to nothing, itself included.
func Compare(own, fill Answer) *Divergence {
	if own.Status != fill.Status {
		return &Divergence{Part: PartStatus}
	}
	head := compareHeaders(own.Header, fill.Header)
	if head != nil && !followsBody(head.Field) {
		return head
	}
	// A validator differs because the body does, and the body's place says more.
	if body := compareBodies(own.Body, fill.Body); body != nil {
		return body
	}
	return head
}

func compareBodies(own, fill Body) *Divergence {
	if own.Readable && fill.Readable && own.Size == fill.Size && own.Sum == fill.Sum {
		return nil
	}
	d := &Divergence{Part: PartBody, Offset: -1}
	s, found := differingSpan(own.Kept, fill.Kept, own.Whole && fill.Whole)
	if !found {
		return d
	}
	d.locate(s, own.Kept, fill.Kept)
	d.Near = near(own.Kept, fill.Kept, int(d.Offset))
	return d
}

// locate enters the span and its shape.
func (d *Divergence) locate(s span, own, fill []byte) {
	s, shape := describe(s, own, fill)
	d.Offset = int64(s.start)
	d.Length = int64(s.fillEnd - s.start)
	d.OwnLength = int64(s.ownEnd - s.start)
	d.Shape = shape
}
