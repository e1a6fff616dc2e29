// Package httpcache is what HTTP says about caching: RFC 9111 and the parts of
// RFC 9110, 9211, 9213, 9651 and 9875 that it stands on. It reads and writes header
// fields, knows no Caddy, keeps no state and decides nothing about visitors.
//
// Where a field can be read in two ways, it is read in the stricter one: damage
// to a field never makes a response more shareable than the whole field would.
//
// The functions that read a response find its fields whatever the letter case
// in which they stand in the map: net/http sends a field that a handler spelled
// "cache-control" like any other.
//
// # Where to find what
//
//	RFC 9111
//	§1.2.2       delta-seconds                      syntax.go
//	§3.1         storing header fields              fields.go
//	§3.2         updating stored header fields      freshen.go
//	§4.1         Vary, and what selects a response  normalize.go, vary.go
//	§4.2         freshness, heuristics, age         freshness.go
//	§4.3.1       validators of a stored response    freshen.go
//	§4.3.2       answering conditional requests     conditional.go
//	§4.3.4–5     freshening by a 304 or a HEAD      freshen.go
//	§5.1         Age                                freshness.go
//	§5.2.1, §5.4 what a request asks, Pragma        request.go
//	§5.2.2, §5.4 what a response says, Pragma       directives.go
//	§5.3         Expires                            freshness.go
//
//	RFC 9110
//	§5.6.7       dates                              syntax.go
//	§13          preconditions                      conditional.go
//	§14          ranges                             ranges.go, multipart.go
//	§15          which statuses are errors          freshness.go
//
//	RFC 9211     Cache-Status                       status.go
//	RFC 9213     targeted fields: those to us       targeted.go
//	             those to caches downstream         contract.go
//	RFC 9875     groups; and vendors' tags          groups.go
//	             tags to caches downstream          contract_tags.go
package httpcache
