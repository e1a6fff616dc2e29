package attacks

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// received is a request as it stood on the origin's wire.
type received struct {
	raw                     string // the head, byte for byte
	method, target, version string
	fields                  []field
	body                    string
}

// get is the value of a field: of several, the first.
func (r *received) get(name string) string {
	for _, f := range r.fields {
		if strings.EqualFold(f.name, name) {
			return f.value
		}
	}
	return ""
}

func (r *received) has(name string) bool {
	for _, f := range r.fields {
		if strings.EqualFold(f.name, name) {
			return true
		}
	}
	return false
}

// reply is what an origin answers.
type reply struct {
	status int
	fields []field
	body   string
}

// origin is a server that reads requests from the wire itself, so that nothing of
// what it was sent is hidden by a library, and remembers them.
type origin struct {
	// address is for the edge. What comes in at direct is answered alike, and not remembered.
	address, direct string

	mu    sync.Mutex
	heads map[string][]string // by the case that a head names
	// strays are bytes that are no request, or none of a case.
	strays []string
}

// caseName is how requests name the case that they belong to.
var caseName = regexp.MustCompile(`n[0-9a-f]{8}z`)

// startOrigin runs an origin until the test ends. Its answers are a function of the
// request alone.
func startOrigin(t testing.TB, answer func(*received) reply) *origin {
	t.Helper()
	o := &origin{heads: make(map[string][]string)}
	o.address = o.listen(t, answer, true)
	o.direct = o.listen(t, answer, false)
	return o
}

func (o *origin) listen(t testing.TB, answer func(*received) reply, remember bool) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go o.serve(c, answer, remember)
		}
	}()
	return l.Addr().String()
}

func (o *origin) serve(c net.Conn, answer func(*received) reply, remember bool) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		r, err := readRequest(in, c)
		if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			if remember && errors.Is(err, errNoRequest) {
				o.stray(err.Error())
			}
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return
		}
		if remember {
			o.note(r)
		}
		if _, err := c.Write(answer(r).bytes(r)); err != nil || strings.EqualFold(r.get("Connection"), "close") {
			return
		}
	}
}

// bytes is the reply as it goes out.
func (a reply) bytes(to *received) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d Whatever\r\n", a.status)
	for _, f := range a.fields {
		fmt.Fprintf(&b, "%s: %s\r\n", f.name, f.value)
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n", len(a.body))
	if to.method != "HEAD" {
		b.WriteString(a.body)
	}
	return []byte(b.String())
}

func (o *origin) note(r *received) {
	name := caseName.FindString(r.raw)
	o.mu.Lock()
	defer o.mu.Unlock()
	if name == "" {
		o.strays = append(o.strays, r.raw)
		return
	}
	text := r.raw
	if r.body != "" {
		text += r.body
	}
	o.heads[name] = append(o.heads[name], text)
}

func (o *origin) stray(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.strays = append(o.strays, text)
}

// take returns what the origin saw of a case, and forgets it.
func (o *origin) take(name string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := o.heads[name]
	delete(o.heads, name)
	return seen
}

// takeStrays returns what no case has sent.
func (o *origin) takeStrays() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	strays := o.strays
	o.strays = nil
	return strays
}

// errNoRequest is the answer to bytes that a proxy should not have written.
var errNoRequest = errors.New("the origin was sent what is no request")

// readRequest reads one request, strictly: what comes from a proxy must be plain.
func readRequest(in *bufio.Reader, out io.Writer) (*received, error) {
	r := new(received)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			if r.raw+line == "" {
				return nil, io.EOF
			}
			return nil, fmt.Errorf("the head broke off: %w", err)
		}
		r.raw += line
		text, ok := strings.CutSuffix(line, "\r\n")
		if !ok || strings.ContainsAny(text, "\r\x00") {
			return nil, fmt.Errorf("%w: line %q", errNoRequest, line)
		}
		if text == "" {
			break
		}
		if r.method == "" {
			parts := strings.Split(text, " ")
			if len(parts) != 3 || !strings.HasPrefix(parts[2], "HTTP/1.") {
				return nil, fmt.Errorf("%w: request line %q", errNoRequest, line)
			}
			r.method, r.target, r.version = parts[0], parts[1], parts[2]
			continue
		}
		name, value, ok := strings.Cut(text, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("%w: field %q", errNoRequest, line)
		}
		r.fields = append(r.fields, field{name, strings.Trim(value, " \t")})
	}
	if r.method == "" {
		return nil, fmt.Errorf("%w: an empty line", errNoRequest)
	}
	return r, r.readBody(in, out)
}

func (r *received) readBody(in *bufio.Reader, out io.Writer) error {
	if strings.EqualFold(r.get("Expect"), "100-continue") {
		if _, err := io.WriteString(out, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return err
		}
	}
	coding, length := r.get("Transfer-Encoding"), r.get("Content-Length")
	switch {
	case coding != "" && length != "":
		return fmt.Errorf("%w: %q has two lengths", errNoRequest, r.raw)
	case coding != "":
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return err
			}
			size, err := strconv.ParseUint(strings.TrimSpace(line), 16, 31)
			if err != nil {
				return fmt.Errorf("%w: chunk %q", errNoRequest, line)
			}
			if size == 0 {
				return r.readTrailers(in)
			}
			chunk := make([]byte, size+2)
			if _, err := io.ReadFull(in, chunk); err != nil {
				return err
			}
			r.body += string(chunk[:size])
		}
	case length != "":
		n, err := strconv.ParseUint(length, 10, 31)
		if err != nil {
			return fmt.Errorf("%w: Content-Length %q", errNoRequest, length)
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(in, body); err != nil {
			return err
		}
		r.body = string(body)
	}
	return nil
}

// readTrailers takes trailers for fields, as careless servers do.
func (r *received) readTrailers(in *bufio.Reader) error {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		if line == "\r\n" {
			return nil
		}
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\r\n"), ":")
		if !ok {
			return fmt.Errorf("%w: trailer %q", errNoRequest, line)
		}
		r.fields = append(r.fields, field{name, strings.TrimSpace(value)})
	}
}
