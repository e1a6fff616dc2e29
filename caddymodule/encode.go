package caddymodule

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
)

// encodeOff is [Handler.Encode] where nothing is kept compressed.
var encodeOff = []string{"off"}

// checkEncode refuses what [Handler.Encode] cannot be.
func checkEncode(codings []string) error {
	if slices.Equal(codings, encodeOff) {
		return nil
	}
	for i, name := range codings {
		switch name {
		case httpcache.Zstd, httpcache.Brotli, httpcache.Gzip:
		default:
			return fmt.Errorf("encode: %q is no coding that is known; zstd, br, gzip, or off alone was expected", name)
		}
		if slices.Contains(codings[:i], name) {
			return fmt.Errorf("encode: %s is given twice", name)
		}
	}
	return nil
}

// negotiated is in which coding a request is to have an object's body.
type negotiated struct {
	coding string      // empty: identity
	form   *store.Form // nil: not made yet, or of no use
	// front says that Caddy's encode is in front, and compresses what has no form.
	front bool
}

// respondCoded is respond for what may leave in a coding: the same, but that the body is
// taken from the object's form where there is one, and that a form is made where there
// could be.
func (x *exchange) respondCoded(o *store.Object) error {
	n := x.negotiate(o)
	if n.coding == "" {
		return x.respond(o)
	}
	if httpcache.Conditional(x.r.Header) {
		x.status = o.Status
		switch outcome, tag := httpcache.EvaluateCoded(x.r.Method, x.r.Header, o.Header.Header(), n.coding); outcome {
		case httpcache.NotModified:
			x.retag(n, tag)
			return x.notModified()
		case httpcache.PreconditionFailed:
			return x.preconditionFailed()
		}
	}
	if n.form != nil {
		return x.respondForm(o, n.form)
	}
	err := x.respond(o)
	if x.status == http.StatusOK && x.r.Method == http.MethodGet && o.Form(n.coding) == nil &&
		(!n.front || compressed(x.w.Header(), n.coding)) {
		x.h.form(o, n.coding)
	}
	return err
}

// compressed says whether encode has just done so: it decides by rules of its own, and
// forms are made of exactly what it compresses.
func compressed(h http.Header, coding string) bool {
	lines := h["Content-Encoding"]
	return len(lines) == 1 && lines[0] == coding
}

// negotiate finds the coding for the request (RFC 9110 §12.5.3). Only a whole 200 has one.
// What can leave in several codings says so each time (Vary), whichever it is: caches
// further on keep them apart by that.
func (x *exchange) negotiate(o *store.Object) (n negotiated) {
	if o.Status != http.StatusOK || slices.Equal(x.h.Encode, encodeOff) {
		return n
	}
	if len(x.h.Encode) > 0 {
		if remade(x.w) {
			return n
		}
	} else if n.coding, n.front = encodeInFront(x.w); !n.front {
		return n
	}
	h := x.w.Header()
	if !o.Coded() {
		worth, stays := worthCoding(o)
		if stays && n.front {
			httpcache.ForbidTransform(h) // encode obeys that where it finds it
		}
		switch {
		case stays || !worth && !n.front:
			return negotiated{}
		case !worth:
			return n // encode has rules of its own, and says Vary of what it compresses
		}
	}
	httpcache.AddVary(h, "Accept-Encoding")
	if x.r.Header["Range"] != nil { // ranges are of the identity
		n.coding = ""
	} else if !n.front && x.r.Header["Sec-Websocket-Key"] == nil {
		n.coding = httpcache.NegotiateCoding(x.r.Header["Accept-Encoding"], x.h.Encode)
	}
	if f := o.Form(n.coding); f != nil && f.Body != nil {
		n.form = f
	}
	return n
}

// worthCoding says whether forms of the object are worth trying, and whether its bytes must
// stay as they are: by no-transform, or because a field has their digest (RFC 9530).
func worthCoding(o *store.Object) (worth, stays bool) {
	worth, stays = len(o.Body) >= minForm, o.NoTransform
	typed := false
	for name, value := range o.Header.All() {
		switch name {
		case "Content-Type":
			typed = httpcache.Compressible(value)
		case "Content-Encoding":
			worth = false
		case "Content-Digest", "Repr-Digest", "Digest", "Content-Md5":
			stays = true
		}
	}
	return worth && typed, stays
}

// respondForm writes a form, whose object's fields are in the header already.
func (x *exchange) respondForm(o *store.Object, f *store.Form) error {
	x.status, x.coding = o.Status, f.Coding
	h := x.w.Header()
	lines := []string{f.Coding, f.Length, f.Tag} // one allocation, and nobody else's
	h["Content-Encoding"], h["Content-Length"] = lines[0:1:1], lines[1:2:2]
	if f.Tag != "" && len(h["Etag"]) == 1 {
		h["Etag"] = lines[2:3:3]
	}
	delete(h, "Accept-Ranges") // there are none of these bytes
	x.writeHead(x.status)
	if x.r.Method != http.MethodHead {
		x.send(f.Body)
	}
	return nil
}

// retag makes the entity tag of a 304 that of the representation which the client has. Encode in
// front takes its coding out of the tags of a request; with a form, the client was given that.
func (x *exchange) retag(n negotiated, tag string) {
	if coding, front := encodeInFront(x.w); front && coding == n.coding {
		if n.form == nil {
			return
		}
		tag = n.form.Tag
	}
	if h := x.w.Header(); tag != "" && len(h["Etag"]) == 1 {
		h["Etag"] = []string{tag}
	}
}
