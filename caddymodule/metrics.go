package caddymodule

import (
	"errors"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheward/cacheward/caddymodule/probe"
	"github.com/cacheward/cacheward/policies"
)

// metrics are the process's figures, for Caddy's metrics endpoint and for the status
// of the admin endpoint. Caddy makes a new registry at every load, so they are made
// once and registered again.
//
// All labels come from closed sets: the names of routes and stores, outcomes, reasons,
// classes, detectors. None is ever a host, a path, a key or anything else of a visitor's
// choosing. How many series there are is bounded by the policies in force: the figures
// of a route go when the last handler that has a route of that name does.
type metrics struct {
	faults *prometheus.CounterVec
	purges *prometheus.CounterVec
	trips  *prometheus.CounterVec
	probes *prometheus.CounterVec
	origin *prometheus.HistogramVec
	hits   *prometheus.HistogramVec
	build  prometheus.Gauge

	mu       sync.Mutex
	routes   map[string]*routeMetrics
	handlers map[*Handler]inForce // those of the configurations in force
	// What the logs of handlers that are no more have written and lost.
	written, dropped uint64
}

const (
	namespace = "caddy"
	subsystem = "cacheward"
)

// The bounds of the histograms, in seconds. A hit takes microseconds and what it takes
// to write to the visitor; an origin takes what it takes.
var (
	hitBounds    = []float64{20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 50e-3, 250e-3, 1, 5}
	originBounds = []float64{1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 5, 10, 30}
)

var processMetrics = newMetrics()

func newMetrics() *metrics {
	m := &metrics{
		routes:   make(map[string]*routeMetrics),
		handlers: make(map[*Handler]inForce),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "faults_total",
			Help: "Faults of Cacheward's own, by reason. The requests went to the origin.",
		}, []string{"reason"}),
		purges: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "purges_total",
			Help: "Purges, by what was purged: url, key, route, tag, prefix or everything.",
		}, []string{"scope"}),
		trips: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "trips_total",
			Help: "Trips that came into force, by route; an empty route is everything.",
		}, []string{"route"}),
		probes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "watch_probes_total",
			Help: "Probes of watched URLs from outside, by verdict: isolated, shared, leak, or unknown where nothing could be found out.",
		}, []string{"verdict"}),
		origin: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "origin_seconds",
			Help:    "Time from a request to the origin, a visitor's own or a fill, to the head of its answer, by route.",
			Buckets: originBounds,
		}, []string{"route"}),
		hits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "hit_seconds",
			Help:    "Duration of requests with the outcome hit, the writing of the response included, by route.",
			Buckets: hitBounds,
		}, []string{"route"}),
	}
	m.build = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "build_info",
		Help: "Always 1; the label is the version.", ConstLabels: prometheus.Labels{"version": ownVersion()},
	})
	m.build.Set(1)
	// What alerts watch is there before it happens: a counter that begins at 1 has not
	// increased.
	for _, r := range policies.AllReasons() {
		if r.Info().Class == policies.InFault {
			m.faults.WithLabelValues(r.String())
		}
	}
	for _, scope := range purgeScopes {
		m.purges.WithLabelValues(scope)
	}
	m.trips.WithLabelValues("")
	for _, v := range []probe.Verdict{probe.Isolated, probe.Shared, probe.Unknown, probe.Leak} {
		m.probes.WithLabelValues(string(v))
	}
	return m
}

// registerMetrics registers what the process counts in the registry of a new
// configuration, which may be nil.
func registerMetrics(registry *prometheus.Registry) (*metrics, error) {
	m := processMetrics
	if registry == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.faults, m.purges, m.trips, m.probes, m.origin, m.hits, m.build, m, liveMetrics{m}} {
		// The second handler of one config finds them there already.
		if err := registry.Register(c); err != nil {
			if _, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); !ok {
				return nil, err
			}
		}
	}
	return m, nil
}

// enter gives the handler, which is being provisioned, the figures of its routes. Each
// route's have the same place before and after a reload.
func (m *metrics) enter(h *Handler) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, twice := m.handlers[h]; twice {
		return
	}
	m.handlers[h] = inForce{h.called(), h.digest}
	rules := h.policy.Rules()
	h.meters = make(map[*policies.Rule]*routeMetrics, len(rules))
	for _, rule := range rules {
		r := m.named(rule.Name)
		r.users++
		h.meters[rule] = r
	}
}

// leave lets go of the figures of the handler's routes: of those that no other handler
// has, nothing is left. Requests that are still under way count for nobody. It may be
// called more than once, and for handlers that have never entered.
func (m *metrics) leave(h *Handler) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, entered := m.handlers[h]; !entered {
		return
	}
	delete(m.handlers, h)
	for _, r := range h.meters {
		if r.users--; r.users == 0 {
			delete(m.routes, r.name)
			m.origin.DeleteLabelValues(r.name)
			m.hits.DeleteLabelValues(r.name)
			m.trips.DeleteLabelValues(r.name)
		}
	}
	if h.audit != nil {
		stats := h.audit.Stats()
		m.written += stats.Written
		m.dropped += stats.Dropped
	}
}

// meter is where the rule's requests are counted. Nil stands for no rule.
func (h *Handler) meter(rule *policies.Rule) *routeMetrics {
	if r := h.meters[rule]; r != nil {
		return r
	}
	name := policies.DefaultRule
	if rule != nil {
		name = rule.Name
	}
	return h.metrics.route(name)
}

// route is the figures of the routes with that name.
func (m *metrics) route(name string) *routeMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.named(name)
}

// named is route, with the lock held.
func (m *metrics) named(name string) *routeMetrics {
	r := m.routes[name]
	if r == nil {
		r = newRouteMetrics(m, name)
		m.routes[name] = r
	}
	return r
}

// purgeScopes are the kinds of purges: the first word of a scope.
var purgeScopes = []string{"url", "key", "route", "tag", "prefix", "everything"}

// purged counts a purge. The scope is as the record has it: "route landing".
func (m *metrics) purged(scope string) {
	kind, _, _ := strings.Cut(scope, " ")
	m.purges.WithLabelValues(kind).Inc()
}

// fault counts a fault of ours.
func (m *metrics) fault(reason policies.Reason) { m.faults.WithLabelValues(reason.String()).Inc() }
