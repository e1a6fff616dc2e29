package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/standard"
	_ "github.com/caddyserver/caddy/v2/modules/logging"
	"github.com/caddyserver/certmagic"
)

// Caddy's state is global: one config at a time, no t.Parallel.

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "cacheward-test")
	if err != nil {
		panic(err)
	}
	caddy.ConfigAutosavePath = filepath.Join(dir, "autosave.json")
	caddy.DefaultStorage = &certmagic.FileStorage{Path: filepath.Join(dir, "storage")}
	caddy.RegisterModule(logWriter{})
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// patience is how long a test waits for a condition before it gives up. Nothing is
// ever measured against it.
const patience = 20 * time.Second

// eventually waits for a condition that another goroutine makes true.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// await waits for a channel that another goroutine closes or sends on.
func await[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	select {
	case v := <-ch:
		return v
	case <-deadline.C:
		t.Fatalf("waited in vain for: %s", what)
		panic("unreachable")
	}
}

// edge is an in-process Caddy with one site.
type edge struct {
	t       testing.TB
	addr    string // of the listener; a reload changes it
	client  *http.Client
	globals string
}

// startEdge loads a config whose one site has these directives. It is stopped, and
// what it shares between configs dropped, when the test ends.
func startEdge(t testing.TB, site string) *edge {
	t.Helper()
	return startEdgeWith(t, "", site)
}

// startEdgeWith is startEdge with more global options, such as servers { ... }.
func startEdgeWith(t testing.TB, globals, site string) *edge {
	t.Helper()
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1000}
	e := &edge{t: t, globals: globals, client: &http.Client{
		Transport:     transport,
		Timeout:       3 * patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	caddyLog.reset()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
		pool.Range(func(key, _ any) bool {
			t.Errorf("store %v is still referred to after the stop", key)
			return true
		})
		// What one test tripped is not tripped in the next.
		_ = caddy.DefaultStorage.Delete(context.Background(), tripsKey)
	})
	if err := e.load(site); err != nil {
		t.Fatalf("loading: %v", err)
	}
	return e
}

// load replaces the running config. The listener is a new one.
func (e *edge) load(site string) error {
	config, err := siteConfig(e.globals, site)
	if err != nil {
		return err
	}
	if err := caddy.Load(config, true); err != nil {
		return err
	}
	app, err := caddy.ActiveContext().App("http")
	if err != nil {
		return err
	}
	e.addr = app.(*caddyhttp.App).Servers["srv0"].Listeners()[0].Addr().String()
	return nil
}

// siteConfig makes JSON of a Caddyfile with one site.
func siteConfig(globals, site string) ([]byte, error) {
	text := fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https off
	grace_period 1s
	log {
		output cacheward_test
		format json
	}
%s
}
http://:0 {
	bind 127.0.0.1
%s
}
`, globals, site)
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	return config, err
}

// answer is a response that has been read.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // of the exchange or of reading the body, which may have broken off
}

// get asks for a target on example.com. Headers are pairs of name and value.
func (e *edge) get(target string, headers ...string) answer {
	return e.do(http.MethodGet, target, headers...)
}

func (e *edge) do(method, target string, headers ...string) answer {
	r, err := e.request(method, target, headers...)
	if err != nil {
		return answer{err: err}
	}
	return e.send(r)
}

// request makes a request, for those who want to change it before they send it.
func (e *edge) request(method, target string, headers ...string) (*http.Request, error) {
	r, err := http.NewRequest(method, "http://"+e.addr+target, nil)
	if err != nil {
		return nil, err
	}
	r.Host = "example.com"
	r.Header.Set("User-Agent", "visitor")
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		if headers[i] == "User-Agent" {
			r.Header.Del("User-Agent")
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	return r, nil
}

func (e *edge) send(r *http.Request) answer {
	res, err := e.client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{status: res.StatusCode, header: res.Header, body: string(body), err: err}
}

// ok gets a target and fails the test if that did not give a 200.
func (e *edge) ok(target string, headers ...string) answer {
	e.t.Helper()
	a := e.get(target, headers...)
	if a.err != nil || a.status != http.StatusOK {
		e.t.Fatalf("GET %s: status %d, error %v, body %.200q", target, a.status, a.err, a.body)
	}
	return a
}

// hit says whether the answer came from the store.
func (a answer) hit() bool { return strings.HasPrefix(a.header.Get("Cache-Status"), "Cacheward; hit") }

// shared says whether the answer is a stored object, looked up or waited for.
func (a answer) shared() bool {
	return a.hit() || strings.Contains(a.header.Get("Cache-Status"), "; collapsed")
}

// newOrigin starts an origin and returns its address, host:port.
func newOrigin(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// newRawOrigin starts an origin that speaks on bare connections, one goroutine each.
func newRawOrigin(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

// canonical says whether a request is one that Cacheward made for nobody.
func canonical(r *http.Request) bool { return r.UserAgent() == "Cacheward" }

// caddyLog is what Caddy has logged since the test's edge was started.
var caddyLog memoryLog

type memoryLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *memoryLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (*memoryLog) Close() error { return nil }

func (l *memoryLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Reset()
}

// logLine is a line of the log, of which tests look at what they need.
type logLine struct {
	Level, Logger, Msg, Error                        string
	Event, Route, Outcome, Mode, Object, Key, Method string
	URL                                              string
	Reasons                                          []string
	Status                                           int
	SizeBytes                                        int64 `json:"size_bytes"`
	Divergence                                       map[string]any
	Attribution                                      struct {
		Delivered string
		LeftOut   string `json:"left_out"`
	}
}

// lines returns the lines of a logger, or of all for "".
func (l *memoryLog) lines(logger string) []logLine {
	l.mu.Lock()
	text := strings.Clone(l.buf.String())
	l.mu.Unlock()
	var out []logLine
	for line := range strings.Lines(text) {
		var parsed logLine
		if json.Unmarshal([]byte(line), &parsed) == nil && (logger == "" || parsed.Logger == logger) {
			out = append(out, parsed)
		}
	}
	return out
}

// records returns the audit records of an event, or all for "".
func records(event string) []logLine {
	flushRecords()
	var out []logLine
	for _, r := range caddyLog.lines("http.handlers.cacheward.audit") {
		if event == "" || r.Event == event {
			out = append(out, r)
		}
	}
	return out
}

// flushRecords has the records written that the running handlers have made so far.
func flushRecords() {
	handlers, err := running()
	if err != nil {
		return // nothing runs
	}
	for _, h := range handlers {
		h.flushAudit()
	}
}

// awaitRecord waits for an audit record. A record is written after the visitor has
// their answer.
func awaitRecord(t testing.TB, event string, is func(logLine) bool) logLine {
	t.Helper()
	var found logLine
	eventually(t, "a record of "+event, func() bool {
		for _, r := range records(event) {
			if is == nil || is(r) {
				found = r
				return true
			}
		}
		return false
	})
	return found
}

// logWriter is the log module that writes to caddyLog.
type logWriter struct{}

func (logWriter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "caddy.logging.writers.cacheward_test",
		New: func() caddy.Module { return new(logWriter) },
	}
}

func (logWriter) String() string                                 { return "test" }
func (logWriter) WriterKey() string                              { return "cacheward_test" }
func (logWriter) OpenWriter() (io.WriteCloser, error)            { return &caddyLog, nil }
func (*logWriter) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

var _ caddy.WriterOpener = (*logWriter)(nil)
