// Package attribution carries who sent a visitor from the landing page, which is shared,
// to the request that converts: what counts of several visits, the cookie that holds it,
// and the keys that the cookie is signed with. It knows nothing of caches.
package attribution

import "time"

// Value is a parameter of a landing.
type Value struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Touch is one visit by which somebody came: what its URL and Referer said of who sent them.
type Touch struct {
	// Landing identifies it: 128 random bits in base64url.
	Landing string
	// At is when, to the second.
	At time.Time
	// Values are the declared parameters that the URL had, in its order.
	Values []Value
	// Referer is the host or URL of another site that linked here. Empty: none.
	Referer string
	// Paid says that it counts as paid.
	Paid bool
}

// Bounds of what is taken. What is beyond is dropped, the whole touch with it.
const (
	MaxValues  = 16   // parameters
	MaxName    = 64   // bytes of a name
	MaxValue   = 256  // bytes of a value
	MaxReferer = 512  // bytes
	MaxCookie  = 2048 // bytes of the cookie's value
)
