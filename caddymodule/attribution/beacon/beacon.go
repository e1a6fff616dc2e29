// Package beacon tells an app of landings: they are queued on disk, and posted to the app
// in the order in which they came, at least once each, in batches that are the same each
// time they are sent.
//
// # What is promised
//
// A landing that Put has returned nil for survives the end of the process, by whatever
// means. An end of the machine (power, kernel) loses, by Options.Sync:
//
//	always    none. Put returns after the disk has confirmed; many at a time share one sync.
//	interval  what came in the last second.
//	never     what the system has not written yet, and possibly the whole file with it.
//
// With interval and never a Put is a write to a file, tens of microseconds. With always it
// takes a sync of the disk, tens to hundreds of times as long, which those share that come
// meanwhile: of a hundred at a time each costs about five times as much as with interval.
//
// # What the app gets
//
//	POST <URL>
//	Content-Type: application/json
//	Idempotency-Key: <64 hex digits, a function of the ids of the landings>
//
//	{"schema":1,"landings":[{"id":…,"at":…,"visitor":…,"host":…,"route":…,"path":…,
//	 "referer":…,"object":…,"values":{…},"paid":…},…]}
//
// A batch is sent again, byte for byte and after a restart as well, until the app answers
// 2xx. Redirects are not followed. A batch that is answered ten times with a 4xx (other than
// 408, 425 and 429) is set aside in the file, for people to look at; all other failures are
// tried again for as long as it takes, after 1 to 60 seconds, or when Retry-After says.
// Nothing overtakes a batch: so each visitor's landings arrive in their order, too.
package beacon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"
)

// The errors of Put. A landing that it returns any error for is not queued.
var (
	// ErrFull: as many wait as there is room for, on the disk or on the way to it.
	ErrFull = errors.New("the queue of landings is full")
	// ErrClosed: the queue has been closed.
	ErrClosed = errors.New("the queue of landings is closed")
)

// Options of a Queue. What is zero has its default.
type Options struct {
	// URL is the app's, http or https. It has no default.
	URL string
	// Batch is how many landings one request has at most. Default: 100. A request is also
	// full at 4 MiB.
	Batch int
	// Every is how long a landing waits for others at most. Default: 1 s.
	Every time.Duration
	// Room is how many landings may wait. Default: 1,000,000. One takes about one and a
	// half times its JSON on disk, a quarter to eight kilobytes; the file does not shrink.
	Room int
	// Sync is always, interval or never. Default: interval.
	Sync string
	// Client posts; its CheckRedirect is not used. Default: one like http.DefaultClient.
	// A request has 30 seconds, whatever its Timeout.
	Client *http.Client
	// Logger is told of failures, at most once a minute, and of all that is lost. Default:
	// none.
	Logger *zap.Logger
}

// The choices of Options.Sync.
const (
	syncAlways   = "always"
	syncInterval = "interval"
	syncNever    = "never"
)

// Stats are numbers of landings, and of other things where it says so. Those that count
// begin with zero when the queue is opened.
type Stats struct {
	// Waiting are queued now.
	Waiting int
	// Put have been queued, Sent been confirmed by the app.
	Put, Sent uint64
	// Lost are those that the app is not told of: Put has returned an error for them, or
	// they are among the Rejected.
	Lost uint64
	// Rejected have been set aside, as the app would not have them.
	Rejected uint64
	// Failures are requests to the app that were not answered with 2xx.
	Failures uint64
	// Oldest is when the landing came that waits for longest. Zero: none waits.
	Oldest time.Time
}

// Queue is a queue of landings in a file, and what sends them. It is safe for concurrent
// use.
type Queue struct {
	o        Options
	path     string
	endpoint string // URL without what may be secret in it, for the log
	client   *http.Client
	db       *bolt.DB

	puts    chan *offer
	closing chan struct{}
	quit    context.CancelFunc // ends the sender
	done    sync.WaitGroup
	close   sync.Once
	closed  error // what Close has returned

	// mu is held by the writer while it writes, and by the storer while it takes what was
	// written.
	mu       sync.Mutex
	journals [2]*journal
	active   int     // which is being written to
	fresh    []entry // what is in the active journal
	storing  []entry // what is in the other one, on its way into the file
	number   uint64  // of the last landing

	arrived chan struct{} // something is fresh
	crowded chan struct{} // more than storeEarly is
	stored  chan struct{} // something has come into the file

	waiting atomic.Int64 // in all
	inFile  atomic.Int64 // in the file

	put, sent, lost, rejected, failures atomic.Uint64

	unwritten, unread trouble // with the file, of the storer and the sender
	sending           trouble // with the app
}

