package beacon

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/attribution"
)

// The test binary is also the process that is killed.
func TestMain(m *testing.M) {
	if os.Getenv(childFile) != "" {
		child()
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// report is a request as the app saw it.
type report struct {
	at       time.Time
	key      string
	body     string
	landings []Landing
	err      string // what is wrong with it
}

// app takes reports. It answers as answer says, which gets their number from 1 on, and nil
// for 204.
type app struct {
	mu      sync.Mutex
	answer  func(n int, w http.ResponseWriter, r report)
	reports []report
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return // it went away in the middle
	}
	got := report{at: time.Now(), key: r.Header.Get("Idempotency-Key"), body: string(text)}
	var content struct {
		Schema   int
		Landings []Landing
	}
	if err := json.Unmarshal(text, &content); err != nil {
		got.err = err.Error()
	} else if content.Schema != 1 || len(content.Landings) == 0 || r.Method != http.MethodPost ||
		r.Header.Get("Content-Type") != "application/json" || len(got.key) != 64 {
		got.err = fmt.Sprintf("%s %v schema %d, %d landings", r.Method, r.Header, content.Schema, len(content.Landings))
	}
	got.landings = content.Landings
	a.mu.Lock()
	a.reports = append(a.reports, got)
	n, answer := len(a.reports), a.answer
	a.mu.Unlock()
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer(n, w, got)
}

// RoundTrip is the app without a network, for tests whose clock is not the real one.
func (a *app) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	if w.Code == unreachable {
		return nil, fmt.Errorf("connection refused")
	}
	return w.Result(), nil
}

const unreachable = 999

// status answers so.
func status(code int) func(int, http.ResponseWriter, report) {
	return func(_ int, w http.ResponseWriter, _ report) { w.WriteHeader(code) }
}

func (a *app) set(answer func(int, http.ResponseWriter, report)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

func (a *app) all() []report {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.reports)
}

// accepted are the ids in the order in which an app counts them that knows about
// Idempotency-Key. It fails the test where that is not enough to count each once.
func (a *app) accepted(t testing.TB) []string {
	t.Helper()
	bodies := make(map[string]string)
	seen := make(map[string]string)
	var ids []string
	for _, r := range a.all() {
		if r.err != "" {
			t.Fatalf("a report is wrong: %s\n%s", r.err, r.body)
		}
		if body, again := bodies[r.key]; again {
			if body != r.body {
				t.Fatalf("two reports have the key %s:\n%s\n%s", r.key, body, r.body)
			}
			continue
		}
		bodies[r.key] = r.body
		for _, l := range r.landings {
			if key, twice := seen[l.ID]; twice {
				t.Fatalf("landing %s is in the reports %s and %s", l.ID, key, r.key)
			}
			seen[l.ID] = r.key
			ids = append(ids, l.ID)
		}
	}
	return ids
}

func landing(id string) Landing {
	return Landing{
		ID: id, At: time.Now(), Visitor: "v-" + id, Host: "shop.example", Route: "landing", Path: "/lp",
		Referer: "blog.example", Object: "o1", Values: []attribution.Value{{Name: "ref", Value: id}, {Name: "a", Value: "b"}},
	}
}

func open(t testing.TB, path string, o Options) *Queue {
	t.Helper()
	q, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// put puts landings with the numbers from first to last as IDs.
func put(t testing.TB, q *Queue, first, last int) {
	t.Helper()
	for i := first; i <= last; i++ {
		if err := q.Put(t.Context(), landing(fmt.Sprint(i))); err != nil {
			t.Fatalf("landing %d: %v", i, err)
		}
	}
}

func numbers(first, last int) []string {
	var ids []string
	for i := first; i <= last; i++ {
		ids = append(ids, fmt.Sprint(i))
	}
	return ids
}

func shut(t testing.TB, q *Queue) {
	t.Helper()
	if err := q.Close(); err != nil {
		t.Fatalf("closing: %v", err)
	}
}

// eventually is for tests with a real clock.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("never came to pass: %s", what)
}

func contains(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error is %q, want one with %q", err, part)
		}
	}
}
