package audit

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func checkOrder(t *testing.T, lines []sunk) {
	t.Helper()
	for i := 1; i < len(lines); i++ {
		if lines[i].TS < lines[i-1].TS {
			t.Fatalf("line %d is of %d, the one before it of %d", i, lines[i].TS, lines[i-1].TS)
		}
	}
}

func TestQueueIsBounded(t *testing.T) {
	for _, room := range []int{1, 7, 8, 63, 100, 1000} {
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, s := newSunkLog(Options{Room: room})
				release := s.block()
				offered := 0
				write := func(e Event, n int) {
					for range n {
						l.Write(&Record{Event: e}, nil)
					}
					offered += n
				}
				write(EventServe, 2*room)
				synctest.Wait()
				write(EventServe, 2*room)
				reserved := 0 // each shard's eighth
				for i := range l.queue.shards {
					reserved += l.queue.shards[i].room / reservedShare
				}
				if got := l.Stats(); got.Queued != room-reserved || got.Room != room {
					t.Errorf("serves alone: %+v, want %d queued of %d", got, room-reserved, room)
				}
				write(EventStore, 2*room)
				got := l.Stats()
				if got.Queued != room {
					t.Errorf("%d are queued, want %d", got.Queued, room)
				}
				if got.Written+got.Dropped+uint64(got.Queued) != uint64(offered) {
					t.Errorf("%+v do not make up the %d that were offered", got, offered)
				}
				release()
				l.Close()
				got = l.Stats()
				if got.Queued != 0 || got.Written+got.Dropped != uint64(offered) {
					t.Errorf("%+v, want all of %d to be written or dropped", got, offered)
				}
				if lost := s.lost(); lost != int(got.Dropped) {
					t.Errorf("the log says that %d were lost, want %d", lost, got.Dropped)
				}
				if lines := s.all(); len(lines)-len(s.events(EventDrop)) != int(got.Written) {
					t.Errorf("%d lines, want %d", len(lines), got.Written)
				}
				checkOrder(t, s.all())
			})
		})
	}
}

func TestDropsAreReportedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newSunkLog(Options{Room: 1})
		overflow := func() {
			release := s.block()
			for range 11 { // one is being written at most
				l.Write(&Record{Event: EventStore}, nil)
				synctest.Wait()
			}
			release()
			synctest.Wait()
		}
		for range 30 {
			overflow()
			time.Sleep(100 * time.Millisecond)
		}
		reports := s.events(EventDrop)
		if len(reports) < 3 {
			t.Errorf("%d reports in 3 seconds: %v", len(reports), reports)
		}
		for i := 1; i < len(reports); i++ {
			if after := time.Duration(reports[i].TS - reports[i-1].TS); after < reportEvery {
				t.Errorf("a report came %s after another", after)
			}
		}
		overflow()
		flush(t, l)
		if lost, dropped := s.lost(), l.Stats().Dropped; lost != int(dropped) || lost != 310 {
			t.Errorf("after Flush, %d are said to be lost, want %d, which is 310", lost, dropped)
		}
		overflow()
		time.Sleep(time.Hour) // nothing else is written, and still it is reported
		if lost := s.lost(); lost != 320 {
			t.Errorf("after a while, %d are said to be lost, want 320", lost)
		}
		overflow()
		l.Close()
		if lost := s.lost(); lost != 330 {
			t.Errorf("after Close, %d are said to be lost, want 330", lost)
		}
	})
}

// TestEveryRecordIsAccountedFor has many write at once.
func TestEveryRecordIsAccountedFor(t *testing.T) {
	const writers, each = 16, 200
	for _, c := range []struct {
		name string
		room int
		full Full
	}{
		{"drop", 200, FullDrop},
		{"wait, one record at a time", 1, FullWait},
		{"wait", 20, FullWait},
		{"wait, with shards", 200, FullWait},
		{"room for all", 10 * writers * each, FullDrop},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, s := newSunkLog(Options{Room: c.room, Full: c.full})
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					event := []Event{EventServe, EventStore}[w%2]
					for i := range each {
						l.Write(&Record{Event: event, Path: fmt.Sprintf("/%d/%d", w, i)}, nil)
					}
				})
			}
			wg.Wait()
			flush(t, l)
			stats := l.Stats()
			if stats.Written+stats.Dropped != writers*each || stats.Queued != 0 {
				t.Errorf("%+v, want %d in all", stats, writers*each)
			}
			if (c.full == FullWait || c.room > writers*each) && stats.Dropped > 0 {
				t.Errorf("%d were lost", stats.Dropped)
			}
			if lost := s.lost(); lost != int(stats.Dropped) {
				t.Errorf("%d are said to be lost, want %d", lost, stats.Dropped)
			}
			seen := map[string]bool{}
			for _, line := range s.all() {
				if line.Event != EventDrop {
					if seen[line.URL] {
						t.Errorf("%s was written twice", line.URL)
					}
					seen[line.URL] = true
				}
			}
			if len(seen) != int(stats.Written) {
				t.Errorf("%d records are in the log, want %d", len(seen), stats.Written)
			}
			checkOrder(t, s.all())
			l.Close()
		})
	}
}

func TestOfferNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newSunkLog(Options{Room: 2, Full: FullWait})
		release := s.block()
		for range 5 {
			l.Offer(&Record{Event: EventEvict}, nil)
		}
		waited := false
		go func() {
			l.Write(&Record{Event: EventStore}, nil)
			waited = true
		}()
		synctest.Wait()
		if waited {
			t.Error("Write did not wait for room")
		}
		release()
		synctest.Wait()
		if !waited {
			t.Error("Write waits although there is room")
		}
		l.Close()
		if got := l.Stats(); got.Dropped != 3 || got.Written != 3 {
			t.Errorf("%+v, want 3 records to be dropped and 3 written", got)
		}
	})
}

func TestWriteAllocatesNothing(t *testing.T) {
	l, s := newSunkLog(Options{Room: 512})
	defer l.Close()
	r := full(EventServe)
	for range 2 { // both buffers of each shard grow to what they may be
		release := s.block()
		for dropped := l.Stats().Dropped; l.Stats().Dropped < dropped+100; {
			l.Write(r, onlySource)
		}
		release()
		flush(t, l)
	}
	release := s.block() // only Write is to be looked at
	defer release()
	if n := testing.AllocsPerRun(300, func() { l.Write(r, onlySource) }); n != 0 {
		t.Errorf("Write allocates %v times", n)
	}
}

func TestBuffersShrink(t *testing.T) {
	q := newQueue(4096)
	write := func(n int) {
		for range n {
			q.push(&Record{Event: EventStore}, nil)
		}
		q.take(false)
		q.drain(func(*queued) {})
	}
	size := func() (n int) {
		for i := range q.shards {
			n += cap(q.shards[i].waiting) + cap(q.shards[i].taken)
		}
		return n
	}
	write(4096)
	write(4096)
	if size() < 2*4096 {
		t.Fatalf("the buffers have room for %d", size())
	}
	for range 3 * lately {
		write(1)
	}
	if size() > 2*maxShards*smallest {
		t.Errorf("long after a burst, the buffers have room for %d", size())
	}
}

// TestNothingIsKept: what was written does not stay in memory with its buffer.
func TestNothingIsKept(t *testing.T) {
	q := newQueue(10)
	for range 2 {
		for range 5 {
			q.push(full(EventStore), onlySource)
		}
		q.take(false)
		q.drain(func(*queued) {})
	}
	for i := range q.shards {
		for _, e := range q.shards[i].taken {
			if e.plain != nil || e.record.Path != "" {
				t.Errorf("there is still %+v", e)
			}
		}
	}
}
