package attacks

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
)

// leaders are requests that come first, while the origin takes its time, and for whose
// answer those who come behind them must not be made to take it.
var leaders = []struct {
	name   string
	method string
	fields []string
	leaves bool
}{
	{name: "like the others"},
	{name: "leaves", leaves: true},
	{name: "HEAD", method: http.MethodHead},
	{name: "HEAD that leaves", method: http.MethodHead, leaves: true},
	{name: "OPTIONS", method: http.MethodOptions},
	{name: "POST", method: http.MethodPost},
	{name: "range", fields: []string{"Range: bytes=0-3"}},
	{name: "range that leaves", fields: []string{"Range: bytes=0-3"}, leaves: true},
	{name: "condition", fields: []string{"If-None-Match: *"}},
	{name: "condition that fails", fields: []string{`If-Match: "other"`}},
	{name: "credentials", fields: []string{"Authorization: Bearer m1n7"}},
	{name: "a session", fields: []string{"Cookie: session=1"}},
	{name: "no-store", fields: []string{"Cache-Control: no-store"}},
	{name: "no-cache", fields: []string{"Cache-Control: no-cache"}},
	{name: "only-if-cached", fields: []string{"Cache-Control: only-if-cached"}},
	{name: "expects", fields: []string{"Expect: 100-continue"}},
	{name: "another host's forwarding", fields: []string{"X-Forwarded-Host: evil.example"}},
}

// slow is how long the origin takes in these tests.
const slow = 60 * time.Millisecond

// pageOrPart answers as an origin does that looks at all that it is sent.
func pageOrPart(personal bool) func(q asked) script {
	return func(q asked) script {
		time.Sleep(slow)
		s := script{fields: []string{permitted, htmlType, `ETag: "v1"`}, body: "<h1>page</h1>"}
		if personal {
			s.fields = []string{"Cache-Control: private", "Set-Cookie: sid=§", htmlType}
			s.body = "<h1>page</h1>§"
		}
		switch {
		case q.header.Get("Range") != "":
			s.status, s.body = "206 Partial Content", s.body[:4]
			s.fields = append(s.fields, "Content-Range: bytes 0-3/13")
		case q.header.Get("If-Match") != "":
			s.status = "412 Precondition Failed"
		case q.conditional():
			s.status = "304 Not Modified"
		case q.header.Get("Authorization") != "":
			s.body = "<h1>Hello member</h1>§"
		case q.header.Get("X-Forwarded-Host") == "evil.example":
			s.body = "<script src=//evil.example/></script>"
		}
		return s
	}
}

// Those who come while another's answer is under way get the page, whatever the first
// one asked, and whether they stay or not.
func testLeaders(t *testing.T, w *ward) {
	for _, leader := range leaders {
		for _, personal := range []bool{false, true} {
			name := fmt.Sprintf("%s/personal %v", leader.name, personal)
			w.each(t, name, pageOrPart(personal), []string{onDuration, onTrusted, onOrigin, onPlain}, func(t *testing.T, path string) {
				w.behind(t, path, call{method: leader.method, target: path, fields: leader.fields}, leader.leaves)
			})
		}
	}
}

// behind lets a leader ask, and others behind them before the origin has answered.
func (w *ward) behind(t *testing.T, path string, leader call, leaves bool) {
	t.Helper()
	var group sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answers := make([]*answered, 9)
	led := make(chan struct{})
	group.Go(func() {
		defer close(led)
		answers[0] = w.client.askUntil(ctx, leader)
	})
	edge.Eventually(t, "the leader's request is under way", func() bool {
		select {
		case <-led: // answered without the origin
			return true
		default:
			return w.origin.askedFor(path)
		}
	})
	if leaves {
		cancel()
	}
	for i := 1; i < len(answers); i++ {
		group.Go(func() { answers[i] = w.client.ask(visitor(i, path)) })
	}
	group.Wait()
	others := answers[1:]
	report(t, denied(others, http.StatusOK))
	report(t, shared(answers))
	for _, a := range others {
		if text := a.content(); a.broken == nil && minted.ReplaceAllString(text, "") != "<h1>page</h1>" {
			t.Errorf("%s: %s", poison, a)
		}
	}
}

// A visitor who does not read what they asked for keeps nobody else waiting.
func testConvoy(t *testing.T, w *ward) {
	body := strings.Repeat("<p>The same for everybody.</p>\n", 100_000)
	w.each(t, "reads nothing", always(script{fields: []string{permitted, htmlType}, body: body}), everywhere, func(t *testing.T, path string) {
		conn, err := net.Dial("tcp", w.site.Address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, siteHost); err != nil {
			t.Fatal(err)
		}
		answers := w.ask(path)
		report(t, denied(answers, http.StatusOK))
		for _, a := range answers {
			if a.broken == nil && a.content() != body {
				t.Errorf("%s: %d bytes, and not the origin's %d", poison, len(a.content()), len(body))
			}
		}
	})
}
