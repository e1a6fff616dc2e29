// Package tripwire holds tests of the watch that an edge keeps on the caches in front of
// it: real ones, that obey what it sends, or have been told not to.
package tripwire
