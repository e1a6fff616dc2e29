package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func get(uri string) func(int) Target {
	return func(int) Target { return Target{URI: uri} }
}

func site(t *testing.T, handler http.HandlerFunc) (addr string) {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// Both loads send every request once and account for every answer, however it is framed.
func TestAnswersAreCounted(t *testing.T) {
	page := strings.Repeat("0123456789", 10_000)
	for name, handler := range map[string]http.HandlerFunc{
		"length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(page)))
			_, _ = io.WriteString(w, page)
		},
		"chunked": func(w http.ResponseWriter, _ *http.Request) {
			for half := range 2 {
				_, _ = io.WriteString(w, page[half*len(page)/2:(half+1)*len(page)/2])
				w.(http.Flusher).Flush()
			}
		},
		"closing": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			_, _ = io.WriteString(w, page)
		},
		"until the end": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"+page)
			_ = conn.Close()
		},
	} {
		for _, checked := range []bool{false, true} {
			for _, closed := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, closed %v, checked %v", name, closed, checked), func(t *testing.T) {
					const n = 60
					var asked sync.Map
					addr := site(t, func(w http.ResponseWriter, r *http.Request) {
						if _, again := asked.LoadOrStore(r.URL.Path, true); again {
							t.Errorf("%s again", r.URL.Path)
						}
						handler(w, r)
					})
					o := Options{Addr: addr, Conns: 3, Request: func(i int) Target { return Target{URI: fmt.Sprintf("/%d", i)} }}
					var checks atomic.Int64
					if checked {
						o.Check = func(_ int, r *Response) error {
							checks.Add(1)
							if string(r.Body) != page {
								return fmt.Errorf("%d bytes", len(r.Body))
							}
							return nil
						}
					}
					run := Steady
					if closed {
						run, o.Requests = Closed, n
					} else {
						o.Rate, o.Duration = 1000, n*time.Millisecond
					}
					r, err := run(t.Context(), o)
					if err != nil {
						t.Fatal(err)
					}
					sent := n - r.Unsent // a machine that is very busy may not get to the last ones
					if r.Sent != sent || r.Answered != sent || r.Failed() != r.Unsent || r.Bytes != int64(sent*len(page)) || r.Latency.Count() != sent ||
						!maps.Equal(r.Statuses, map[int]int{200: sent}) || r.Elapsed <= 0 || r.Rate() <= 0 {
						t.Error(r)
					}
					if checked != (checks.Load() == int64(sent)) {
						t.Errorf("%d checks", checks.Load())
					}
					for i := range sent {
						if _, ok := asked.Load(fmt.Sprintf("/%d", i)); !ok {
							t.Errorf("request %d was never sent", i)
						}
					}
				})
			}
		}
	}
}

