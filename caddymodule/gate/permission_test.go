package gate

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/policies"
)

// TestPermissionIsNoLongerThanTheObject holds that a cache further on, which subtracts the
// whole seconds of the Age that it is told from the whole seconds that it is given, never
// keeps an object for longer than is left of it, nor than the route says.
func TestPermissionIsNoLongerThanTheObject(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		span := func(name string) time.Duration {
			return time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, name))
		}
		ttl, age := span("ttl"), span("age")
		d := &policies.Downstream{TTL: policies.Duration(span("cdn")), Browser: policies.Duration(span("browser"))}
		p := PermissionOf(d, ttl, age)
		told := age.Truncate(time.Second)
		if kept := p.CDN.Truncate(time.Second) - told; kept > ttl || kept > time.Duration(d.TTL) {
			t.Fatalf("a CDN keeps it for %v, and left is %v of %v", kept, ttl, d.TTL)
		}
		if kept := p.Browser.Truncate(time.Second) - told; kept > ttl || kept > time.Duration(d.Browser) {
			t.Fatalf("a browser keeps it for %v, and left is %v of %v", kept, ttl, d.Browser)
		}
	})
}
