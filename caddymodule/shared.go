package caddymodule

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/cacheward/cacheward/caddymodule/store"
)

// Provider is what a module in the namespace cacheward.stores implements: a thin
// factory for a store, which outlives the config that asked for it.
type Provider interface {
	// StoreKey names the store. Two configurations with the same key, one after
	// the other or side by side, use one store. It must hold what makes a store
	// another one (a directory, an address) and not what tunes it.
	StoreKey() string
	// OpenStore opens the store. It is called once for a key.
	OpenStore() (store.Store, error)
	// TuneStore applies the rest of the configuration to an open store.
	TuneStore(store.Store) error
}

// pool holds what survives a reload: stored objects, remembered refusals,
// suspended routes, and the table of fills in flight. Keys carry the digest of
// the rule that made them, so nothing in it is served under another rule.
var pool = caddy.NewUsagePool()

// observedShare is the part of fill_memory that there is, once more, for answers on
// routes that only observe.
const observedShare = 4

type shared struct {
	store store.Store
	// fleet is the store, where several edges share it; nil: this edge is alone.
	fleet       Fleet
	refusals    *store.Refusals
	suspensions *store.Suspensions
	admissions  *store.Admissions
	recurrences *recurrences
	shadow      *shadow // of the routes that only observe
	flights     *flights
	keyLocks    store.KeyLocks
	budget      budget
	forming     forming
	// observed bounds what is held of the answers on routes that only observe, so that
	// they take nothing from fills.
	observed budget
}

func newShared(p Provider) (*shared, error) {
	s := &shared{flights: newFlights(), admissions: store.NewAdmissions(), recurrences: newRecurrences()}
	var err error
	if s.refusals, err = store.NewRefusals(store.DefaultRefusals); err != nil {
		return nil, err
	}
	if s.suspensions, err = store.NewSuspensions(store.DefaultDivergences, store.DefaultSuspension); err != nil {
		return nil, err
	}
	if s.shadow, err = newShadow(maxForeseen); err != nil {
		s.refusals.Close()
		return nil, err
	}
	if s.store, err = p.OpenStore(); err != nil {
		s.shadow.close()
		s.refusals.Close()
		return nil, err
	}
	s.fleet, _ = s.store.(Fleet)
	return s, nil
}

// Destruct closes the store when no config uses it any more.
func (s *shared) Destruct() error {
	s.shadow.close()
	s.refusals.Close()
	return s.store.Close()
}

// openShared takes a reference to what the store's configurations share.
func (h *Handler) openShared(ctx caddy.Context) error {
	var provider Provider = &Memory{}
	if h.StoreRaw != nil {
		module, err := ctx.LoadModule(h, "StoreRaw")
		if err != nil {
			return fmt.Errorf("loading the store: %w", err)
		}
		var ok bool
		if provider, ok = module.(Provider); !ok {
			return fmt.Errorf("module %T is no store", module)
		}
	} else if err := provider.(*Memory).Provision(ctx); err != nil {
		return err
	}
	key := provider.StoreKey()
	loaded, open, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) { return newShared(provider) })
	if err != nil {
		return fmt.Errorf("opening the store %q: %w", key, err)
	}
	h.sharedKey = key // from here on there is a reference to give back
	s, ok := loaded.(*shared)
	if !ok {
		return fmt.Errorf("store %q is a %T", key, loaded)
	}
	h.shared = s
	tune := func() error {
		s.flights.max.Store(int64(h.Limits.MaxFills))
		s.budget.limit.Store(h.Limits.FillMemory)
		s.observed.limit.Store(h.Limits.FillMemory / observedShare)
		if err := provider.TuneStore(s.store); err != nil {
			return fmt.Errorf("tuning the store %q: %w", key, err)
		}
		return nil
	}
	// Where another config is serving from it, that goes on doing so if this one turns out
	// not to load.
	h.others.inCharge(tune)
	if !open {
		return tune()
	}
	return nil
}

// closeShared gives the reference back, once, if there is one.
func (h *Handler) closeShared() error {
	if h.sharedKey == "" {
		return nil
	}
	key := h.sharedKey
	h.sharedKey = ""
	if _, err := pool.Delete(key); err != nil && !errors.Is(err, store.ErrClosed) {
		return err
	}
	return nil
}
