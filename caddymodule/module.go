// Package caddymodule is Cacheward as it runs inside Caddy: the HTTP handler
// http.handlers.cacheward, the stores in the namespace cacheward.stores, and what
// connects the packages below it, which know no Caddy, to Caddy's life.
package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/gate/harmless"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Handler is a shared cache that gives a visitor's response to nobody else. It
// stands before the handlers that answer, usually reverse_proxy, and caches what
// the policy and the origin together prove shareable. Everything else goes to the
// origin untouched and leaves as Cache-Control: private, no-store.
//
// In the Caddyfile its place is before `invoke`: after authentication and header
// clean-up, so that a hit can skip neither; inside `encode` and `templates`, so
// that identity bytes are stored; before everything that answers.
//
// What `handle_errors` makes of an error that came through this handler leaves as
// private, no-store too, but for the fields that it adds itself. Where another
// upstream makes the error pages, put a `cacheward` without a block before it: in
// error routes the handler stores nothing and removes what permits storing.
type Handler struct {
	// ID tells this handler from others in front of other upstreams. It is part
	// of every key. It must be given where a hand-written JSON config has more than
	// one handler. Default: numbered in the order of the Caddyfile; then adding or
	// removing a site empties the cache for all sites without an ID.
	ID string `json:"id,omitempty"`

	// Instance is the number that the Caddyfile adapter gave. Leave it out.
	Instance int `json:"instance,omitempty"`

	// Policy is the policy, inline. Its routes come before those of the file.
	Policy *policies.Policy `json:"policy,omitempty"`

	// PolicyFile is the path of a policy in YAML, or in JSON if it ends in .json.
	// It is read when the config is loaded.
	PolicyFile string `json:"policy_file,omitempty"`

	// PolicyDigest is the digest of the policy file's content, written by the
	// Caddyfile adapter so that `caddy reload` sees an edited file as a change.
	PolicyDigest string `json:"policy_digest,omitempty"`

	// StoreRaw is where objects live. Default: memory, 256 MiB.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=cacheward.stores inline_key=backend"`

	// Limits bounds what fills may take.
	Limits *Limits `json:"limits,omitempty"`

	// Encode are the content codings in which hits are served to clients that take them,
	// the preferred first: zstd, br, gzip. An object is compressed once for each, in the
	// background, after the first hit that asks for it; what comes of it is kept beside the
	// object, within the store's size, and goes with it. What says no-transform stays as it is.
	// "off" alone: all of it is left to what is in front. Default: where Caddy's encode is in
	// front, what that compresses, in the coding that it has chosen; elsewhere none.
	Encode []string `json:"encode,omitempty"`

	// Audit says what is recorded.
	Audit *Audit `json:"audit,omitempty"`

	policy       *policies.Compiled
	written      *policies.Policy // what policy was made of
	file         *policies.Policy // that of the policy file; see policyFiles
	digest       string           // of what was written: two handlers with the same one decide alike
	limits       limits
	others       *handlers
	breaker      *breaker
	receipts     *receipts // nil: probes are ordinary visitors
	shared       *shared
	sharedKey    string
	logger       *zap.Logger
	audit        *audit.Log
	metrics      *metrics
	meters       map[*policies.Rule]*routeMetrics
	placed       *atomic.Pointer[place]
	workers      *workers
	events       events
	auditOptions Audit
	visitor      Visitor
	keyringName  string
	attributing  *attributing // nil: the policy has no attribution
	// harmless are the declared harmless differences, of the rules that have some.
	harmless map[*policies.Rule]*harmless.Set
}

// Limits bounds what fills may take. Reaching a bound is a reason in the record,
// never an error for the visitor.
type Limits struct {
	// MaxObject is the largest body that is stored, in bytes. Default: 8 MiB.
	MaxObject int64 `json:"max_object,omitempty"`
	// FillMemory is for the bodies of all fills that are not yet judged, in
	// bytes. Routes that only observe have a quarter of it for themselves, beside
	// it. Default: 128 MiB.
	FillMemory int64 `json:"fill_memory,omitempty"`
	// MaxFills is how many keys may be filled at the same time. Default: 1024.
	MaxFills int `json:"max_fills,omitempty"`
	// MaxWaiters is how many requests may wait for one key. Default: 10000.
	MaxWaiters int `json:"max_waiters,omitempty"`
	// Wait is how long a request waits for the verdict on another's fill before
	// it goes to the origin itself. Default: 10s.
	Wait caddy.Duration `json:"wait,omitempty"`
	// FillTimeout is how long a fill may take, at most 4m. A visitor who is being
	// given it by then gets the rest, but it is not stored. Default: 60s.
	FillTimeout caddy.Duration `json:"fill_timeout,omitempty"`
}

