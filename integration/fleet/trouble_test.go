package fleet

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store/redis/redistest"
	"github.com/cacheward/cacheward/integration/edge"
)

// trouble is what goes wrong in a fleet: links, edges and Redis.
type trouble struct {
	t     testing.TB
	setup setup
	redis *redistest.Server
	op    *operator

	mu     sync.Mutex
	faulty map[*node]time.Time // links, and when they are mended
	mend   map[*node]func()
	absent map[*node]bool
	other  spans // what concerns all

	// returning are the edges that are watched until they serve from memory again.
	returning sync.WaitGroup
	watched   map[*node]bool
	unwatch   chan struct{}
}

func newTrouble(t testing.TB, s setup, redis *redistest.Server, op *operator) *trouble {
	x := &trouble{
		t: t, setup: s, redis: redis, op: op, faulty: make(map[*node]time.Time), mend: make(map[*node]func()),
		absent: make(map[*node]bool), watched: make(map[*node]bool), unwatch: make(chan struct{}),
	}
	op.absent = func(n *node) bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.absent[n]
	}
	op.troubled = func() bool {
		now := time.Now()
		from := now.Add(-2 * s.lease)
		return x.other.touch(from, now, s.lease) || slices.ContainsFunc(op.nodes, func(n *node) bool {
			return n.away.touch(from, now, s.lease) || n.down.touch(from, now, s.lease)
		})
	}
	op.checker.excused = func(number int, from, until time.Time) bool {
		return op.nodes[number].down.touch(from, until, s.lease)
	}
	return x
}

// The kinds of trouble.
var troubles = []struct {
	name  string
	begin func(x *trouble, n *node)
}{
	{"a cut link", func(x *trouble, n *node) {
		n.link.Set(redistest.Cut)
		x.breakLink(n, "a cut link", func() { n.link.Set(redistest.Pass) })
	}},
	{"a black hole", func(x *trouble, n *node) {
		n.link.Set(redistest.BlackHole)
		x.breakLink(n, "a black hole", func() { n.link.Set(redistest.Pass) })
	}},
	{"a slow link", func(x *trouble, n *node) {
		// From what is noticed hardly to what no call lasts for.
		n.link.Delay(time.Duration(20+x.op.random.IntN(400)) * time.Millisecond)
		x.breakLink(n, "a slow link", func() { n.link.Delay(0) })
	}},
	{"a killed edge", (*trouble).kill},
	{"a restart of Redis", func(x *trouble, _ *node) { x.restartRedis() }},
	{"a stopped edge", (*trouble).stop},
	{"a reload", (*trouble).reload},
}

// breakLink notes that the edge's link does not work, for up to three leases.
func (x *trouble) breakLink(n *node, what string, mend func()) {
	n.away.begin()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.faulty[n] = time.Now().Add(x.setup.lease/4 + time.Duration(x.op.random.Int64N(int64(3*x.setup.lease))))
	x.mend[n] = func() {
		mend()
		n.away.end()
		x.watchReturn(n, what)
	}
}

// due mends what has been broken for long enough, or everything.
func (x *trouble) due(everything bool) {
	x.mu.Lock()
	var mend []func()
	for n, at := range x.faulty {
		if everything || time.Now().After(at) {
			mend = append(mend, x.mend[n])
			delete(x.faulty, n)
		}
	}
	x.mu.Unlock()
	for _, f := range mend {
		f()
	}
}