// Open opens the file, makes it if there is none, and begins to send what waits in it. Two
// more files beside it have its name with .journal-0 and .journal-1. A file that is damaged
// is set aside, under its name with .damaged- and the time, and logged. One that another
// Queue has open, in this process or another, is an error after 3 seconds.
func Open(path string, o Options) (*Queue, error) {
	u, err := o.complete()
	if err != nil {
		return nil, err
	}
	q := &Queue{
		o: o, path: path, endpoint: u.Scheme + "://" + u.Host + u.Path,
		client: clientOf(o.Client),
		puts:   make(chan *offer), closing: make(chan struct{}),
		arrived: make(chan struct{}, 1), crowded: make(chan struct{}, 1), stored: make(chan struct{}, 1),
	}
	var found contents
	if q.db, found, err = openFile(path, o.Sync != syncNever, o.Logger); err != nil {
		return nil, err
	}
	q.number = found.last
	q.count(found.waiting)
	if err := q.replay(); err != nil {
		_ = q.shut()
		return nil, fmt.Errorf("opening the queue of landings %s: %w", path, err)
	}
	ctx, quit := context.WithCancel(context.Background())
	q.quit = quit
	q.done.Go(q.write)
	q.done.Go(q.store)
	q.done.Go(func() { q.deliver(ctx) })
	return q, nil
}

// complete fills in the defaults.
func (o *Options) complete() (*url.URL, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("beacon: url is not one: %w", errors.Unwrap(err))
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("beacon: url is %q, want http://… or https://… with a host", u.Redacted())
	}
	switch o.Sync {
	case "":
		o.Sync = syncInterval
	case syncAlways, syncInterval, syncNever:
	default:
		return nil, fmt.Errorf("beacon: sync is %q, want always, interval or never", o.Sync)
	}
	if o.Batch < 0 || o.Every < 0 || o.Room < 0 {
		return nil, fmt.Errorf("beacon: batch is %d, every %s, room %d, want none negative", o.Batch, o.Every, o.Room)
	}
	if o.Batch == 0 {
		o.Batch = 100
	}
	if o.Every == 0 {
		o.Every = time.Second
	}
	if o.Room == 0 {
		o.Room = 1_000_000
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return u, nil
}

// Put queues the landing, and returns when it is as safe as Options.Sync says. An error is
// ErrFull, ErrClosed, the context's, one of the disk, or says what is wrong with the landing.
func (q *Queue) Put(ctx context.Context, l Landing) error {
	err := q.enqueue(ctx, l)
	if err != nil {
		q.lost.Add(1)
	}
	return err
}

func (q *Queue) enqueue(ctx context.Context, l Landing) error {
	if l.ID == "" {
		return errors.New("landing without an ID")
	}
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if len(text) > maxLanding {
		return fmt.Errorf("landing of %d bytes, want at most %d", len(text), maxLanding)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	p := &offer{text: text, done: make(chan error, 1)}
	select {
	case q.puts <- p:
		return <-p.done // the writer has it: that takes as long as the disk
	case <-q.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stats is the state of this moment. It may be called after Close, too: then it is the last
// one, but for Oldest.
func (q *Queue) Stats() Stats {
	return Stats{
		Waiting: int(q.waiting.Load()), Put: q.put.Load(), Sent: q.sent.Load(),
		Lost: q.lost.Load(), Rejected: q.rejected.Load(), Failures: q.failures.Load(),
		Oldest: q.oldest(),
	}
}

// Close ends sending, at once, and closes the file. What waits is sent after the next Open.
// An error is one of the disk: what waits is in the journals then.
func (q *Queue) Close() error {
	q.close.Do(func() {
		close(q.closing)
		q.quit()
		q.done.Wait()
		more, err := q.storeNow()
		for more && err == nil {
			more, err = q.storeNow()
		}
		q.closed = errors.Join(err, q.shut())
	})
	return q.closed
}

// shut closes the files.
func (q *Queue) shut() error {
	err := q.db.Close()
	for _, j := range q.journals {
		if j != nil {
			err = errors.Join(err, j.file.Close())
		}
	}
	return err
}
