package caddymodule

import (
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/cacheward/cacheward/caddymodule/probe"
	"github.com/cacheward/cacheward/policies"
)

func init() {
	caddy.RegisterModule(App{})
}

// App knows the cacheward handlers of one config, so that no two of them, which
// may stand before different upstreams, read each other's objects. Caddy makes it
// when a handler asks for it; without configuration it does only that.
type App struct {
	// Probe has answers to signed probes carry receipts.
	Probe *ProbeOptions `json:"probe,omitempty"`
	// Watch has the edge probe its own URLs.
	Watch []Watch `json:"watch,omitempty"`

	receipts *receipts
	watchers *watchers
	handlers *handlers
	breaker  *breaker
	storage  certmagic.Storage
	logger   *zap.Logger
	// inherited: the trips are those that the configuration before this one knew.
	inherited bool
}

// ProbeOptions say which probes are known.
type ProbeOptions struct {
	// Secret is what the prober has too (CACHEWARD_PROBE_SECRET). Placeholders are
	// replaced: {env.CACHEWARD_PROBE_SECRET}, {file./run/secrets/probe}.
	Secret string `json:"secret"`
}

// handlers are those that registered.
type handlers struct {
	mu        sync.Mutex
	named     map[string]int // ID to instance
	instances map[int]struct{}
	unnamed   int // handlers of hand-written JSON without an ID
	charges   []func() error
	all       []*Handler // in the order in which they registered
	loaded    time.Time  // when they came into force
	watchers  *watchers
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cacheward", New: func() caddy.Module { return new(App) }}
}

// Provision makes room for the handlers, which come after it, and finds out what is
// tripped.
func (a *App) Provision(ctx caddy.Context) error {
	a.handlers = &handlers{named: make(map[string]int), instances: make(map[int]struct{})}
	a.watchers = new(watchers)
	a.handlers.watchers = a.watchers
	a.storage = ctx.Storage()
	a.logger = ctx.Logger()
	b, inherited, err := breakers.LoadOrNew(breakerKey, func() (caddy.Destructor, error) {
		return newBreaker(a.storage, a.logger), nil
	})
	if err != nil {
		return fmt.Errorf("reading what is tripped: %w", err)
	}
	a.breaker, a.inherited = b.(*breaker), inherited
	return a.provisionProbes()
}

// ownSecret is that of an edge which has been given none. It is the same for as long as the
// process runs: a probe may be answered by the configuration before, and caches in front may
// have answers of that time.
var ownSecret = sync.OnceValue(rand.Text)

// provisionProbes opens what probes need. An edge that watches itself and has been given
// no secret makes one, which nobody else knows.
func (a *App) provisionProbes() error {
	if a.Probe == nil && len(a.Watch) == 0 {
		return nil
	}
	text := ownSecret()
	if a.Probe != nil {
		var err error
		if text, err = caddy.NewReplacer().ReplaceOrErr(a.Probe.Secret, true, true); err != nil {
			return fmt.Errorf("probe: secret: %w", err)
		}
		text = strings.TrimSpace(text)
	}
	secret, err := probe.NewSecret(text)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	a.receipts = newReceipts(secret, a.logger)
	return a.provisionWatch(secret)
}

// Cleanup lets go of the trips.
func (a *App) Cleanup() error {
	if a.breaker == nil {
		return nil
	}
	a.watchers.stop()
	a.giveUp() // where it was not stopped: a start that failed late
	a.breaker = nil
	_, err := breakers.Delete(breakerKey)
	return errors.Join(err, a.watchers.letGo())
}

// register returns what stands at the beginning of all keys of the handler. One
// directive of a Caddyfile may become several handlers (one for each listener);
// they share an instance number and may share objects.
func (a *handlers) register(h *Handler) (space string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, h)
	if h.ID != "" {
		if instance, taken := a.named[h.ID]; taken && (instance != h.Instance || instance == 0) {
			return "", fmt.Errorf("two cacheward handlers have the id %q; give each its own", h.ID)
		}
		a.named[h.ID] = h.Instance
		return "id:" + h.ID, nil
	}
	if h.Instance == 0 {
		a.unnamed++
	} else {
		a.instances[h.Instance] = struct{}{}
	}
	if a.unnamed > 1 || a.unnamed == 1 && len(a.instances) > 0 {
		return "", fmt.Errorf("more than one cacheward handler has no id; give each its own, so that they cannot serve each other's objects")
	}
	return "no:" + strconv.Itoa(h.Instance), nil
}

// inCharge has fn called when the whole config has been accepted, and once more if the
// config after it was not, after all.
func (a *handlers) inCharge(fn func() error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.charges = append(a.charges, fn)
}

// charge calls what inCharge was given. That may take its time, and requests may be under
// way already, so the lock is not held.
func (a *handlers) charge() error {
	a.mu.Lock()
	charges := slices.Clone(a.charges)
	a.mu.Unlock()
	for _, fn := range charges {
		if err := fn(); err != nil {
			return err
		}
	}
	return nil
}

// count is how many directives without an ID there are.
func (a *handlers) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.instances)
}

// start notes that the handlers come into force.
func (a *handlers) start() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.loaded = time.Now()
}

// watch has the handlers record what a store drops of its own accord.
func (a *handlers) watch() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.all {
		h.watchStore()
	}
}

// list returns the handlers that registered.
func (a *handlers) list() []*Handler {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.all)
}

// place is the handler's place among the others: the server, and how many
// handlers without an ID there are, so that their numbers mean the same. It is the
// same for every request of a handler, save in tests.
func (h *Handler) place(server *caddyhttp.Server) string {
	if p := h.placed.Load(); p != nil && p.server == server {
		return p.text
	}
	p := &place{server: server}
	if server != nil {
		p.text = server.Name()
	}
	if h.ID == "" {
		p.text += "\x00" + strconv.Itoa(h.others.count())
	}
	h.placed.Store(p)
	return p.text
}

type place struct {
	server *caddyhttp.Server
	text   string
}

// Start applies what changes things that the config before shares.
func (a *App) Start() error {
	if err := a.takeCharge(); err != nil {
		return err // Cleanup gives it up
	}
	a.handlers.start()
	policyFiles.inForce()
	if a.inherited && a.breaker.state.Load() != nil {
		// The storage may be another one now, which does not know of them.
		if err := a.breaker.save(); err != nil {
			a.logger.Error("what is tripped would not be after a restart", zap.Error(err))
		}
	}
	handlers := a.handlers.list()
	if len(a.watchers.all) > 0 && len(handlers) == 0 {
		return errors.New("watch: no site has a cacheward handler, so there is nothing to watch over; " +
			"to probe another site, use cacheward probe")
	}
	a.watchers.start(func(w *watcher, v any) {
		handlers[0].recordFault("", policies.ReasonInternalFault, fmt.Errorf("panic while probing %s: %v\n%s", w.url, v, debug.Stack()))
	})
	return nil
}

// Stop writes what is left of the records while the log is still open. Requests that
// are still under way write theirs at once from then on.
func (a *App) Stop() error {
	a.watchers.stop()
	a.giveUp()
	var logs sync.WaitGroup
	for _, h := range a.handlers.list() {
		logs.Go(h.closeAudit)
	}
	logs.Wait()
	return nil
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
