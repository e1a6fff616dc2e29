package conformance

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// answer is what the origin says to one request.
type answer struct {
	interim []interim
	status  int // 200 if not given
	fields  fields
	delay   time.Duration
	hangUp  bool // no answer: the connection is closed once the request was read
}

// interim is a response before the response (RFC 9110 §15.2).
type interim struct {
	status int
	fields fields
}

// fields are header fields in order: name, value, name, value …
type fields []string

func (f fields) each(do func(name, value string)) {
	for i := 0; i+1 < len(f); i += 2 {
		do(f[i], f[i+1])
	}
}

// origin is a server that follows the scripts of the additions: the n-th request for
// /<id> gets the n-th answer of that addition, and the last one again after that.
type origin struct {
	address string

	mu      sync.Mutex
	scripts map[string]*script
}

type script struct {
	answers  []answer
	requests []string // as they came: method, then fields
}

// answerField has the number of the answer, from 1 on. The body ends with it, too: a
// stored response's fields may be updated, its body may not.
const answerField = "Origin-Answer"

func startOrigin(t *testing.T, added []addition) *origin {
	t.Helper()
	o := &origin{scripts: map[string]*script{}}
	for _, a := range added {
		o.scripts["/"+a.id] = &script{answers: a.answers}
	}
	server := httptest.NewServer(o)
	t.Cleanup(server.Close)
	o.address = strings.TrimPrefix(server.URL, "http://")
	return o
}

// next returns the answer to a request and its number.
func (o *origin) next(r *http.Request) (answer, int, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, found := o.scripts[r.URL.Path]
	if !found {
		return answer{}, 0, false
	}
	s.requests = append(s.requests, r.Method+" "+r.URL.Path+"\n"+lines(r.Header))
	n := len(s.requests)
	return s.answers[min(n, len(s.answers))-1], n, true
}

// requests returns what was asked of a path so far.
func (o *origin) requests(path string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.scripts[path].requests)
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, n, found := o.next(r)
	if !found {
		http.NotFound(w, r)
		return
	}
	if a.hangUp {
		panic(http.ErrAbortHandler)
	}
	select {
	case <-time.After(a.delay):
	case <-r.Context().Done():
		return
	}
	for _, early := range a.interim {
		early.fields.each(w.Header().Add)
		w.WriteHeader(early.status)
		early.fields.each(func(name, _ string) { w.Header().Del(name) })
	}
	w.Header().Set(answerField, strconv.Itoa(n))
	w.Header().Set("Content-Type", "text/plain")
	a.fields.each(w.Header().Add)
	body := bodyOf(n)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	_, _ = w.Write([]byte(body))
}

// bodyOf is the body of the origin's n-th answer.
func bodyOf(n int) string { return fmt.Sprintf("answer %d", n) }

// lines prints header fields, sorted, for a transcript.
func lines(h http.Header) string {
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			fmt.Fprintf(&out, "    %s: %s\n", name, value)
		}
	}
	return out.String()
}
