//go:build race

package store_test

// racing says that the race detector is on, whose own memory is several times the
// program's.
const racing = true