// sound is an edge whose link works, if there is one beside another sound one.
func (x *trouble) sound() *node {
	x.mu.Lock()
	defer x.mu.Unlock()
	var all []*node
	for _, n := range x.op.nodes {
		if _, broken := x.faulty[n]; !broken && !x.watched[n] {
			all = append(all, n)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[x.op.random.IntN(len(all))]
}

// watchReturn measures how long it takes until the edge serves from memory again.
func (x *trouble) watchReturn(n *node, after string) {
	x.mu.Lock()
	x.watched[n] = true
	x.mu.Unlock()
	from := time.Now()
	x.returning.Go(func() {
		defer func() {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.watched[n] = false
		}()
		client := newClient()
		defer client.CloseIdleConnections()
		for time.Since(from) < edge.Patience {
			a := answer{path: pagePath(calm, 0, 0)}
			get(client, n, &a)
			if _, ok := x.op.checker.take(&a); ok && a.hit() {
				x.op.figures.cameBack(after, time.Since(from))
				return
			}
			time.Sleep(2 * time.Millisecond)
		}
		status, err := n.fleet()
		x.op.checker.fault("%s did not serve from memory %s after %s was over: %+v, %v", n.name(), edge.Patience, after, status, err)
	})
}

func (x *trouble) setAbsent(n *node, absent bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.absent[n] = absent
}

// kill kills the edge, has others do things meanwhile, and starts it again.
func (x *trouble) kill(n *node) {
	x.setAbsent(n, true)
	n.down.begin()
	n.site.Kill(x.t)
	x.op.journal.forgotten(n.number)
	for range x.op.random.IntN(4) {
		x.op.step()
	}
	n.site.Restart(x.t)
	n.ready(x.t)
	n.down.end()
	x.setAbsent(n, false)
	x.watchReturn(n, "its start")
}

// restartRedis restarts it. It has nothing then.
func (x *trouble) restartRedis() {
	x.other.begin()
	for _, n := range x.op.nodes {
		n.away.begin()
	}
	x.redis.Stop()
	if x.op.random.IntN(2) == 0 {
		for range 1 + x.op.random.IntN(2) {
			x.op.step()
		}
	}
	x.redis.Restart()
	for _, n := range x.op.nodes {
		n.away.end()
	}
	x.other.end()
	for _, n := range x.op.nodes {
		x.mu.Lock()
		_, broken := x.faulty[n]
		watched := x.watched[n]
		x.mu.Unlock()
		if !broken && !watched {
			x.watchReturn(n, "a restart of Redis")
		}
	}
}

// reload has the edge take another policy.
func (x *trouble) reload(n *node) {
	n.down.begin()
	s := x.setup
	s.policy = fmt.Sprintf(routes, fmt.Sprintf("param key k%d", x.op.random.IntN(3)))
	n.site.Reload(x.t, s.config(n, x.op.origin.address()))
	n.ready(x.t)
	n.down.end()
}

// stop stops the edge as a suspended machine is, until what it has stored was purged and
// tripped elsewhere for longer than its lease. Who asks it then is answered when it goes on.
func (x *trouble) stop(n *node) {
	by := x.op.by()
	for by == n {
		by = x.op.by()
	}
	page, late := pagePath(news, 1, 0), pagePath(shop, 1, 0)
	x.setAbsent(n, true)
	n.down.begin() // those who wait for an answer may give up
	n.away.begin()
	process := n.site.Process()
	_ = process.Signal(syscall.SIGSTOP)
	goOn := sync.OnceFunc(func() { _ = process.Signal(syscall.SIGCONT) })
	defer goOn()
	x.t.Cleanup(goOn)
	purged := x.op.purge(by, byURL(page))
	tripped := x.op.trip(by, shop)
	timer := time.NewTimer(x.setup.lease + 20*time.Millisecond)
	<-timer.C
	var asked []*lateAnswer
	for range 4 {
		for _, path := range []string{page, late} {
			if l, err := askLate(n, path); err == nil {
				asked = append(asked, l)
			}
		}
	}
	goOn()
	for _, l := range asked {
		a := l.read()
		x.op.checker.take(&a)
	}
	n.down.end()
	n.away.end()
	x.setAbsent(n, false)
	x.op.figures.did(fmt.Sprintf("asked while stopped (purged %t, tripped %t)", purged, tripped), true)
	x.watchReturn(n, "a stop")
}

// lateAnswer is one that is asked for before the edge can read it.
type lateAnswer struct {
	conn net.Conn
	req  *http.Request
	a    answer
}

// askLate sends a request, and does not wait for the answer.
func askLate(n *node, path string) (*lateAnswer, error) {
	conn, err := net.Dial("tcp", n.address)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(edge.Patience))
	req, err := http.NewRequest(http.MethodGet, "http://"+n.address+path, nil)
	if err != nil {
		return nil, err
	}
	req.Host = host
	if err := req.Write(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return &lateAnswer{conn, req, answer{node: n.number, path: path, who: everyone, sent: time.Now()}}, nil
}

func (l *lateAnswer) read() answer {
	defer l.conn.Close()
	a := l.a
	res, err := http.ReadResponse(bufio.NewReader(l.conn), l.req)
	if err == nil {
		a.status, a.header = res.StatusCode, res.Header
		a.body, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	a.received, a.err = time.Now(), err
	return a
}
