// Package fleet runs three edges on one Redis, breaks the links between them, and looks
// whether any of them serves what was purged, changed or tripped longer than a lease ago.
//
// By default it takes about a minute. -fleet.duration is for how long there is load in
// TestFleet, -fleet.lease is the lease there, and -v prints the figures:
//
//	go test ./integration/fleet -run TestFleet -v -timeout 0 -fleet.duration 10m
//
// -fleet.seed N makes the plan of an earlier run, which each run prints: what is asked for
// and in which order operators give their orders, not at which moment.
//
// -fleet.skew runs TestSkew, which builds the binary with wall clocks that are five minutes
// apart, and -fleet.binary runs a binary that is there already.
//
// Every edge is the real binary, and reaches Redis through a proxy of its own, which can cut
// the link, swallow what is sent, or delay it. Visitors ask all edges, over connections that
// are kept. An operator changes pages and purges them, in all ways, trips routes and resets
// them; edges are reloaded with another policy, killed, started again, and stopped for longer
// than their lease; Redis is restarted, empty. Every page says which one it is, in which
// version, and for whom it was made.
//
// The journal knows what was acknowledged when: an order that its admin endpoint has
// answered with 200, without problems, and with a generation. From then on, with the lease
// added, no request that is sent may be answered with an older version, nor be a hit on a
// tripped route, by any edge. Another page, another visitor's, a part of one, and an error
// that the origin did not make are wrong at any time. TestPlanted shows that each of these
// faults would be found.
package fleet
