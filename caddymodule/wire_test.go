package caddymodule

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// wire is an origin that notes the bytes of every request as they came.
type wire struct {
	addr string

	mu       sync.Mutex
	requests []string
	open     []net.Conn
}

func newWire(t testing.TB) *wire {
	w := new(wire)
	w.addr = newRawOrigin(t, w.serve)
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, c := range w.open {
			_ = c.Close()
		}
	})
	return w
}

// serve answers every request with one and the same page.
func (w *wire) serve(c net.Conn) {
	w.mu.Lock()
	w.open = append(w.open, c)
	w.mu.Unlock()
	in := bufio.NewReader(c)
	for {
		var head []byte
		for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
			line, err := in.ReadBytes('\n')
			if err != nil {
				return
			}
			head = append(head, line...)
		}
		w.mu.Lock()
		w.requests = append(w.requests, string(head))
		w.mu.Unlock()
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\n\r\npage"); err != nil {
			return
		}
	}
}

// got are the requests that hold all of the texts.
func (w *wire) got(texts ...string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []string
next:
	for _, r := range w.requests {
		for _, text := range texts {
			if !strings.Contains(r, text) {
				continue next
			}
		}
		found = append(found, r)
	}
	return found
}

const fromCacheward = "\r\nUser-Agent: Cacheward\r\n"

// wireSite has two handlers, which do not share keys, before one origin: what
// each of them sends for the same key can be compared.
const wireSite = `
	vars visitor {http.request.header.X-Name}
	request_header +X-Seen {http.request.header.User-Agent}
	request_header -X-Gone
	@a header X-Side a
	@b header X-Side b
	cacheward @a {
		id a
		%[2]s
	}
	cacheward @b {
		id b
		%[2]s
	}
	reverse_proxy %[1]s {
		header_up X-Vars {http.vars.visitor}
		header_up X-Client {client_ip}
		header_up X-Remote {http.request.remote}
		header_up X-Orig {http.request.orig_uri}
		header_up X-Proto {http.request.proto}
		header_up X-Cookie {http.request.cookie.session}
		header_up X-Tls {http.request.tls.version}
		header_up X-Local {http.request.local}
	}`

const wirePolicy = `
		route once {
			path /once/*
			cache 5m
			admission once "the pages are the same for everybody"
			param key ref
			param strip utm_* @analytics
			cookie key theme
			cookie strip session _ga
			header key Accept-Language ja en
		}
		route origin {
			path /origin/*
			cache origin
			param strip utm_* @analytics
			cookie strip session _ga
			header strip Accept-Language
			header strip Accept
		}
		route page {
			path /*
			cache 5m
			param key ref
			param strip utm_* @analytics
			cookie key theme
			cookie strip session _ga
			header key Accept-Language ja en
		}`

// wireVisitor is everything about a visitor that is not in the key.
type wireVisitor struct {
	side    string // which of the two handlers
	mark    string // occurs in whatever they send beside the key
	h2      bool
	query   func(key string) string
	cookies func(key string) string
	header  http.Header
}

func drawVisitor(t *rapid.T, side string) wireVisitor {
	mark := rapid.StringMatching(`v[a-z0-9]{12}`).Draw(t, "mark "+side)
	flip := func(what string) bool { return rapid.Bool().Draw(t, side+" "+what) }
	v := wireVisitor{side: side, mark: mark, h2: flip("h2"), header: make(http.Header)}
	before, after := flip("utm before"), flip("fbclid after")
	v.query = func(key string) string {
		if before {
			key = "utm_source=" + mark + "&" + key
		}
		if after {
			key += "&fbclid=" + mark
		}
		return strings.Trim(key, "&")
	}
	first, last := flip("session before"), flip("_ga after")
	v.cookies = func(key string) string {
		if first {
			key = "session=" + mark + "; " + key
		}
		if last {
			key += "; _ga=" + mark
		}
		return strings.Trim(key, "; ")
	}
	for name, value := range map[string]string{
		"Referer": "https://hapitas.example/?from=" + mark, "X-Name": mark, "X-Gone": mark, "X-Trace-Of": mark,
		"X-Forwarded-For": "203.0.113.9, " + mark, "X-Forwarded-Proto": "https", "X-Forwarded-Port": "8443",
		"X-Forwarded-Ssl": "on", "X-Real-Ip": "203.0.113.77", "Forwarded": `for="` + mark + `"`, "Via": "1.0 " + mark,
		"Accept-Encoding": "gzip, br", "Accept": "text/html;v=" + mark, "Cache-Control": "max-age=0", "Pragma": mark,
		"Dnt": "1", "Te": "trailers", "Sec-Ch-Ua": mark, "Early-Data": "1", "From": mark + "@example.com",
	} {
		if flip(name) {
			v.header.Set(name, value)
		}
	}
	v.header.Set("User-Agent", "agent "+mark)
	v.header.Set("X-Side", side)
	return v
}

