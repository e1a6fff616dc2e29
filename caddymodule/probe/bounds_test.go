package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// answering is a site without a network.
type answering func(*http.Request) (*http.Response, error)

func (f answering) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func page(r *http.Request, status int, text string) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"text/html"}},
		Body: io.NopCloser(strings.NewReader(text)), Request: r,
	}
}

// TestRate: there are never more requests in a second than are permitted, and not fewer
// in all.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var at []time.Time
		report, err := Run(t.Context(), Options{
			URLs: []string{"http://a.example/"}, Rate: 10, Visitors: 4, Quick: true,
			Client: &http.Client{Transport: answering(func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				at = append(at, time.Now())
				mu.Unlock()
				return page(r, 200, "hello"), nil
			})},
		})
		if err != nil || report.Requests != len(at) {
			t.Fatal(err)
		}
		for i := range at {
			n := 0
			for _, other := range at[i:] {
				if other.Sub(at[i]) < time.Second {
					n++
				}
			}
			// Those at once are as many as may be saved up.
			if n > 10+4 {
				t.Errorf("%d requests in a second", n)
			}
		}
	})
}

// TestMaxRequests: no more are sent than are permitted; what is left out is told.
func TestMaxRequests(t *testing.T) {
	for _, most := range []int{1, 24, 37, 38, 60, 100, 200} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			var sent atomic.Int64
			planned := 0
			report, err := Run(t.Context(), Options{
				URLs: []string{"http://a.example/?a=1&b=2"}, Rate: 1e6, MaxRequests: most,
				Progress: func(_, of int) { planned = of },
				Client: &http.Client{Transport: answering(func(r *http.Request) (*http.Response, error) {
					sent.Add(1)
					return page(r, 200, "hello"), nil
				})},
			})
			if n := int(sent.Load()); n > most || n != planned {
				t.Errorf("%d requests were sent, %d were planned", n, planned)
			}
			if most < 37 {
				if !errors.Is(err, ErrRequests) || report != nil {
					t.Errorf("%v, %v", report, err)
				}
				return
			}
			if err != nil || report.Requests != int(sent.Load()) {
				t.Fatal(err)
			}
			left := strings.Contains(strings.Join(report.URLs[0].Notes, "\n"), "there were not enough requests")
			if left != (most < 122) {
				t.Errorf("%q", report.URLs[0].Notes)
			}
		})
	}
}

// TestAtOnce: nothing is written before all have their connection.
func TestAtOnce(t *testing.T) {
	var mu sync.Mutex
	connections, wrong := 0, 0
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if connections < 6 {
			wrong++
		}
		w.Header().Set("Content-Type", "text/html")
	}))
	server.Start()
	defer server.Close()
	o := Options{Visitors: 6, URLs: []string{server.URL}, Rate: 1e6}
	dial := o.newTransport("").(*http.Transport)
	o.Client = &http.Client{Transport: dial}
	connect := dial.DialContext
	dial.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := connect(ctx, network, address)
		mu.Lock()
		defer mu.Unlock()
		connections++
		return c, err
	}
	p, err := newProber(o)
	if err != nil {
		t.Fatal(err)
	}
	g := p.targets[0].groups[0]
	answers, err := p.send(t.Context(), p.o.rounds(p.targets[0], g, false)[2])
	if err != nil || len(answers) != 6 || wrong > 0 || connections != 6 {
		t.Errorf("%d answers, %d too early, %d connections, %v", len(answers), wrong, connections, err)
	}
}

// TestAtOnceGoesOn: who cannot connect does not keep the others from asking.
func TestAtOnceGoesOn(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	o := Options{Visitors: 3, URLs: []string{server.URL}, Rate: 1e6, Timeout: 2 * time.Second}
	transport := o.newTransport("").(*http.Transport)
	o.Client = &http.Client{Transport: transport}
	connect := transport.DialContext
	var n atomic.Int64
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if n.Add(1) == 1 {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return connect(ctx, network, address)
	}
	p, err := newProber(o)
	if err != nil {
		t.Fatal(err)
	}
	answers, err := p.send(t.Context(), p.o.rounds(p.targets[0], p.targets[0].groups[0], false)[2])
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, a := range answers {
		if a.err != nil {
			failed++
		}
	}
	if failed != 1 {
		t.Errorf("%d failed", failed)
	}
}

// TestUnreachable: that nobody answers is an error, and no verdict.
func TestUnreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + listener.Addr().String() + "/lp"
	_ = listener.Close()
	report, err := Run(t.Context(), Options{URLs: []string{nobody, nobody + "?a"}, Rate: 1e6})
	if !errors.Is(err, ErrUnreachable) || report == nil || report.Verdict != Unknown || len(report.URLs[0].Errors) != 1 || strings.Contains(err.Error(), "cw") {
		t.Errorf("%v, %+v", err, report)
	}
}

// TestHanging: a site that does not answer keeps nobody for longer than the timeout.
func TestHanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		report, err := Run(t.Context(), Options{
			URLs: []string{"http://a.example/"}, Timeout: 3 * time.Second, Rate: 100,
			Client: &http.Client{Transport: answering(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})},
		})
		if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "no answer within 3s") || report.Requests != 2 {
			t.Errorf("%v, %+v", err, report)
		}
	})
}

