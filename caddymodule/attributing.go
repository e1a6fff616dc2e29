package caddymodule

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/cacheward/cacheward/caddymodule/attribution"
	"github.com/cacheward/cacheward/caddymodule/attribution/beacon"
	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/policies"
)

// attributing is what a handler needs whose policy carries who sent visitors.
type attributing struct {
	cookies *cookieKeys
	beacons map[*policies.CompiledAttribution]*beacons
	// let are the references to give back.
	let []func() error
}

// provisionAttribution takes references to what outlives the configuration. Nothing is
// opened before the whole configuration is accepted, or the first visitor comes: one that is
// only validated must not write anywhere.
func (h *Handler) provisionAttribution(ctx caddy.Context, space string) error {
	if !h.policy.HasAttribution() {
		return nil
	}
	a := &attributing{beacons: make(map[*policies.CompiledAttribution]*beacons)}
	h.attributing = a // from here on there are references to give back
	const name = "cookies"
	storage, logger := ctx.Storage(), h.logger.Named("attribution")
	loaded, _, err := attributionPool.LoadOrNew(name, func() (caddy.Destructor, error) {
		return &cookieKeys{storage: storage, logger: logger}, nil
	})
	if err != nil {
		return fmt.Errorf("attribution: %w", err)
	}
	a.cookies = loaded.(*cookieKeys)
	a.let = append(a.let, func() error { _, err := attributionPool.Delete(name); return err })
	h.others.inCharge(func() error {
		a.cookies.codec()
		return nil
	})
	for _, rule := range h.policy.Rules() {
		if rule.Attribution == nil || rule.Attribution.Beacon == nil || a.beacons[rule.Attribution] != nil {
			continue
		}
		path := beaconFile(space, rule.Name)
		loaded, _, err := attributionPool.LoadOrNew(path, func() (caddy.Destructor, error) { return &beacons{path: path, route: rule.Name}, nil })
		if err != nil {
			return fmt.Errorf("attribution: %w", err)
		}
		q, options := loaded.(*beacons), beaconOptions(rule.Attribution.Beacon, logger)
		a.let = append(a.let, func() error { _, err := attributionPool.Delete(path); return err })
		a.beacons[rule.Attribution] = q
		q.suggest(options)
		h.others.inCharge(func() error { return q.use(options) })
	}
	return nil
}

// status describes the queues of landings.
func (a *attributing) status() (list []control.LandingStatus) {
	if a == nil {
		return nil
	}
	for rule, b := range a.beacons {
		s := b.stats()
		list = append(list, control.LandingStatus{
			Route: rule.Route, Waiting: s.Waiting, Oldest: s.Oldest, Sent: s.Sent, Lost: s.Lost, Failures: s.Failures,
		})
	}
	return list
}

// close gives back what the handler shares.
func (a *attributing) close() error {
	if a == nil {
		return nil
	}
	var errs []error
	for _, let := range a.let {
		errs = append(errs, let())
	}
	a.let = nil
	return errors.Join(errs...)
}

// attributionPool holds what survives reloads: the keys of the cookies, and the queues of
// landings by their files.
var attributionPool = caddy.NewUsagePool()

// cookieKeys opens the keys of the cookies when they are needed.
type cookieKeys struct {
	storage certmagic.Storage
	logger  *zap.Logger

	open atomic.Pointer[attribution.Codec]

	mu     sync.Mutex
	keys   *attribution.Keys
	tried  time.Time
	closed bool
}

// keyRetry is how long after a failure the storage is asked for the keys again.
const keyRetry = 10 * time.Second

// keyTime bounds what the storage may take for them.
const keyTime = 5 * time.Second

// longestWindow is for how long a key is kept that cookies have been signed with.
const longestWindow = 400 * 24 * time.Hour

// codec returns what cookies are made and read with; nil while there are no keys. Then
// nothing is carried, and pages are served as ever. Whoever comes first waits for the
// storage; after a failure nobody does.
func (c *cookieKeys) codec() *attribution.Codec {
	if codec := c.open.Load(); codec != nil {
		return codec
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch codec := c.open.Load(); {
	case codec != nil, time.Since(c.tried) < keyRetry:
		return codec
	case c.tried.IsZero():
		c.tried = time.Now()
		c.use(c.read())
	default:
		c.tried = time.Now()
		go func() {
			keys, err := c.read()
			c.mu.Lock()
			defer c.mu.Unlock()
			c.use(keys, err)
		}()
	}
	return c.open.Load()
}

func (c *cookieKeys) read() (*attribution.Keys, error) {
	ctx, cancel := context.WithTimeout(context.Background(), keyTime)
	defer cancel()
	return attribution.OpenKeys(ctx, c.storage, longestWindow)
}

// use takes the keys. To be called with the lock held.
func (c *cookieKeys) use(keys *attribution.Keys, err error) {
	switch {
	case err != nil:
		c.logger.Error("there are no keys for the cookies, so nobody's referrer is carried", zap.Error(err), zap.Duration("next_try_in", keyRetry))
	case c.closed:
		keys.Close()
	default:
		c.keys = keys
		c.open.Store(attribution.NewCodec(keys))
	}
}

// Destruct implements caddy.Destructor.
func (c *cookieKeys) Destruct() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.keys != nil {
		c.keys.Close()
		c.keys = nil
	}
	return nil
}

