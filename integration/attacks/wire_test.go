package attacks

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
)

// answer is what came back. Without one, err says why.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error
}

// hit says whether it came out of the store.
func (a answer) hit() bool {
	return strings.Contains(a.header.Get("Cache-Status"), "Cacheward; hit")
}

func (a answer) String() string {
	if a.err != nil {
		return "no answer: " + a.err.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d", a.status)
	for _, name := range slices.Sorted(mapKeys(a.header)) {
		fmt.Fprintf(&b, " | %s: %s", name, strings.Join(a.header[name], ", "))
	}
	fmt.Fprintf(&b, " | %q", a.body)
	return shorten(b.String())
}

func mapKeys(h http.Header) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range h {
			if !yield(name) {
				return
			}
		}
	}
}

// peer is a connection over which messages go as they are.
type peer struct {
	conn net.Conn
	in   *bufio.Reader
	two  *peer2
	left bool // before the answer: what was sent must arrive
}

// dial opens a connection, for HTTP/2 with its preface.
func dial(address string, h2 bool) (*peer, error) {
	conn, err := net.DialTimeout("tcp", address, edge.Patience)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(edge.Patience)); err != nil {
		return nil, err
	}
	p := &peer{conn: conn, in: bufio.NewReader(conn)}
	if h2 {
		if p.two, err = newPeer2(conn); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return p, nil
}

// close ends the connection without a farewell: thousands of connections that wait for
// their last packets would use up the ports that tests listen on.
func (p *peer) close() {
	if !p.left {
		_ = p.conn.(*net.TCPConn).SetLinger(0)
	}
	p.conn.Close()
}

// ask sends the request and reads its answer. Several can be asked one after the
// other.
func (p *peer) ask(r *request) answer {
	if p.two != nil {
		return p.two.ask(r)
	}
	if _, err := p.conn.Write(r.bytes()); err != nil {
		return answer{err: err}
	}
	return p.read(r.method)
}

// read reads the next final answer of an HTTP/1 connection.
func (p *peer) read(method string) answer {
	for {
		res, err := http.ReadResponse(p.in, &http.Request{Method: method})
		if err != nil {
			return answer{err: err}
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return answer{err: fmt.Errorf("body of %d: %w", res.StatusCode, err)}
		}
		if res.StatusCode >= 200 || res.StatusCode == http.StatusSwitchingProtocols {
			return answer{status: res.StatusCode, header: res.Header, body: body}
		}
	}
}

// ask sends one request on a connection of its own.
func ask(address string, r *request) answer {
	p, err := dial(address, r.h2)
	if err != nil {
		return answer{err: err}
	}
	defer p.close()
	return p.ask(r)
}

// provoke sends a message that may be broken, with an ordinary request behind it where
// that tells whether both sides still agree on where messages begin, and returns
// every answer on the connection.
func provoke(address string, r *request, sentinel *request) (answers []answer) {
	p, err := dial(address, r.h2)
	if err != nil {
		return []answer{{err: err}}
	}
	defer p.close()
	if r.cut {
		p.leave(r)
		return nil
	}
	if r.h2 || !r.ambiguousFraming() {
		_ = p.conn.SetReadDeadline(time.Now().Add(10 * stubborn))
		return []answer{p.ask(r)}
	}
	// What the other side makes of it is unknown: it may have closed already.
	_, _ = p.conn.Write(append(slices.Clone(r.bytes()), sentinel.bytes()...))
	_ = p.conn.SetReadDeadline(time.Now().Add(stubborn))
	for finished := false; len(answers) < 8; r = sentinel {
		_, err := p.in.Peek(1)
		if errors.Is(err, os.ErrDeadlineExceeded) && !finished {
			// It waits for more of the message: it is told that there is none.
			finished = true
			_ = p.conn.(*net.TCPConn).CloseWrite()
			_ = p.conn.SetReadDeadline(time.Now().Add(edge.Patience))
			_, err = p.in.Peek(1)
		}
		if err != nil {
			break // closed, one way or the other
		}
		a := p.read(r.method)
		answers = append(answers, a)
		if a.err != nil {
			break
		}
	}
	return answers
}

// stubborn is how long an attacker waits for an answer to what may be half a message.
const stubborn = 200 * time.Millisecond

// leave sends the request and goes.
func (p *peer) leave(r *request) {
	p.left = true
	if p.two != nil {
		_, _ = p.two.send(r)
		return
	}
	_, _ = p.conn.Write(r.bytes())
}
