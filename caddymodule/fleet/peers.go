package fleet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
)

// keptForPeers is how many events an edge keeps for peers that are behind.
const keptForPeers = 10_000

// ErrUnconfirmed is why an event is not acknowledged among peers: it is in this edge's
// log, but not every peer has applied it. Those that ask later will, unless this edge
// restarts before, for its log is in its memory. Until then they trust nothing stored, or
// are slow.
var ErrUnconfirmed = errors.New("not every peer has confirmed it")

// Peers is a fleet without anything between its edges: each has a log of its own, of what
// it published itself, and asks every other for theirs. It trusts what is stored while all
// of them answer; so one that is down has the others serve nothing stored until it is back
// or taken off the list.
//
// A peer that restarts has an empty log. Nothing is lost by that: what it had published was
// confirmed by all, or is not acknowledged ([ErrUnconfirmed]). So what a peer knows of trips
// it hands on, too, to those that join.
//
// Events of several edges have no order among them. It is safe for concurrent use.
type Peers struct {
	o    Options
	life string // of this process's log
	log  *Log
	self *Edge // asks the own log

	applying sync.Mutex // one event at a time, whosever log it is in
	mu       sync.Mutex // held until all of the others are made
	others   []*peer
	all      []*Edge // the own one, and those that ask the others
	changes  changes
	ctx      context.Context
	end      context.CancelFunc
	wakers   sync.WaitGroup
	idle     func() // closes the connections of an HTTP client of our own; or nil
}

// peer is another edge.
type peer struct {
	link *peerLink
	edge *Edge
	wake chan struct{}
}

// NewPeers returns an edge among others, whose admin endpoints have these URLs
// ("http://10.0.0.2:2019"). They are told to serve what Peers does, and need not be there
// yet. Client nil: one of its own. See [Options]; Lost is told of each peer that is met
// first or again, with the trips that any has told of.
func NewPeers(o Options, urls []string, client *http.Client) (*Peers, error) {
	if o.Lease == 0 {
		o.Lease = DefaultLease
	}
	var idle func()
	if client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.Proxy = nil // peers are in a network of their own
		client, idle = &http.Client{Transport: transport}, transport.CloseIdleConnections
	}
	for i, url := range urls {
		if slices.Contains(urls[:i], url) {
			return nil, fmt.Errorf("peer %s is listed twice", url)
		}
	}
	p := &Peers{o: o, life: rand.Text(), idle: idle, log: NewLog(keptForPeers, LogLease(o.Lease))}
	p.ctx, p.end = context.WithCancel(context.Background())
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	if p.self, err = NewEdge(p.log, p.options(false)); err != nil {
		p.end()
		return nil, err
	}
	p.all = []*Edge{p.self}
	for _, url := range urls {
		q := &peer{wake: make(chan struct{}, 1)}
		q.link = &peerLink{url: url, client: client, life: p.life, named: p.named}
		q.edge, _ = NewEdge(q.link, p.options(true)) // these options were good a moment ago
		p.others, p.all = append(p.others, q), append(p.all, q.edge)
		p.wakers.Go(func() { p.wakes(q) })
	}
	p.log.Watch(p.published)
	return p, nil
}

// options are those of the edge that asks one log, which is another's or the own one.
func (p *Peers) options(others bool) Options {
	o := p.o
	o.Apply = func(e Event) {
		p.applying.Lock()
		defer p.applying.Unlock()
		if others {
			p.log.note(e)
		}
		p.o.Apply(e)
	}
	o.Lost = func(h Heard) {
		p.applying.Lock()
		defer p.applying.Unlock()
		for _, t := range h.Trips {
			p.log.note(Event{Kind: KindTrip, Trip: t})
		}
		h.Trips = p.log.tripped()
		p.o.Lost(h)
	}
	o.Changed = func(bool, string) { p.tell() }
	return o
}

// note takes in the trips of another log, and their ends, without an event.
func (l *Log) note(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Kind == KindReset {
		l.reset(e.Ends)
	}
	if e.Kind == KindTrip {
		l.reset(func(t control.Tripped) bool { return t.Route == e.Trip.Route })
		e.Trip.Generation = 0 // it is the other log's
		l.trips = append(l.trips, e.Trip)
	}
}

