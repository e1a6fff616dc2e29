package beacon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestPutFromManyGoroutines(t *testing.T) {
	for _, how := range []string{syncAlways, syncInterval, syncNever} {
		t.Run(how, func(t *testing.T) {
			a := new(app)
			up := httptest.NewServer(a)
			defer up.Close()
			q := open(t, filepath.Join(t.TempDir(), "queue.db"), Options{URL: up.URL, Sync: how, Batch: 50, Every: 20 * time.Millisecond})
			const each = 250
			var all sync.WaitGroup
			for g := range 8 {
				all.Go(func() {
					for i := range each {
						l := landing(fmt.Sprintf("%d-%d", g, i))
						l.Visitor = strconv.Itoa(g)
						if err := q.Put(t.Context(), l); err != nil {
							t.Errorf("%s: %v", l.ID, err)
						}
						q.Stats()
					}
				})
			}
			all.Wait()
			eventually(t, "empty", func() bool { return q.Stats().Waiting == 0 })
			shut(t, q)
			if got := a.accepted(t); len(got) != 8*each {
				t.Errorf("%d arrived, want %d", len(got), 8*each)
			}
			next := make(map[string]int)
			for _, r := range a.all() {
				for _, l := range r.landings {
					if want := fmt.Sprintf("%s-%d", l.Visitor, next[l.Visitor]); l.ID != want {
						t.Fatalf("%s comes where %s should", l.ID, want)
					}
					next[l.Visitor]++
				}
			}
			if s := q.Stats(); s != (Stats{Put: 8 * each, Sent: 8 * each}) {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestRoomIsUsedUp(t *testing.T) {
	bubble(t, func(t *testing.T, a *app, o Options, path string) {
		o.Room, o.Batch = 10, 4
		a.set(status(unreachable))
		q := open(t, path, o)
		put(t, q, 1, 10)
		full := func(when string) {
			t.Helper()
			before := q.Stats()
			if err := q.Put(t.Context(), landing("no")); !errors.Is(err, ErrFull) {
				t.Errorf("%s: %v, want ErrFull", when, err)
			}
			if after := q.Stats(); after.Lost != before.Lost+1 || after.Waiting != 10 || after.Put != before.Put {
				t.Errorf("%s: %+v, then %+v", when, before, after)
			}
		}
		full("in the journal")
		time.Sleep(time.Minute)
		full("in the file")
		shut(t, q)
		q = open(t, path, o)
		full("after a restart")
		a.set(nil)
		time.Sleep(time.Minute + time.Second)
		put(t, q, 11, 20)
		full("after it was empty")
		time.Sleep(time.Minute)
		shut(t, q)
		if got := a.accepted(t); !slices.Equal(got, numbers(1, 20)) {
			t.Errorf("the app has %v", got)
		}
	})
}

func TestPutRefuses(t *testing.T) {
	q := open(t, filepath.Join(t.TempDir(), "queue.db"), nowhere())
	long := landing("long")
	long.Path = strings.Repeat("x", maxLanding)
	late := landing("late")
	late.At = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	for want, l := range map[string]Landing{
		"landing without an ID": {At: time.Now()}, "want at most 65536": long, "year 10000": late,
	} {
		contains(t, q.Put(t.Context(), l), want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.Put(ctx, landing("1")); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	shut(t, q)
	shut(t, q) // again
	if err := q.Put(t.Context(), landing("1")); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if s := q.Stats(); s != (Stats{Lost: 5}) {
		t.Errorf("%+v, want five to be lost", s)
	}
}

// Close in the middle of putting and sending: what Put has said is queued is not lost.
func TestCloseInTheMiddle(t *testing.T) {
	a := new(app)
	a.set(func(n int, w http.ResponseWriter, _ report) { w.WriteHeader([]int{204, 200, 503}[n%3]) })
	up := httptest.NewServer(a)
	defer up.Close()
	path := filepath.Join(t.TempDir(), "queue.db")
	var kept sync.Map
	var number atomic.Int64
	for range 10 {
		q := open(t, path, Options{URL: up.URL, Batch: 10, Every: 10 * time.Millisecond})
		var all sync.WaitGroup
		var here atomic.Int64
		for range 4 {
			all.Go(func() {
				for {
					id := fmt.Sprint(number.Add(1))
					switch err := q.Put(context.Background(), landing(id)); err {
					case nil:
						kept.Store(id, true)
						here.Add(1)
					case ErrClosed:
						return
					default:
						t.Errorf("%s: %v", id, err)
						return
					}
				}
			})
		}
		eventually(t, "some are put", func() bool { return here.Load() >= 100 })
		shut(t, q)
		all.Wait()
	}
	a.set(nil)
	drain(t, path, up.URL)
	got := a.accepted(t)
	slices.Sort(got)
	n := 0
	kept.Range(func(id, _ any) bool {
		if _, there := slices.BinarySearch(got, id.(string)); !there {
			t.Errorf("landing %s is lost", id)
		}
		n++
		return true
	})
	if n != len(got) {
		t.Errorf("%d were put, %d arrived", n, len(got))
	}
}

// An app that closes connections before, in the middle of and after what it takes. In
// between it takes a report, as the pauses between tries get longer.
func TestAppClosesConnections(t *testing.T) {
	t.Parallel()
	a := new(app)
	var tries atomic.Int64
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch tries.Add(1) {
		case 1: // before it has read it
			panic(http.ErrAbortHandler)
		case 3: // after it has taken it
			a.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		case 5: // in the middle of the head
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = c.Write([]byte("HTTP/1.1 204 No"))
				_ = c.Close()
			}
		case 7: // in the middle of the body: the status has said enough
			a.ServeHTTP(httptest.NewRecorder(), r)
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("half"))
			panic(http.ErrAbortHandler)
		default:
			a.ServeHTTP(w, r)
		}
	}))
	defer up.Close()
	q := open(t, filepath.Join(t.TempDir(), "queue.db"), Options{URL: up.URL, Batch: 5, Every: 10 * time.Millisecond})
	put(t, q, 1, 23)
	eventually(t, "empty", func() bool { return q.Stats().Waiting == 0 })
	shut(t, q)
	if got := a.accepted(t); !slices.Equal(got, numbers(1, 23)) {
		t.Errorf("the app has %v", got)
	}
	if s := q.Stats(); s.Failures == 0 || s.Sent != 23 {
		t.Errorf("%+v", s)
	}
}

// A disk that does not take any more is an error for those who put, and nothing is half
// written once it does again.
func TestJournalCannotBeWritten(t *testing.T) {
	bubble(t, func(t *testing.T, a *app, o Options, path string) {
		q := open(t, path, o)
		put(t, q, 1, 5)
		q.mu.Lock()
		whole := q.journals[q.active].file
		readOnly, err := os.Open(whole.Name())
		if err != nil {
			t.Fatal(err)
		}
		q.journals[q.active].file = readOnly
		q.mu.Unlock()
		if err := q.Put(t.Context(), landing("no")); err == nil {
			t.Error("no error of a journal that cannot be written")
		}
		q.mu.Lock()
		if _, err := whole.WriteAt(bytes.Repeat([]byte("half a frame"), 1000), q.journals[q.active].size); err != nil {
			t.Error(err)
		}
		q.journals[q.active].file = whole
		q.mu.Unlock()
		_ = readOnly.Close()
		put(t, q, 6, 9)
		// As if it were killed here: another queue finds the journals.
		left := filepath.Join(t.TempDir(), "left.db")
		for _, name := range []string{".journal-0", ".journal-1"} {
			text, err := os.ReadFile(path + name)
			if err == nil {
				err = os.WriteFile(left+name, text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		shut(t, q)
		q = open(t, left, o)
		time.Sleep(10 * time.Second)
		shut(t, q)
		if others, _ := filepath.Glob(left + "*.damaged-*"); len(others) > 0 {
			t.Errorf("damaged: %v", others)
		}
		if got := a.accepted(t); !slices.Equal(got, numbers(1, 9)) {
			t.Errorf("the app has %v", got)
		}
	})
}

// A file that cannot be written leaves landings in the journals, until these are full, too.
// They are all sent when it can be again.
func TestFileCannotBeWritten(t *testing.T) {
	bubble(t, func(t *testing.T, a *app, o Options, path string) {
		core, logs := observer.New(zapcore.ErrorLevel)
		o.Logger = zap.New(core)
		q := open(t, path, o)
		if err := q.db.Close(); err != nil {
			t.Fatal(err)
		}
		put(t, q, 1, 10)
		time.Sleep(150 * time.Second)
		if n := logs.FilterMessageSnippet("not getting into their queue").Len(); n != 3 {
			t.Errorf("%d errors logged in two and a half minutes, want 3", n)
		}
		n := 10
		for ; ; n++ {
			l := landing(fmt.Sprint(n + 1))
			l.Referer = strings.Repeat("x", 60_000)
			if err := q.Put(t.Context(), l); errors.Is(err, ErrFull) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if n < maxJournals/61_000 || n > maxJournals/60_000+10 {
			t.Errorf("full after %d landings", n)
		}
		if q.Close() == nil {
			t.Error("Close says nothing of a file that cannot be written")
		}
		if s := q.Stats(); s.Waiting != n || s.Lost != 1 || s.Oldest.IsZero() {
			t.Errorf("%+v, want %d to wait", s, n)
		}
		q = open(t, path, o)
		time.Sleep(10 * time.Second)
		shut(t, q)
		if got := a.accepted(t); !slices.Equal(got, numbers(1, n)) {
			t.Errorf("the app has %d landings, want %d", len(got), n)
		}
		for _, r := range a.all() {
			if len(r.body) > maxBody+maxLanding+100 {
				t.Errorf("a report of %d bytes", len(r.body))
			}
		}
	})
}
