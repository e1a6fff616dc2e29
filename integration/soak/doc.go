// Package soak runs the binary at full load, with everything going on at once, and looks
// for what only time shows: goroutines, open files and memory that grow, bounds that do not
// hold, and visitors who are given what is not theirs.
//
// By default it takes some twenty seconds, and on a slow machine until the store has been
// full. Half an hour of it, with the figures of each
// second for a plot, and the profile of the heap beside them:
//
//	go test ./integration/soak -run Soak -v -timeout 0 -soak.duration 30m -soak.series soak.csv
//
// -v prints what was done. -soak.seed N makes the plan of an earlier run, which each run
// prints: what every visitor asks for and in which order operators give their orders, not
// at which moment. -soak.visitors is how many ask at a time.
//
// The site has routes of all kinds: with a duration, which corroborate; with the origin's
// word; never; attribution with a beacon; observe; and below some of it encode. Its pages do
// not fit into the store, so that fills and evictions never stop; some are larger than what
// is stored, some are made for each visitor, some are slow, some break off, and one origin
// dies and comes back. Visitors ask with GET, HEAD and POST, over HTTP/1.1 and HTTP/2, for
// parts and conditionally, with sessions, with codes that they register with, and leave in
// the middle. Operators purge, trip and reset, and load configurations: the same, one with
// another route, one with another size of the store. Every answer is recorded in a log that
// is rolled.
//
// Every page says in its first line, and in a field, which page it is, in which version, and
// for whom it was made; the rest of its bytes follow from that. So each visitor can tell
// that the answer is theirs, whole, and not older than what was purged or changed before
// they asked. No other answer is allowed, and no error, save where the origin itself was
// dead or broke off. Where a server that is being replaced closes a connection before an
// answer begins, the request is sent again, as clients do.
//
// The load pauses at least three times, and once a minute in a long run. When nothing is
// asked for and connections are closed, the figures are exact: no fill, no waiter, no byte
// of the fills' budget may be left, and goroutines, open files, live heap beside the store
// and resident memory are what they were after the warm-up, but for the constants in
// judge_test.go. In between, the store and the budget are held against their bounds each
// second. TestJudge and TestCheck show that each fault would be found.
package soak
