package origin

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// origins answers every request on a connection with what answer gives for its path.
func origins(t *testing.T, answer func(path string) string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for in := bufio.NewReader(conn); ; {
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					text := answer(req.URL.Path)
					if _, err := io.WriteString(conn, text); err != nil || strings.Contains(text, "HTTP/1.0") {
						return
					}
				}
			}()
		}
	}()
	return l
}

func guarded() *http.Transport {
	return &http.Transport{MaxIdleConnsPerHost: 4, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return NewGuard(conn), nil
	}}
}

func response(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// TestUnaskedResponses: whatever comes behind a response, the next request on the
// connection gets its own.
func TestUnaskedResponses(t *testing.T) {
	t.Parallel()
	l := origins(t, func(path string) string {
		if path == "/two" {
			return response("one") + response("POISON")
		}
		return response(path)
	})
	transport := guarded()
	defer transport.CloseIdleConnections()
	get := func(path string) string {
		req, err := http.NewRequestWithContext(Guarded(t.Context()), http.MethodGet, "http://"+l.Addr().String()+path, nil)
		if err != nil {
			t.Error(err)
			return ""
		}
		res, err := transport.RoundTrip(req)
		if err != nil {
			t.Error(err)
			return ""
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return string(body)
	}
	var wg sync.WaitGroup
	for v := range 8 {
		wg.Go(func() {
			for i := range 300 {
				if got := get("/two"); got != "one" {
					t.Errorf("/two: %q", got)
				}
				path := fmt.Sprintf("/%d/%d", v, i)
				if got := get(path); got != path {
					t.Errorf("%s: %q", path, got)
				}
			}
		})
	}
	wg.Wait()
}

// TestTaken: what comes between a connection's being taken and the request ends it, and what
// comes after the request is its answer.
func TestTaken(t *testing.T) {
	for _, early := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			here, there := net.Pipe()
			g := NewGuard(here)
			var got []byte
			var err error
			done := make(chan struct{})
			go func() {
				defer close(done)
				buf := make([]byte, 16)
				var n int
				n, err = g.Read(buf)
				got = buf[:n]
			}()
			g.take(t.Context(), true)
			if !early {
				go func() { _, _ = io.ReadFull(there, make([]byte, 3)) }()
				if _, err := g.Write([]byte("GET")); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := there.Write([]byte("HTTP")); err != nil {
				t.Fatal(err)
			}
			<-done
			if early && (err == nil || len(got) > 0) || !early && (err != nil || string(got) != "HTTP") {
				t.Errorf("early %t: %q, %v", early, got, err)
			}
			g.Close()
			there.Close()
		})
	}
}

// TestTakeEnds: nobody waits for a connection that is closed, nor longer than they want to.
func TestTakeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		g := NewGuard(here)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { g.take(ctx, true) })
		synctest.Wait()
		cancel()
		wg.Wait()
		wg.Go(func() { g.take(t.Context(), true) })
		synctest.Wait()
		g.Close()
		wg.Wait()
	})
}

// TestEndsUnseen: only a body that nothing but the connection's end delimits.
func TestEndsUnseen(t *testing.T) {
	t.Parallel()
	l := origins(t, func(path string) string {
		return map[string]string{
			"/length":  response("page"),
			"/chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npage\r\n0\r\n\r\n",
			"/none":    "HTTP/1.1 204 No Content\r\n\r\n",
			"/close":   "HTTP/1.0 200 OK\r\n\r\npage",
		}[path]
	})
	over := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.0 200 OK\r\n\r\npage")
			conn.Close()
		}
	}))
	defer over.Close()
	client := over.Client()
	for url, want := range map[string]bool{"/length": false, "/chunked": false, "/none": false, "/close": true, over.URL: false} {
		if !strings.HasPrefix(url, "http") {
			url = "http://" + l.Addr().String() + url
		}
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			if method == http.MethodHead && !want {
				continue // what the origin sends is for GET
			}
			req, _ := http.NewRequestWithContext(t.Context(), method, url, nil)
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if got := EndsUnseen(res); got != (want && method == http.MethodGet) {
				t.Errorf("%s %s: %t", method, url, got)
			}
		}
	}
}
