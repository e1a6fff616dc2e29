// Package policies is Cacheward's policy language: the model, its three
// spellings (YAML, JSON and Caddyfile tokens), routing, the disposition of
// every input of a request, the cache key, the canonical request that is made
// from the key alone, and the catalogue of reasons.
//
// It knows no Caddy and sends nothing: it judges requests. A program that wants
// to know what Cacheward would do with a request needs this package only.
//
// The one invariant on which everything rests is closure:
//
//	Key(r1) == Key(r2)  ⇒  Canonical(r1) == Canonical(r2), byte for byte
//
// It holds by construction: [Parts.Canonical] is the only function that makes a
// canonical request, and the key's parts are all that it is given.
package policies
