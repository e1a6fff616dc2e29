package caddymodule

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

const (
	// minForm is the length in bytes from which on a body is worth compressing, as for
	// Caddy's encode.
	minForm = 512

	// maxForm is the length of the largest body of which forms are made: it takes about a
	// second. Those that are larger leave as they always did.
	maxForm = 16 << 20
)

// forming makes the coded forms of stored objects, beside the requests. What it cannot
// do now it does not do; a later hit asks again.
type forming struct {
	mu sync.Mutex
	// making are the IDs of the objects of which a form is being made, one a time. Each takes
	// at most twice maxForm, and what an encoder takes.
	making map[string]bool

	made, useless atomic.Uint64
}

// formsAtOnce is how many forms are made at the same time: compressing has no business in the
// way of requests.
func formsAtOnce() int { return max(1, runtime.GOMAXPROCS(0)/4) }

// begin says whether a form of the object may be made now; if so, end is to be called.
func (f *forming) begin(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.making[id] || len(f.making) >= formsAtOnce() {
		return false
	}
	if f.making == nil {
		f.making = make(map[string]bool)
	}
	f.making[id] = true
	return true
}

func (f *forming) end(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.making, id)
}

// form has the form of the object made, by a worker.
func (h *Handler) form(o *store.Object, coding string) {
	f := &h.shared.forming
	if len(o.Body) > maxForm || !f.begin(o.ID) {
		return
	}
	ok := h.workers.run(func() {
		defer f.end(o.ID)
		if err := h.makeForm(o, coding); err != nil {
			h.recordFault(o.Route, policies.ReasonInternalFault, err)
		}
	})
	if !ok {
		f.end(o.ID)
	}
}

// makeForm puts a form beside the object, if that is still stored.
func (h *Handler) makeForm(o *store.Object, coding string) error {
	there, err := h.shared.store.Get(o.Key, []byte(o.Parts))
	if err != nil || there == nil || there.ID != o.ID || there.Form(coding) != nil {
		return nil // the store is closing, or the object is another by now, or it was made
	}
	body, err := encodeBody(coding, there.Body)
	if err != nil {
		return fmt.Errorf("encoding as %s: %w", coding, err)
	}
	if len(body) > len(there.Body)-len(there.Body)/10 {
		body = nil // not a tenth smaller
	}
	attached, err := h.shared.store.Attach(there, store.Form{
		Coding: coding, Body: body,
		Length: strconv.Itoa(len(body)), Tag: codedTag(there, coding),
	})
	switch {
	case err != nil || !attached:
	case body == nil:
		h.shared.forming.useless.Add(1)
	default:
		h.shared.forming.made.Add(1)
	}
	return nil
}

// codedTag is the entity tag of the object's form; empty if it has none.
func codedTag(o *store.Object, coding string) string {
	if lines := o.Header.Header()["Etag"]; len(lines) == 1 {
		return httpcache.CodedTag(lines[0], coding)
	}
	return ""
}

// encodeBody returns the body in the coding, in a slice without spare capacity. Each has an
// encoder of its own: nothing of one object's can be left over in another's.
//
// The levels are those beyond which twice the time saves a hundredth: a form is made once.
func encodeBody(coding string, body []byte) ([]byte, error) {
	var out bytes.Buffer
	var encoder io.WriteCloser
	var err error
	switch coding {
	case httpcache.Gzip:
		encoder, err = gzip.NewWriterLevel(&out, 6)
	case httpcache.Zstd:
		encoder, err = zstd.NewWriter(&out,
			zstd.WithEncoderLevel(zstd.SpeedBetterCompression),
			zstd.WithEncoderConcurrency(1),
			zstd.WithLowerEncoderMem(true),
			zstd.WithWindowSize(zstdWindow(len(body))))
	case httpcache.Brotli:
		encoder = brotli.NewWriterLevel(&out, 5)
	default:
		err = fmt.Errorf("no coding is called %q", coding)
	}
	if err != nil {
		return nil, err
	}
	if _, err := encoder.Write(body); err != nil {
		return nil, err
	}
	if err := encoder.Close(); err != nil {
		return nil, err
	}
	return bytes.Clone(out.Bytes()), nil
}

// maxZstdWindow is well below what every client takes (RFC 9659 §3: 8 MiB).
const maxZstdWindow = 4 << 20

// zstdWindow is the window for a body of that size: no larger than the body needs, for
// an encoder takes twice as much.
func zstdWindow(size int) int {
	window := zstd.MinWindowSize
	for window < size && window < maxZstdWindow {
		window *= 2
	}
	return window
}
