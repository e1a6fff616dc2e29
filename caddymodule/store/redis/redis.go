// Package redis keeps objects in two tiers, for several edges that behave as one: each has
// a memory of its own in front ([store.Memory]), and all share a Redis or Valkey (7 or
// later: one server, one that Sentinels watch, or a cluster) behind it. What is done to all
// edges is in a log there; see package fleet.
//
// # What is in Redis
//
// All keys begin with cw1: and the namespace in braces, so that the control keys of a
// namespace are in one slot of a cluster, and all of an object's are:
//
//	cw1:{shop}:gen         the last generation; edges are told of its changes
//	cw1:{shop}:log         stream of the events, the last 10,000 or so
//	cw1:{shop}:purges      stream of the purges among them, the last 1,024
//	cw1:{shop}:tags        when each tag was invalidated last; the last 131,072 tags
//	cw1:{shop}:trips       what is tripped
//	cw1:{shop}:resets      the last reset of each route
//	cw1:{shop}:edges       who is there
//	cw1:{shop}:run         which server process keeps the log, and how much is in it
//	cw1:{shop:<key>}:lead  which edge asks the origin for it, and :no why it is not shareable
//	cw1:{shop:<key>}:m     an object without its body, and :b0, :b1 … its body in pieces
//
// Control keys do not expire, objects do (after [MaxStay] at most). A server that is full
// therefore had better evict what expires: maxmemory-policy volatile-lru or volatile-ttl.
// With noeviction objects are no longer written once it is full, and the log goes on. With
// allkeys-lru and the like it may evict the log itself; this is noticed, and everything
// stored is dropped each time.
//
// # What a server may forget
//
// Whenever the server may have forgotten an event (another process answers than the last
// time, after a restart or a failover; keys are gone; an edge has applied more than the
// server knows of), everything stored is purged, under a generation that was never given
// before. A master that was replaced and does not know it goes on granting leases to those
// who still reach it, unless it notices that it has lost its replicas: with replicas, set
// min-replicas-to-write 1 and min-replicas-max-lag, whose seconds add to the lease in such
// a split.
package redis

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/cacheward/cacheward/caddymodule/fleet"
)

const (
	// MaxStay is for how long an object stays in Redis at most, whatever the origin allows.
	MaxStay = 24 * time.Hour

	// MinPiece and MaxPiece bound [Options.Piece].
	MinPiece = 4 << 10
	MaxPiece = 16 << 20

	DefaultNamespace = "cacheward"
	DefaultTimeout   = 250 * time.Millisecond
	DefaultMemory    = 256 << 20
	DefaultPiece     = 512 << 10
	DefaultInFlight  = 32 << 20
)

// Options of a store.
type Options struct {
	// Addresses are host and port of the server; of some nodes of the cluster; or, with
	// Sentinel, of the Sentinels.
	Addresses []string
	// Username and Password are those of an ACL user. It needs the commands of
	// [ACLCommands] on the keys cw1:*.
	Username, Password string
	Database           int
	// Sentinel is the name of the master that the Sentinels watch. Empty: there are none.
	Sentinel string
	// TLS, if given, is used for all connections.
	TLS *tls.Config

	// Namespace tells apart those who share a Redis. Default: DefaultNamespace.
	Namespace string
	// Edge is the name of this edge, unique in the fleet. Default: the machine's name.
	Edge string
	// Lease is for how long what is stored is trusted after the log was asked. Default:
	// [fleet.DefaultLease].
	Lease time.Duration
	// ServeAlone: an edge that has not heard from Redis for a lease goes on serving what it
	// has in memory, although it may have been purged elsewhere.
	ServeAlone bool
	// Timeout is for how long one call of Redis may take. Default: DefaultTimeout.
	Timeout time.Duration

	// Memory is the size of the first tier, in bytes. Default: DefaultMemory.
	Memory int64
	// Compress has bodies compressed in Redis, with zstd.
	Compress bool
	// Piece is how many bytes of a body are one value in Redis. Default: DefaultPiece.
	Piece int
	// InFlight is how many bytes may wait for being written; objects beyond it are not
	// written, and counted. Default: DefaultInFlight.
	InFlight int64

	// Changed, if given, is told when trust begins or ends, and why.
	Changed func(trusted bool, problem string)

	// credentials are what connections that are yet to be made show to the server.
	credentials *atomic.Pointer[rueidis.AuthCredentials]
}

// ACLCommands are the commands that an ACL user needs, as ACL SETUSER takes them.
const ACLCommands = "+hello +ping +client|tracking +client|caching +client|setname " +
	"+command +info +time +eval +evalsha +eval_ro +get +getrange +pttl +set +unlink +del +multi +exec " +
	"+hset +hget +hmget +hdel +hlen +hgetall +hvals +xadd +xrange +xrevrange +xlen +xdel " +
	"+zadd +zcard +zpopmin +zmscore +cluster|slots +cluster|shards +role +select"

var namespaceForm = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// complete returns the options with their defaults, or what is wrong with them.
func (o Options) complete() (Options, error) {
	o.Namespace = cmp.Or(o.Namespace, DefaultNamespace)
	o.Lease = cmp.Or(o.Lease, fleet.DefaultLease)
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.Memory = cmp.Or(o.Memory, DefaultMemory)
	o.Piece = cmp.Or(o.Piece, DefaultPiece)
	o.InFlight = cmp.Or(o.InFlight, DefaultInFlight)
	o.credentials = new(atomic.Pointer[rueidis.AuthCredentials])
	o.credentials.Store(&rueidis.AuthCredentials{Username: o.Username, Password: o.Password})
	if o.Edge == "" {
		name, err := os.Hostname()
		if err != nil {
			return o, fmt.Errorf("edge: the machine has no name: %w", err)
		}
		o.Edge = name
	}
	return o, o.Check()
}

// Check returns what is wrong with options that are given, one line. Defaults are right.
func (o Options) Check() error {
	lease, timeout := cmp.Or(o.Lease, fleet.DefaultLease), cmp.Or(o.Timeout, DefaultTimeout)
	switch {
	case len(o.Addresses) == 0:
		return errors.New("no address of a Redis is given; 127.0.0.1:6379 was expected, or the like")
	case o.Namespace != "" && !namespaceForm.MatchString(o.Namespace):
		return fmt.Errorf("namespace %q: 1 to 64 letters, digits, '_', '.' and '-' were expected", o.Namespace)
	case len(o.Edge) > 255:
		return fmt.Errorf("edge: the name has %d bytes; at most 255 were expected", len(o.Edge))
	case o.Database < 0:
		return fmt.Errorf("database is %d; 0 or more was expected", o.Database)
	case lease < fleet.MinLease || lease > time.Minute:
		return fmt.Errorf("lease is %s; %s to 1m was expected", lease, fleet.MinLease)
	case timeout < 0:
		return fmt.Errorf("timeout is %s; a positive duration was expected", timeout)
	case timeout >= lease/2:
		return fmt.Errorf("timeout is %s; less than half of the lease (%s) was expected, so that a question that is lost does not end it", timeout, lease)
	case o.Memory < 0:
		return fmt.Errorf("memory is %d bytes; a positive number was expected", o.Memory)
	case o.Piece != 0 && (o.Piece < MinPiece || o.Piece > MaxPiece):
		return fmt.Errorf("piece is %d bytes; %d to %d were expected", o.Piece, MinPiece, MaxPiece)
	case o.InFlight < 0:
		return fmt.Errorf("in flight are %d bytes; a positive number was expected", o.InFlight)
	}
	return nil
}
