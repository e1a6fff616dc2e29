package attacks

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// mint is where a script has a value that the origin makes for one answer alone.
// Whoever has that value was given that answer.
const mint = "§"

// minted is such a value.
var minted = regexp.MustCompile(`m1n7[0-9a-f]{20}`)

func newMint() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return "m1n7" + hex.EncodeToString(b[:])
}

// script is one answer of the origin.
type script struct {
	name string
	// interim are the heads of 1xx responses that come first, with their fields.
	interim []string
	// status is 200 OK if it is empty.
	status string
	// fields are lines of the head.
	fields []string
	body   string
	// coding is the content coding that the body is sent in, and that the head names.
	coding string
	// cut sends the body in two writes, the first of which ends inside the minted value.
	cut bool
	// trailers, where not nil, make the body chunked, and stand behind it.
	trailers []string
	// raw is all that is sent, byte by byte, instead of the above. The origin then
	// closes the connection unless kept says otherwise.
	raw  string
	kept bool
}

// asked is one request as the origin saw it.
type asked struct {
	// nth is how many requests for this path there have been, this one included.
	nth    int
	method string
	target string
	header http.Header
	body   string
	mint   string
	// conn tells the connections apart.
	conn int
}

// conditional says whether it may be answered with 304.
func (q asked) conditional() bool {
	return q.header.Get("If-None-Match") != "" || q.header.Get("If-Modified-Since") != ""
}

// scripted is an origin that answers as scripts have it, byte by byte. It is safe for
// concurrent use.
type scripted struct {
	address string

	mu      sync.Mutex
	scripts map[string]func(asked) script
	seen    map[string][]asked
	conns   int
}

func startScripted(t testing.TB) *scripted {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	o := &scripted{
		address: listener.Addr().String(),
		scripts: make(map[string]func(asked) script),
		seen:    make(map[string][]asked),
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			o.mu.Lock()
			o.conns++
			n := o.conns
			o.mu.Unlock()
			go o.serve(conn, n)
		}
	}()
	return o
}

// answer has the path answered so from now on.
func (o *scripted) answer(path string, with func(asked) script) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.scripts[path] = with
}

// always answers with the same script, each time with another minted value.
func always(s script) func(asked) script { return func(asked) script { return s } }

// requests are those for the path so far.
func (o *scripted) requests(path string) []asked {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]asked(nil), o.seen[path]...)
}

// askedFor says whether there was a request for the path.
func (o *scripted) askedFor(path string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.seen[path]) > 0
}

func (o *scripted) serve(conn net.Conn, number int) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		request, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		q := asked{
			method: request.Method, target: request.RequestURI, header: request.Header,
			body: string(body), mint: newMint(), conn: number,
		}
		with := o.note(request.URL.Path, &q)
		s := script{status: "404 Not Found", body: "no such path"}
		if with != nil {
			s = with(q)
		}
		if !s.send(conn, &q) {
			return
		}
	}
}

func (o *scripted) note(path string, q *asked) func(asked) script {
	o.mu.Lock()
	defer o.mu.Unlock()
	q.nth = len(o.seen[path]) + 1
	o.seen[path] = append(o.seen[path], *q)
	return o.scripts[path]
}

// send writes the answer, and says whether the connection stays open.
func (s *script) send(w io.Writer, q *asked) (open bool) {
	fill := func(text string) string { return strings.ReplaceAll(text, mint, q.mint) }
	if s.raw != "" {
		_, err := io.WriteString(w, fill(s.raw))
		return err == nil && s.kept
	}
	var head strings.Builder
	for _, i := range s.interim {
		fmt.Fprintf(&head, "HTTP/1.1 %s\r\n\r\n", strings.ReplaceAll(fill(i), "\n", "\r\n"))
	}
	status := s.status
	if status == "" {
		status = "200 OK"
	}
	fmt.Fprintf(&head, "HTTP/1.1 %s\r\nDate: %s\r\n", status, time.Now().UTC().Format(http.TimeFormat))
	for _, line := range s.fields {
		head.WriteString(fill(line) + "\r\n")
	}
	body := encoded(s.coding, fill(s.body))
	if s.coding != "" {
		head.WriteString("Content-Encoding: " + s.coding + "\r\n")
	}
	bodyless := strings.HasPrefix(status, "204") || strings.HasPrefix(status, "304") || q.method == http.MethodHead
	switch {
	case bodyless:
		body = nil
	case s.trailers != nil:
		head.WriteString("Transfer-Encoding: chunked\r\n")
		body = fmt.Appendf(nil, "%x\r\n%s\r\n0\r\n", len(body), body)
		for _, line := range s.trailers {
			body = append(body, fill(line)+"\r\n"...)
		}
		body = append(body, "\r\n"...)
	default:
		fmt.Fprintf(&head, "Content-Length: %d\r\n", len(body))
	}
	head.WriteString("\r\n")
	whole := append([]byte(head.String()), body...)
	at := len(whole)
	if s.cut && len(body) > 0 {
		at = len(whole) - len(body)/2
		if i := bytes.Index(body, []byte(q.mint)); i >= 0 {
			at = len(whole) - len(body) + i + len(q.mint)/2
		}
	}
	if _, err := w.Write(whole[:at]); err != nil {
		return false
	}
	if at < len(whole) {
		time.Sleep(2 * time.Millisecond) // so that it arrives in two reads
	}
	_, err := w.Write(whole[at:])
	return err == nil
}
