package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"
)

// anyPort is a free port on loopback.
const anyPort = "127.0.0.1:0"

// stopTime is how long requests under way may take when a server is stopped.
const stopTime = 2 * time.Second

// server is one of the demo's own HTTP servers.
type server struct {
	addr string
	http *http.Server
	done chan error
}

// listen serves handler at address until stop.
func listen(address string, handler http.Handler) (*server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &server{
		addr: listener.Addr().String(),
		http: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       30 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       time.Minute,
			// Clients that go away in the middle are no news here.
			ErrorLog: log.New(io.Discard, "", 0),
		},
		done: make(chan error, 1),
	}
	go func() { s.done <- s.http.Serve(listener) }()
	return s, nil
}

// stop ends the server and waits for it: what is under way may finish for a
// while, then connections are cut.
func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	_ = s.http.Shutdown(ctx) // what it leaves open is cut
	return s.cut()
}

// cut ends the server at once. It is for when all clients are gone: stop would wait
// for a connection that one of them made and never used.
func (s *server) cut() error {
	_ = s.http.Close() // reports only listeners that are closed already
	if err := <-s.done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving at %s: %w", s.addr, err)
	}
	return nil
}

// startEdge starts the edge at e.Listen, or at a free port when that is empty.
// A free port can be lost to another program before the edge has taken it, hence
// the attempts.
func startEdge(ctx context.Context, start EdgeFunc, e Edge) (string, func() error, error) {
	const attempts = 3
	for attempt := 1; ; attempt++ {
		chosen := e
		if chosen.Listen == "" {
			free, err := freeAddress()
			if err != nil {
				return "", nil, err
			}
			chosen.Listen = free
		}
		addr, stop, err := start(ctx, chosen)
		if err == nil {
			return addr, stop, nil
		}
		if e.Listen != "" || attempt == attempts || !addressInUse(err) {
			return "", nil, fmt.Errorf("starting the edge at %s: %w", chosen.Listen, err)
		}
	}
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", anyPort)
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	address := listener.Addr().String()
	return address, listener.Close()
}

// addressInUse also looks at the text: an edge in another process, or Caddy's
// own wrapping, may have lost the error's type.
func addressInUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || strings.Contains(err.Error(), "address already in use")
}

// closers are what must be undone, in the reverse order of its being done.
type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

// close undoes everything, whatever fails, and returns what failed.
func (c closers) close() error {
	var errs []error
	for _, f := range slices.Backward(c) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}
