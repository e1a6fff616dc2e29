package caddymodule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/store"
)

func init() {
	caddy.RegisterModule(Peers{})
}

// Peers is the small alternative to a shared Redis: a list of edges, each with its own
// memory, that tell each other over the admin endpoint what they purge and trip. What is
// stored is not shared.
type Peers struct {
	// URLs are the admin endpoints of the other edges: http://10.0.0.2:2019. Placeholders
	// are replaced.
	URLs []string `json:"urls"`
	// Memory is the size of this edge's memory, in bytes. Default: 256 MiB.
	Memory int64 `json:"memory,omitempty"`
	// Edge is the name of this edge, unique among the peers. Placeholders are replaced.
	// Default: the machine's name.
	Edge string `json:"edge,omitempty"`
	// Lease is for how long this edge serves what is stored after it last heard from every
	// peer. It is the same for all edges. Default: 3s.
	Lease caddy.Duration `json:"lease,omitempty"`
	// OnPartition is what this edge does when its lease is over: bypass or serve, as for
	// redis. Default: bypass.
	OnPartition string `json:"on_partition,omitempty"`

	urls   []string
	edge   string
	logger *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (Peers) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cacheward.stores.peers", New: func() caddy.Module { return new(Peers) }}
}

// Provision sets the defaults and replaces placeholders.
func (p *Peers) Provision(ctx caddy.Context) error {
	p.logger = ctx.Logger()
	p.Memory = cmp.Or(p.Memory, defaultMemory)
	p.Lease = cmp.Or(p.Lease, caddy.Duration(fleet.DefaultLease))
	p.OnPartition = cmp.Or(p.OnPartition, control.OnPartitionBypass)
	repl := caddy.NewReplacer()
	p.urls = nil
	for _, text := range p.URLs {
		u, err := repl.ReplaceOrErr(text, true, true)
		if err != nil {
			return fmt.Errorf("url: %w", err)
		}
		p.urls = append(p.urls, strings.TrimSuffix(u, "/"))
	}
	var err error
	if p.Edge == "" {
		p.edge, err = os.Hostname()
	} else {
		p.edge, err = repl.ReplaceOrErr(p.Edge, true, true)
	}
	if err != nil {
		return fmt.Errorf("edge: %w", err)
	}
	return nil
}

// Validate refuses what cannot work.
func (p *Peers) Validate() error {
	if len(p.urls) == 0 {
		return errors.New("no peer is given; http://10.0.0.2:2019 was expected, or the like")
	}
	for _, text := range p.urls {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" || u.RawQuery != "" || u.User != nil {
			return fmt.Errorf("peer %q; the URL of an admin endpoint was expected, http://10.0.0.2:2019", text)
		}
	}
	switch lease := time.Duration(p.Lease); {
	case p.Memory < 1<<20:
		return fmt.Errorf("memory %d is less than 1 MiB", p.Memory)
	case strings.TrimSpace(p.edge) == "":
		return fmt.Errorf("edge %q is empty; a name was expected", p.Edge)
	case lease < fleet.MinLease || lease > time.Minute:
		return fmt.Errorf("lease is %s; %s to 1m was expected", lease, fleet.MinLease)
	case p.OnPartition != control.OnPartitionBypass && p.OnPartition != control.OnPartitionServe:
		return fmt.Errorf("on_partition is %q; %s or %s was expected", p.OnPartition, control.OnPartitionBypass, control.OnPartitionServe)
	}
	return nil
}

// UnmarshalCaddyfile sets the store up from tokens:
//
//	peers <url...> {
//		memory       <size>
//		edge         <name>
//		lease        <duration>
//		on_partition bypass|serve
//	}
func (p *Peers) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the store's name
	p.URLs = d.RemainingArgs()
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		if seen[name] {
			return d.Errf("%s is given twice", name)
		}
		seen[name] = true
		var text string
		if !d.AllArgs(&text) {
			return d.ArgErr()
		}
		switch name {
		case "memory":
			size, err := parseSize(text)
			if err != nil {
				return d.Errf("parsing memory: %v", err)
			}
			p.Memory = size
		case "edge":
			p.Edge = text
		case "lease":
			lease, err := caddy.ParseDuration(text)
			if err != nil {
				return d.Errf("parsing lease: %v", err)
			}
			p.Lease = caddy.Duration(lease)
		case "on_partition":
			p.OnPartition = text
		default:
			return d.Errf("unrecognized subdirective %q; memory, edge, lease or on_partition was expected", name)
		}
	}
	return nil
}

// StoreKey implements [Provider]. All but the size makes another store of it.
func (p *Peers) StoreKey() string {
	return fmt.Sprintf("peers:%s of %s, lease %s, %s", p.edge, strings.Join(p.urls, " "), time.Duration(p.Lease), p.OnPartition)
}

