package command

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestParseResponse(t *testing.T) {
	for _, test := range []struct {
		name, text string
		status     int
		header     http.Header
		body       string
		interim    int
		note       string
	}{
		{"curl -i", "HTTP/1.1 200 OK\r\nA: b\r\n\r\n<p>\n\n</p>", 200, http.Header{"A": {"b"}}, "<p>\n\n</p>", 0, ""},
		{"HTTP/2, no reason phrase", "HTTP/2 404 \r\nset-cookie: a=b\r\nset-cookie: c=d\r\n\r\n", 404, http.Header{"Set-Cookie": {"a=b", "c=d"}}, "", 0, ""},
		{"LF alone", "HTTP/1.1 200 OK\nA: b\n\nbody", 200, http.Header{"A": {"b"}}, "body", 0, ""},
		{"a head alone (curl -I)", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n", 200, http.Header{"Content-Length": {"7"}}, "", 0, "no body"},
		{"interim responses (RFC 9110 §15.2)", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody", 200, http.Header{}, "body", 1, ""},
		{"the transfer coding is undone", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nbody", 200, http.Header{}, "body", 0, ""},
		{"curl --compressed", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n<p>日本</p>", 200, http.Header{}, "<p>日本</p>", 0, "already decoded"},
		{"coded", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00", 200, http.Header{"Content-Encoding": {"gzip"}}, "\x1f\x8b\x08\x00", 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, notes, err := parseResponse([]byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if r.Status != test.status || string(r.Body) != test.body || len(r.Informational) != test.interim || len(r.Header) != len(test.header) {
				t.Errorf("%+v", r)
			}
			for name, lines := range test.header {
				if !slices.Equal(r.Header[name], lines) {
					t.Errorf("%s: %q, want %q", name, r.Header[name], lines)
				}
			}
			if got := strings.Join(notes, "\n"); !strings.Contains(got, test.note) || test.note == "" && got != "" {
				t.Errorf("notes %q; %q was expected", got, test.note)
			}
		})
	}
	for _, text := range []string{"", "\n", "hello", "<html>", "HTTP/1.1", "HTTP/1.1 abc", "HTTP/1.1 99 x", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 103 Early\r\n\r\n",
		"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\n\r\n"} {
		if r, _, err := parseResponse([]byte(text)); err == nil {
			t.Errorf("%q was read as %+v", text, r)
		}
	}
}

func FuzzParseResponse(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\n\r\nbody"))
	f.Add([]byte("HTTP/1.1 103 x\n\nHTTP/2 200\nA: b\n\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, _, err := parseResponse(data)
		if err != nil {
			return
		}
		if r.Status < 101 || r.Status > 999 || !bytes.HasSuffix(data, r.Body) {
			t.Errorf("status %d; the body is not the end of what was read", r.Status)
		}
	})
}