// What fails is counted by its kind, once for each request, and the next request has a
// connection that works.
func TestFailuresAreCountedByKind(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for _, tt := range []struct {
		kind  Kind
		first func(w *wire) // on the first connection, after one good answer
	}{
		{Truncated, func(w *wire) { w.answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbroken") }},
		{Truncated, func(w *wire) { w.answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbrok") }},
		{Truncated, func(w *wire) { w.answer("HTTP/1.1 20") }},
		{Malformed, func(w *wire) { w.answer("SSH-2.0-OpenSSH\r\n") }},
		{Malformed, func(w *wire) { w.answer(ok + ok) }},
		{TimedOut, func(w *wire) { w.request(); w.request() }},
		{TimedOut, func(w *wire) { w.answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nslow"); w.request() }},
		{Refuted, func(w *wire) {
			w.answer(strings.Replace(ok, "ok", "no", 1))
			w.answer(ok)
			w.answer(ok)
		}},
	} {
		t.Run(string(tt.kind), func(t *testing.T) {
			t.Parallel() // for those that wait
			addr := serve(t, func(w *wire, n int) {
				if n == 0 {
					w.answer(ok)
					tt.first(w)
					return
				}
				for w.answer(ok) {
				}
			})
			o := Options{Addr: addr, Conns: 1, Requests: 4, Request: get("/"), Check: func(_ int, r *Response) error {
				if string(r.Body) != "ok" {
					return errors.New("not ok")
				}
				return nil
			}}
			if tt.kind == TimedOut {
				o.Timeout = time.Second
			}
			r, err := Closed(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			answered := 3
			if tt.kind == Refuted {
				answered = 4
			}
			if r.Sent != 4 || r.Answered != answered || r.Retried != 0 || !maps.Equal(r.Errors, map[Kind]int{tt.kind: 1}) {
				t.Error(r)
			}
			var e *Error
			if !errors.As(r.Examples[tt.kind], &e) || e.Kind != tt.kind {
				t.Errorf("example %v", r.Examples[tt.kind])
			}
		})
	}
}

// A kept connection that the server closes between two requests is no failure, once: the
// request goes out again. One that is closed at its first request is.
func TestClosedConnections(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for _, tt := range []struct {
		name     string
		method   string
		talk     func(w *wire, n int)
		answered int
		retried  int
		errors   map[Kind]int
	}{
		{"kept and closed", "GET", func(w *wire, _ int) { w.answer(ok); w.request() }, 4, 3, map[Kind]int{}},
		{"kept and reset", "HEAD", func(w *wire, _ int) {
			w.answer("HTTP/1.1 200 OK\r\n\r\n")
			w.request()
			w.reset()
		}, 4, 3, map[Kind]int{}},
		{"not to be repeated", "POST", func(w *wire, _ int) { w.answer(ok); w.request() }, 2, 0, map[Kind]int{Dropped: 2}},
		{"closed at once", "GET", func(w *wire, _ int) { w.request() }, 0, 0, map[Kind]int{Dropped: 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addr := serve(t, tt.talk)
			r, err := Closed(t.Context(), Options{Addr: addr, Conns: 1, Requests: 4,
				Request: func(int) Target { return Target{Method: tt.method, URI: "/"} }})
			if err != nil {
				t.Fatal(err)
			}
			if r.Answered != tt.answered || r.Retried != tt.retried || !maps.Equal(r.Errors, tt.errors) {
				t.Error(r)
			}
		})
	}
}

// A server that stalls is charged for the requests that were due in the meantime, although
// they were sent after it: none of them is left out or counted from its sending.
func TestSteadyCountsFromTheDueTime(t *testing.T) {
	const stall = 300 * time.Millisecond
	var stalled sync.Once
	addr := site(t, func(http.ResponseWriter, *http.Request) {
		stalled.Do(func() { time.Sleep(stall) })
	})
	r, err := Steady(t.Context(), Options{Addr: addr, Conns: 1, Rate: 1000, Duration: 200 * time.Millisecond, Request: get("/")})
	if err != nil {
		t.Fatal(err)
	}
	if r.Sent+r.Unsent != 200 || r.Answered != r.Sent || r.Failed() != r.Unsent {
		t.Fatal(r)
	}
	// The last one was due 200 ms after the first, before the server went on.
	if shortest := r.Latency.Quantile(0); shortest < stall-200*time.Millisecond {
		t.Errorf("the shortest latency is %v", shortest)
	}
	if r.Latency.Max() < stall || r.Service.Max() < stall {
		t.Errorf("the longest latency is %v, from the sending %v", r.Latency.Max(), r.Service.Max())
	}
	if r.Service.Mean() >= r.Latency.Mean() {
		t.Errorf("the wait for the connection counts as service: %v of %v", r.Service.Mean(), r.Latency.Mean())
	}
}

// What Steady could not send is said, not forgotten.
func TestSteadyCountsTheUnsent(t *testing.T) {
	addr := site(t, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})
	const n = 3000 // more than wait for a connection
	r, err := Steady(t.Context(), Options{Addr: addr, Conns: 2, Rate: 100_000, Duration: n * 10 * time.Microsecond,
		Timeout: drain + 200*time.Millisecond, Request: get("/")})
	if err != nil {
		t.Fatal(err)
	}
	if r.Sent != 2 || r.Unsent != n-2 || r.Errors[TimedOut] != 2 || r.Failed() != n {
		t.Error(r)
	}
}

func TestTheEndOfTheContextEndsTheLoad(t *testing.T) {
	for name, run := range map[string]func(context.Context, Options) (*Result, error){"steady": Steady, "closed": Closed} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var n atomic.Int64
			addr := site(t, func(_ http.ResponseWriter, r *http.Request) {
				if n.Add(1) > 3 {
					cancel()
					<-r.Context().Done()
				}
			})
			o := Options{Addr: addr, Conns: 2, Duration: time.Hour, Request: get("/")}
			if name == "steady" {
				o.Rate = 50
			}
			r, err := run(ctx, o)
			if !errors.Is(err, context.Canceled) || r == nil {
				t.Fatal(r, err)
			}
			if r.Answered < 2 || r.Failed() != 0 || r.Sent < r.Answered {
				t.Error(r)
			}
		})
	}
}

func TestClosedEndsWithTheDuration(t *testing.T) {
	addr := site(t, func(http.ResponseWriter, *http.Request) {})
	r, err := Closed(t.Context(), Options{Addr: addr, Conns: 2, Duration: 50 * time.Millisecond, Request: get("/")})
	if err != nil || r.Answered == 0 || r.Failed() != 0 || r.Elapsed < 50*time.Millisecond {
		t.Error(r, err)
	}
}

func TestOptions(t *testing.T) {
	addr := site(t, func(http.ResponseWriter, *http.Request) {})
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, run := range map[string]func() (*Result, error){
		"no rate": func() (*Result, error) {
			return Steady(t.Context(), Options{Addr: addr, Conns: 1, Duration: 1, Request: get("/")})
		},
		"rate": func() (*Result, error) {
			return Steady(t.Context(), Options{Addr: addr, Conns: 1, Rate: 1e9, Duration: 1, Request: get("/")})
		},
		"short": func() (*Result, error) {
			return Steady(t.Context(), Options{Addr: addr, Conns: 1, Rate: 1, Duration: 1, Request: get("/")})
		},
		"no end": func() (*Result, error) { return Closed(t.Context(), Options{Addr: addr, Conns: 1, Request: get("/")}) },
		"closed rate": func() (*Result, error) {
			return Closed(t.Context(), Options{Addr: addr, Conns: 1, Rate: 1, Requests: 1, Request: get("/")})
		},
		"no conns": func() (*Result, error) {
			return Closed(t.Context(), Options{Addr: addr, Requests: 1, Request: get("/")})
		},
		"no requests": func() (*Result, error) { return Closed(t.Context(), Options{Addr: addr, Conns: 1, Requests: 1}) },
		"no server": func() (*Result, error) {
			return Closed(t.Context(), Options{Addr: gone.Listener.Addr().String(), Conns: 1, Requests: 1, Request: get("/")})
		},
	} {
		if r, err := run(); err == nil || r != nil {
			t.Error(name, r, err)
		}
	}
}