// OpenStore implements [Provider].
func (p *Peers) OpenStore() (store.Store, error) {
	memory, err := store.NewMemory(p.Memory)
	if err != nil {
		return nil, err
	}
	s := &peered{Memory: memory, onPartition: p.OnPartition}
	s.peers, err = fleet.NewPeers(fleet.Options{
		Name: p.edge, Lease: time.Duration(p.Lease), Apply: s.applied, Lost: s.lost, Changed: p.changed,
	}, p.urls, nil)
	if err != nil {
		return nil, errors.Join(err, memory.Close())
	}
	return s, nil
}

// TuneStore implements [Provider].
func (p *Peers) TuneStore(s store.Store) error {
	own, ok := s.(*peered)
	if !ok {
		return fmt.Errorf("the open store is a %T", s)
	}
	return own.SetLimit(p.Memory)
}

func (p *Peers) changed(trusted bool, problem string) {
	switch {
	case trusted:
		p.logger.Info("this edge hears from its peers: what is stored is served", zap.String("edge", p.edge))
	case p.OnPartition == control.OnPartitionServe:
		p.logger.Error("this edge does not hear from all of its peers: it serves what it has, which they may have purged",
			zap.String("edge", p.edge), zap.String("problem", problem))
	default:
		p.logger.Error("this edge does not hear from all of its peers: nothing stored is served until it does",
			zap.String("edge", p.edge), zap.String("problem", problem))
	}
}

// peered is a memory whose purges and trips are those of several edges.
type peered struct {
	*store.Memory
	peers       *fleet.Peers
	onPartition string

	mu    sync.Mutex
	heard *fleet.Heard // what was told last, for those who begin to follow
	on    following
}

type following struct {
	apply func(fleet.Event)
	lost  func(fleet.Heard)
}

// peeredStores knows the store of the configuration in charge: it answers the peers. While a
// configuration takes the place of another there are two, and what the old one still has to
// tell goes out with the new one's.
var peeredStores struct {
	sync.Mutex
	last *peered
}

func (s *peered) applied(e fleet.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.ApplyTo(s.Memory)
	if s.heard != nil {
		next := s.heard.After(e)
		s.heard = &next
	}
	if s.on.apply != nil {
		s.on.apply(e)
	}
}

func (s *peered) lost(h fleet.Heard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.Memory.Purge(store.Selection{All: true}, false)
	s.heard = &h
	if s.on.lost != nil {
		s.on.lost(h)
	}
}

// Follow implements [Fleet].
func (s *peered) Follow(apply func(fleet.Event), lost func(fleet.Heard)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	begins := s.on.lost == nil
	s.on = following{apply, lost}
	// Trips are the breaker's, which outlives configurations, once it was told.
	if begins && s.heard != nil {
		lost(*s.heard)
	}
	peeredStores.Lock()
	peeredStores.last = s
	peeredStores.Unlock()
}

// Trusted implements [Fleet].
func (s *peered) Trusted(now time.Time) bool {
	return s.onPartition == control.OnPartitionServe || s.peers.Trusted(now)
}

// Generation implements [Fleet].
func (s *peered) Generation() uint64 { return s.peers.Generation() }

// Fetch implements [Fleet]: nothing stored is shared.
func (*peered) Fetch(context.Context, store.Key, []byte) (*store.Object, error) { return nil, nil }

// Lead implements [Fleet]: each edge asks for itself.
func (*peered) Lead(context.Context, store.Key) (fleet.Turn, error) {
	return fleet.Turn{Mine: true, Done: func(fleet.Verdict) {}}, nil
}

// Publish implements [Fleet].
func (s *peered) Publish(ctx context.Context, e fleet.Event, wait bool) (fleet.Delivery, error) {
	peeredStores.Lock()
	last := peeredStores.last
	peeredStores.Unlock()
	if last != nil && last != s {
		_, _ = s.peers.Publish(ctx, e, false) // for this one's own memory
		return last.Publish(ctx, e, wait)
	}
	d, err := s.peers.Publish(ctx, e, wait)
	if errors.Is(err, fleet.ErrUnconfirmed) {
		return d, nil // the delivery names those who have not
	}
	return d, err
}

// Fleet implements [Fleet].
func (s *peered) Fleet() fleet.Status { return s.peers.Status() }

// Shared implements [Fleet].
func (*peered) Shared() control.SharedStatus { return control.SharedStatus{} }

// OnPartition implements [Fleet].
func (s *peered) OnPartition() string { return s.onPartition }

// Close implements [store.Store].
func (s *peered) Close() error {
	peeredStores.Lock()
	if peeredStores.last == s {
		peeredStores.last = nil
	}
	peeredStores.Unlock()
	s.peers.Close()
	return s.Memory.Close()
}

// serveFleet answers the peers.
func (a *adminAPI) serveFleet(w http.ResponseWriter, r *http.Request) error {
	peeredStores.Lock()
	s := peeredStores.last
	peeredStores.Unlock()
	if s == nil {
		return apiError(control.NotFound("this edge has no peers: no handler has `store peers`"))
	}
	s.peers.ServeHTTP(w, r)
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Peers)(nil)
	_ caddy.Validator       = (*Peers)(nil)
	_ caddyfile.Unmarshaler = (*Peers)(nil)
	_ Provider              = (*Peers)(nil)
	_ Fleet                 = (*peered)(nil)
)
