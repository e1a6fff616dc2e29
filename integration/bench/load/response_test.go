package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func readAll(method, wire string) (*reader, error) {
	r := &reader{br: bufio.NewReader(iotest.OneByteReader(strings.NewReader(wire))), keep: true}
	return r, r.read(method)
}

func TestAnAnswerIsRead(t *testing.T) {
	for _, tt := range []struct {
		name, method, wire string
		status             int
		body               string
		last               bool
		rest               string // what is left on the connection
	}{
		{name: "length", wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello"},
		{name: "length twice", wire: "HTTP/1.1 200 OK\r\ncontent-length:5\r\nContent-Length: 5 \r\n\r\nhello", status: 200, body: "hello"},
		{name: "no reason", wire: "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", status: 404},
		{name: "chunked", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\n\r\n", status: 200, body: "hello"},
		{name: "trailers", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n", status: 200, body: "hello"},
		{name: "until the end", wire: "HTTP/1.1 200 OK\r\n\r\nhello", status: 200, body: "hello", last: true},
		{name: "HTTP/1.0", wire: "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello", last: true},
		{name: "close", wire: "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello", last: true},
		{name: "HEAD", method: "HEAD", wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", status: 200},
		{name: "not modified", wire: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nHTTP", status: 304, rest: "HTTP"},
		{name: "no content", wire: "HTTP/1.1 204 No Content\r\n\r\n", status: 204},
		{name: "interim", wire: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", status: 200, body: "x"},
		{name: "two answers", wire: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1", status: 200, body: "x", rest: "HTTP/1.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := readAll(tt.method, tt.wire)
			if err != nil {
				t.Fatal(err)
			}
			rest, _ := io.ReadAll(r.br)
			got := r.response
			if got.Status != tt.status || string(got.Body) != tt.body || r.size != int64(len(tt.body)) || r.last != tt.last || string(rest) != tt.rest {
				t.Errorf("got %d, body %q (%d), last %v, rest %q", got.Status, got.Body, r.size, r.last, rest)
			}
		})
	}
}

func TestWhatIsNoAnswer(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, tt := range []struct {
		wire string
		want error
	}{
		{"", errNoAnswer},
		{"H", io.ErrUnexpectedEOF},
		{ok, io.ErrUnexpectedEOF},
		{ok + "Content-Length: 5\r\n\r\nhell", io.ErrUnexpectedEOF},
		{ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", io.ErrUnexpectedEOF},
		{ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", io.ErrUnexpectedEOF},
		{"HTTP/1.1 100 Continue\r\n\r\n", io.ErrUnexpectedEOF},
		{"HTTP/2.0 200 OK\r\n\r\n", errMalformed},
		{"HTTP/1.1 2000\r\n\r\n", errMalformed},
		{"HTTP/1.1 99 X\r\n\r\n", errMalformed},
		{"HTTP/1.1 101 Switching Protocols\r\n\r\n", errMalformed},
		{"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", errMalformed},
		{"HTTP/1.1 200 OK\n\n", errMalformed},
		{ok + "no colon\r\n\r\n", errMalformed},
		{ok + " folded: x\r\n\r\n", errMalformed},
		{ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", errMalformed},
		{ok + "Content-Length: -5\r\n\r\nhello", errMalformed},
		{ok + "Content-Length: 99999999999999999999\r\n\r\nhello", errMalformed},
		{ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", errMalformed},
		{ok + "Transfer-Encoding: gzip\r\n\r\n", errMalformed},
		{ok + "Transfer-Encoding: chunked\r\n\r\nx\r\n", errMalformed},
		{ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n", errMalformed},
		{ok + "X: " + strings.Repeat("x", 2*piece) + "\r\n\r\n", errMalformed},
		{ok + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 2000), errMalformed},
		{ok + "Content-Length: 9000000000000000000\r\n\r\nhello", io.ErrUnexpectedEOF}, // not allocated
	} {
		if _, err := readAll("GET", tt.wire); !errors.Is(err, tt.want) {
			t.Errorf("%.100q: %v, want %v", tt.wire, err, tt.want)
		}
	}
}

func TestTheHeadIsKept(t *testing.T) {
	r, err := readAll("GET", "HTTP/1.1 200 OK\r\nCache-Status: a; hit\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nT: trailer\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	const head = "HTTP/1.1 200 OK\r\nCache-Status: a; hit\r\nTransfer-Encoding: chunked\r\n"
	if got := string(r.response.Head); got != head {
		t.Errorf("head %q", got)
	}
	if got := r.response.Field("cache-status"); got != "a; hit" {
		t.Errorf("field %q", got)
	}
	if got := r.response.Field("T"); got != "" {
		t.Errorf("a trailer is a field: %q", got)
	}
}

// Whatever the framing and however it arrives, the body is the one that was sent, and the
// next answer begins where it ends.
func TestFramings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "body")
		wire := bytes.NewBufferString("HTTP/1.1 200 OK\r\n")
		if rapid.Bool().Draw(t, "chunked") {
			wire.WriteString("Transfer-Encoding: chunked\r\n\r\n")
			for rest := body; len(rest) > 0; {
				n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
				fmt.Fprintf(wire, "%x\r\n%s\r\n", n, rest[:n])
				rest = rest[n:]
			}
			wire.WriteString("0\r\n\r\n")
		} else {
			fmt.Fprintf(wire, "Content-Length: %d\r\n\r\n%s", len(body), body)
		}
		size := rapid.IntRange(64, 4096).Draw(t, "buffer")
		twice := append(wire.Bytes(), wire.Bytes()...)
		r := &reader{br: bufio.NewReaderSize(bytes.NewReader(twice), size), keep: rapid.Bool().Draw(t, "keep")}
		for range 2 {
			if err := r.read("GET"); err != nil {
				t.Fatal(err)
			}
			if r.size != int64(len(body)) || r.keep && !bytes.Equal(r.response.Body, body) {
				t.Fatalf("body %q, sent %q", r.response.Body, body)
			}
		}
	})
}

func TestAnAnswerIsReadWithoutAllocations(t *testing.T) {
	wire := []byte("HTTP/1.1 200 OK\r\nDate: x\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello" +
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
	source := bytes.NewReader(wire)
	r := &reader{br: bufio.NewReader(source)}
	if n := testing.AllocsPerRun(100, func() {
		source.Reset(wire)
		r.br.Reset(source)
		for range 2 {
			if err := r.read("GET"); err != nil {
				t.Error(err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzRead looks for an answer that net/http reads as another one.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.0 404 Not Found\r\n\r\nhello",
		"HTTP/1.1 304 Not Modified\r\nConnection: close\r\nContent-Length: 5\r\n\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, wire string) {
		r, err := readAll("GET", wire)
		if err != nil || strings.Contains(wire, "HTTP/1.1 1") { // interim answers are not passed over by ReadResponse
			return
		}
		theirs, err := http.ReadResponse(bufio.NewReader(strings.NewReader(wire)), nil)
		if err != nil {
			return // it knows more of what a field may be
		}
		body, err := io.ReadAll(theirs.Body)
		if err != nil {
			return
		}
		if theirs.StatusCode != r.response.Status || !bytes.Equal(body, r.response.Body) {
			t.Errorf("read %d %q, net/http reads %d %q", r.response.Status, r.response.Body, theirs.StatusCode, body)
		}
	})
}
