package load

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
)

// serve runs a server that knows no HTTP: each connection is handed to the function, with
// its number from 0, and closed when that returns.
func serve(t *testing.T, talk func(conn *wire, n int)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				talk(&wire{conn, bufio.NewReader(conn)}, n)
			}()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
	return l.Addr().String()
}

// wire is a connection at the server's end.
type wire struct {
	net.Conn
	br *bufio.Reader
}

// request waits for the next request, and returns nil when the client has gone.
func (w *wire) request() *http.Request {
	r, err := http.ReadRequest(w.br)
	if err != nil {
		return nil
	}
	return r
}

// answer answers the next request and says whether there was one.
func (w *wire) answer(with string) bool {
	if w.request() == nil {
		return false
	}
	_, err := io.WriteString(w, with)
	return err == nil
}

// reset closes the connection so that the client sees a reset.
func (w *wire) reset() {
	_ = w.Conn.(*net.TCPConn).SetLinger(0)
	_ = w.Close()
}
