package policies

import (
	"maps"
	"testing"
	"time"
)

// TestTTL is which statuses a rule stores, and the policy's lifetimes of them.
func TestTTL(t *testing.T) {
	c := compiled(t, `
routes:
  - {name: ttl, match: {paths: [/a]}, cache: {ttl: 5m, statuses: {404: 10s, 301: 1h}}}
  - {name: origin, match: {paths: [/b]}, cache: {ttl: origin, statuses: {404: 10s, 302: 1h}}}
  - {name: never, match: {paths: [/c]}, cache: never}
`)
	second := Duration(time.Second)
	// RFC 9111 §3: any final status, if the origin says for how long; but none that is
	// about one request alone.
	origin := make(map[int]Duration)
	for status := 200; status < 600; status++ {
		switch status {
		case 206, 304, 401, 407, 416, 426, 428, 429, 431, 511:
		case 404:
			origin[status] = 10 * second
		case 302:
			origin[status] = 3600 * second
		default:
			origin[status] = 0
		}
	}
	for _, tt := range []struct {
		rule *Rule
		want map[int]Duration // of every status that is stored
	}{
		{c.rules[0], map[int]Duration{200: 300 * second, 404: 10 * second, 301: 3600 * second}},
		{c.rules[1], origin},
		{c.rules[2], map[int]Duration{}},
		{c.rest, nil},
	} {
		got := make(map[int]Duration)
		for status := -1; status < 1000; status++ {
			d, ok := tt.rule.TTL(status)
			if ok != tt.rule.Storable(status) {
				t.Errorf("%s: %d is storable: %v, but has a lifetime: %v", tt.rule.Name, status, !ok, ok)
			}
			if ok {
				got[status] = d
			}
		}
		if !maps.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.rule.Name, got, tt.want)
		}
	}
}
