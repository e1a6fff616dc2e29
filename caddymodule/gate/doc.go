// Package gate answers one question: may this response be shared?
//
// It looks three times. [Check] judges the head before a byte of the body goes to
// anyone but the visitor who asked, [CheckTrailer] what comes after the body, and
// [Compare] holds two answers of the origin against each other: the visitor's own
// and the fill, each taken down by a [Recorder].
//
// The gate only ever refuses. It never makes anything shareable that the policy
// and the origin did not declare so, and what it cannot read it refuses.
//
// It knows no Caddy, sends nothing and keeps nothing between calls.
package gate
