// Package httpcache is what HTTP says about caching: RFC 9111 and the parts of
// RFC 9110, 9211 and 9213 that it stands on. It reads and writes header fields,
// knows no Caddy, keeps no state and decides nothing about visitors.
//
// Where a field can be read in two ways, it is read in the stricter one: damage
// to a field never makes a response more shareable than the whole field would.
//
// The functions that read a response find its fields whatever the letter case
// in which they stand in the map: net/http sends a field that a handler spelled
// "cache-control" like any other.
package httpcache
