package incidents

import (
	"testing"

	"github.com/cacheward/cacheward/integration/cdn"
)

// cache is what stood in front of the app, as its operator had configured it.
type cache struct {
	// overrides says that it keeps even what says private, no-store. Otherwise its rule
	// is for what says nothing, or for what says something else.
	overrides bool
	// start has it ask the origin (host:port), and returns its own address. It ends with
	// the test.
	start func(t testing.TB, origin string) (address string)
}

// nginx is one with more directives in its location, as of cdn.NginxConfig.
func nginx(rules string) cache {
	return cache{start: func(t testing.TB, origin string) string {
		return cdn.StartNginx(t, cdn.NginxConfig{Origin: origin, Rules: rules}).Address
	}}
}

// varnish is one with subroutines that run before its own.
func varnish(rules string) cache {
	return cache{start: func(t testing.TB, origin string) string {
		return cdn.StartVarnish(t, origin, rules).Address
	}}
}

// overriding is the cache, which keeps what says that it must not be kept.
func overriding(c cache) cache {
	c.overrides = true
	return c
}
