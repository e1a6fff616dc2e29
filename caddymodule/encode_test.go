package caddymodule

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/cacheward/cacheward/caddymodule/store"
)

// decoded undoes the coding of an answer.
func decoded(t testing.TB, a answer) string {
	t.Helper()
	body, err := decodeBody(a.header.Get("Content-Encoding"), []byte(a.body))
	if err != nil {
		t.Fatalf("decoding %q: %v", a.header.Get("Content-Encoding"), err)
	}
	return string(body)
}

func decodeBody(coding string, body []byte) ([]byte, error) {
	var r io.Reader = bytes.NewReader(body)
	switch coding {
	case "":
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		r = z
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(8<<20)) // RFC 9659 §3
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	case "br":
		r = brotli.NewReader(r)
	default:
		return nil, fmt.Errorf("no coding is called %q", coding)
	}
	return io.ReadAll(r)
}

// longPage is worth compressing.
var longPage = "<!doctype html>\n" + strings.Repeat("<p>The wards of a lock are the ridges that let only the right key turn.</p>\n", 100)

// sayLong answers with longPage and an entity tag.
func sayLong(fields ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "max-age=600")
		w.Header().Set("Etag", `"abc"`)
		for i := 0; i+1 < len(fields); i += 2 {
			w.Header().Set(fields[i], fields[i+1])
		}
		_, _ = io.WriteString(w, longPage)
	}
}

// encodings are the two ways to serve compressed hits.
var encodings = []struct {
	name, above, option string
	codings             []string
}{
	{"encode in front", "encode", "", []string{"gzip", "zstd"}},
	{"option", "", "encode zstd br gzip", []string{"gzip", "zstd", "br"}},
	{"both", "encode", "encode zstd br gzip", []string{"gzip", "zstd", "br"}},
}

// formed asks until a stored object has a form, and once more.
func (e *edge) formed(target, coding string) answer {
	e.t.Helper()
	eventually(e.t, "a form in "+coding, func() bool {
		e.ok(target, "Accept-Encoding", coding)
		found := false
		err := theShared(e.t).store.Each(func(o *store.Object) bool {
			found = o.Form(coding) != nil
			return !found
		})
		return err == nil && found
	})
	a := e.ok(target, "Accept-Encoding", coding)
	if !a.hit() || a.header.Get("Content-Encoding") != coding {
		e.t.Fatalf("with a form in %s: %v", coding, a.header)
	}
	return a
}

// TestCompressedHits: an object is compressed once, every hit decodes to the object, and
// the head says what the body is.
func TestCompressedHits(t *testing.T) {
	for _, way := range encodings {
		t.Run(way.name, func(t *testing.T) {
			e := start(t, way.above+"\n"+oncePage, newOrigin(t, sayLong()), way.option)
			e.stored("/")
			for _, coding := range way.codings {
				first := e.formed("/", coding)
				for range 5 {
					a := e.ok("/", "Accept-Encoding", coding)
					if a.body != first.body || decoded(t, a) != longPage {
						t.Fatalf("%s: %d bytes", coding, len(a.body))
					}
					if got := a.header["Etag"]; len(got) != 1 || got[0] != `"abc-`+coding+`"` {
						t.Errorf("%s: Etag %q", coding, got)
					}
					if got := a.header["Vary"]; len(got) != 1 || got[0] != "Accept-Encoding" {
						t.Errorf("%s: Vary %q", coding, got)
					}
				}
				head := e.do(http.MethodHead, "/", "Accept-Encoding", coding)
				for _, name := range []string{"Content-Encoding", "Content-Length", "Etag", "Vary", "Content-Type", "Accept-Ranges"} {
					if fmt.Sprint(head.header[name]) != fmt.Sprint(first.header[name]) {
						t.Errorf("%s: HEAD has %s %q, GET %q", coding, name, head.header[name], first.header[name])
					}
				}
			}
			a := e.ok("/")
			if a.body != longPage || a.header.Get("Etag") != `"abc"` || a.header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("identity: %v", a.header)
			}
			if made := theShared(t).forming.made.Load(); made != uint64(len(way.codings)) {
				t.Errorf("%d forms were made of one object in %d codings", made, len(way.codings))
			}
			if s := theShared(t).store.Stats(); s.Forms != len(way.codings) || s.FormBytes <= 0 {
				t.Errorf("the store has %d forms of %d bytes", s.Forms, s.FormBytes)
			}
		})
	}
}

