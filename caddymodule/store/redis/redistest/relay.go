//go:build unix

package redistest

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Mode is what a [Relay] does with what comes.
type Mode int32

const (
	// Pass hands everything on.
	Pass Mode = iota
	// Cut resets the connections there are, and each new one.
	Cut
	// BlackHole accepts everything, hands nothing on, and closes nothing, in both
	// directions: what a network does that drops packets silently.
	BlackHole
)

// Relay is a TCP proxy in front of one address. It is safe for concurrent use.
type Relay struct {
	// Addr is where it listens.
	Addr string

	target string
	mode   atomic.Int32
	delay  atomic.Int64 // nanoseconds

	mu      sync.Mutex
	conns   map[net.Conn]bool
	changed chan struct{} // closed when the mode changes, or the relay ends
	ended   bool
}

// Proxy starts a relay in front of target, a host and port. It ends with the test.
func Proxy(t testing.TB, target string) *Relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{
		Addr: l.Addr().String(), target: target,
		conns: make(map[net.Conn]bool), changed: make(chan struct{}),
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { r.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		r.end()
		serving.Wait()
	})
	return r
}

// Set changes the mode, for the connections that there are too. What [BlackHole] swallowed
// is lost, so when it ends the connections that lost something are reset, as a peer does
// that has given up; they were of no use before either.
func (r *Relay) Set(mode Mode) {
	before := Mode(r.mode.Swap(int32(mode)))
	r.mu.Lock()
	defer r.mu.Unlock()
	if mode == Cut || before == BlackHole && mode != BlackHole {
		for conn := range r.conns {
			reset(conn)
		}
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// Delay has everything that passes wait for that long, in each direction. Zero ends it.
func (r *Relay) Delay(d time.Duration) { r.delay.Store(int64(d)) }

// Connections is how many clients are connected.
func (r *Relay) Connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns)
}

func (r *Relay) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	for conn := range r.conns {
		reset(conn)
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// add notes a client's connection, and reports whether it may go on.
func (r *Relay) add(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended || Mode(r.mode.Load()) == Cut {
		return false
	}
	r.conns[conn] = true
	return true
}

func (r *Relay) remove(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, conn)
}

func (r *Relay) serve(client net.Conn) {
	defer client.Close()
	if !r.add(client) {
		reset(client)
		return
	}
	defer r.remove(client)
	if Mode(r.mode.Load()) == BlackHole {
		_, _ = io.Copy(io.Discard, client) // until the client gives up, or Set resets it
		return
	}
	server, err := net.Dial("tcp", r.target)
	if err != nil {
		reset(client)
		return
	}
	defer server.Close()
	var both sync.WaitGroup
	both.Go(func() {
		r.copy(server, client)
		server.Close()
	})
	both.Go(func() {
		r.copy(client, server)
		if Mode(r.mode.Load()) != BlackHole {
			client.Close() // in a black hole, the client does not learn of it
		}
	})
	both.Wait()
}

// copy hands on what comes, and swallows it while the mode is BlackHole.
func (r *Relay) copy(to, from net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if d := time.Duration(r.delay.Load()); d > 0 && n > 0 {
			r.wait(d)
		}
		if n > 0 && Mode(r.mode.Load()) == Pass {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// wait waits for d, or until the mode changes.
func (r *Relay) wait(d time.Duration) {
	r.mu.Lock()
	changed := r.changed
	r.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	}
}

// reset closes the connection with RST.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return
	}
}
