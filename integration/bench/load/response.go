package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// Response is a complete answer.
type Response struct {
	Status int
	Head   []byte // from the status line to the last field, each line with its CRLF
	Body   []byte // after chunks were joined; as encoded by Content-Encoding
}

// Field returns the value of the first header field of that name, in any case, or "".
func (r *Response) Field(name string) string {
	for line := range bytes.Lines(r.Head) {
		if n, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(n, []byte(name)) {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}

// What a connection ends with before there is an answer, and what is no answer. All other
// errors of reading are those of the connection.
var (
	errNoAnswer  = errors.New("closed without an answer")
	errMalformed = errors.New("malformed answer")
)

// The largest head, as Go's own client has it by default, and the piece in which a kept
// body grows, so that what a head announces is not allocated before it comes.
const (
	maxHead = 1 << 20
	piece   = 64 << 10
)

// reader reads the answers on one connection. It knows the framing of HTTP/1.1 and nothing
// else of it, so that an answer costs it no allocation; net/http's costs thirty.
type reader struct {
	br   *bufio.Reader
	keep bool // head and body

	response Response
	size     int64 // of the body
	last     bool  // nothing more comes on this connection
	begun    bool  // a byte of it has come; the caller clears it
	head     int   // bytes of it so far
}

// read reads one answer to a request with that method. Interim answers are passed over.
func (r *reader) read(method string) error {
	if _, err := r.br.Peek(1); err != nil {
		if err == io.EOF {
			return errNoAnswer
		}
		return err
	}
	r.begun, r.size, r.last, r.head = true, 0, false, 0
	for {
		length, err := r.readHead(method)
		if err != nil {
			return within(err)
		}
		if r.response.Status >= 200 {
			return within(r.readBody(length))
		}
	}
}

// within says of the end of a connection that it is within an answer.
func within(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Lengths of a body that are not numbers.
const (
	chunked  = -1
	untilEnd = -2
	unstated = -3
)

// readHead reads the status line and the fields, and returns the length of the body.
func (r *reader) readHead(method string) (length int64, err error) {
	r.response.Head, r.response.Body = r.response.Head[:0], r.response.Body[:0]
	line, err := r.line()
	if err != nil {
		return 0, err
	}
	minor, status, err := statusLine(line)
	if err != nil {
		return 0, err
	}
	r.response.Status = status
	r.last = minor == 0
	length = unstated
	for {
		line, err := r.line()
		if err != nil {
			return 0, err
		}
		if len(line) == 0 {
			break
		}
		if length, err = r.field(line, length); err != nil {
			return 0, err
		}
	}
	switch {
	case minor == 0 && length == chunked: // RFC 9112 section 6.1
		return 0, fmt.Errorf("%w: HTTP/1.0 with chunks", errMalformed)
	case status == 101:
		return 0, fmt.Errorf("%w: protocol switched", errMalformed)
	case method == "HEAD" || status < 200 || status == 204 || status == 304:
		return 0, nil
	case length == unstated:
		r.last = true
		return untilEnd, nil
	}
	return length, nil
}

// field takes from a field what it says of the framing.
func (r *reader) field(line []byte, length int64) (int64, error) {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(name) == 0 || bytes.ContainsAny(name, " \t") {
		return 0, fmt.Errorf("%w: field %.80q", errMalformed, line)
	}
	switch len(name) { // cheaper than comparing every name with all three
	case len("Content-Length"):
		if !bytes.EqualFold(name, []byte("Content-Length")) {
			break
		}
		n, err := strconv.ParseUint(string(bytes.Trim(value, " \t")), 10, 63)
		if err != nil || length != unstated && length != int64(n) {
			return 0, fmt.Errorf("%w: length %.80q", errMalformed, value)
		}
		return int64(n), nil
	case len("Transfer-Encoding"):
		if !bytes.EqualFold(name, []byte("Transfer-Encoding")) {
			break
		}
		if !bytes.EqualFold(bytes.Trim(value, " \t"), []byte("chunked")) || length != unstated {
			return 0, fmt.Errorf("%w: transfer encoding %.80q", errMalformed, value)
		}
		return chunked, nil
	case len("Connection"):
		if !bytes.EqualFold(name, []byte("Connection")) {
			break
		}
		for option := range bytes.SplitSeq(value, []byte(",")) {
			r.last = r.last || bytes.EqualFold(bytes.Trim(option, " \t"), []byte("close"))
		}
	}
	return length, nil
}

// statusLine takes HTTP/1.x, a status and a reason, which may be missing.
func statusLine(line []byte) (minor, status int, err error) {
	const form = "HTTP/1.1 200"
	if len(line) < len(form) || string(line[:len("HTTP/1.")]) != "HTTP/1." || line[len("HTTP/1.1")] != ' ' ||
		len(line) > len(form) && line[len(form)] != ' ' {
		return 0, 0, fmt.Errorf("%w: status line %.80q", errMalformed, line)
	}
	minor = int(line[len("HTTP/1.")]) - '0'
	status, err = strconv.Atoi(string(line[len("HTTP/1.1 "):len(form)]))
	if err != nil || status < 100 || minor < 0 || minor > 1 {
		return 0, 0, fmt.Errorf("%w: status line %.80q", errMalformed, line)
	}
	return minor, status, nil
}

// line returns the next line of a head or of what surrounds chunks, without its end. It is
// valid until the next read.
func (r *reader) line() ([]byte, error) {
	line, err := r.br.ReadSlice('\n')
	if err == bufio.ErrBufferFull || r.head+len(line) > maxHead {
		return nil, fmt.Errorf("%w: long head", errMalformed)
	}
	if err != nil {
		return nil, err
	}
	r.head += len(line)
	content, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok {
		return nil, fmt.Errorf("%w: line %.80q does not end with CRLF", errMalformed, line)
	}
	if r.keep && len(content) > 0 {
		r.response.Head = append(r.response.Head, line...)
	}
	return content, nil
}

func (r *reader) readBody(length int64) error {
	switch length {
	case chunked:
		return r.readChunks()
	case untilEnd:
		for {
			// What Peek brought is all that there is to take without waiting for more.
			if _, err := r.br.Peek(1); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			if err := r.take(int64(r.br.Buffered())); err != nil {
				return err
			}
		}
	}
	return r.take(length)
}

// readChunks reads chunks and the fields that may trail them.
func (r *reader) readChunks() error {
	keep := r.keep
	defer func() { r.keep = keep }()
	for {
		r.keep, r.head = false, 0 // lines between chunks are no part of the head
		line, err := r.line()
		if err != nil {
			return err
		}
		digits, _, _ := bytes.Cut(line, []byte(";"))
		size, err := strconv.ParseUint(string(bytes.TrimRight(digits, " \t")), 16, 63)
		if err != nil {
			return fmt.Errorf("%w: chunk %.80q", errMalformed, line)
		}
		if size == 0 {
			break
		}
		r.keep = keep
		if err := r.take(int64(size)); err != nil {
			return err
		}
		r.keep = false
		if line, err = r.line(); err != nil {
			return err
		}
		if len(line) != 0 {
			return fmt.Errorf("%w: %.80q after a chunk", errMalformed, line)
		}
	}
	for {
		line, err := r.line()
		if err != nil || len(line) == 0 {
			return err
		}
	}
}

// take reads n bytes of the body.
func (r *reader) take(n int64) error {
	for n > 0 {
		part := int(min(n, piece))
		if r.keep {
			body := r.response.Body
			r.response.Body = slices.Grow(body, part)[:len(body)+part]
			if _, err := io.ReadFull(r.br, r.response.Body[len(body):]); err != nil {
				return within(err)
			}
		} else if _, err := r.br.Discard(part); err != nil {
			return within(err)
		}
		n -= int64(part)
		r.size += int64(part)
	}
	return nil
}
