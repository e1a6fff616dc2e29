package caddymodule

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"runtime/debug"
	"slices"
	"time"

	"github.com/zeebo/blake3"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/policies"
)

// processStarted is about when the process did.
var processStarted = time.Now()

// status describes the proxy at this moment. It stops nothing: figures that belong
// together may be a moment apart.
func status(handlers []*Handler) control.Status {
	s := control.Status{
		Schema: control.Schema, Version: ownVersion(), Started: processStarted,
		Tripped: []control.Tripped{}, Handlers: []control.HandlerStatus{}, Stores: []control.StoreStatus{},
	}
	if len(handlers) == 0 {
		s.Problems = append(s.Problems, string(noHandlers))
		return s
	}
	s.Loaded = handlers[0].others.loadedAt()
	s.Tripped = trippedOf(handlers)
	seen := make(map[*shared]bool)
	for _, h := range handlers {
		s.Handlers = append(s.Handlers, h.status())
		if !seen[h.shared] {
			seen[h.shared] = true
			s.Stores = append(s.Stores, h.shared.status(h.sharedKey))
			if f := h.shared.fleet; f != nil {
				s.Fleets = append(s.Fleets, fleetStatus(h.sharedKey, f))
			}
		}
	}
	s.Watched = handlers[0].others.watchStatus()
	for _, h := range handlers {
		s.Landings = append(s.Landings, h.attributing.status()...)
	}
	slices.SortStableFunc(s.Landings, func(a, b control.LandingStatus) int { return cmp.Compare(a.Route, b.Route) })
	for _, t := range s.Tripped {
		if t.Unknown {
			s.Problems = append(s.Problems, "tripped is "+tripScope(t.Route)+
				", and no running handler has a route of that name: what it was tripped for may have another name now")
		}
	}
	return s
}

// trippedOf are the trips in force, and whether the handlers know their routes.
func trippedOf(handlers []*Handler) []control.Tripped {
	list := handlers[0].breaker.list()
	for i, t := range list {
		list[i].Unknown = t.Route != "" && knownRoute(handlers, t.Route) != nil
	}
	return list
}

func ownVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, dep := range info.Deps {
		if dep.Path == "github.com/cacheward/cacheward" {
			return dep.Version // a Caddy that was built with the plugin
		}
	}
	return info.Main.Version
}

func (h *Handler) status() control.HandlerStatus {
	s := control.HandlerStatus{
		Handler: h.called(), Store: h.sharedKey, Policy: h.digest, PolicyFile: h.PolicyFile,
		Mode: string(cmp.Or(h.written.Mode, policies.Enforce)), Routes: []control.RouteStatus{},
	}
	for _, rule := range h.policy.Rules() {
		r := control.RouteStatus{
			Route: rule.Name, Cache: cacheWord(rule.Cache), Mode: string(rule.Mode),
			Tripped:   h.breaker.tripped(rule.Name),
			Suspended: h.shared.suspensions.Suspended(rule.Space),
		}
		r.Requests, r.Outcomes, r.Fills, r.Refusals, r.Diverged, r.Withdrawn = h.metrics.figures(rule.Name)
		s.Routes = append(s.Routes, r)
	}
	a := h.audit.Stats()
	s.Audit = control.AuditStatus{
		Serves: h.auditOptions.Serves.String(), Full: h.auditOptions.Full.String(), Queued: a.Queued, Room: a.Room, Written: a.Written, Dropped: a.Dropped,
	}
	return s
}

// policyDigest is that of the policy as it was written.
func policyDigest(p *policies.Policy) string {
	data, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	sum := blake3.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

func cacheWord(c policies.Cache) string {
	if c.Kind == policies.CacheTTL {
		return c.TTL.String()
	}
	return string(c.Kind)
}

func (s *shared) status(name string) control.StoreStatus {
	stats := s.store.Stats()
	return control.StoreStatus{
		Store: name, Objects: stats.Objects, Bytes: stats.Bytes, Limit: stats.Limit,
		Evictions: stats.Evictions, Expirations: stats.Expirations,
		Refusals: s.refusals.Len(), Fills: s.flights.count(),
		FillBytes: s.budget.used.Load(), FillLimit: s.budget.limit.Load(),
	}
}

// count is how many keys are being judged.
func (t *flights) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byKey) + t.lone
}

// loadedAt is when the configuration of these handlers came into force.
func (a *handlers) loadedAt() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.loaded
}

// routeNames are those of all the handlers, sorted.
func routeNames(handlers []*Handler) []string {
	var names []string
	for _, h := range handlers {
		for _, rule := range h.policy.Rules() {
			names = append(names, rule.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
