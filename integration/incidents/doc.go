// Package incidents makes the failures of others happen again, and not happen.
//
// Each incident has a test of its own, with an app as it was, a real cache in front of
// it with the rule that the operator had given it, and the visitors. The test plays it
// three times: with the cache alone, where the failure must be seen, or the test is no
// test; with Cacheward between the cache and the app; and with Cacheward in the place of
// the cache, where its policy is the operator's mistake. Where nobody may be hurt, the
// audit log must say why.
//
// A cache that keeps what says that it must not be kept cannot be cured by anything
// that Cacheward sends. Behind such a cache the tests hold that all that Cacheward sent
// was private, no-store: no cache that obeys could have kept it, and it is for the
// tripwire to find out that this one does not.
//
// What the tests saw stands in the README as a table. With -update a test writes its
// line of it; without, it compares. So what a test counts must not vary.
//
// To add an incident, write its test: a call of reproduce with an incident.
package incidents
