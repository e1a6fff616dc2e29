package audit

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// sink is where lines go. While it holds, whoever writes to it waits.
type sink struct {
	mu    sync.Mutex
	lines []sunk
	hold  chan struct{}
}

// sunk is what the tests read of a line.
type sunk struct {
	TS      int64 // nanoseconds
	Event   Event
	URL     string
	Route   string
	Error   string
	Records int
}

func (s *sink) Write(line []byte) (int, error) {
	s.mu.Lock()
	hold := s.hold
	s.mu.Unlock()
	if hold != nil {
		<-hold
	}
	var read sunk
	if err := json.Unmarshal(line, &read); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, read)
	return len(line), nil
}

func (s *sink) Sync() error { return nil }

// block has writing wait until release is called.
func (s *sink) block() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hold := make(chan struct{})
	s.hold = hold
	return func() {
		s.mu.Lock()
		s.hold = nil
		s.mu.Unlock()
		close(hold)
	}
}

// all are the lines so far.
func (s *sink) all() []sunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sunk(nil), s.lines...)
}

// events are the lines of an event.
func (s *sink) events(e Event) (found []sunk) {
	for _, line := range s.all() {
		if line.Event == e {
			found = append(found, line)
		}
	}
	return found
}

func (s *sink) lost() (n int) {
	for _, line := range s.events(EventDrop) {
		n += line.Records
	}
	return n
}

func newSunkLog(o Options) (*Log, *sink) {
	s := new(sink)
	o.Keys = keys
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{TimeKey: "ts", EncodeTime: zapcore.EpochNanosTimeEncoder})
	return New(zap.New(zapcore.NewCore(encoder, s, zapcore.InfoLevel)), o), s
}

func flush(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestOneRecordIsWrittenByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newSunkLog(Options{})
		defer l.Close()
		for i := range 3 {
			l.Write(&Record{Event: EventStore}, nil)
			time.Sleep(time.Hour) // the goroutine sleeps by then, and is woken again
			if got := len(s.all()); got != i+1 {
				t.Fatalf("%d records are in the log, want %d", got, i+1)
			}
		}
	})
}

func TestRecordIsCopied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newSunkLog(Options{})
		defer l.Close()
		release := s.block()
		began := time.Now()
		r := &Record{Event: EventStore, Path: "/first"}
		l.Write(r, nil)
		*r = Record{Event: EventStore, Path: "/second"}
		l.Write(r, nil)
		*r = Record{}
		time.Sleep(time.Minute)
		release()
		flush(t, l)
		lines := s.all()
		if len(lines) != 2 || lines[0].URL != "/first" || lines[1].URL != "/second" {
			t.Errorf("written were %v", lines)
		}
		for _, line := range lines {
			if line.TS != began.UnixNano() {
				t.Errorf("the time of the entry is %d, want that of Write, %d", line.TS, began.UnixNano())
			}
		}
	})
}

func TestFlushGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newSunkLog(Options{})
		release := s.block()
		l.Write(&Record{Event: EventStore}, nil)
		for range 2 { // as the one who asks first, and while the goroutine is busy
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := l.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Flush returned %v", err)
			}
			cancel()
		}
		release()
		flush(t, l)
		if got := len(s.all()); got != 1 {
			t.Errorf("%d records are in the log, want 1", got)
		}
		l.Close()
		flush(t, l) // has nothing to wait for
	})
}

// TestCloseDuringWrites: whatever is in flight is written, and Close may be called by
// anybody and again.
func TestCloseDuringWrites(t *testing.T) {
	for _, full := range []Full{FullDrop, FullWait} {
		for range 10 {
			l, s := newSunkLog(Options{Room: 64, Full: full})
			const writers, each = 8, 100
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					for range each {
						l.Write(&Record{Event: EventStore}, nil)
					}
				})
			}
			for range 3 {
				wg.Go(l.Close)
			}
			wg.Go(func() {
				if err := l.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			stats := l.Stats()
			if written := len(s.all()) - len(s.events(EventDrop)); written != int(stats.Written) || stats.Written+stats.Dropped != writers*each {
				t.Fatalf("%d are in the log of %d: %+v", written, writers*each, stats)
			}
			if full == FullWait && stats.Dropped > 0 {
				t.Fatalf("%d were lost", stats.Dropped)
			}
			l.Close()
			l.Write(&Record{Event: EventTrip}, nil)
			if len(s.events(EventTrip)) != 1 {
				t.Fatal("what is written after Close is not written at once")
			}
		}
	}
}

func TestWhoWaitsWhenItIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newSunkLog(Options{Room: 1, Full: FullWait})
		release := s.block()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { l.Write(&Record{Event: EventStore}, nil) })
		}
		synctest.Wait()
		go l.Close()
		synctest.Wait()
		release()
		wg.Wait()
		l.Close()
		if got := len(s.all()); got != 5 {
			t.Errorf("%d records are in the log, want 5", got)
		}
	})
}

// TestNoGoroutineIsNeeded: a bubble does not end while there is one.
func TestNoGoroutineIsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		New(nil, Options{}).Write(full(EventFault), nil)
		l, s := newSunkLog(Options{Synchronous: true})
		l.Write(&Record{Event: EventStore}, nil)
		l.Offer(&Record{Event: EventEvict}, nil)
		flush(t, l)
		if got := len(s.all()); got != 2 || l.Stats() != (Stats{Written: 2}) {
			t.Errorf("%d records are in the log, %+v", got, l.Stats())
		}
		for _, l := range []*Log{l, New(nil, Options{})} {
			l.Close()
			l.Close()
		}
	})
}

// explosive panics while it is being written.
type explosive struct{ with any }

func (e explosive) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("half", "of it")
	panic(e.with)
}

func TestPanicIsAFault(t *testing.T) {
	for _, synchronous := range []bool{false, true} {
		l, s := newSunkLog(Options{Synchronous: synchronous})
		l.Write(&Record{Event: EventDiverge, Route: "landing", Query: "ref=s3cr3t", Difference: explosive{"index of s3cr3t"}}, nil)
		l.Write(&Record{Event: EventStore, Query: "a=b"}, func(string) bool { panic(errors.New("no name")) })
		l.Write(&Record{Event: EventStore}, nil)
		flush(t, l)
		faults := s.events(EventFault)
		if len(faults) != 2 || len(s.all()) != 3 {
			t.Fatalf("written were %+v, want two faults and a record", s.all())
		}
		if f := faults[0]; f.Route != "landing" || !strings.Contains(f.Error, "diverge") || strings.Contains(f.Error, "s3cr3t") {
			t.Errorf("the fault is %+v", f)
		}
		if got := l.Stats(); got.Failed != 2 || got.Written != 1 {
			t.Errorf("%+v, want 2 failures and 1 written", got)
		}
		l.Close()
	}
}
