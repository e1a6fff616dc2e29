package redis

import (
	"strings"
	"sync/atomic"

	"github.com/redis/rueidis"

	"github.com/cacheward/cacheward/caddymodule/control"
)

// RemoteStats counts what was done with objects in Redis since the store was opened.
type RemoteStats struct {
	// Fetches is how often Redis was to be asked. Each is one of those that follow.
	Fetches uint64
	Hits    uint64 // what was there could be used
	Misses  uint64 // nothing was there, or it was over
	Refused uint64 // it was purged or invalidated since, or may have been
	Damaged uint64 // it was not what was written
	Foreign uint64 // it was of another key, format or kind
	Errors  uint64 // Redis could not be asked
	// Writes is how many objects were written. Dropped is how many were not, and how many
	// were not deleted: too much was waiting, it failed, or the object was purged
	// meanwhile, or the edge did not hear from Redis.
	Writes  uint64
	Dropped uint64
	Bytes   uint64 // of the objects that were written
}

type counts struct {
	fetches, hits, misses, refused, damaged, foreign, errors, writes, dropped, bytes atomic.Uint64
}

// Remote returns the counts at this moment.
func (s *Store) Remote() RemoteStats {
	c := &s.counts
	return RemoteStats{
		Fetches: c.fetches.Load(), Hits: c.hits.Load(), Misses: c.misses.Load(),
		Refused: c.refused.Load(), Damaged: c.damaged.Load(), Foreign: c.foreign.Load(), Errors: c.errors.Load(),
		Writes: c.writes.Load(), Dropped: c.dropped.Load(), Bytes: c.bytes.Load(),
	}
}

// Shared is [Store.Remote] in the language of the admin endpoint.
func (s *Store) Shared() control.SharedStatus { return control.SharedStatus(s.Remote()) }

func isWrongType(err *rueidis.RedisError) bool { return strings.HasPrefix(err.Error(), "WRONGTYPE") }
