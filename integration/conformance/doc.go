// Package conformance measures the real binary against the HTTP caching standards.
//
// Two sets of tests are run, each in two configurations:
//
//   - the public suite, npm package http-cache-tests as pinned by package-lock.json,
//     with its own server as origin and its own client;
//   - additions, made here from the RFCs, for what that release does not ask: targeted
//     fields (RFC 9213), interim responses, odd Age values, RFC 5861, must-understand,
//     HEAD (additions_*_test.go).
//
// Caddyfile is the conformance profile, whose result must be that of expected.json
// test for test: a loss and an unexpected gain both fail. Every required or optimal
// test that fails there must be named in deviations.json, with the reason. That file
// is written by hand only. Caddyfile.defaults has the defaults as shipped and
// expected.defaults.json their results; what the two profiles differ in is what the
// promise costs.
//
//	go test ./integration/conformance -v                 run it, print the scorecard
//	go test ./integration/conformance -update            accept the results; write the scorecard into README.md
//	go test ./integration/conformance -v -id <test id>   run one test and print its exchange
//
// It needs node and npm, and is skipped without them. In package.json, the suite's
// dependencies on npm and liquidjs, which its client and server never load, are
// overridden by the one that they do load.
package conformance
