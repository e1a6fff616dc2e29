// Package origin knows what a connection to an origin tells that the head of a response
// does not: that something came which nobody had asked for, and that the end of a body is
// not to be told from its being cut off.
package origin

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"sync"
)

// errUnasked ends a connection on which something came before the request was sent.
var errUnasked = errors.New("cacheward: the origin sent what nobody had asked for")

// Guard is a connection to an origin that is not used again while there is something in it
// that nobody has asked for, such as a second response behind the one that was. net/http
// puts a connection back first and looks into its buffer afterwards: a request that takes
// it in between is given the answer that was meant for nobody, and each one behind it the
// answer to the one before.
type Guard struct {
	net.Conn

	mu      sync.Mutex
	changed sync.Cond
	// reading: somebody waits for more, having used up all that came before.
	reading bool
	closed  bool
	// taken for the next request, of which nothing has been sent yet.
	taken bool
}

// NewGuard returns the connection, guarded.
func NewGuard(conn net.Conn) *Guard {
	g := &Guard{Conn: conn}
	g.changed.L = &g.mu
	return g
}

// Read implements net.Conn.
func (g *Guard) Read(p []byte) (int, error) {
	g.set(&g.reading, true)
	n, err := g.Conn.Read(p)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reading = false
	if g.taken && n > 0 {
		n, err = 0, errUnasked
	}
	if err != nil {
		g.closed = true
		g.changed.Broadcast()
	}
	return n, err
}

// Write implements net.Conn.
func (g *Guard) Write(p []byte) (int, error) {
	g.set(&g.taken, false)
	return g.Conn.Write(p)
}

// Close implements net.Conn.
func (g *Guard) Close() error {
	g.set(&g.closed, true)
	return g.Conn.Close()
}

func (g *Guard) set(what *bool, to bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	*what = to
	g.changed.Broadcast()
}

// take waits until all that came on the connection has been used up, or the connection is
// closed because it was not. Where nothing but responses comes on it, what comes from now on
// until the request is written ends it.
func (g *Guard) take(ctx context.Context, responsesOnly bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.reading && !g.closed {
		stop := context.AfterFunc(ctx, func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.changed.Broadcast()
		})
		defer stop()
		for !g.reading && !g.closed && ctx.Err() == nil {
			g.changed.Wait()
		}
	}
	g.taken = responsesOnly && g.reading
}

// Guarded returns the context of a request that http.Transport will send on guarded
// connections: one that has been used before is looked into first. What is there is found
// out by net/http itself, which closes the connection and sends the request on another.
func Guarded(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if !info.Reused {
			return
		}
		switch conn := info.Conn.(type) {
		case *Guard:
			conn.take(ctx, true)
		case *tls.Conn:
			// HTTP/2 has a stream for each request. Below TLS, more comes than responses.
			if g, ok := conn.NetConn().(*Guard); ok && conn.ConnectionState().NegotiatedProtocol != "h2" {
				g.take(ctx, false)
			}
		}
	}})
}
