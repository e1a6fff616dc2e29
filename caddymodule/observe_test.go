package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const observeSite = `cacheward {
		mode observe
		identity {
			cookie session
		}
		route page {
			path /*
			cache 5m
			param strip utm_*
			param deny attack
		}
		route enforced {
			path /never-reached/*
			cache 5m
			mode enforce
		}
	}
	reverse_proxy %s`

// TestObserveSaysWhatWouldBe: every request reaches the origin as it came, nothing
// is stored, and the record has the reasons that enforce would have had.
func TestObserveSaysWhatWouldBe(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if canonical(r) {
			t.Error("a fill")
		}
		switch r.URL.Path {
		case "/cookie":
			w.Header().Set("Set-Cookie", "session=1")
		case "/private":
			w.Header().Set("Cache-Control", "private")
		case "/status":
			w.WriteHeader(http.StatusForbidden)
		case "/flushed":
			w.Header().Set("Cache-Control", "no-store")
			_ = http.NewResponseController(w).Flush()
		}
		_, _ = io.WriteString(w, r.RequestURI+" "+r.UserAgent())
	})
	e := startEdge(t, fmt.Sprintf(observeSite, origin))
	for _, c := range []struct {
		name, method, target string
		headers              []string
		status               int
		reasons              []string
	}{
		{"would be stored", "GET", "/", nil, 200, nil},
		{"again", "GET", "/", nil, 200, nil},
		{"stripped", "GET", "/?utm_source=mail", nil, 200, nil},
		{"sets a cookie", "GET", "/cookie", nil, 200, []string{"set-cookie"}},
		{"private", "GET", "/private", nil, 200, []string{"private"}},
		{"status", "GET", "/status", nil, 403, []string{"status"}},
		{"flushed", "GET", "/flushed", nil, 200, []string{"no-store"}},
		{"identity", "GET", "/", []string{"Cookie", "session=1"}, 200, []string{"identity"}},
		{"would be denied", "GET", "/?attack=1", nil, 200, []string{"denied"}},
		{"ambiguous", "GET", "/a//b", nil, 200, []string{"path-double-slash"}},
		{"method", "POST", "/", nil, 200, []string{"method"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(records(""))
			a := e.do(c.method, c.target, c.headers...)
			if want := c.target + " visitor"; a.err != nil || a.status != c.status || a.body != want {
				t.Errorf("%d %q, want %q; %v", a.status, a.body, want, a.err)
			}
			eventually(t, "the record", func() bool { return len(records("")) > before })
			r := records("")[before]
			if r.Event != "bypass" || r.Outcome != "observe" || r.Mode != "observe" || r.Route != "page" || r.Status != c.status {
				t.Errorf("record: %+v", r)
			}
			if !slices.Equal(r.Reasons, c.reasons) {
				t.Errorf("reasons are %v, want %v", r.Reasons, c.reasons)
			}
		})
	}
	nothingStored(t)
}

// TestObserveStaysOutOfTheWay: connections that are taken over and streams work as
// without us.
func TestObserveStaysOutOfTheWay(t *testing.T) {
	next := make(chan struct{})
	e := startEdge(t, fmt.Sprintf(observeSite, newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "echo" {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			line, _ := rw.ReadString('\n')
			_, _ = io.WriteString(c, line)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for range 2 {
			_, _ = io.WriteString(w, "data: event\n")
			_ = http.NewResponseController(w).Flush()
			<-next
		}
	})))
	for name, request := range map[string]string{
		"upgrade": "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\ndata: event\n",
		"stream":  "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n",
	} {
		c, err := net.Dial("tcp", e.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, request)
		in := bufio.NewReader(c)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		body := in
		if name == "stream" {
			body = bufio.NewReader(res.Body)
		}
		if line, err := body.ReadString('\n'); err != nil || line != "data: event\n" {
			t.Errorf("%s: %q, %v", name, line, err)
		}
	}
	close(next)
}

// TestObserveNoAnswer: where nobody answers, nothing is added.
func TestObserveNoAnswer(t *testing.T) {
	e := startEdge(t, strings.TrimSuffix(observeSite, "reverse_proxy %s"))
	a := e.ok("/")
	if a.body != "" || len(a.header["Cache-Control"]) > 0 || len(a.header["Cache-Status"]) > 0 {
		t.Errorf("%q %v", a.body, a.header)
	}
}