func (l *Log) tripped() []control.Tripped {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.trips)
}

// named returns an error if the peer at a URL has the name of another or of this edge: it
// would confirm what the other has not applied.
func (p *Peers) named(url, name string) error {
	if name == p.o.Name {
		return fmt.Errorf("the peer at %s has the name of this edge, %q, or is this edge", url, name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, q := range p.others {
		if q.link.url != url && q.link.name() == name {
			return fmt.Errorf("the peers at %s and %s have one name, %q", url, q.link.url, name)
		}
	}
	return nil
}

// published has everybody ask.
func (p *Peers) published() {
	p.self.Wake()
	for _, q := range p.others {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

func (p *Peers) wakes(q *peer) {
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-q.wake:
		}
		ctx, cancel := context.WithTimeout(p.ctx, p.o.Lease/4)
		_ = q.link.sendWake(ctx) // it asks by itself, if later
		cancel()
	}
}

// Trusted reports whether what is stored may be served at now: whether this edge has heard
// from every peer within its lease. It takes no lock.
func (p *Peers) Trusted(now time.Time) bool {
	for _, e := range p.all {
		if !e.Trusted(now) {
			return false
		}
	}
	return true
}

// Generation is 0: what is stored here is not for other edges.
func (p *Peers) Generation() uint64 { return 0 }

// Publish appends the event to the log of this edge. See [Edge.Publish]. With wait the
// error is [ErrUnconfirmed] if not every peer has applied it. Without, nobody knows: an
// event that no peer has heard when this edge ends is gone.
func (p *Peers) Publish(ctx context.Context, event Event, wait bool) (Delivery, error) {
	d, err := p.self.Publish(ctx, event, wait)
	if err != nil {
		return d, err
	}
	members := p.self.Status().Members
	for _, q := range p.others {
		name := q.link.name()
		if name == "" || !slices.ContainsFunc(members, func(m Member) bool { return m.Edge == name }) {
			if name == "" {
				name = q.link.url
			}
			// Who does not ask trusts nothing.
			d.Edges++
			d.Missing, d.Silent = append(d.Missing, name), append(d.Silent, name)
		}
	}
	if wait && len(d.Missing) > 0 {
		return d, fmt.Errorf("%w: %d of %d have", ErrUnconfirmed, d.Confirmed, d.Edges)
	}
	return d, nil
}

// Status describes the edge among its peers. Applied and Generation are those of its own
// log, as the members' are; Heard is that of the peer that it has not heard for the
// longest time.
func (p *Peers) Status() Status {
	s := p.self.Status()
	s.Trusted = p.Trusted(time.Now())
	for _, q := range p.others {
		other := q.edge.Status()
		if other.Heard < 0 || s.Heard >= 0 && other.Heard > s.Heard {
			s.Heard = other.Heard
		}
		if other.Problem != "" && s.Problem == "" {
			s.Problem = fmt.Sprintf("peer %s: %s", q.link.url, other.Problem)
		}
	}
	s.Lapses, s.Partitioned = p.changes.count(time.Now())
	return s
}

// tell looks whether trust has begun or ended, and tells who wants to know.
func (p *Peers) tell() {
	p.mu.Lock()
	all := p.all
	p.mu.Unlock()
	p.changes.mu.Lock()
	defer p.changes.mu.Unlock()
	now := time.Now()
	trusted := !slices.ContainsFunc(all, func(e *Edge) bool { return !e.Trusted(now) })
	if p.changes.closed || !p.changes.set(trusted, now) || p.o.Changed == nil {
		return
	}
	problem := ""
	if !trusted {
		if problem = p.Status().Problem; problem == "" {
			problem = "a peer has not answered for as long as the lease"
		}
	}
	p.o.Changed(trusted, problem)
}

// Close ends everything that Peers does.
func (p *Peers) Close() {
	p.changes.mu.Lock()
	p.changes.closed = true
	p.changes.mu.Unlock()
	p.end()
	for _, e := range p.all {
		e.Close()
	}
	p.wakers.Wait()
	if p.idle != nil {
		p.idle()
	}
}
