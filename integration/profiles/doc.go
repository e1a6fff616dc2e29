// Package profiles asks real caches whether they understand what they are told in the
// dialects of the downstream profiles: that none of them stores what is refused, in
// whichever dialect, and that each shares what is shared in its own, for no longer than
// it may.
package profiles