// TestCompressedConditions: a client that has what is stored, in whatever coding it takes, is told so.
func TestCompressedConditions(t *testing.T) {
	for _, way := range encodings {
		t.Run(way.name, func(t *testing.T) {
			e := start(t, way.above+"\n"+oncePage, newOrigin(t, sayLong()), way.option)
			e.stored("/")
			e.formed("/", "gzip")
			for _, c := range []struct {
				tag, accept string
				status      int
				etag        string
			}{
				{`"abc-gzip"`, "gzip", 304, `"abc-gzip"`},
				{`W/"abc-gzip"`, "gzip", 304, `"abc-gzip"`},
				{`"other", "abc-gzip"`, "gzip", 304, `"abc-gzip"`},
				{`"abc"`, "gzip", 304, ""},
				{`"abc"`, "", 304, `"abc"`},
				{`"other"`, "gzip", 200, `"abc-gzip"`},
				{`"abc-gzip"`, "", 200, `"abc"`}, // a cache may hold it for others, and must not give it to this one
				{`"abc-br"`, "gzip", 200, `"abc-gzip"`},
			} {
				a := e.get("/", "If-None-Match", c.tag, "Accept-Encoding", c.accept)
				if a.status != c.status || c.etag != "" && a.header.Get("Etag") != c.etag {
					t.Errorf("If-None-Match: %s with %q: %d %s; %d %s was expected", c.tag, c.accept, a.status, a.header.Get("Etag"), c.status, c.etag)
				}
				if !strings.Contains(a.header.Get("Vary"), "Accept-Encoding") {
					t.Errorf("If-None-Match: %s: Vary %q", c.tag, a.header["Vary"])
				}
				if a.status == 200 && decoded(t, a) != longPage {
					t.Errorf("If-None-Match: %s: %d bytes", c.tag, len(a.body))
				}
			}
			if a := e.get("/", "If-Match", `"other"`, "Accept-Encoding", "gzip"); a.status != 412 {
				t.Errorf("If-Match: %d", a.status)
			}
		})
	}
}

// TestCompressedRanges: parts are parts of the identity, whatever else the client takes.
func TestCompressedRanges(t *testing.T) {
	for _, way := range encodings {
		t.Run(way.name, func(t *testing.T) {
			e := start(t, way.above+"\n"+oncePage, newOrigin(t, sayLong("Accept-Ranges", "bytes")), way.option)
			e.stored("/")
			e.formed("/", "gzip")
			for _, c := range []struct {
				condition string
				status    int
			}{{"", 206}, {`"abc"`, 206}, {`"abc-gzip"`, 200}, {`"other"`, 200}} {
				fields := []string{"Range", "bytes=100-199", "Accept-Encoding", "gzip"}
				if c.condition != "" {
					fields = append(fields, "If-Range", c.condition)
				}
				a := e.get("/", fields...)
				if a.status != c.status {
					t.Fatalf("If-Range %s: %d", c.condition, a.status)
				}
				if a.status == 200 {
					if decoded(t, a) != longPage {
						t.Errorf("If-Range %s: %d bytes", c.condition, len(a.body))
					}
					continue
				}
				if a.body != longPage[100:200] || a.header.Get("Content-Encoding") != "" || a.header.Get("Etag") != `"abc"` ||
					a.header.Get("Vary") != "Accept-Encoding" {
					t.Errorf("If-Range %s: %d bytes, %v", c.condition, len(a.body), a.header)
				}
			}
			if a := e.ok("/", "Accept-Encoding", "gzip"); a.header["Accept-Ranges"] != nil {
				t.Errorf("Accept-Ranges of a coded body: %v", a.header)
			}
		})
	}
}

// TestNotCompressed: what must or should stay as it is.
func TestNotCompressed(t *testing.T) {
	for _, c := range []struct {
		name, above, option string
		fields              []string
		coded               bool // by encode in front, each time
	}{
		{name: "off", above: "encode", option: "encode off", coded: true},
		{name: "nobody asks for it"},
		{name: "no-transform", option: "encode gzip", fields: []string{"Cache-Control", "max-age=60, no-transform"}},
		{name: "no-transform, encode in front", above: "encode", fields: []string{"Cache-Control", "max-age=60, No-Transform"}},
		{name: "digest", option: "encode gzip", fields: []string{"Repr-Digest", "sha-256=:" + strings.Repeat("A", 43) + "=:"}},
		{name: "type", option: "encode gzip", fields: []string{"Content-Type", "image/png"}},
		{name: "type, encode in front", above: "encode", fields: []string{"Content-Type", "image/png"}},
		{name: "body is looked at in between", above: "encode", option: "", fields: nil, coded: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			above := c.above
			if strings.HasPrefix(c.name, "body is looked at") {
				above += "\ntemplates"
			}
			e := start(t, above+"\n"+oncePage, newOrigin(t, sayLong(c.fields...)), c.option)
			e.stored("/")
			for range 3 {
				a := e.ok("/", "Accept-Encoding", "gzip")
				if (a.header.Get("Content-Encoding") != "") != c.coded || decoded(t, a) != longPage {
					t.Errorf("%v", a.header)
				}
			}
			if s := theShared(t).store.Stats(); s.Forms != 0 || theShared(t).forming.making != nil {
				t.Errorf("%d forms, %v", s.Forms, theShared(t).forming.making)
			}
		})
	}
}
