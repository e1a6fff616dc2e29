package caddymodule

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/zeebo/blake3"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// defaultObjects is how many objects are listed unless the question says otherwise.
const defaultObjects = 100

// objects lists what is stored, the newest first.
func objects(handlers []*Handler, q control.Objects) (control.ObjectList, error) {
	list := control.ObjectList{Schema: control.Schema, Objects: []control.Object{}}
	if q.Limit == 0 {
		q.Limit = defaultObjects
	}
	wanted, err := selector(q)
	if err != nil {
		return list, err
	}
	type found struct {
		h *Handler
		o *store.Object
	}
	var newest []found // a little more than asked for, sorted when it is too much
	sort := func() {
		slices.SortFunc(newest, func(a, b found) int {
			if c := b.o.Requested.Compare(a.o.Requested); c != 0 {
				return c
			}
			return strings.Compare(b.o.ID, a.o.ID)
		})
		newest = newest[:min(len(newest), q.Limit)]
	}
	err = eachStored(handlers, func(h *Handler, o *store.Object) bool {
		if !wanted(o) {
			return true
		}
		list.Total++
		newest = append(newest, found{h, o})
		if len(newest) >= 2*q.Limit+100 {
			sort()
		}
		return true
	})
	if err != nil {
		return list, err
	}
	sort()
	for _, f := range newest {
		list.Objects = append(list.Objects, f.h.describe(handlers, f.o))
	}
	return list, nil
}

// selector says of each object whether it is asked for.
func selector(q control.Objects) (func(*store.Object) bool, error) {
	var all []store.Selection
	if q.Route != "" {
		all = append(all, store.Selection{Route: q.Route})
	}
	if q.Prefix != "" {
		all = append(all, store.Selection{Prefix: withoutScheme(q.Prefix)})
	}
	if q.Key != "" {
		key, err := hex.DecodeString(q.Key)
		if err != nil {
			return nil, control.Mistake("the key is not hexadecimal")
		}
		all = append(all, store.Selection{Key: key})
	}
	for _, s := range all {
		if err := s.Check(); err != nil {
			return nil, control.Mistake(err.Error())
		}
	}
	return func(o *store.Object) bool {
		for _, s := range all {
			if !s.Selects(o) {
				return false
			}
		}
		return true
	}, nil
}

// eachStored visits what is stored, once a store, until visit returns false.
func eachStored(handlers []*Handler, visit func(*Handler, *store.Object) bool) error {
	seen := make(map[*shared]bool)
	on := true
	for _, h := range handlers {
		if seen[h.shared] || !on {
			continue
		}
		seen[h.shared] = true
		if err := h.shared.store.Each(func(o *store.Object) bool {
			on = visit(h, o)
			return on
		}); err != nil {
			return err
		}
	}
	return nil
}

// object describes one stored response, with its fields, and with its body only if
// that is asked for.
func object(handlers []*Handler, id string, body bool) (control.Object, bool, error) {
	var found *store.Object
	var in *Handler
	err := eachStored(handlers, func(h *Handler, o *store.Object) bool {
		if o.ID == id && o.Variants == nil {
			found, in = o, h
		}
		return found == nil
	})
	if err != nil || found == nil {
		return control.Object{}, false, err
	}
	d := in.describe(handlers, found)
	d.Header = map[string][]string(found.Header.Header())
	sum := blake3.Sum256(found.Body)
	d.Digest = hex.EncodeToString(sum[:])
	for _, s := range found.Selecting {
		d.Selecting = append(d.Selecting, s.Name)
	}
	if body {
		d.Body = found.Body
	}
	return d, true, nil
}

// describe is what a list says of an object. It does not say what the values in its
// key are, save those that the policy calls plain.
func (h *Handler) describe(handlers []*Handler, o *store.Object) control.Object {
	now, key := time.Now(), keyOf(o)
	d := control.Object{
		ID: o.ID, Key: hex.EncodeToString(key[:8]), Store: h.sharedKey, Route: o.Route,
		Status: o.Status, Size: int64(len(o.Body)), Fetched: o.Requested,
		TTL: o.TTL(now).Seconds(), Age: o.Age(now).Seconds(),
		Unreachable: h.breaker.tripped(o.Route),
	}
	if o.Variants != nil {
		d.Variants, d.TTL, d.Age = len(o.Variants.Keys), 0, 0
	}
	parts, ok := policies.ReadParts(o.Parts)
	if !ok {
		d.Unreachable = true
		return d
	}
	var plain func(string) bool
	if rule := ruleBehind(handlers, o.Route, parts.Space); rule != nil {
		plain = rule.Plain
	} else {
		d.Unreachable = true // no policy in force makes such a key
	}
	c := parts.Canonical()
	d.URL = h.audit.URL(&audit.Record{Scheme: c.Scheme, Host: c.Host, Path: c.EscapedPath, Query: c.RawQuery}, plain)
	return d
}

// ruleBehind finds the rule that makes such keys, in any of the handlers.
func ruleBehind(handlers []*Handler, route, space string) *policies.Rule {
	for _, h := range handlers {
		for _, rule := range h.policy.Rules() {
			if rule.Name == route && rule.Space == space {
				return rule
			}
		}
	}
	return nil
}
