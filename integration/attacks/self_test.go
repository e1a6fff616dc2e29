package attacks

import (
	"bufio"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// badCache makes every mistake that the catalogue warns of: it keeps everything that
// may be kept, for whoever asks for what looks like the same path, and forwards all that it
// was sent.
type badCache struct {
	origins map[string]*origin
	// worst leaves host and query out of the key as well.
	worst bool

	mu   sync.Mutex
	kept map[string]answer
}

func (c *badCache) key(r *http.Request) string {
	key := credulous(r.URL.EscapedPath())
	if !c.worst {
		key = strings.ToLower(r.Host) + key + "?" + r.URL.RawQuery
	}
	return key
}

func (c *badCache) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := c.key(r)
	c.mu.Lock()
	kept, ok := c.kept[key]
	c.mu.Unlock()
	if !ok {
		if kept = c.fetch(r); kept.err != nil {
			http.Error(w, kept.err.Error(), http.StatusBadGateway)
			return
		}
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			c.mu.Lock()
			c.kept[key] = kept
			c.mu.Unlock()
		}
	}
	maps.Copy(w.Header(), kept.header)
	w.Header().Del("Content-Length")
	w.WriteHeader(kept.status)
	_, _ = w.Write(kept.body)
}

// fetch forwards the request as it came, without what its Connection names.
func (c *badCache) fetch(r *http.Request) answer {
	out := &request{method: r.Method, target: r.RequestURI, fields: []field{{"Host", r.Host}}}
	body, _ := io.ReadAll(r.Body)
	out.body = string(body)
	r.Header.Set("X-Forwarded-Proto", "http")
	if r.Header.Get("X-Forwarded-For") == "" {
		r.Header.Set("X-Forwarded-For", "127.0.0.1")
	}
	for _, name := range strings.Split(r.Header.Get("Connection"), ",") {
		r.Header.Del(strings.TrimSpace(name))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if name != "Connection" && name != "Content-Length" {
			for _, value := range r.Header[name] {
				out.add(name, value)
			}
		}
	}
	if out.body != "" {
		out.set("Content-Length", strconv.Itoa(len(out.body)))
	}
	return ask(c.origin(r.Host), out)
}

func (c *badCache) origin(host string) string {
	name, _, _ := strings.Cut(strings.ToLower(host), ".")
	if o := c.origins[name]; o != nil {
		return o.address
	}
	return c.origins[personalities[0].name].address
}

// startBad runs a handler in the place of the edge.
func startBad(t *testing.T, origins map[string]*origin, handler http.Handler) *stage {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, Protocols: new(http.Protocols), ErrorLog: log.New(io.Discard, "", 0)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(func() { server.Close() })
	go func() { _ = server.Serve(l) }()
	return &stage{address: l.Addr().String(), origins: origins, proxied: func(string) []field {
		return []field{{"X-Forwarded-For", "127.0.0.1"}, {"X-Forwarded-Proto", "http"}}
	}}
}

// TestHarness shows that the harness can fail: in front of a bad cache, attacks of every
// class succeed, and with every verdict.
func TestHarness(t *testing.T) {
	origins := startOrigins(t)
	verdicts := make(map[verdict]int)
	classes := make(map[string]bool)
	credulous := personalities[len(personalities)-1]
	for _, worst := range []bool{false, true} {
		s := startBad(t, origins, &badCache{origins: origins, worst: worst, kept: make(map[string]answer)})
		s.attackAll(t, func(yield func(attempt) bool) {
			for i, c := range tables() {
				a := attempt{route: "ttl", personality: credulous, h2: c.class == "22", changes: []change{c}}
				if strings.HasPrefix(c.class, "8") {
					a.lured = &memberships[i%2]
				}
				if i%3 == 0 {
					a.personality = personalities[5] // which repeats everything
				}
				if !yield(a) {
					return
				}
			}
		}, func(f finding) {
			verdicts[f.verdict]++
			classes[f.attempt.changes[0].class] = true
		})
	}
	t.Logf("against bad caches: %v", verdicts)
	for _, v := range []verdict{leak, poison, denial, desync} {
		if verdicts[v] == 0 {
			t.Errorf("no %s", v)
		}
	}
	for _, c := range tables() {
		// A cache that hides nothing behind framing is not desynchronised by it, see
		// TestHarnessDesync; and what is dropped on the way cannot do harm.
		if !classes[c.class] && !slices.Contains([]string{"13", "16", "19", "18"}, c.class) {
			t.Errorf("nothing of class %s succeeds against a bad cache", c.class)
			classes[c.class] = true
		}
	}
}

// badPipe forwards heads, and takes whatever stands behind one for the next.
func badPipe(c net.Conn, origin string) {
	defer c.Close()
	up, err := net.Dial("tcp", origin)
	if err != nil {
		return
	}
	defer up.Close()
	in, back := bufio.NewReader(c), bufio.NewReader(up)
	for {
		var head strings.Builder
		for !strings.HasSuffix(head.String(), "\r\n\r\n") {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if name, _, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Content-Length") {
				continue
			}
			head.WriteString(line)
		}
		if _, err := io.WriteString(up, head.String()); err != nil {
			return
		}
		res, err := http.ReadResponse(back, nil)
		if err != nil || res.Write(c) != nil {
			return
		}
	}
}

// TestHarnessDesync shows that requests which are hidden in others are noticed.
func TestHarnessDesync(t *testing.T) {
	p := personalities[0]
	o := startOrigin(t, p.answer)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go badPipe(c, o.address)
		}
	}()
	s := &stage{address: l.Addr().String(), origins: map[string]*origin{p.name: o}, proxied: func(string) []field { return nil }}
	found := 0
	for _, c := range bodyChanges {
		if c.name != "a request in the body" {
			continue
		}
		for _, f := range s.run(attempt{route: "ttl", personality: p, changes: []change{c}}).findings {
			if f.verdict == desync {
				found++
			}
		}
	}
	if found == 0 {
		t.Error("a request in a body was answered, and nobody noticed")
	}
}
