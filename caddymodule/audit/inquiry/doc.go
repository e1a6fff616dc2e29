// Package inquiry answers questions about audit records: what was shared and what was
// not, why, who was served what.
//
// A question is a value with three steps. Add takes note of one record. Merge adds what
// another worker has read, for each worker of a scan has a question of its own, forked: an
// answer depends neither on the order of the records nor on who read which. Answer (or
// a name that says more) is called once, at the end; the question must not be used
// after that. Questions are not safe for concurrent use.
//
// Answers are structs with JSON members that are documented at their fields, and write
// themselves for people with Text. Times in JSON are RFC 3339, lengths of time end with
// _s and are in seconds, sizes end with _bytes.
//
// What is counted is exact as long as it fits into memory. Of distinct keys, places and
// the like at most [MaxDistinct] are held; beyond, the rarest are given up, and the
// answer says that its counts of them are estimates. Where only a share of the serve
// records was written (serves_pct), each counts for those that were not, and what is
// counted with them is marked as an estimate, too: a ~ in texts.
//
// Records with an attribution are all written, whatever that share is: what is told of landings
// and of what the app was told is never an estimate.
//
// Probes, which the edge sends to watch its pages from outside, are in no count of requests
// or visitors, no advice is about them, and no codes are read from them; members named
// probes_left_out say how many they are. Where it is told what single requests were given
// (who was served an object, what was decided on a page) they are listed, and marked; the
// serves of objects have them in it, and members named probes say how many of these they
// are. Records of fills do not say who caused them, so answers that were stored or refused
// count whoever asked.
package inquiry
