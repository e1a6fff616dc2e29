package caddymodule

import (
	"sync/atomic"

	"github.com/cacheward/cacheward/caddymodule/attribution"
)

// What landings_total and attributions_total count.
var (
	landingsFamily = newRouteFamily("landings_total",
		"Landings on routes that carry who sent their visitors, by route and what came of it: carried by cookie, beacon or both, or why they were not.",
		"result", []string{
			"cookie", "beacon", "both", string(attribution.Unchanged), string(attribution.NotCountedPrefetch), string(attribution.NotCountedCrawler),
			string(attribution.NotCountedProbe), string(attribution.NoConsent), string(attribution.NotAnswered),
			string(attribution.Bounds), string(attribution.Malformed), string(attribution.NoKeys),
		},
		func(r *routeMetrics) *[]atomic.Uint64 { return &r.landings })
	attributionsFamily = newRouteFamily("attributions_total",
		"Cookies with who sent a visitor, by the request's route and what came of it: delivered to the app, or why they were dropped.",
		"result", []string{
			"delivered", string(attribution.Forged), string(attribution.Expired), string(attribution.Foreign),
			string(attribution.Malformed), string(attribution.Ambiguous), string(attribution.NoKeys),
		},
		func(r *routeMetrics) *[]atomic.Uint64 { return &r.attributions })
)

var (
	beaconsWaitingDesc  = liveDesc("beacons_waiting", "Landings that wait to be reported to the app, by route.", "route")
	beaconsSentDesc     = liveDesc("beacons_sent_total", "Landings that the app has taken, by route.", "route")
	beaconsLostDesc     = liveDesc("beacons_lost_total", "Landings that could not be queued or that the app refused for good, by route.", "route")
	beaconsFailuresDesc = liveDesc("beacons_failures_total", "Reports that the app did not take, by route. They are sent again.", "route")
)

// countAttribution counts what the request had to do with who sent its visitor.
func (x *exchange) countAttribution(m *routeMetrics) {
	a := &x.attributed
	switch {
	case a.Carried != "":
		landingsFamily.count(m, a.Carried)
	case a.LeftOut != "":
		landingsFamily.count(m, a.LeftOut)
	}
	if a.Delivered != "" {
		attributionsFamily.count(m, "delivered")
	}
	if a.Dropped != "" {
		attributionsFamily.count(m, a.Dropped)
	}
}

// beaconsOpen are the queues of the process, by the names of their routes.
func beaconsOpen() map[string][]*beacons {
	open := make(map[string][]*beacons)
	attributionPool.Range(func(_, value any) bool {
		if b, ok := value.(*beacons); ok {
			open[b.route] = append(open[b.route], b)
		}
		return true
	})
	return open
}
