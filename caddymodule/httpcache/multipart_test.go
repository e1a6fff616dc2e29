package httpcache

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// RFC 9110 §14.6, §15.3.7.2
func TestMultipart(t *testing.T) {
	m := NewMultipart("text/plain", []ByteRange{{8, 2}, {0, 5}}, 10)
	boundary, ok := strings.CutPrefix(m.ContentType(), "multipart/byteranges; boundary=")
	if !ok || len(boundary) < 20 || len(boundary) > 70 {
		t.Fatalf("Content-Type %q", m.ContentType())
	}
	var got bytes.Buffer
	if _, err := m.Write(&got, []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll("--B\r\n"+
		"Content-Type: text/plain\r\n"+
		"Content-Range: bytes 8-9/10\r\n"+
		"\r\n"+
		"89\r\n"+
		"--B\r\n"+
		"Content-Type: text/plain\r\n"+
		"Content-Range: bytes 0-4/10\r\n"+
		"\r\n"+
		"01234\r\n"+
		"--B--\r\n", "B", boundary)
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	if again := NewMultipart("text/plain", nil, 10); again.ContentType() == m.ContentType() {
		t.Error("two bodies have one boundary")
	}
}

// A field value cannot end its line and begin another, nor the body.
func TestMultipartContentType(t *testing.T) {
	for contentType, want := range map[string][]string{
		"":                                nil,
		"text/html; charset=utf-8":        {"text/html; charset=utf-8"},
		"text/html\r\nSet-Cookie: a=b":    {"text/html  Set-Cookie: a=b"},
		"text/html\r\n\r\n<script>":       {"text/html    <script>"},
		"text/html\nContent-Range: x\r\n": {"text/html Content-Range: x"},
	} {
		m := NewMultipart(contentType, []ByteRange{{0, 1}, {2, 1}}, 3)
		for _, part := range readParts(t, m, []byte("abc")) {
			if got := part.header["Content-Type"]; strings.Join(got, "|") != strings.Join(want, "|") {
				t.Errorf("%q: got %q, want %q", contentType, got, want)
			}
			if len(part.header["Content-Range"]) != 1 || len(part.header) > 2 {
				t.Errorf("%q: the part has %v", contentType, part.header)
			}
		}
	}
}

func TestMultipartOfAnotherBody(t *testing.T) {
	m := NewMultipart("", []ByteRange{{0, 1}, {2, 1}}, 3)
	for _, body := range []string{"", "ab", "abcd"} {
		var got bytes.Buffer
		if n, err := m.Write(&got, []byte(body)); err == nil || n != 0 || got.Len() != 0 {
			t.Errorf("%q: wrote %d bytes, %v", body, n, err)
		}
	}
}

// shortWriter takes left bytes and then fails.
type shortWriter struct{ left int }

var errFull = errors.New("full")

func (w *shortWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		n := w.left
		w.left = 0
		return n, errFull
	}
	w.left -= len(p)
	return len(p), nil
}

func TestMultipartOnABrokenConnection(t *testing.T) {
	m := NewMultipart("text/plain", []ByteRange{{0, 1}, {2, 1}}, 3)
	for left := range int(m.Length()) {
		n, err := m.Write(&shortWriter{left: left}, []byte("abc"))
		if n != int64(left) || !errors.Is(err, errFull) {
			t.Errorf("after %d bytes: %d, %v", left, n, err)
		}
	}
}

// readPart is a part as a client reads it.
type readPart struct {
	header map[string][]string
	body   []byte
}

// readParts writes body and reads it as a client does.
func readParts(t interface{ Fatal(...any) }, m *Multipart, body []byte) (parts []readPart) {
	var wire bytes.Buffer
	n, err := m.Write(&wire, body)
	if err != nil {
		t.Fatal(err)
	}
	if n != m.Length() || n != int64(wire.Len()) {
		t.Fatal("announced ", m.Length(), ", returned ", n, ", wrote ", wire.Len())
	}
	mediaType, params, err := mime.ParseMediaType(m.ContentType())
	if err != nil || mediaType != "multipart/byteranges" {
		t.Fatal(m.ContentType(), err)
	}
	reader := multipart.NewReader(&wire, params["boundary"])
	for {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, readPart{header: part.Header, body: content})
	}
}

// What is asked for is what a client reads, whatever the body has in it.
func TestMultipartOfAnyRanges(t *testing.T) {
	bodies := rapid.OneOf(
		rapid.SliceOfN(rapid.Byte(), 1, 200),
		rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{"\r\n--", "--", "\r\n", "--\r\n", "boundary", "Content-Range: bytes 0-0/1"}), 1, 20),
			func(s []string) []byte { return []byte(strings.Join(s, "")) }),
	)
	numbers := rapid.OneOf(rapid.StringMatching(`[0-9]{1,2}`), rapid.Just("99999999999999999999"))
	types := rapid.SampledFrom([]string{"", "text/plain", "text/html; charset=utf-8"})
	rapid.Check(t, func(t *rapid.T) {
		body := bodies.Draw(t, "body")
		size := int64(len(body))
		var set []string
		for range rapid.IntRange(1, 6).Draw(t, "ranges") {
			set = append(set, rapid.SampledFrom([]string{"", numbers.Draw(t, "first")}).Draw(t, "or suffix")+"-"+numbers.Draw(t, "last"))
		}
		value := "bytes=" + strings.Join(set, ", ")
		ranges, selection := SelectRanges("GET", http.Header{"Range": {value}}, nil, size)
		if selection != Partial {
			return
		}
		contentType := types.Draw(t, "type")
		parts := readParts(t, NewMultipart(contentType, ranges, size), body)
		if len(parts) != len(ranges) {
			t.Fatalf("%q: %d parts of %v", value, len(parts), ranges)
		}
		for i, r := range ranges {
			want := body[r.Start : r.Start+r.Length]
			if !bytes.Equal(parts[i].body, want) {
				t.Fatalf("%q: part %d is %q, want %q", value, i, parts[i].body, want)
			}
			if got := http.Header(parts[i].header).Get("Content-Range"); got != r.ContentRange(size) {
				t.Fatalf("%q: part %d has Content-Range %q", value, i, got)
			}
			if got := http.Header(parts[i].header).Get("Content-Type"); got != contentType {
				t.Fatalf("%q: part %d has Content-Type %q", value, i, got)
			}
		}
	})
}
