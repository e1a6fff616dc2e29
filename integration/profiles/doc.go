// Package profiles asks real caches whether they understand what they are told in the
// dialects of the downstream profiles: that none of them stores what is refused, in
// whichever dialect, that each shares what is shared in its own, for no longer than it
// may, and that none stores what an origin whose words are passed on has refused to another.
package profiles
