package caddymodule

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheward/cacheward/policies"
)

// routeMetrics are the figures of the routes with one name. A handler finds them by the
// rule when it has decided, so that counting a request is an addition or two: there is
// no lock and nothing is looked up by a label.
type routeMetrics struct {
	m     *metrics
	name  string
	users int // handlers that have a route of the name; guarded by metrics.mu

	fills     atomic.Uint64
	withdrawn atomic.Uint64
	// By the second label, in the order of its values.
	requests, refusals, divergences, markers, rechecks, waiters, landings, attributions []atomic.Uint64
	// Made when something is first observed: most of many routes are never asked for.
	origin, hits atomic.Pointer[prometheus.Observer]
}

func newRouteMetrics(m *metrics, name string) *routeMetrics {
	r := &routeMetrics{m: m, name: name}
	for _, f := range routeFamilies {
		if f.counts != nil {
			*f.counts(r) = make([]atomic.Uint64, len(f.values))
		}
	}
	return r
}

// routeFamily is a counter by route and a second label, whose values are a closed set.
type routeFamily struct {
	desc   *prometheus.Desc
	values []string
	counts func(*routeMetrics) *[]atomic.Uint64
}

func newRouteFamily(name, help, label string, values []string, counts func(*routeMetrics) *[]atomic.Uint64) *routeFamily {
	return &routeFamily{
		desc:   prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, name), help, []string{"route", label}, nil),
		values: values, counts: counts,
	}
}

// The values of the label result of waiters_total: what came of waiting for the verdict
// on another request's fill.
const (
	waitServed  = "served"  // the object that was admitted, or one that stale_if_error allows
	waitVariant = "variant" // it is another variant; the request looks again
	waitRefused = "refused" // the response is not shared: own request
	waitTimeout = "timeout" // it took too long, or the visitor left: own request
	waitFull    = "full"    // too many wait for the key: own request
)

var (
	fillsDesc = prometheus.NewDesc("caddy_cacheward_fills_total",
		"Canonical requests sent to the origin, by route.", []string{"route"}, nil)
	withdrawnDesc = prometheus.NewDesc("caddy_cacheward_withdrawn_total",
		"Pages that had been admitted and turned out to be shareable no more, by route.", []string{"route"}, nil)

	requestsFamily = newRouteFamily("requests_total", "Requests by route and outcome.", "outcome", outcomeNames(),
		func(r *routeMetrics) *[]atomic.Uint64 { return &r.requests })
	refusalsFamily = newRouteFamily("refusals_total", "Responses and requests that were not shared, by route and first reason.",
		"reason", reasonNames(), func(r *routeMetrics) *[]atomic.Uint64 { return &r.refusals })
	divergencesFamily = newRouteFamily("divergences_total",
		"Pairs of answers of the origin that differed, by route and class of the difference.", "class", classNames(),
		func(r *routeMetrics) *[]atomic.Uint64 { return &r.divergences })
	markersFamily = newRouteFamily("markers_total", "Marks of per-visitor state in the bodies of fills, by route and detector.",
		"detector", policies.DetectorIDs(), func(r *routeMetrics) *[]atomic.Uint64 { return &r.markers })
	rechecksFamily = newRouteFamily("rechecks_total",
		"Stored responses that were held against the origin after a hit, by route and result: same, changed, withdrawn or failed.",
		"result", []string{recheckSame, recheckChanged, recheckWithdrawn, recheckFailed},
		func(r *routeMetrics) *[]atomic.Uint64 { return &r.rechecks })
	waitersFamily = newRouteFamily("waiters_total",
		"Requests that waited for the verdict on another's fill, by route and what came of it: served, variant, refused, timeout or full.",
		"result", []string{waitServed, waitVariant, waitRefused, waitTimeout, waitFull},
		func(r *routeMetrics) *[]atomic.Uint64 { return &r.waiters })

	routeFamilies = []*routeFamily{requestsFamily, refusalsFamily, divergencesFamily, markersFamily, rechecksFamily, waitersFamily, landingsFamily, attributionsFamily}
)

func outcomeNames() []string {
	names := make([]string, len(allOutcomes))
	for i, o := range allOutcomes {
		names[i] = string(o)
	}
	return names
}

// allOutcomes has the most frequent first.
var allOutcomes = [...]Outcome{
	OutcomeHit, OutcomeBypass, OutcomePass, OutcomeFill, OutcomeStale, OutcomeRevalidated, OutcomeCollapsed, OutcomeObserve,
	OutcomeDeny, OutcomeFault,
}

// reasonNames are the codes of the catalogue, each at the place of its number.
func reasonNames() []string {
	names := []string{policies.ReasonNone.String()}
	for _, r := range policies.AllReasons() {
		names = append(names, r.String())
	}
	return names
}

func classNames() []string {
	var names []string
	for _, c := range policies.AllClasses() {
		names = append(names, string(c.Class))
	}
	return names
}

