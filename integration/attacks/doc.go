// Package attacks drives what is known to break caches against the real binary: what
// hostile requests do to other visitors, and what hostile or broken responses do.
//
// A stage is the binary (or, to see that the tests can fail, a bad cache) in front of
// origins with different personalities: each reads requests in its own way, shows on
// its page what it took a request for, and permits all caches to keep everything, so
// that only Cacheward's own rules protect anybody. In each case an attacker changes an
// ordinary request and sends it twice, byte for byte, over HTTP/1.1 or HTTP/2; then
// ordinary visitors ask for the page that the attack aims at, several times. What they
// get is compared with what the origin itself answers to their requests. The verdicts
// are LEAK, POISON, DENIAL and DESYNC; there must be none. What the edge refuses must
// tell caches not to keep the refusal, and ordinary requests must still be served from
// the store.
//
// The tables name the attacks, by classes; generators make others out of the same
// parts. A generated case is a function of its seed, which a failure names. By
// default a generator runs a bounded number of cases. To have it run longer:
//
//	go test ./integration/attacks -run Generated -attack.time 10m -timeout 0
//	ATTACK_TIME=10m go test ./integration/attacks -run Generated -timeout 0
//
// With -attack.time, TestRequests tries every change of its tables on every route, every
// origin and both protocols, which takes some minutes, and not only on the weakest.
//
// To run the case of one seed again:
//
//	go test ./integration/attacks -run Generated -attack.seed 1234567 -attack.cases 1
//
// FuzzRequest takes the attacker's bytes as they are, for Go's fuzzer:
//
//	go test ./integration/attacks -run xxx -fuzz FuzzRequest -fuzztime 10m
package attacks
