package load

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// Kind is a way for a request to fail.
type Kind string

// The kinds.
const (
	Connect   Kind = "connect"   // no connection
	Dropped   Kind = "dropped"   // the connection ended without a byte in answer
	Truncated Kind = "truncated" // the connection ended within the answer
	TimedOut  Kind = "timed-out" // no complete answer within Timeout
	Malformed Kind = "malformed" // the answer is not HTTP/1.x, or more came than an answer
	Refuted   Kind = "refuted"   // Check returned an error
)

// Error is why a request failed.
type Error struct {
	Kind Kind
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Kind, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// patience is Options.Timeout if that is zero.
const patience = 30 * time.Second

// client sends one request after the other on a connection, which it opens when there is
// none.
type client struct {
	addr    string
	timeout time.Duration
	reader  reader
	conn    net.Conn // nil if there is none
	release func() bool
	kept    bool // an answer has come on this connection
	retried int
	request []byte
}

func newClient(addr string, timeout time.Duration, keep bool) *client {
	return &client{
		addr: addr, timeout: cmp.Or(timeout, patience),
		reader: reader{br: bufio.NewReaderSize(nil, piece), keep: keep},
	}
}

// open connects. The connection is closed when the context ends.
func (c *client) open(ctx context.Context, deadline time.Time) error {
	dialer := net.Dialer{Deadline: deadline}
	conn, err := dialer.DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return &Error{Connect, err}
	}
	c.conn, c.kept = conn, false
	c.reader.br.Reset(conn)
	c.release = context.AfterFunc(ctx, func() { _ = conn.Close() })
	return nil
}

func (c *client) close() {
	if c.conn != nil {
		c.release()
		_ = c.conn.Close()
		c.conn = nil
	}
}

// prepare makes the request's bytes, so that sending does not wait for them.
func (c *client) prepare(t *Target) { c.request = t.append(c.request[:0], c.addr) }

// exchange sends the prepared request and reads the answer into the reader's response. The
// error is an *Error.
func (c *client) exchange(ctx context.Context, method string) error {
	deadline := time.Now().Add(c.timeout)
	for {
		if c.conn == nil {
			if err := c.open(ctx, deadline); err != nil {
				return err
			}
		}
		kept := c.kept
		err := c.once(method, deadline)
		if err == nil {
			return nil
		}
		c.close()
		if !kept || err.Kind != Dropped || method != "GET" && method != "HEAD" || ctx.Err() != nil {
			return err
		}
		c.retried++
	}
}

func (c *client) once(method string, deadline time.Time) *Error {
	c.reader.begun = false
	_ = c.conn.SetDeadline(deadline)
	_, err := c.conn.Write(c.request)
	if err == nil {
		err = c.reader.read(method)
	} else if !errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	if err == nil && c.reader.br.Buffered() > 0 {
		err = fmt.Errorf("%w: %d bytes after it", errMalformed, c.reader.br.Buffered())
	}
	if err != nil {
		return &Error{c.kind(err), err}
	}
	c.kept = true
	if c.reader.last {
		c.close()
	}
	return nil
}

func (c *client) kind(err error) Kind {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return TimedOut
	case errors.Is(err, errMalformed):
		return Malformed
	case errors.Is(err, errNoAnswer):
		return Dropped
	case errors.Is(err, io.ErrUnexpectedEOF), c.reader.begun:
		return Truncated
	}
	return Dropped // reset, say
}
