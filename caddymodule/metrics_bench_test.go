package caddymodule

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheward/cacheward/policies"
)

// BenchmarkCount is what counting costs a hit and a bypass. By label is how a counter
// with labels is used as it comes: it looks the labels up each time.
func BenchmarkCount(b *testing.B) {
	b.Run("by label", func(b *testing.B) {
		vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total"}, []string{"route", "outcome"})
		b.ReportAllocs()
		for b.Loop() {
			vec.WithLabelValues("landing", string(OutcomeHit)).Inc()
		}
	})
	for _, routes := range []int{10, 10_000} {
		names := make([]string, routes)
		for i := range names {
			names[i] = fmt.Sprintf("route-%d", i)
		}
		h := ruledBy(b, names...)
		h.metrics = newMetrics()
		h.metrics.enter(h)
		rules := h.policy.Rules()
		b.Run(fmt.Sprintf("hit/routes=%d", routes), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				h.meter(rules[i%routes]).request(OutcomeHit, time.Millisecond)
			}
		})
		b.Run(fmt.Sprintf("bypass/routes=%d", routes), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r := h.meter(rules[i%routes])
				r.request(OutcomeBypass, time.Millisecond)
				r.refusal(policies.ReasonIdentity)
				r.answered(time.Millisecond)
			}
		})
	}
}

// BenchmarkScrape is what collecting the figures of many routes takes.
func BenchmarkScrape(b *testing.B) {
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprintf("route-%d", i)
	}
	h := ruledBy(b, names...)
	h.metrics = newMetrics()
	h.metrics.enter(h)
	for _, rule := range h.policy.Rules() {
		h.meter(rule).request(OutcomeHit, time.Millisecond)
		h.meter(rule).refusal(policies.ReasonIdentity)
	}
	b.ReportAllocs()
	for b.Loop() {
		ch := make(chan prometheus.Metric, 1024)
		go func() {
			h.metrics.Collect(ch)
			close(ch)
		}()
		for range ch {
		}
	}
}
