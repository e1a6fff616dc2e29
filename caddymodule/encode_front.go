package caddymodule

import (
	"net/http"
	"reflect"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const (
	caddyPath  = "github.com/caddyserver/caddy/v2/"
	encodePath = caddyPath + "modules/caddyhttp/encode"
	ownPath    = "github.com/cacheward/cacheward/"
)

// writerKind is what a type of response writers does to what is written.
type writerKind struct {
	// plain: it passes on what is written.
	plain bool
	// coding is where Caddy's encode keeps the name of the coding that it has negotiated
	// with the client; -1 for all others.
	coding int
}

// writerKinds holds the writerKind of each reflect.Type that has been met: as many as
// there are handlers that wrap.
var writerKinds sync.Map

func kindOf(t reflect.Type) writerKind {
	if kind, ok := writerKinds.Load(t); ok {
		return kind.(writerKind)
	}
	kind := writerKind{coding: -1}
	if t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct {
		path := t.Elem().PkgPath()
		kind.plain = strings.HasPrefix(path+"/", caddyPath) || strings.HasPrefix(path, ownPath)
		if field, ok := t.Elem().FieldByName("encodingName"); ok && path == encodePath &&
			field.Type.Kind() == reflect.String && len(field.Index) == 1 {
			kind.coding = field.Index[0]
		}
	}
	writerKinds.Store(t, kind)
	return kind
}

// encodeInFront returns the coding in which Caddy's encode, where it is in front, would
// send the response if that is worth compressing; empty: none that the client takes. It is
// not found where anything between here and there might look at the body.
func encodeInFront(w http.ResponseWriter) (coding string, found bool) {
	for {
		kind := kindOf(reflect.TypeOf(w))
		if kind.coding >= 0 {
			return reflect.ValueOf(w).Elem().Field(kind.coding).String(), true
		}
		if rec, ok := w.(caddyhttp.ResponseRecorder); ok && rec.Buffer() != nil || !kind.plain {
			return "", false
		}
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return "", false
		}
		w = outer.Unwrap()
	}
}
