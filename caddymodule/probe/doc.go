// Package probe finds out from outside what the caches between it and an app really do
// with the answers to different visitors. It sends the requests of synthetic visitors, who
// differ in inputs that could tell people apart, through the public address, and looks in
// each answer for what belongs to another of them.
//
// Where a Cacheward edge stands behind those caches and knows the same [Secret], each
// request is signed and each answer that the edge gives to it carries a sealed [Receipt]. An
// answer that has another visitor's receipt, or none, did not come from the edge for this
// request; so a leak is proved even where the body shows nothing.
//
//	secret.go    what prober and edge share
//	signature.go a request's mark, and who may use it once
//	receipt.go   what the edge received and permitted, sealed
//	canary.go    values that belong to one visitor and one input
//	input.go     where they are put, and where not
//	plan.go      which visitors ask what, and in which order
//	ask.go       one request and its answer, bounded; several at once
//	search.go    whose values are in an answer
//	caches.go    what the status fields of CDNs say
//	judge.go     isolated, shared or leak
//	differs.go   who must not be given what may be shared
//	evidence.go  why it is a leak, and who leaks
//	behaviour.go what the caches in front do
//	summary.go   the report, put together; its form is in report.go
//	probe.go     the whole of it
//
// It knows no Caddy.
package probe