// TestBodyThatNeverEnds, TestTooLong: bodies are bounded in time and in size.
func TestBodyThatNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		report, err := Run(t.Context(), Options{
			URLs: []string{"http://a.example/"}, Timeout: time.Second, Rate: 1e6, Quick: true,
			Client: &http.Client{Transport: answering(func(r *http.Request) (*http.Response, error) {
				response := page(r, 200, "")
				response.Body = io.NopCloser(endless{r.Context()})
				return response, nil
			})},
		})
		if err != nil || !strings.Contains(strings.Join(report.URLs[0].Notes, "\n"), "a body was broken") {
			t.Errorf("%v, %+v", err, report)
		}
	})
}

// endless gives nothing, until nobody wants it any more.
type endless struct{ ctx context.Context }

func (e endless) Read([]byte) (int, error) {
	<-e.ctx.Done()
	return 0, e.ctx.Err()
}

func TestTooLong(t *testing.T) {
	c := newCanary(nil)
	report, err := Run(t.Context(), Options{
		URLs: []string{"http://a.example/"}, Rate: 1e6, Quick: true, Visitors: 2,
		Client: &http.Client{Transport: answering(func(r *http.Request) (*http.Response, error) {
			response := page(r, 200, "")
			response.Body = io.NopCloser(io.MultiReader(strings.NewReader(string(c)), io.LimitReader(zeros{}, 2*maxWire)))
			return response, nil
		})},
	})
	// Another probe's canary at the beginning is found; the rest is not read.
	if err != nil || report.Verdict != Leak || !strings.Contains(strings.Join(report.URLs[0].Notes, "\n"), "longer than is looked at") {
		t.Errorf("%v, %+v", err, report)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestInterrupted: what was found out until then is in the report.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var n atomic.Int64
	report, err := Run(ctx, Options{
		URLs: []string{"http://a.example/"}, Rate: 1e6,
		Client: &http.Client{Transport: answering(func(r *http.Request) (*http.Response, error) {
			if n.Add(1) == 30 {
				cancel()
			}
			return page(r, 200, "hello"), r.Context().Err()
		})},
	})
	if !errors.Is(err, context.Canceled) || report == nil || report.Requests < 30 || report.Requests > 40 || len(report.URLs[0].Errors) > 0 {
		t.Errorf("%v, %+v", err, report)
	}
}

// TestRedirect: it is judged, and not followed.
func TestRedirect(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			t.Error("it was followed")
		}
		http.Redirect(w, r, "/to?from="+r.Referer(), http.StatusFound)
	}))
	defer server.Close()
	report, err := Run(t.Context(), Options{URLs: []string{server.URL}, Rate: 1e6})
	if err != nil || report.Verdict != Isolated && report.Verdict != Shared || !strings.Contains(strings.Join(report.URLs[0].Notes, "\n"), "redirects are not followed") {
		t.Errorf("%v, %+v", err, report)
	}
	if in := report.URLs[0].input("header Referer"); !in.Reflected || in.Verdict != Isolated {
		t.Errorf("%+v", in)
	}
}

// TestTLS: with both versions of HTTP, at an address that is not the host's.
func TestTLS(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		var protocol atomic.Int64
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Host != "a.example:8443" || r.TLS.ServerName != "a.example" {
				t.Errorf("%s, %s", r.Host, r.TLS.ServerName)
			}
			protocol.Store(int64(r.ProtoMajor))
		}))
		server.EnableHTTP2 = true
		server.TLS = &tls.Config{}
		server.StartTLS()
		o := Options{
			URLs: []string{"https://a.example:8443/"}, Rate: 1e6, Quick: true, Insecure: true, HTTP1: http1,
			Resolve: map[string]string{"a.example:8443": server.Listener.Addr().String()},
		}
		report, err := Run(t.Context(), o)
		if err != nil || len(report.URLs[0].Errors) > 0 || (protocol.Load() == 1) != http1 {
			t.Errorf("HTTP/%d: %v, %+v", protocol.Load(), err, report)
		}
		o.Insecure = false
		if _, err := Run(t.Context(), o); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "certificate") {
			t.Error(err)
		}
		server.Close()
	}
}

func TestOptions(t *testing.T) {
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{}, "a URL was expected"},
		{Options{URLs: []string{"a.example"}}, `"a.example"; a URL such as https://example.com/ was expected`},
		{Options{URLs: []string{"ftp://a.example/"}}, `"ftp://a.example/"; a URL such as https://example.com/ was expected`},
		{Options{URLs: []string{"http://a\x00b/"}}, `"http://a\x00b/" is no URL`},
		{Options{URLs: []string{"http://me:x@a.example/"}}, `"http://me:xxxxx@a.example/" has a user name in it`},
		{Options{URLs: []string{"http://a.example/"}, Visitors: 1}, "1 visitors; 2 to 16 were expected"},
		{Options{URLs: []string{"http://a.example/"}, Visitors: 17}, "17 visitors; 2 to 16 were expected"},
		{Options{URLs: []string{"http://a.example/"}, Rate: -1}, "a rate, a timeout and a number of requests above 0 were expected"},
		{Options{URLs: []string{"http://a.example/"}, Inputs: []Input{{Kind: KindHeader, Name: "Host"}}}, "header Host cannot be probed: it says how the message is to be read"},
		{Options{URLs: []string{"http://a.example/"}, MaxRequests: 3}, "at least 37 were expected for 1 URL: more requests are needed than are permitted"},
	} {
		report, err := Run(t.Context(), test.o)
		if report != nil || err == nil || err.Error() != test.want {
			t.Errorf("%v", err)
		}
	}
}
