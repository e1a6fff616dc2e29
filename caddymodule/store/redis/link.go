package redis

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/cacheward/cacheward/caddymodule/fleet"
)

//go:embed prelude.lua
var preludeLua string

//go:embed ask.lua
var askLua string

//go:embed publish.lua
var publishLua string

const (
	// answerEvents is how many events an answer has at most.
	answerEvents = 500
	// goneAfter is after how many leases an edge that has not asked is no member any more.
	goneAfter = 10
)

// link is the [fleet.Link] that keeps the log in Redis, by scripts: each question, and
// each event, is one step for everybody. It is safe for concurrent use.
type link struct {
	options *Options
	keys    []string // as the scripts want them
	gen     string

	connection   *connection
	ask, publish *rueidis.Lua

	// epoch names the log that the edge has heard of: whoever applied events of another
	// one, whose numbers mean nothing here, has to begin again.
	epoch atomic.Pointer[string]
	asked atomic.Uint64 // the last generation that was told

	wake  func()
	arm   chan struct{}
	armed chan struct{} // closed when nobody arms any more
}

// newLink connects. wake is called when there is, or may be, something to ask for.
func newLink(o *Options, wake func()) *link {
	l := &link{
		options: o, wake: wake, gen: o.controlKey("gen"),
		// Not made when the program starts, for it takes a SHA-1, which may be forbidden.
		ask:     rueidis.NewLuaScript(preludeLua + askLua),
		publish: rueidis.NewLuaScript(preludeLua + publishLua),
		arm:     make(chan struct{}, 1), armed: make(chan struct{}),
	}
	for _, name := range []string{"gen", "log", "purges", "trips", "edges", "run", "tags", "resets"} {
		l.keys = append(l.keys, o.controlKey(name))
	}
	option := o.clientOption()
	option.PipelineMultiplex = -1 // one connection: two would both have to be waited for
	option.CacheSizeEachConn = 1 << 20
	// Nil: the connection is gone, and what would have been told with it.
	option.OnInvalidations = func([]rueidis.RedisMessage) { wake() }
	l.connection = connect(option, wake)
	go l.keepArmed()
	return l
}

func (o *Options) controlKey(name string) string { return "cw1:{" + o.Namespace + "}:" + name }

// Ask implements [fleet.Link].
func (l *link) Ask(ctx context.Context, edge string, applied uint64, joins bool) (fleet.Heard, error) {
	client, err := l.connection.get()
	if err != nil {
		return fleet.Heard{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, l.options.Timeout)
	defer cancel()
	known := ""
	if epoch := l.epoch.Load(); epoch != nil && !joins {
		known = *epoch
	}
	reply, err := l.ask.Exec(ctx, client, l.keys, []string{
		edge, strconv.FormatUint(applied, 10), known,
		strconv.FormatInt((goneAfter * l.options.Lease).Milliseconds(), 10), strconv.Itoa(answerEvents),
		strconv.FormatInt(l.options.Lease.Milliseconds(), 10),
	}).ToArray()
	if err != nil {
		return fleet.Heard{}, err
	}
	heard, epoch, err := readAnswer(reply)
	if err != nil {
		return fleet.Heard{}, fmt.Errorf("reading the log's answer: %w", err)
	}
	l.epoch.Store(&epoch)
	l.asked.Store(heard.Generation)
	select {
	case l.arm <- struct{}{}:
	default:
	}
	return heard, nil
}

// Publish implements [fleet.Link].
func (l *link) Publish(ctx context.Context, e fleet.Event) (uint64, error) {
	text, err := encodeEvent(e)
	if err != nil {
		return 0, err
	}
	client, err := l.connection.get()
	if err != nil {
		return 0, err
	}
	tag, trip := "", ""
	if e.Selection.Tag != nil {
		tag = string(e.Selection.Tag[:])
	}
	if e.Kind == fleet.KindTrip {
		b, err := json.Marshal(e.Trip)
		if err != nil {
			return 0, err
		}
		trip = string(b)
	}
	since := ""
	if e.Kind == fleet.KindReset && !e.Trip.Since.IsZero() {
		since = e.Trip.Since.Format(time.RFC3339Nano) // as JSON has it
	}
	ctx, cancel := context.WithTimeout(ctx, l.options.Timeout)
	defer cancel()
	reply, err := l.publish.Exec(ctx, client, l.keys,
		[]string{e.Edge, string(e.Kind), text, tag, e.Trip.Route, trip, since}).ToString()
	if err != nil {
		return 0, fmt.Errorf("appending to the log: %w", err)
	}
	return strconv.ParseUint(reply, 10, 64)
}

// keepArmed sees to it that the server tells of the next event: it tells each connection
// once, of what that has read. It is done after the log was asked, beside it, so that
// what is new is applied without waiting for that.
func (l *link) keepArmed() {
	defer close(l.armed)
	for {
		select {
		case <-l.connection.ended.Done():
			return
		case <-l.arm:
		}
		client, err := l.connection.get()
		if err != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(l.connection.ended, l.options.Timeout)
		// Kept until the server says that it changed, or for an hour.
		g, err := client.DoCache(ctx, client.B().Get().Key(l.gen).Cache(), time.Hour).AsUint64()
		cancel()
		// What came between the question and this would be told to nobody.
		if err == nil && g > l.asked.Load() {
			l.wake()
		}
	}
}

// leave takes the edge off the list, for it is closed for good.
func (l *link) leave(edge string) {
	client, err := l.connection.get()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.options.Timeout)
	defer cancel()
	// If it fails, the others find the edge silent for a while.
	_ = client.Do(ctx, client.B().Hdel().Key(l.options.controlKey("edges")).Field(edge).Build()).Error()
}

func (l *link) close() {
	l.connection.close()
	<-l.armed
}

var _ fleet.Link = (*link)(nil)
