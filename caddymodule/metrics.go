package caddymodule

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheward/cacheward/caddymodule/store"
)

// metrics are the process's counters. Caddy makes a new registry at every load,
// so they are made once and registered again; their labels come from closed sets:
// route names, outcomes and reasons.
type metrics struct {
	requests *prometheus.CounterVec
	refusals *prometheus.CounterVec
	fills    *prometheus.CounterVec
	faults   *prometheus.CounterVec

	divergences *prometheus.CounterVec
	markers     *prometheus.CounterVec
	withdrawn   *prometheus.CounterVec
	rechecks    *prometheus.CounterVec

	store storeCollector
}

const subsystem = "cacheward"

var processMetrics = &metrics{
	requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: subsystem, Name: "requests_total",
		Help: "Requests by route and outcome.",
	}, []string{"route", "outcome"}),
	refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: subsystem, Name: "refusals_total",
		Help: "Responses and requests that were not shared, by route and first reason.",
	}, []string{"route", "reason"}),
	fills: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: subsystem, Name: "fills_total",
		Help: "Canonical requests sent to the origin, by route.",
	}, []string{"route"}),
	faults: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: subsystem, Name: "faults_total",
		Help: "Faults of Cacheward's own, by reason. The requests went to the origin.",
	}, []string{"reason"}),
	divergences: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: subsystem, Name: "divergences_total",
		Help: "Pairs of answers of the origin that differed, by route and class of the difference.",
	}, []string{"route", "class"}),
	markers: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: subsystem, Name: "markers_total",
		Help: "Marks of per-visitor state in the bodies of fills, by route and detector.",
	}, []string{"route", "detector"}),
	withdrawn: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: subsystem, Name: "withdrawn_total",
		Help: "Pages that had been admitted and turned out to be shareable no more, by route.",
	}, []string{"route"}),
	rechecks: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: subsystem, Name: "rechecks_total",
		Help: "Stored responses that were held against the origin after a hit, by route and result: same, changed, withdrawn or failed.",
	}, []string{"route", "result"}),
	store: storeCollector{
		objects:   prometheus.NewDesc("caddy_cacheward_store_objects", "Objects stored.", []string{"store"}, nil),
		bytes:     prometheus.NewDesc("caddy_cacheward_store_bytes", "Bytes that stored objects take.", []string{"store"}, nil),
		evictions: prometheus.NewDesc("caddy_cacheward_store_evictions_total", "Objects dropped to make room.", []string{"store"}, nil),
	},
}

func registerMetrics(registry *prometheus.Registry) (*metrics, error) {
	m := processMetrics
	if registry == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.refusals, m.fills, m.faults, m.divergences, m.markers, m.withdrawn, m.rechecks, m.store} {
		// The second handler of one config finds them there already.
		if err := registry.Register(c); err != nil {
			if _, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); !ok {
				return nil, err
			}
		}
	}
	return m, nil
}

// storeCollector reads the stores that are open when it is asked.
type storeCollector struct{ objects, bytes, evictions *prometheus.Desc }

func (c storeCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.objects
	ch <- c.bytes
	ch <- c.evictions
}

func (c storeCollector) Collect(ch chan<- prometheus.Metric) {
	stats := make(map[string]store.Stats)
	pool.Range(func(key, value any) bool {
		if s, ok := value.(*shared); ok {
			stats[key.(string)] = s.store.Stats()
		}
		return true
	})
	for name, s := range stats {
		ch <- prometheus.MustNewConstMetric(c.objects, prometheus.GaugeValue, float64(s.Objects), name)
		ch <- prometheus.MustNewConstMetric(c.bytes, prometheus.GaugeValue, float64(s.Bytes), name)
		ch <- prometheus.MustNewConstMetric(c.evictions, prometheus.CounterValue, float64(s.Evictions), name)
	}
}
