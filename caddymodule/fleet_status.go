package caddymodule

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cacheward/cacheward/caddymodule/control"
)

// fleetStatus describes the fleet behind a store as this edge knows it.
func fleetStatus(name string, f Fleet) control.FleetStatus {
	s, shared := f.Fleet(), f.Shared()
	members := make([]control.FleetMember, len(s.Members))
	for i, m := range s.Members {
		members[i] = control.FleetMember{Edge: m.Edge, Applied: m.Applied, Silent: m.Silent.Milliseconds()}
	}
	heard := s.Heard.Milliseconds()
	if s.Heard < 0 {
		heard = -1
	}
	return control.FleetStatus{
		Store: name, Edge: s.Edge, Trusted: s.Trusted, Heard: heard, Lease: s.Lease.Milliseconds(),
		Applied: s.Applied, Generation: s.Generation, Unsent: s.Unsent, Members: members, Problem: s.Problem,
		Lapses: s.Lapses, Partitioned: s.Partitioned.Milliseconds(), OnPartition: f.OnPartition(), Shared: &shared,
	}
}

// The metrics of a fleet, for each store that leads to one.
var (
	fleetTrustedDesc = liveDesc("fleet_trusted", "1 while the edge has heard from the others within its lease.", "store")
	fleetHeardDesc   = liveDesc("fleet_heard_seconds", "For how long the edge has not heard from the others. Absent: never yet.", "store")
	fleetEdgesDesc   = liveDesc("fleet_edges", "Edges that were heard within their lease, this one included.", "store")
	fleetBehindDesc  = liveDesc("fleet_behind", "Events that the log has and this edge has not applied.", "store")
	fleetUnsentDesc  = liveDesc("fleet_unsent", "Events of this edge that could not be told to the others yet.", "store")
	fleetLapsesDesc  = liveDesc("fleet_lapses_total", "How often the lease has lapsed.", "store")
	fleetCutDesc     = liveDesc("fleet_partitioned_seconds_total", "For how long it was lapsed.", "store")
	sharedDesc       = liveDesc("shared_fetches_total",
		"Objects asked for where the edges share them, by result: hit, miss, refused, damaged, foreign or error.", "store", "result")
	sharedWritesDesc = liveDesc("shared_writes_total", "Objects written there, or dropped because too much was under way.", "store", "result")
	sharedBytesDesc  = liveDesc("shared_written_bytes_total", "Bytes written there.", "store")

	fleetDescs = []*prometheus.Desc{
		fleetTrustedDesc, fleetHeardDesc, fleetEdgesDesc, fleetBehindDesc, fleetUnsentDesc, fleetLapsesDesc, fleetCutDesc,
		sharedDesc, sharedWritesDesc, sharedBytesDesc,
	}
)

// collectFleet reports the fleet behind the store of that name.
func collectFleet(name string, f Fleet, gauge func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, uint64, ...string)) {
	s := f.Fleet()
	trusted, edges := 0.0, 0.0
	if s.Trusted {
		trusted = 1
	}
	for _, m := range s.Members {
		if m.Silent < s.Lease {
			edges++
		}
	}
	gauge(fleetTrustedDesc, trusted, name)
	if s.Heard >= 0 {
		gauge(fleetHeardDesc, s.Heard.Seconds(), name)
	}
	gauge(fleetEdgesDesc, edges, name)
	gauge(fleetBehindDesc, float64(s.Generation)-float64(s.Applied), name)
	gauge(fleetUnsentDesc, float64(s.Unsent), name)
	counter(fleetLapsesDesc, s.Lapses, name)
	counter(fleetCutDesc, uint64(s.Partitioned/time.Second), name)
	t := f.Shared()
	for result, n := range map[string]uint64{
		"hit": t.Hits, "miss": t.Misses, "refused": t.Refused, "damaged": t.Damaged, "foreign": t.Foreign, "error": t.Errors,
	} {
		counter(sharedDesc, n, name, result)
	}
	counter(sharedWritesDesc, t.Writes, name, "written")
	counter(sharedWritesDesc, t.Dropped, name, "dropped")
	counter(sharedBytesDesc, t.Bytes, name)
}
