package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
)

// The paths below a peer's admin endpoint.
const (
	PathAsk  = "/cacheward/fleet/ask"
	PathWake = "/cacheward/fleet/wake"
)

const (
	peerVersion = 1
	maxQuestion = 64 << 10 // bytes
	maxAnswered = 64 << 20 // bytes: more than as many of the longest events as there can be
)

// question is what a peer asks.
type question struct {
	Version int    `json:"version"`
	Edge    string `json:"edge"`
	// Life is that of the log in which Applied is a number.
	Life    string `json:"life,omitempty"`
	Applied uint64 `json:"applied"`
	Joins   bool   `json:"joins,omitempty"`
}

// answer is what it is told.
type answer struct {
	Version    int               `json:"version"`
	Edge       string            `json:"edge"` // who answers
	Life       string            `json:"life"`
	Generation uint64            `json:"generation"`
	Events     []Event           `json:"events,omitempty"`
	Lost       bool              `json:"lost,omitempty"`
	Trips      []control.Tripped `json:"trips,omitempty"`
	Now        time.Time         `json:"now"`
}

// ServeHTTP answers the other edges: POST to [PathAsk] and [PathWake]. Who may reach it
// learns what was purged and tripped, and can have itself counted as a member.
func (p *Peers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "POST was expected", http.StatusMethodNotAllowed)
		return
	}
	switch r.URL.Path {
	case PathAsk:
		p.serveAsk(w, r)
	case PathWake:
		for _, q := range p.others {
			q.edge.Wake()
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		http.NotFound(w, r)
	}
}

func (p *Peers) serveAsk(w http.ResponseWriter, r *http.Request) {
	var q question
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxQuestion))
	if err := d.Decode(&q); err != nil {
		http.Error(w, "the question cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	if q.Version != peerVersion || q.Edge == "" || q.Edge == p.o.Name {
		http.Error(w, fmt.Sprintf("version %d and the name of another edge than %q were expected", peerVersion, p.o.Name), http.StatusConflict)
		return
	}
	if q.Life != p.life {
		// What it has applied was in the log of an earlier process. Of this one's it has
		// applied nothing.
		q.Applied = 0
	}
	h, err := p.log.Ask(r.Context(), q.Edge, q.Applied, q.Joins)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer{
		Version: peerVersion, Edge: p.o.Name, Life: p.life, Generation: h.Generation,
		Events: h.Events, Lost: h.Lost, Trips: h.Trips, Now: h.Now,
	})
}

// peerLink leads to the log of a peer, over as many lives as that has: each one's events
// get the numbers after the last that was applied of the one before.
type peerLink struct {
	url    string
	client *http.Client
	life   string // the own one
	named  func(url, name string) error

	mu sync.Mutex
	// peer is the peer's name, once it has answered, there is the life of its log, and base
	// what was applied when that began.
	peer  string
	there string
	base  uint64
}

func (l *peerLink) name() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peer
}

// Ask implements [Link].
func (l *peerLink) Ask(ctx context.Context, edge string, applied uint64, joins bool) (Heard, error) {
	l.mu.Lock()
	q := question{Version: peerVersion, Edge: edge, Life: l.there, Applied: applied - l.base, Joins: joins}
	l.mu.Unlock()
	var a answer
	if err := l.post(ctx, PathAsk, q, &a); err != nil {
		return Heard{}, err
	}
	if a.Version != peerVersion || a.Edge == "" || a.Life == "" {
		return Heard{}, fmt.Errorf("the answer has version %d; %d was expected", a.Version, peerVersion)
	}
	if err := l.named(l.url, a.Edge); err != nil {
		return Heard{}, err
	}
	l.mu.Lock()
	restarted := l.there != "" && a.Life != l.there
	l.mu.Unlock()
	if restarted && !joins {
		// What it had published last may not have come here before it was gone.
		l.mu.Lock()
		l.there = ""
		l.mu.Unlock()
		return l.Ask(ctx, edge, applied, true)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.Life != l.there {
		l.there, l.base = a.Life, applied
	}
	l.peer = a.Edge
	h := Heard{Generation: l.base + a.Generation, Events: a.Events, Lost: a.Lost, Trips: a.Trips, Now: a.Now}
	for i := range h.Events {
		h.Events[i].Generation += l.base
	}
	h.Floor = h.Generation // nothing is stored that others could be given
	return h, nil
}

// Publish implements [Link]. Nobody publishes in another's log but by mistake.
func (l *peerLink) Publish(context.Context, Event) (uint64, error) {
	return 0, errors.New("the log of a peer takes no events of others")
}

func (l *peerLink) sendWake(ctx context.Context) error {
	return l.post(ctx, PathWake, struct{}{}, nil)
}

// post sends a JSON body and, with answer, reads one.
func (l *peerLink) post(ctx context.Context, path string, body, answer any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(l.url, "/")+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	w, err := l.client.Do(r)
	if err != nil {
		return err
	}
	defer w.Body.Close()
	if w.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(w.Body, 256))
		return fmt.Errorf("%s: %s", w.Status, strings.TrimSpace(string(text)))
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(io.LimitReader(w.Body, maxAnswered)).Decode(answer)
}

var _ Link = (*peerLink)(nil)
