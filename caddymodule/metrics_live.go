package caddymodule

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheward/cacheward/caddymodule/control"
)

// liveMetrics reads the stores, the trips and the logs as they are when it is asked.
type liveMetrics struct{ m *metrics }

// liveDesc describes one of them.
func liveDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, name), help, labels, nil)
}

var (
	storeObjectsDesc     = liveDesc("store_objects", "Objects stored.", "store")
	storeBytesDesc       = liveDesc("store_bytes", "Bytes that stored objects take.", "store")
	storeLimitDesc       = liveDesc("store_limit_bytes", "Bytes that stored objects may take.", "store")
	storeEvictionsDesc   = liveDesc("store_evictions_total", "Objects dropped to make room.", "store")
	storeExpirationsDesc = liveDesc("store_expirations_total", "Objects dropped because their time was over, stale windows included.", "store")
	storeFormsDesc       = liveDesc("store_forms", "Compressed forms stored beside objects.", "store")
	storeFormBytesDesc   = liveDesc("store_form_bytes", "Bytes that they take, which are part of store_bytes.", "store")
	formsDesc            = liveDesc("forms_total", "Compressed forms by result: made, or useless because too little smaller.", "store", "result")
	fillsInFlightDesc    = liveDesc("fills_in_flight", "Keys that are being filled and judged.", "store")
	waitersDesc          = liveDesc("waiters", "Requests that wait for the verdict on another's fill.", "store")
	refusalsDesc         = liveDesc("remembered_refusals", "Keys that are known not to be shareable for now.", "store")
	fillMemoryDesc       = liveDesc("fill_memory_bytes", "Memory held by responses that are not judged yet.", "store")
	fillMemoryLimitDesc  = liveDesc("fill_memory_limit_bytes", "Memory that responses which are not judged yet may take.", "store")

	trippedDesc = liveDesc("tripped", "1 for each trip in force, by route; an empty route is everything. No series: nothing is tripped.", "route")

	watchedDesc = liveDesc("watched", "URLs that are probed from outside.")
	leakingDesc = liveDesc("watch_leaking", "Of them, those at which visitors are given what belongs to others.")
	blindDesc   = liveDesc("watch_blind", "Of them, those of whose last probe nothing could be found out.")

	policyDesc = liveDesc("policy_info",
		"Always 1; the labels are a handler and the digest of its policy, as the command status shows them.", "handler", "policy")

	auditQueueDesc   = liveDesc("audit_queue", "Audit records that wait to be written.")
	auditRoomDesc    = liveDesc("audit_queue_room", "Audit records that may wait to be written.")
	auditRecordsDesc = liveDesc("audit_records_total", "Audit records by result: written, or dropped because the queue was full.", "result")

	liveDescs = []*prometheus.Desc{
		storeObjectsDesc, storeBytesDesc, storeLimitDesc, storeEvictionsDesc, storeExpirationsDesc, storeFormsDesc, storeFormBytesDesc, formsDesc, fillsInFlightDesc,
		waitersDesc, refusalsDesc, fillMemoryDesc, fillMemoryLimitDesc, trippedDesc, watchedDesc, leakingDesc, blindDesc, policyDesc, auditQueueDesc, auditRoomDesc, auditRecordsDesc,
		beaconsWaitingDesc, beaconsSentDesc, beaconsLostDesc, beaconsFailuresDesc,
	}
)

// Describe implements prometheus.Collector.
func (liveMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range slices.Concat(liveDescs, fleetDescs) {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (l liveMetrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	for name, s := range storesOpen() {
		stats := s.store.Stats()
		gauge(storeObjectsDesc, float64(stats.Objects), name)
		gauge(storeBytesDesc, float64(stats.Bytes), name)
		gauge(storeLimitDesc, float64(stats.Limit), name)
		counter(storeEvictionsDesc, stats.Evictions, name)
		counter(storeExpirationsDesc, stats.Expirations, name)
		gauge(storeFormsDesc, float64(stats.Forms), name)
		gauge(storeFormBytesDesc, float64(stats.FormBytes), name)
		counter(formsDesc, s.forming.made.Load(), name, "made")
		counter(formsDesc, s.forming.useless.Load(), name, "useless")
		gauge(fillsInFlightDesc, float64(s.flights.count()), name)
		gauge(waitersDesc, float64(s.flights.waiters()), name)
		gauge(refusalsDesc, float64(s.refusals.Len()), name)
		gauge(fillMemoryDesc, float64(s.budget.used.Load()), name)
		gauge(fillMemoryLimitDesc, float64(s.budget.limit.Load()), name)
		if s.fleet != nil {
			collectFleet(name, s.fleet, gauge, counter)
		}
	}
	for _, t := range tripsInForce() {
		gauge(trippedDesc, 1, t.Route)
	}
	var urls, leaking, blind float64
	for _, s := range watched() {
		urls++
		if s.leaking {
			leaking++
		}
		if s.problem != "" {
			blind++
		}
	}
	gauge(watchedDesc, urls)
	gauge(leakingDesc, leaking)
	gauge(blindDesc, blind)
	for p := range l.m.policies() {
		gauge(policyDesc, 1, p.handler, p.digest)
	}
	for route, queues := range beaconsOpen() {
		var waiting float64
		var sent, lost, failures uint64
		for _, b := range queues {
			s := b.stats()
			waiting += float64(s.Waiting)
			sent, lost, failures = sent+s.Sent, lost+s.Lost, failures+s.Failures
		}
		gauge(beaconsWaitingDesc, waiting, route)
		counter(beaconsSentDesc, sent, route)
		counter(beaconsLostDesc, lost, route)
		counter(beaconsFailuresDesc, failures, route)
	}
	queued, room, written, dropped := l.m.records()
	gauge(auditQueueDesc, float64(queued))
	gauge(auditRoomDesc, float64(room))
	counter(auditRecordsDesc, written, "written")
	counter(auditRecordsDesc, dropped, "dropped")
}

// storesOpen are what the handlers in force share, by the stores' names.
func storesOpen() map[string]*shared {
	stores := make(map[string]*shared)
	pool.Range(func(key, value any) bool {
		if s, ok := value.(*shared); ok {
			stores[key.(string)] = s
		}
		return true
	})
	return stores
}

// tripsInForce are those of the process.
func tripsInForce() (trips []control.Tripped) {
	breakers.Range(func(_, value any) bool {
		if b, ok := value.(*breaker); ok {
			trips = b.list()
		}
		return true
	})
	return trips
}

// inForce is the policy of a handler.
type inForce struct{ handler, digest string }

// policies are those of all handlers, each once: a directive may have become several
// handlers.
func (m *metrics) policies() map[inForce]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := make(map[inForce]bool)
	for _, p := range m.handlers {
		found[p] = true
	}
	return found
}

// records adds up the logs of all handlers, and what was written by handlers that are
// no more.
func (m *metrics) records() (queued, room int, written, dropped uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	written, dropped = m.written, m.dropped
	for h := range m.handlers {
		if h.audit == nil {
			continue
		}
		stats := h.audit.Stats()
		queued += stats.Queued
		room += stats.Room
		written += stats.Written
		dropped += stats.Dropped
	}
	return queued, room, written, dropped
}

// waiters is how many requests wait for a verdict.
func (t *flights) waiters() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.byKey {
		if !f.landed() {
			n += int(f.waiters.Load())
		}
	}
	return n
}
