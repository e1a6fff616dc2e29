package caddymodule

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/cacheward/cacheward/caddymodule/audit"
)

// ruled is a handler in a synctest bubble with an origin behind it, whose answers a
// test may change from one request to the next.
type ruled struct {
	*bubble
	origin caddyhttp.HandlerFunc
	log    *auditCore

	mu   sync.Mutex
	sent []*http.Request // what the origin was asked
}

// visitorAddress is where the requests of these tests come from.
const visitorAddress = "203.0.113.7:1234"

// withRoute runs f with one route for all paths, of which these are the lines.
func withRoute(t *testing.T, lines string, f func(t *testing.T, c *ruled)) {
	t.Helper()
	withRoutes(t, "  - name: page\n    match: {paths: [\"/*\"]}\n    "+strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n    ")+"\n", f)
}

// withRoutes runs f with these routes.
func withRoutes(t *testing.T, routes string, f func(t *testing.T, c *ruled)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, "version: 1\nroutes:\n"+routes, Limits{})
		defer b.close()
		c := &ruled{bubble: b, log: &auditCore{LevelEnabler: zapcore.InfoLevel}}
		b.audit.Close()
		b.audit = audit.New(zap.New(c.log), audit.Options{})
		b.audit.Close() // from then on records are written at once
		f(t, c)
	})
}

// next is the origin, as the handler sees it.
func (c *ruled) next(w http.ResponseWriter, r *http.Request) error {
	c.mu.Lock()
	c.sent = append(c.sent, r.Clone(r.Context()))
	c.mu.Unlock()
	return c.origin(w, r)
}

// asked returns what the origin was asked since the last call.
func (c *ruled) asked() []*http.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	sent := c.sent
	c.sent = nil
	return sent
}

// get is do with GET.
func (c *ruled) get(target string, headers ...string) reply {
	c.t.Helper()
	return c.do(http.MethodGet, target, headers...)
}

// do sends a request and waits until nothing of it is under way any more.
func (c *ruled) do(method, target string, headers ...string) reply {
	c.t.Helper()
	a := c.send(method, target, headers...)
	synctest.Wait()
	return a
}

// send sends a request. Headers are pairs of name and value; Host is one of them.
func (c *ruled) send(method, target string, headers ...string) reply {
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr = visitorAddress
	r.Header.Set("User-Agent", "visitor")
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	w := &visitor{header: make(http.Header)}
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
	err := c.ServeHTTP(w, r, caddyhttp.HandlerFunc(c.next))
	if w.status == 0 {
		w.sent = w.header
		if err == nil {
			w.status = http.StatusOK
		}
	}
	return reply{answer{status: w.status, header: w.sent, body: w.body.String(), err: err}, w.interim}
}

// reply is what a visitor got, and the interim responses before it.
type reply struct {
	answer
	interim []interim
}

// says says whether our member of Cache-Status has all of these parts.
func (a reply) says(parts ...string) bool {
	lines := a.header["Cache-Status"]
	if len(lines) == 0 {
		return false
	}
	have := strings.Split(lines[len(lines)-1], "; ")
	return have[0] == "Cacheward" && !slices.ContainsFunc(parts, func(part string) bool { return !slices.Contains(have, part) })
}

// check fails the test if the answer is another one.
func (a reply) check(t *testing.T, what string, status int, body string, parts ...string) {
	t.Helper()
	if a.err != nil || a.status != status || a.body != body || !a.says(parts...) {
		t.Errorf("%s: %d %q, Cache-Status %q, error %v; want %d %q, %q",
			what, a.status, a.body, a.header["Cache-Status"], a.err, status, body, parts)
	}
}

// reached ends the test if the origin was not asked just so many times.
func (c *ruled) reached(t *testing.T, what string, times int) []*http.Request {
	t.Helper()
	sent := c.asked()
	if len(sent) != times {
		t.Fatalf("%s: the origin was asked %d times, want %d", what, len(sent), times)
	}
	return sent
}

// objects is how many objects are stored.
func (c *ruled) objects() int64 { return int64(c.shared.store.Stats().Objects) }

// logged returns a field of the audit records of an event, "" where there is none.
func (c *ruled) logged(event, field string) []string {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	var values []string
	for _, record := range c.log.records {
		if record["event"] != event {
			continue
		}
		value := ""
		if v, ok := record[field]; ok {
			value = fmt.Sprint(v)
		}
		values = append(values, value)
	}
	return values
}

// auditCore keeps audit records. It encodes them at once: those of requests are not
// to be read later.
type auditCore struct {
	zapcore.LevelEnabler
	mu      sync.Mutex
	records []map[string]any
}

func (c *auditCore) With([]zapcore.Field) zapcore.Core { return c }
func (c *auditCore) Sync() error                       { return nil }

func (c *auditCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return checked.AddCore(entry, c)
}

func (c *auditCore) Write(_ zapcore.Entry, fields []zapcore.Field) error {
	record := zapcore.NewMapObjectEncoder()
	for _, field := range fields {
		field.AddTo(record)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records = append(c.records, record.Fields)
	return nil
}

// last is the last of the strings, or none.
func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// visitor is the writer of a request: it tells interim responses from the final one,
// whose head it keeps as it was sent.
type visitor struct {
	header, sent http.Header
	status       int
	body         bytes.Buffer
	interim      []interim
}

func (v *visitor) Header() http.Header { return v.header }
func (v *visitor) FlushError() error   { return nil }

func (v *visitor) WriteHeader(status int) {
	switch {
	case v.status != 0:
	case status < 200:
		v.interim = append(v.interim, interim{status, v.header.Clone()})
	default:
		v.status, v.sent = status, v.header.Clone()
	}
}

func (v *visitor) Write(p []byte) (int, error) {
	v.WriteHeader(http.StatusOK)
	return v.body.Write(p)
}

// say is an origin that gives one answer, of type text/html and with the date of
// now. Headers are pairs of name and value; of these two they replace what is there.
func say(status int, body string, headers ...string) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		h := w.Header()
		h.Set("Content-Type", "text/html")
		h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
		for i := 0; i+1 < len(headers); i += 2 {
			if name := headers[i]; name == "Content-Type" || name == "Date" {
				h.Del(name)
			}
			h.Add(headers[i], headers[i+1])
		}
		bodyless := status == http.StatusNotModified || status == http.StatusNoContent
		if !bodyless {
			h.Set("Content-Length", strconv.Itoa(len(body)))
		}
		w.WriteHeader(status)
		if bodyless || r.Method == http.MethodHead {
			return nil
		}
		_, err := io.WriteString(w, body)
		return err
	}
}

// inTurn answers conditional requests with one origin and all others with another.
func inTurn(conditional, plain caddyhttp.HandlerFunc) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.Header["If-None-Match"] != nil || r.Header["If-Modified-Since"] != nil {
			return conditional(w, r)
		}
		return plain(w, r)
	}
}

// dead is an origin that cannot be reached.
func dead(http.ResponseWriter, *http.Request) error { return deadOrigin() }