// count counts one of the family. A value that is not in its set counts as none: there
// is no label for it.
func (f *routeFamily) count(r *routeMetrics, value string) {
	if i := slices.Index(f.values, value); i >= 0 {
		(*f.counts(r))[i].Add(1)
	}
}

// request counts a request that has ended, and how long a hit took.
func (r *routeMetrics) request(o Outcome, took time.Duration) {
	if o == OutcomeHit {
		r.requests[0].Add(1)
		r.observe(&r.hits, r.m.hits, took)
		return
	}
	if i := slices.Index(allOutcomes[:], o); i >= 0 {
		r.requests[i].Add(1)
	}
}

// refusal counts what was not shared, by the first of the reasons.
func (r *routeMetrics) refusal(reason policies.Reason) {
	if int(reason) < len(r.refusals) {
		r.refusals[reason].Add(1)
	}
}

func (r *routeMetrics) divergence(c policies.Class) { divergencesFamily.count(r, string(c)) }
func (r *routeMetrics) marker(detector string)      { markersFamily.count(r, detector) }
func (r *routeMetrics) recheck(result string)       { rechecksFamily.count(r, result) }

// answered notes how long the origin took to the head of an answer.
func (r *routeMetrics) answered(took time.Duration) { r.observe(&r.origin, r.m.origin, took) }

func (r *routeMetrics) observe(at *atomic.Pointer[prometheus.Observer], vec *prometheus.HistogramVec, took time.Duration) {
	o := at.Load()
	if o == nil {
		if o = r.observer(at, vec); o == nil {
			return
		}
	}
	(*o).Observe(took.Seconds())
}

// observer makes the route's part of a histogram. There is none for a route that is no
// more: it would be there for ever.
func (r *routeMetrics) observer(at *atomic.Pointer[prometheus.Observer], vec *prometheus.HistogramVec) *prometheus.Observer {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if r.m.routes[r.name] != r {
		return nil
	}
	o := vec.WithLabelValues(r.name)
	at.Store(&o)
	return &o
}

// countWait counts a request that has waited, by what came of it.
func (x *exchange) countWait(again bool) {
	result := waitRefused
	switch {
	case again:
		result = waitVariant
	case x.outcome == OutcomeCollapsed, x.outcome == OutcomeStale:
		result = waitServed
	case len(x.reasons) == 0:
	case x.reasons[0] == policies.ReasonWaitersFull:
		result = waitFull
	case x.reasons[0] == policies.ReasonWaitTimeout:
		result = waitTimeout
	}
	waitersFamily.count(x.h.meter(x.rule), result)
}

// figures are the route's since there is a route of that name: its requests, and by
// outcome; its fills; what was not shared, by first reason; pairs of answers that
// differed, and pages that had been shared and are no more.
func (m *metrics) figures(route string) (requests uint64, outcomes map[string]uint64, fills uint64, refusals map[string]uint64, diverged, withdrawn uint64) {
	m.mu.Lock()
	r := m.routes[route]
	m.mu.Unlock()
	outcomes, refusals = make(map[string]uint64), make(map[string]uint64)
	if r == nil {
		return 0, outcomes, 0, refusals, 0, 0
	}
	requests = sum(requestsFamily, r, outcomes)
	sum(refusalsFamily, r, refusals)
	diverged = sum(divergencesFamily, r, nil)
	return requests, outcomes, r.fills.Load(), refusals, diverged, r.withdrawn.Load()
}

// sum adds a family up, and notes in by, where given, what there is of each value.
func sum(f *routeFamily, r *routeMetrics, by map[string]uint64) (total uint64) {
	counts := *f.counts(r)
	for i := range counts {
		n := counts[i].Load()
		total += n
		if by != nil && n > 0 {
			by[f.values[i]] = n
		}
	}
	return total
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- fillsDesc
	ch <- withdrawnDesc
	for _, f := range routeFamilies {
		ch <- f.desc
	}
}

// Collect implements prometheus.Collector: the figures of routes.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	routes := make([]*routeMetrics, 0, len(m.routes))
	for _, r := range m.routes {
		routes = append(routes, r)
	}
	m.mu.Unlock()
	for _, r := range routes {
		r.collect(ch)
	}
}

// collect leaves out what is zero, but of routes that have been asked for not what
// alerts watch.
func (r *routeMetrics) collect(ch chan<- prometheus.Metric) {
	asked := false
	for _, f := range routeFamilies {
		counts := *f.counts(r)
		for i := range counts {
			if n := counts[i].Load(); n > 0 {
				asked = true
				ch <- prometheus.MustNewConstMetric(f.desc, prometheus.CounterValue, float64(n), r.name, f.values[i])
			}
		}
	}
	fills, withdrawn := r.fills.Load(), r.withdrawn.Load()
	if asked || fills > 0 {
		ch <- prometheus.MustNewConstMetric(fillsDesc, prometheus.CounterValue, float64(fills), r.name)
		ch <- prometheus.MustNewConstMetric(withdrawnDesc, prometheus.CounterValue, float64(withdrawn), r.name)
	}
}
