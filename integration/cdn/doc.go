// Package cdn runs real caches as they stand in front of an edge or an app: nginx and
// Varnish, configured as an operator would, for tests. They end with the test.
package cdn
