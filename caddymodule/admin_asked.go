package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"

	"github.com/cacheward/cacheward/caddymodule/control"
)

// maxOrder bounds what is asked of the admin endpoint where nothing large is: the
// longest URL, a reason and a name, in JSON.
const maxOrder = 256 << 10

// readQuestion reads the JSON of a request, at most that many bytes of it, into the question.
func readQuestion(w http.ResponseWriter, r *http.Request, question any, most int64) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return caddy.APIError{HTTPStatus: http.StatusUnsupportedMediaType,
			Err: fmt.Errorf("content type %q; application/json was expected", r.Header.Get("Content-Type"))}
	}
	err := control.Decode(http.MaxBytesReader(w, r.Body, most), question)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return caddy.APIError{HTTPStatus: http.StatusRequestEntityTooLarge, Err: fmt.Errorf("reading the question: at most %d bytes were expected", most)}
	}
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err}
	}
	return nil
}

// readQuery reads parameters of the URL. One that is not known is an error, and so is
// one that is there twice.
func readQuery(r *http.Request, known ...string) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, control.Mistake("reading the query: " + err.Error())
	}
	left := len(values)
	for _, name := range known {
		switch len(values[name]) {
		case 0:
			continue
		case 1:
			left--
		default:
			return nil, control.Mistake(fmt.Sprintf("the parameter %s is there twice", name))
		}
	}
	if left > 0 {
		return nil, control.Mistake(fmt.Sprintf("an unknown parameter in %q; known are %q", r.URL.RawQuery, known))
	}
	return values, nil
}

// writeAnswer writes the answer, or makes of the error what Caddy's admin endpoint writes.
func writeAnswer(w http.ResponseWriter, answer any, err error) error {
	if err != nil {
		return apiError(err)
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	return json.NewEncoder(w).Encode(answer)
}

// apiError is the error with the status that it deserves.
func apiError(err error) error {
	if _, ok := errors.AsType[caddy.APIError](err); ok {
		return err
	}
	status := http.StatusInternalServerError
	if _, ok := errors.AsType[control.Mistake](err); ok {
		status = http.StatusBadRequest
	} else if _, ok := errors.AsType[control.NotFound](err); ok {
		status = http.StatusNotFound
	}
	return caddy.APIError{HTTPStatus: status, Err: err}
}

// maxSubject bounds the subject of a client's certificate in records, in bytes.
const maxSubject = 160

// asker is who asks: the name that they gave, which proves nothing, and after it what
// the connection says.
func asker(name string, r *http.Request) string {
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil { // a Unix socket has no addresses
		from = "a Unix socket"
	}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		// The remote admin endpoint lets nobody in without one.
		from += fmt.Sprintf(" with the certificate of %.*q", maxSubject, r.TLS.PeerCertificates[0].Subject.String())
	}
	if name == "" {
		return "somebody via " + from
	}
	return name + " via " + from
}
