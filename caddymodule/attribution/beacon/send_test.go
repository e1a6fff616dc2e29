package beacon

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// bubble runs the test with a clock of its own, and an app without a network.
func bubble(t *testing.T, test func(t *testing.T, a *app, o Options, path string)) {
	path := filepath.Join(t.TempDir(), "queue.db")
	synctest.Test(t, func(t *testing.T) {
		a := new(app)
		test(t, a, Options{URL: "http://app.example/landings?token=secret", Client: &http.Client{Transport: a}}, path)
	})
}

func TestLandingsArriveInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, a *app, o Options, path string) {
		o.Batch = 7
		q := open(t, path, o)
		put(t, q, 1, 100)
		if s := q.Stats(); s.Waiting != 100 || s.Put != 100 || s.Oldest.IsZero() {
			t.Errorf("before: %+v", s)
		}
		time.Sleep(10 * time.Second)
		if got := a.accepted(t); !slices.Equal(got, numbers(1, 100)) {
			t.Errorf("the app has %v", got)
		}
		for _, r := range a.all() {
			if len(r.landings) > 7 {
				t.Errorf("a report has %d landings", len(r.landings))
			}
		}
		if s := q.Stats(); s != (Stats{Put: 100, Sent: 100}) {
			t.Errorf("after: %+v", s)
		}
		for i := range 2 {
			if f, err := os.Stat(q.journalPath(i)); err != nil || f.Size() != 0 {
				t.Errorf("journal %d has %d bytes, want none: %v", i, f.Size(), err)
			}
		}
		got, want := a.all()[0].landings[0], landing("1")
		want.At = got.At // a moment later
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the app has\n%+v, want\n%+v", got, want)
		}
		shut(t, q)
	})
}

func TestLandingsWaitForOthers(t *testing.T) {
	for _, every := range []time.Duration{10 * time.Millisecond, time.Second, 10 * time.Second} {
		bubble(t, func(t *testing.T, a *app, o Options, path string) {
			o.Every, o.Batch = every, 5
			q := open(t, path, o)
			began := time.Now()
			put(t, q, 1, 2)
			time.Sleep(every - time.Millisecond)
			synctest.Wait()
			if n := len(a.all()); n != 0 {
				t.Errorf("every %s: %d reports too early", every, n)
			}
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			if got := a.accepted(t); !slices.Equal(got, numbers(1, 2)) || a.all()[0].at.Sub(began) != every {
				t.Errorf("every %s: the app has %v", every, got)
			}
			shut(t, q)
		})
	}
}

func TestAppIsDeadForHours(t *testing.T) {
	bubble(t, func(t *testing.T, a *app, o Options, path string) {
		core, logs := observer.New(zapcore.InfoLevel)
		o.Logger, o.Batch = zap.New(core), 10
		a.set(status(unreachable))
		q := open(t, path, o)
		began := time.Now()
		for i := 1; i <= 180; i++ {
			put(t, q, i, i)
			time.Sleep(time.Minute)
			if i == 60 || i == 120 { // a restart in between
				shut(t, q)
				q = open(t, path, o)
			}
		}
		tries := a.all()
		for i, r := range tries {
			if r.key != tries[0].key || r.body != tries[0].body {
				t.Fatalf("try %d is another batch than the first", i+1)
			}
			// The last try before a restart does not count for the first one after it.
			if i > 0 && r.at.Sub(tries[i-1].at) > maxPause+time.Second {
				t.Errorf("%s between two tries", r.at.Sub(tries[i-1].at))
			}
		}
		if n := len(tries); n < 170 || n > 400 {
			t.Errorf("%d tries in three hours", n)
		}
		if s := q.Stats(); s.Waiting != 180 || s.Lost != 0 || s.Oldest.Sub(began) > time.Second {
			t.Errorf("%+v, want all to wait", s)
		}
		a.set(nil)
		time.Sleep(maxPause + time.Second)
		if got := a.accepted(t); !slices.Equal(got, numbers(1, 180)) {
			t.Errorf("the app has %v", got)
		}
		shut(t, q)
		warned := logs.FilterMessageSnippet("cannot be sent").Len()
		if warned < 90 || warned > 185 {
			t.Errorf("%d warnings in three hours", warned)
		}
		if logs.FilterMessageSnippet("takes landings again").Len() != 1 {
			t.Error("nothing says that it is over")
		}
		for _, entry := range logs.All() {
			if text := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(text, "secret") {
				t.Errorf("the log has what is secret: %s", text)
			}
		}
	})
}