// wireKey is what is in the key.
type wireKey struct{ path, ref, theme, language string }

func drawKey(t *rapid.T) wireKey {
	return wireKey{
		path:     rapid.SampledFrom([]string{"/once/p", "/origin/p", "/page", "/a%20b", "/x/%C3%A9", "/"}).Draw(t, "path"),
		ref:      rapid.StringMatching(`r[a-z0-9]{16}`).Draw(t, "ref"),
		theme:    rapid.SampledFrom([]string{"", "dark", "light"}).Draw(t, "theme"),
		language: rapid.SampledFrom([]string{"", "ja", "en"}).Draw(t, "language"),
	}
}

// request is the visitor's request for the key.
func (v wireVisitor) request(t *rapid.T, addr string, key wireKey) *http.Request {
	r, err := http.NewRequest(http.MethodGet, "http://"+addr+key.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "example.com"
	r.URL.RawQuery = v.query("ref=" + key.ref)
	r.Header = v.header.Clone()
	theme := ""
	if key.theme != "" && !strings.HasPrefix(key.path, "/origin") {
		theme = "theme=" + key.theme
	}
	if cookies := v.cookies(theme); cookies != "" {
		r.Header.Set("Cookie", cookies)
	}
	if key.language != "" {
		spelling := rapid.SampledFrom([]string{"%s", "%s;q=0.8, fr;q=0.1", "%s-XX, *;q=0"}).Draw(t, v.side+" language")
		r.Header.Set("Accept-Language", fmt.Sprintf(spelling, key.language))
	}
	return r
}

// TestClosureAtTheWire: whatever two visitors are, have and send, the same key
// makes the same bytes at the origin, and none of theirs are in them. Their own
// requests arrive as they were sent.
func TestClosureAtTheWire(t *testing.T) {
	w := newWire(t)
	e := startEdgeWith(t, "servers {\nprotocols h1 h2c\n}", fmt.Sprintf(wireSite, w.addr, wirePolicy))
	h2 := &http.Client{Transport: h2cTransport(t)}
	rapid.Check(t, func(rt *rapid.T) {
		key := drawKey(rt)
		visitors := []wireVisitor{drawVisitor(rt, "a"), drawVisitor(rt, "b")}
		for i, v := range visitors {
			r := v.request(rt, e.addr, key)
			client := e.client
			if v.h2 {
				client = h2
			}
			res, err := client.Do(r)
			if err != nil {
				rt.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if detail := res.Header.Get("Cache-Status"); !strings.HasPrefix(detail, "Cacheward; fwd=uri-miss") {
				rt.Fatalf("visitor %s: Cache-Status: %s", v.side, detail)
			}
			eventually(t, "the canonical request", func() bool { return len(w.got(fromCacheward, key.ref)) == i+1 })
			if !strings.HasPrefix(key.path, "/once") && !strings.HasPrefix(key.path, "/origin") {
				v.arrived(rt, w, r)
			}
		}
		sent := w.got(fromCacheward, key.ref)
		if sent[0] != sent[1] {
			rt.Fatalf("two canonical requests for one key:\n%s\n%s", sent[0], sent[1])
		}
		for _, v := range visitors {
			if strings.Contains(sent[0], v.mark) {
				rt.Fatalf("the canonical request holds something of visitor %s:\n%s", v.side, sent[0])
			}
		}
	})
}

func h2cTransport(t *testing.T) *http.Transport {
	transport := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// arrived checks that the visitor's own request came to the origin with what they
// sent. What reverse_proxy makes anew and request_header removes is left aside.
func (v wireVisitor) arrived(t *rapid.T, w *wire, r *http.Request) {
	own := w.got("\r\nUser-Agent: agent " + v.mark + "\r\n")
	if len(own) != 1 {
		t.Fatalf("%d own requests of visitor %s", len(own), v.side)
	}
	if target := "GET " + r.URL.RequestURI() + " HTTP/1.1\r\n"; !strings.HasPrefix(own[0], target) {
		t.Fatalf("target is not %q:\n%s", target, own[0])
	}
	for name, lines := range r.Header {
		switch {
		case strings.HasPrefix(name, "X-Forwarded-"), name == "X-Gone":
		case name == "Via": // reverse_proxy adds itself
			if !strings.Contains(own[0], "\r\nVia: "+lines[0]) {
				t.Fatalf("Via of visitor %s did not arrive:\n%s", v.side, own[0])
			}
		case !strings.Contains(own[0], "\r\n"+name+": "+lines[0]+"\r\n"):
			t.Fatalf("%s: %s of visitor %s did not arrive:\n%s", name, lines[0], v.side, own[0])
		}
	}
	if strings.Contains(own[0], "X-Gone") || !strings.Contains(own[0], "\r\nX-Seen: agent "+v.mark+"\r\n") {
		t.Fatalf("request_header had no effect on visitor %s:\n%s", v.side, own[0])
	}
}

// TestSchemeAtTheWire: a trusted proxy is believed about the scheme, and the
// scheme is in the key; anybody else is not.
func TestSchemeAtTheWire(t *testing.T) {
	for _, c := range []struct {
		name, globals string
		trusted       bool
	}{
		{"trusted", "servers {\ntrusted_proxies static 127.0.0.0/8\n}", true},
		{"untrusted", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWire(t)
			e := startEdgeWith(t, c.globals, fmt.Sprintf(wireSite, w.addr, wirePolicy))
			e.ok("/page?ref=1", "X-Side", "a")
			awaitRecord(t, "store", nil)
			https := e.ok("/page?ref=1", "X-Side", "a", "X-Forwarded-Proto", "https", "X-Forwarded-For", "203.0.113.1")
			if https.hit() == c.trusted {
				t.Errorf("hit: %t", https.hit())
			}
			if !c.trusted {
				return
			}
			e.ok("/page?ref=1", "X-Side", "b", "X-Forwarded-Proto", "https", "X-Forwarded-For", "198.51.100.2")
			eventually(t, "two canonical requests for https", func() bool {
				return len(w.got(fromCacheward, "\r\nX-Forwarded-Proto: https\r\n")) == 2
			})
			sent := w.got(fromCacheward, "\r\nX-Forwarded-Proto: https\r\n")
			if sent[0] != sent[1] {
				t.Errorf("two canonical requests for one key:\n%s\n%s", sent[0], sent[1])
			}
			if n := len(w.got(fromCacheward, "\r\nX-Forwarded-Proto: http\r\n")); n != 1 {
				t.Errorf("%d canonical requests for http", n)
			}
		})
	}
}

// TestSchemeSpelledOddly: only the one word of a trusted proxy is https.
func TestSchemeSpelledOddly(t *testing.T) {
	w := newWire(t)
	e := startEdgeWith(t, "servers {\ntrusted_proxies static 127.0.0.0/8\n}", fmt.Sprintf(wireSite, w.addr, wirePolicy))
	e.ok("/page?ref=1", "X-Side", "a")
	awaitRecord(t, "store", nil)
	for _, proto := range []string{"http", "HTTPS", "https, http", "wss", ""} {
		if a := e.ok("/page?ref=1", "X-Side", "a", "X-Forwarded-Proto", proto); !a.hit() {
			t.Errorf("%q: %s", proto, a.header.Get("Cache-Status"))
		}
	}
}
