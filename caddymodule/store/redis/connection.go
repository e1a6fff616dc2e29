package redis

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// connection is a client of Redis that is there as soon as Redis is: the first connection
// is tried in the background, again and again; later ones are the client's own affair. It
// is safe for concurrent use.
type connection struct {
	options   rueidis.ClientOption
	connected func() // the client is there

	ended context.Context
	end   context.CancelFunc
	done  chan struct{}

	mu      sync.Mutex
	client  rueidis.Client
	problem error
}

// What is waited between two attempts to connect for the first time.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
)

// connect starts connecting.
func connect(o rueidis.ClientOption, connected func()) *connection {
	c := &connection{options: o, connected: connected, done: make(chan struct{})}
	c.ended, c.end = context.WithCancel(context.Background())
	c.options.DialCtxFn = c.dial
	c.problem = fmt.Errorf("not connected to %s yet", o.InitAddress[0])
	go c.run()
	return c
}

// clientOption is what all connections of a store have in common. What is connected over a
// line that swallows everything is given up after less than a lease, so that the next
// attempt, over a line that works, comes soon.
func (o *Options) clientOption() rueidis.ClientOption {
	patience := max(2*o.Timeout, o.Lease/2)
	dialer := net.Dialer{Timeout: patience, KeepAlive: max(o.Lease/4, 100*time.Millisecond)}
	option := rueidis.ClientOption{
		InitAddress: o.Addresses,
		SelectDB:    o.Database,
		AuthCredentialsFn: func(rueidis.AuthCredentialsContext) (rueidis.AuthCredentials, error) {
			return *o.credentials.Load(), nil
		},
		TLSConfig:        o.TLS,
		ClientName:       "cacheward",
		ClientSetInfo:    rueidis.DisableClientSetInfo, // another right that is not needed
		Dialer:           dialer,
		ConnWriteTimeout: patience,
		// What fails leads to the origin at once, and the log is asked again soon anyway.
		DisableRetry:       true,
		ReadBufferEachConn: 64 << 10, WriteBufferEachConn: 64 << 10,
		ClusterOption: rueidis.ClusterOption{ShardsRefreshInterval: 10 * time.Second, MaxMovedRedirections: 3},
	}
	if o.Sentinel != "" {
		option.Sentinel = rueidis.SentinelOption{
			MasterSet: o.Sentinel, Dialer: dialer, TLSConfig: o.TLS,
			Username: o.Username, Password: o.Password,
			TopologyRefreshInterval: 5 * time.Second,
		}
	}
	return option
}

func (c *connection) run() {
	defer close(c.done)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		client, err := rueidis.NewClient(c.options)
		if err == nil && c.set(client) {
			c.connected()
			return
		}
		c.mu.Lock()
		c.problem = err
		c.mu.Unlock()
		select {
		case <-c.ended.Done():
			return
		case <-time.After(pause):
		}
	}
}

// set reports whether the client is wanted; otherwise it closes it.
func (c *connection) set(client rueidis.Client) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended.Err() != nil {
		client.Close()
		return false
	}
	c.client, c.problem = client, nil
	return true
}

// dial ends with the connection as well, so that close has nothing to wait for.
func (c *connection) dial(ctx context.Context, to string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialer.Timeout)
	defer cancel()
	defer context.AfterFunc(c.ended, cancel)()
	if config != nil {
		return (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", to)
	}
	return dialer.DialContext(ctx, "tcp", to)
}

// get returns the client, or why there is none.
func (c *connection) get() (rueidis.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client == nil {
		return nil, c.problem
	}
	return c.client, nil
}

// close ends the client and all that wait for it.
func (c *connection) close() {
	c.end()
	<-c.done
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client != nil {
		c.client.Close()
		c.client, c.problem = nil, rueidis.ErrClosing
	}
}
