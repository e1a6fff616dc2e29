package soak

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// reply is what a visitor was answered.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) hit() bool {
	return strings.Contains(strings.Join(r.header["Cache-Status"], ","), "; hit")
}

// wish is what a visitor asked for, and may be given.
type wish struct {
	method string
	path   string
	// who the page has to be made for.
	who string
	// floor is the oldest version that may be given, newest the latest that there was
	// when the answer was there.
	floor, newest int64
	// etag is that of the If-None-Match that was sent, part the Range.
	etag string
	part bool
}

// check says what is wrong with the reply.
func (w wish) check(r reply) error {
	c, err := parseContent(r.header.Get("X-Page"))
	switch {
	case r.status == http.StatusNotModified && w.etag != "" && r.header.Get("X-Page") == "":
		if c, err = w.confirmed(r.header.Get("ETag")); err != nil {
			return err
		}
	case r.status == http.StatusRequestedRangeNotSatisfiable && w.part:
		return nil
	case err != nil:
		return fmt.Errorf("status %d: %w", r.status, err)
	}
	switch {
	case c.path != w.path:
		return fmt.Errorf("the page %s is given for %s", c.path, w.path)
	case c.who != w.who:
		return fmt.Errorf("LEAK: what was made for %s is given to %s", c.who, w.who)
	case c.version < w.floor:
		return fmt.Errorf("version %d is given after a change to %d was settled", c.version, w.floor)
	case c.version > w.newest:
		return fmt.Errorf("version %d is given, of %d", c.version, w.newest)
	}
	switch r.status {
	case http.StatusOK:
		return w.checkWhole(c, r)
	case http.StatusPartialContent:
		return w.checkPart(c, r)
	case http.StatusNotModified:
		if w.etag == "" || len(r.body) > 0 || w.etag != r.header.Get("ETag") {
			return fmt.Errorf("304 with %d bytes and ETag %q, to If-None-Match %q", len(r.body), r.header.Get("ETag"), w.etag)
		}
		return nil
	}
	return fmt.Errorf("status %d", r.status)
}

// confirmed is what a 304 says is still valid. It need not say more than its ETag.
func (w wish) confirmed(etag string) (content, error) {
	c := content{path: w.path, who: w.who}
	number := strings.TrimRight(etag[strings.LastIndexByte(etag, '-')+1:], `"`)
	var err error
	if c.version, err = strconv.ParseInt(number, 10, 64); err != nil || c.etag() != etag {
		return c, fmt.Errorf("304 with the ETag %q", etag)
	}
	return c, nil
}

func (w wish) checkWhole(c content, r reply) error {
	if w.method == http.MethodHead {
		if length := r.header.Get("Content-Length"); length != "" && length != strconv.Itoa(c.size) && r.header.Get("Content-Encoding") == "" {
			return fmt.Errorf("HEAD says %s bytes, the body has %d", length, c.size)
		}
		return nil
	}
	body, err := decode(r)
	if err != nil {
		return err
	}
	if len(body) != c.size {
		return fmt.Errorf("the body has %d bytes instead of %d", len(body), c.size)
	}
	return c.differs(body, 0)
}

func (w wish) checkPart(c content, r reply) error {
	var from, to, size int
	if _, err := fmt.Sscanf(r.header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &size); err != nil || !w.part {
		return fmt.Errorf("206 with the Content-Range %q", r.header.Get("Content-Range"))
	}
	if size != c.size || len(r.body) != to-from+1 {
		return fmt.Errorf("%d bytes are given as %q of %d", len(r.body), r.header.Get("Content-Range"), c.size)
	}
	return c.differs(r.body, from)
}

// decode undoes the content coding.
func decode(r reply) ([]byte, error) {
	switch coding := r.header.Get("Content-Encoding"); coding {
	case "":
		return r.body, nil
	case "gzip":
		reader, err := gzip.NewReader(bytes.NewReader(r.body))
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return io.ReadAll(reader)
	case "zstd":
		return unzstd.DecodeAll(r.body, nil)
	default:
		return nil, fmt.Errorf("the content coding %q", coding)
	}
}

var unzstd, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))

// TestCheck: each fault that there can be in a response is found.
func TestCheck(t *testing.T) {
	c := content{path: "/file/3/11", version: 4, who: everyone, size: 1000}
	w := wish{method: http.MethodGet, path: c.path, who: everyone, floor: 3, newest: 5, etag: c.etag(), part: true}
	good := func() reply {
		return reply{200, http.Header{"X-Page": {c.String()}, "Etag": {c.etag()}}, c.body()}
	}
	other := func(change func(*content)) content {
		o := c
		change(&o)
		return o
	}
	as := func(o content) func(*reply) {
		return func(r *reply) { r.header.Set("X-Page", o.String()); r.body = o.body() }
	}
	const fine = ""
	for name, test := range map[string]struct {
		change func(*reply)
		want   string
	}{
		"good":            {func(*reply) {}, fine},
		"another's":       {as(other(func(o *content) { o.who = "v1-2" })), "LEAK"},
		"another page":    {as(other(func(o *content) { o.path = "/file/3/19" })), "is given for"},
		"too old":         {as(other(func(o *content) { o.version = 2 })), "was settled"},
		"from the future": {as(other(func(o *content) { o.version = 6 })), "is given, of 5"},
		"cut":             {func(r *reply) { r.body = r.body[:500] }, "500 bytes instead of 1000"},
		"altered":         {func(r *reply) { r.body[700] = 'X' }, "at byte 700"},
		"another's body":  {func(r *reply) { r.body = other(func(o *content) { o.who = "another" }).body() }, "at byte"},
		"no page":         {func(r *reply) { r.header.Del("X-Page") }, "says nothing"},
		"an error":        {func(r *reply) { r.status = 502 }, "status 502"},
		"not modified":    {func(r *reply) { r.status, r.body = 304, nil; r.header.Del("X-Page") }, fine},
		"another ETag":    {func(r *reply) { r.status, r.body = 304, nil; r.header.Set("Etag", `"a-4"`) }, "304 with"},
		"no gzip":         {func(r *reply) { r.header.Set("Content-Encoding", "gzip") }, "gzip"},
		"a part": {func(r *reply) {
			r.status, r.body = 206, r.body[10:20]
			r.header.Set("Content-Range", "bytes 10-19/1000")
		}, fine},
		"another part": {func(r *reply) {
			r.status, r.body = 206, r.body[11:21]
			r.header.Set("Content-Range", "bytes 10-19/1000")
		}, "at byte"},
		"no part": {func(r *reply) { r.status = 206 }, "Content-Range"},
	} {
		r := good()
		test.change(&r)
		err := w.check(r)
		if err == nil && test.want != fine || err != nil && (test.want == fine || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// closedEarly: it is the error of a connection that was closed before an answer began.
func closedEarly(err error) bool {
	return errors.Is(err, io.EOF) || isReset(err) || slices.ContainsFunc([]string{"server closed idle connection", "GOAWAY", "client connection lost", "client conn could not be established"}, func(s string) bool {
		return strings.Contains(err.Error(), s)
	})
}