// beacons is the queue of one route's landings. Its file is opened when it is needed.
type beacons struct {
	path, route string

	mu      sync.RWMutex
	options beacon.Options
	queue   *beacon.Queue
	tried   time.Time // when it was last tried to open it
	closed  bool
	said    time.Time     // when it was last said that landings are lost
	opening atomic.Bool   // somebody tries to
	missed  atomic.Uint64 // landings that came while it was not open
}

// suggest gives the options that hold if somebody comes before use.
func (b *beacons) suggest(o beacon.Options) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queue == nil && b.tried.IsZero() {
		b.options = o
	}
}

// use opens the queue with these options, or again if it has others. A file that cannot be
// opened now, because a process that is ending has it still, keeps no edge from starting.
func (b *beacons) use(o beacon.Options) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queue != nil && sameBeacon(b.options, o) {
		return nil
	}
	if b.queue != nil {
		// Whether or not it could be closed well, it takes nothing more.
		err := b.queue.Close()
		if b.queue = nil; err != nil {
			b.complain(o, err)
		}
	}
	b.options = o
	b.open()
	return nil
}

// open opens the file, or says why it cannot. To be called with the lock held.
func (b *beacons) open() {
	b.tried = time.Now()
	queue, err := openBeacons(b.path, b.options)
	if err != nil {
		b.complain(b.options, err)
		return
	}
	b.queue = queue
}

func (b *beacons) complain(o beacon.Options, err error) {
	o.Logger.Error("the app will not know of landings", zap.String("route", b.route), zap.Error(err), zap.Duration("next_try_in", keyRetry))
}

func sameBeacon(a, b beacon.Options) bool {
	return a.URL == b.URL && a.Batch == b.Batch && a.Every == b.Every && a.Room == b.Room && a.Sync == b.Sync
}

func openBeacons(path string, o beacon.Options) (*beacon.Queue, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("the queue of landings: %w", err)
	}
	queue, err := beacon.Open(path, o)
	if err != nil {
		return nil, fmt.Errorf("the queue of landings: %w", err)
	}
	return queue, nil
}

// stats are those of the queue; nothing while it is not open.
func (b *beacons) stats() (s beacon.Stats) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.queue != nil {
		s = b.queue.Stats()
	}
	s.Lost += b.missed.Load()
	return s
}

// put queues a landing. It is queued when put returns nil.
func (b *beacons) put(ctx context.Context, l beacon.Landing) error {
	b.openFirst()
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.queue != nil {
		return b.queue.Put(ctx, l)
	}
	b.missed.Add(1)
	if b.opening.CompareAndSwap(false, true) {
		go b.retry()
	}
	return errNoQueue
}

// openFirst opens the queue if nobody has tried to: requests may come before the whole
// configuration is in force.
func (b *beacons) openFirst() {
	b.mu.RLock()
	tried := !b.tried.IsZero()
	b.mu.RUnlock()
	if tried {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tried.IsZero() && !b.closed {
		b.open()
	}
}

var errNoQueue = errors.New("attribution: the queue of landings is not open")

// retry opens the queue, if it is time to try again.
func (b *beacons) retry() {
	defer b.opening.Store(false)
	b.mu.Lock()
	o, due := b.options, time.Since(b.tried) >= keyRetry
	if due {
		b.tried = time.Now()
	}
	b.mu.Unlock()
	if !due {
		return
	}
	queue, err := openBeacons(b.path, o)
	if err != nil {
		b.complain(o, err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queue != nil || b.closed || !sameBeacon(b.options, o) {
		_ = queue.Close() // another one has been opened, or none is wanted any more
		return
	}
	b.queue = queue
}

// toSay says whether it is time to say once more that landings are lost.
func (b *beacons) toSay(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.said) < time.Minute {
		return false
	}
	b.said = now
	return true
}

// Destruct implements caddy.Destructor.
func (b *beacons) Destruct() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.queue == nil {
		return nil
	}
	err := b.queue.Close()
	b.queue = nil
	return err
}

// beaconFile is where the landings of a handler's route wait.
func beaconFile(space, route string) string {
	sum := sha256.Sum256([]byte(space + "\x00" + route))
	return filepath.Join(caddy.AppDataDir(), "cacheward", "beacons", hex.EncodeToString(sum[:8])+".db")
}

// beaconTimeout bounds one report to the app.
const beaconTimeout = 30 * time.Second

func beaconOptions(b *policies.Beacon, logger *zap.Logger) beacon.Options {
	return beacon.Options{
		URL: b.URL, Batch: b.Batch, Every: time.Duration(b.Every), Room: b.Queue, Sync: cmp.Or(b.Sync, policies.SyncInterval),
		Client: &http.Client{Timeout: beaconTimeout}, Logger: logger,
	}
}
