// Package markers finds the state of one visitor in a single body: forgery tokens,
// nonces, session ids in links, the visitor in a page's data, tokens and secrets.
//
// What it looks for is data: the catalogue of package policies ([policies.Detectors]).
// A detector's anchors are found with all others' in one pass over the body, and its
// pattern is tried only where one of them stands, on a bounded piece of the text. A
// page without anchors costs that pass.
//
// Where a detector looks is told by cheap means, without a parser for the page: the
// media type and the first byte say what the body is, and around a find it is read
// backwards whether that is in a tag or in a script. What is not clear counts as
// found.
package markers
