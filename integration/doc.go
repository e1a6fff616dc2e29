// Package integration holds tests of the whole: the real binary, with real servers
// around it, over real sockets. There is no code in it that others could use.
package integration