type limits struct {
	maxObject, compareKeep int64
	maxWaiters             int
	wait, fillTimeout      time.Duration
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.cacheward",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision compiles the policy and opens what outlives the config.
func (h *Handler) Provision(ctx caddy.Context) error {
	guardProxies(ctx.Modules())
	h.logger = ctx.Logger()
	h.workers = newWorkers(h.recordPanic)
	h.placed = new(atomic.Pointer[place])
	app, err := ctx.App("cacheward")
	if err != nil {
		return fmt.Errorf("loading the cacheward app: %w", err)
	}
	h.others, h.breaker, h.receipts = app.(*App).handlers, app.(*App).breaker, app.(*App).receipts
	space, err := h.others.register(h)
	if err != nil {
		return err
	}
	if err := h.provisionLimits(); err != nil {
		return err
	}
	if err := checkEncode(h.Encode); err != nil {
		return err
	}
	policy, err := h.loadPolicy()
	if err != nil {
		return err
	}
	if h.policy, err = policies.Compile(policy, space); err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	h.written, h.digest = policy, policyDigest(policy)
	if err := h.provisionAttribution(ctx, space); err != nil {
		return err
	}
	if err := h.provisionHarmless(); err != nil {
		return err
	}
	if err := h.provisionEvents(ctx); err != nil {
		return err
	}
	if err := h.openShared(ctx); err != nil {
		return err
	}
	if h.metrics, err = registerMetrics(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	if err := h.provisionAudit(ctx); err != nil {
		return err
	}
	h.metrics.enter(h)
	return nil
}

func (h *Handler) provisionHarmless() error {
	h.harmless = make(map[*policies.Rule]*harmless.Set)
	for _, rule := range h.policy.Rules() {
		set, err := harmless.Compile(rule.Harmless)
		if err != nil {
			return fmt.Errorf("policy: route %q: ignore: %w", rule.Name, err)
		}
		if set != nil {
			h.harmless[rule] = set
		}
	}
	return nil
}

func (h *Handler) provisionEvents(ctx caddy.Context) error {
	app, err := ctx.App("events")
	if err != nil {
		return fmt.Errorf("loading the events app: %w", err)
	}
	h.events = events{app.(*caddyevents.App), ctx}
	return nil
}

func (h *Handler) provisionLimits() error {
	in := Limits{
		MaxObject:   8 << 20,
		FillMemory:  128 << 20,
		MaxFills:    1024,
		MaxWaiters:  10_000,
		Wait:        caddy.Duration(10 * time.Second),
		FillTimeout: caddy.Duration(time.Minute),
	}
	if h.Limits == nil {
		h.Limits = new(Limits)
	}
	for _, field := range []struct {
		name string
		set  *int64
		def  int64
	}{
		{"max_object", &h.Limits.MaxObject, in.MaxObject},
		{"fill_memory", &h.Limits.FillMemory, in.FillMemory},
		{"wait", (*int64)(&h.Limits.Wait), int64(in.Wait)},
		{"fill_timeout", (*int64)(&h.Limits.FillTimeout), int64(in.FillTimeout)},
	} {
		if *field.set < 0 {
			return fmt.Errorf("limits: %s is negative; leave it out for the default", field.name)
		}
		if *field.set == 0 {
			*field.set = field.def
		}
	}
	for _, field := range []struct {
		name string
		set  *int
		def  int
	}{{"max_fills", &h.Limits.MaxFills, in.MaxFills}, {"max_waiters", &h.Limits.MaxWaiters, in.MaxWaiters}} {
		if *field.set < 0 {
			return fmt.Errorf("limits: %s is negative; leave it out for the default", field.name)
		}
		if *field.set == 0 {
			*field.set = field.def
		}
	}
	// An invalidation is remembered for a while, and no fill must outlast that.
	if longest := store.InvalidationMemory - time.Minute; time.Duration(h.Limits.FillTimeout) > longest {
		return fmt.Errorf("limits: fill_timeout %s is more than %s; give less", time.Duration(h.Limits.FillTimeout), longest)
	}
	h.limits = limits{
		maxObject:   h.Limits.MaxObject,
		compareKeep: min(h.Limits.MaxObject, compareKeep),
		maxWaiters:  h.Limits.MaxWaiters,
		wait:        time.Duration(h.Limits.Wait),
		fillTimeout: time.Duration(h.Limits.FillTimeout),
	}
	return nil
}

// compareKeep is how much of a visitor's own answer is kept, decoded, to say where
// it differs. Beyond it only the digest is compared.
const compareKeep = 256 << 10

// loadPolicy reads the file, if there is one, and joins it to the inline policy.
func (h *Handler) loadPolicy() (*policies.Policy, error) {
	inline := h.Policy
	if inline == nil {
		inline = new(policies.Policy)
	}
	if h.PolicyFile == "" {
		return inline, nil
	}
	data, err := os.ReadFile(h.PolicyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the policy file: %w", err)
	}
	if h.file, err = policyFiles.parse(h.PolicyFile, data); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	merged, err := policies.Merge(inline, h.file)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return merged, nil
}

// cleanupWait is how long Cleanup waits for fills that it has told to stop.
const cleanupWait = 5 * time.Second

// Cleanup ends the handler's fills and lets go of what it shares. Requests that
// are still in flight after a reload then go to the origin.
func (h *Handler) Cleanup() error {
	var err error
	if h.workers != nil {
		err = h.workers.stop(cleanupWait)
	}
	h.closeAudit()
	if h.metrics != nil {
		h.metrics.leave(h)
	}
	return errors.Join(err, h.closeShared(), h.closeKeys(), h.attributing.close())
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