func TestRetryAfterIsObeyed(t *testing.T) {
	for _, c := range []struct {
		status int
		field  string
		least  time.Duration
		most   time.Duration
	}{
		{429, "300", 300 * time.Second, 301 * time.Second},
		{503, "300", 300 * time.Second, 301 * time.Second},
		{503, "date", 120 * time.Second, 121 * time.Second},
		{429, "", time.Second, 2 * time.Second},
		{503, "0", time.Second, 2 * time.Second},
		{503, "soon", time.Second, 2 * time.Second},
		{503, "-5", time.Second, 2 * time.Second},
		{503, "Thu, 01 Jan 1970 00:00:00 GMT", time.Second, 2 * time.Second},
		{503, "99999999", maxAsked, maxAsked},
		{503, "99999999999999999999", time.Second, 2 * time.Second},
	} {
		bubble(t, func(t *testing.T, a *app, o Options, path string) {
			a.set(func(n int, w http.ResponseWriter, _ report) {
				if n > 1 {
					return
				}
				field := c.field
				if field == "date" {
					field = time.Now().Add(121 * time.Second).UTC().Format(http.TimeFormat)
				}
				w.Header().Set("Retry-After", field)
				w.WriteHeader(c.status)
			})
			q := open(t, path, o)
			put(t, q, 1, 3)
			time.Sleep(2 * maxAsked)
			tries := a.all()
			if len(tries) != 2 {
				t.Fatalf("%d with %q: %d tries", c.status, c.field, len(tries))
			}
			if pause := tries[1].at.Sub(tries[0].at); pause < c.least || pause > c.most {
				t.Errorf("%d with %q: again after %s", c.status, c.field, pause)
			}
			if s := q.Stats(); s.Sent != 3 || s.Failures != 1 {
				t.Errorf("%+v", s)
			}
			shut(t, q)
		})
	}
}

// What may be the app's fault, or a passing state, is tried for as long as it takes.
func TestOnlyRefusalsAreSetAside(t *testing.T) {
	for code, aside := range map[int]bool{
		400: true, 401: true, 404: true, 413: true, 422: true,
		408: false, 425: false, 429: false, 500: false, 503: false, 302: false, 307: false, 304: false,
	} {
		bubble(t, func(t *testing.T, a *app, o Options, path string) {
			core, logs := observer.New(zapcore.ErrorLevel)
			o.Batch, o.Logger = 2, zap.New(core)
			a.set(func(_ int, w http.ResponseWriter, r report) {
				if r.landings[0].ID == "1" {
					w.Header().Set("Location", "http://app.example/elsewhere")
					w.WriteHeader(code)
				}
			})
			q := open(t, path, o)
			put(t, q, 1, 6)
			time.Sleep(time.Hour)
			tries := 0
			for _, r := range a.all() {
				if r.landings[0].ID == "1" {
					tries++
				}
			}
			s := q.Stats()
			switch {
			case aside && (tries != maxRefusals || s.Rejected != 2 || s.Lost != 2 || s.Sent != 4 || s.Waiting != 0 || logs.Len() != 1):
				t.Errorf("%d: %d tries, %+v, %d errors logged, want it to be set aside", code, tries, s, logs.Len())
			case !aside && (tries < 20 || s.Rejected+s.Lost+s.Sent != 0 || s.Waiting != 6):
				t.Errorf("%d: %d tries, %+v, want it to be tried on", code, tries, s)
			}
			shut(t, q)
			if got := rejectedIDs(t, path); aside != slices.Equal(got, numbers(1, 2)) {
				t.Errorf("%d: %v are set aside", code, got)
			}
		})
	}
}

// Restarts do not begin to count anew, nor does what else fails count.
func TestRefusalsAreCountedOverRestarts(t *testing.T) {
	bubble(t, func(t *testing.T, a *app, o Options, path string) {
		refusals := 0
		a.set(func(n int, w http.ResponseWriter, _ report) {
			if n%2 == 0 {
				w.WriteHeader(500)
				return
			}
			refusals++
			w.WriteHeader(400)
		})
		q := open(t, path, o)
		put(t, q, 1, 1)
		for range 4 {
			time.Sleep(100 * time.Second)
			shut(t, q)
			q = open(t, path, o)
		}
		time.Sleep(time.Hour)
		if s := q.Stats(); refusals != maxRefusals || s.Waiting != 0 {
			t.Errorf("%d refusals, %+v", refusals, s)
		}
		shut(t, q)
	})
}

func TestRejectedAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, a *app, o Options, path string) {
		a.set(status(400))
		o.Batch = maxRejected
		q := open(t, path, o)
		put(t, q, 1, 50)
		time.Sleep(time.Hour)
		for i := range maxRejected / 1000 {
			for j := range 1000 {
				put(t, q, 51+1000*i+j, 51+1000*i+j)
			}
		}
		time.Sleep(time.Hour)
		if s := q.Stats(); s.Rejected != maxRejected+50 || s.Waiting != 0 {
			t.Fatalf("%+v", s)
		}
		shut(t, q)
		if got := rejectedIDs(t, path); !slices.Equal(got, numbers(51, maxRejected+50)) {
			t.Errorf("%d are set aside, from %s", len(got), got[0])
		}
	})
}

// A request has a limit, and Close does not wait for it.
func TestAppHangs(t *testing.T) {
	bubble(t, func(t *testing.T, a *app, o Options, path string) {
		hangs := roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		})
		o.Client = &http.Client{Transport: hangs}
		q := open(t, path, o)
		put(t, q, 1, 3)
		time.Sleep(tryFor + 1500*time.Millisecond)
		synctest.Wait()
		if s := q.Stats(); s.Failures != 1 || s.Waiting != 3 {
			t.Errorf("%+v, want one try to have failed", s)
		}
		time.Sleep(5 * time.Second) // in the middle of the second
		began := time.Now()
		shut(t, q)
		if took := time.Since(began); took != 0 {
			t.Errorf("Close has waited for %s", took)
		}
		o.Client = &http.Client{Transport: a}
		q = open(t, path, o)
		time.Sleep(2 * time.Second)
		if got := a.accepted(t); !slices.Equal(got, numbers(1, 3)) {
			t.Errorf("the app has %v", got)
		}
		shut(t, q)
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
