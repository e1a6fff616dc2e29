package caddymodule

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// settleTime bounds how long a purge or a trip waits for those who looked at the store
// before it. They are there for microseconds, so this is for a machine that stands still.
const settleTime = time.Second

// noHandlers is why nothing can be purged or tripped.
const noHandlers = control.NotFound("the running configuration has no cacheward handler")

// purge drops what the question selects from every store that the handlers use. It has
// been checked. An error means that nothing was done.
func purge(handlers []*Handler, q control.Purge) (control.Purged, error) {
	if len(handlers) == 0 {
		return control.Purged{}, noHandlers
	}
	if q.Route != "" {
		if err := knownRoute(handlers, q.Route); err != nil {
			return control.Purged{}, err
		}
	}
	p := &purger{soft: q.Soft}
	scope, err := p.plan(handlers, q)
	if err != nil {
		return control.Purged{}, err
	}
	p.result.Schema, p.result.Scope, p.result.Soft = control.Schema, scope, q.Soft
	p.run()
	handlers[0].tell(&audit.Record{
		Event: audit.EventPurge, Scope: scope, By: q.By, Why: q.Why, Soft: q.Soft, Removed: p.result.Removed,
		Detail: strings.Join(p.result.Problems, "; "),
	})
	handlers[0].metrics.purged(scope)
	return p.result, nil
}

// purger purges several stores, each once.
type purger struct {
	soft   bool
	steps  []purgeStep
	result control.Purged
}

type purgeStep struct {
	name       string
	shared     *shared
	selections []store.Selection
	// afresh: what is remembered beside the objects goes as well.
	afresh bool
}

// plan finds out what is to be purged where, and what to call it.
func (p *purger) plan(handlers []*Handler, q control.Purge) (scope string, err error) {
	switch {
	case q.All:
		p.everywhere(handlers, store.Selection{All: true}, true)
		return "everything", nil
	case q.Route != "":
		p.everywhere(handlers, store.Selection{Route: q.Route}, true)
		return "route " + q.Route, nil
	case q.Tag != "":
		tag := store.TagOf(store.TagName, q.Tag)
		p.everywhere(handlers, store.Selection{Tag: &tag}, false)
		return "tag " + q.Tag, nil
	case q.Prefix != "":
		p.everywhere(handlers, store.Selection{Prefix: withoutScheme(q.Prefix)}, false)
		return "prefix " + q.Prefix, nil
	case q.Key != "":
		key, err := hex.DecodeString(q.Key)
		if err != nil {
			return "", control.Mistake(fmt.Sprintf("key %q is not hexadecimal", q.Key))
		}
		p.everywhere(handlers, store.Selection{Key: key}, false)
		return "key " + q.Key, nil
	}
	u, err := url.Parse(q.URL)
	if err != nil {
		return "", control.Mistake(fmt.Sprintf("url %q cannot be read", q.URL))
	}
	u.Fragment = ""
	p.url(handlers, u)
	return "url " + u.Redacted(), nil
}

func withoutScheme(s string) string {
	if _, rest, ok := strings.Cut(s, "://"); ok {
		return rest
	}
	return s
}

// everywhere has one selection purged in every store.
func (p *purger) everywhere(handlers []*Handler, s store.Selection, afresh bool) {
	for _, h := range handlers {
		step := p.step(h)
		step.afresh = afresh
		if len(step.selections) == 0 {
			step.selections = []store.Selection{s}
		}
	}
}

func (p *purger) step(h *Handler) *purgeStep {
	for i := range p.steps {
		if p.steps[i].shared == h.shared {
			return &p.steps[i]
		}
	}
	p.steps = append(p.steps, purgeStep{name: h.sharedKey, shared: h.shared})
	return &p.steps[len(p.steps)-1]
}

// url has that purged which requests for the URL would be served: by each handler's
// policy, for what is stripped is not in what is stored; and the URL as it stands, for
// what another policy may have stored. What is too much does no harm.
func (p *purger) url(handlers []*Handler, u *url.URL) {
	host, path := strings.ToLower(u.Host), u.EscapedPath()
	if path == "" {
		path = "/"
	}
	never := true
	for _, h := range handlers {
		asked := policies.Parts{Host: host, EscapedPath: path}
		if u.RawQuery != "" {
			asked.Params = []string{u.RawQuery}
		}
		uris := []string{string(asked.AppendURI(nil))}
		for _, scheme := range [...]string{"https", "http"} {
			if parts, stored := h.policy.Stored(scheme, host, path, u.RawQuery); stored {
				never = false
				uris = append(uris, string(parts.AppendURI(nil)))
			}
		}
		uris = append(uris, h.rewritten(host, path, u.RawQuery)...)
		step := p.step(h)
		for _, uri := range uris {
			s := store.Selection{URI: withoutScheme(uri)}
			if !slices.ContainsFunc(step.selections, func(have store.Selection) bool { return have.URI == s.URI }) {
				step.selections = append(step.selections, s)
			}
		}
	}
	if never {
		p.result.Notes = append(p.result.Notes,
			"no policy that is in force stores what a GET for this URL is answered; `cacheward explain --live` says why")
	}
}

// rewritten are the URIs with the queries that any route would make of this one. Where
// the path is rewritten before the handler, no route is known by the path that visitors
// see; objects are found by it all the same, if the query is theirs.
func (h *Handler) rewritten(host, path, query string) (uris []string) {
	if query == "" {
		return nil
	}
	req := policies.Request{Method: http.MethodGet, Scheme: "https", Host: host, Path: path, EscapedPath: path, RawQuery: query, Header: http.Header{}}
	for _, rule := range h.policy.Rules() {
		var parts policies.Parts
		if rule.Cache.Kind == policies.CacheNever || rule.Dispose(&req, &parts).Action != policies.ActCache {
			continue
		}
		parts = policies.Parts{Host: host, EscapedPath: path, Params: parts.Params}
		if uri := string(parts.AppendURI(nil)); !slices.Contains(uris, uri) {
			uris = append(uris, uri)
		}
	}
	return uris
}

// run purges, and waits for those who looked before.
func (p *purger) run() {
	r := &p.result
	r.Stores = []control.PurgedStore{}
	for _, step := range p.steps {
		done := control.PurgedStore{Store: step.name}
		for _, s := range step.selections {
			purged, err := step.shared.store.Purge(s, p.soft)
			if err != nil {
				r.Problems = append(r.Problems, fmt.Sprintf("store %s: %v", step.name, err))
				continue
			}
			done.Looked = max(done.Looked, purged.Looked)
			done.Removed += purged.Removed
			done.Left += purged.Left
		}
		r.Problems = append(r.Problems, p.publish(step)...)
		if done.Left > 0 {
			r.Problems = append(r.Problems, fmt.Sprintf("store %s: %d objects that the purge selects are still there", step.name, done.Left))
		}
		if step.afresh {
			step.shared.refusals.Clear()
			step.shared.suspensions.Clear()
		}
		r.Stores = append(r.Stores, done)
		r.Removed += done.Removed
	}
	settled := processSections.settle(settleTime)
	if !settled {
		r.Notes = append(r.Notes, "some requests that had looked before the purge were still about to answer")
	}
	r.Verified = settled && len(r.Problems) == 0
}

// publish has the other edges purge the same.
func (p *purger) publish(step purgeStep) (problems []string) {
	if step.shared.fleet == nil {
		return nil
	}
	for _, s := range step.selections {
		e := fleet.Event{Kind: fleet.KindPurge, Selection: s, Soft: p.soft, Afresh: step.afresh}
		problems = append(problems, publish([]Fleet{step.shared.fleet}, e, &p.result.Fleet)...)
	}
	return problems
}

// knownRoute says whether a handler has a route of that name: to stop caching on a
// route that is not there would be to stop nothing.
func knownRoute(handlers []*Handler, name string) error {
	names := routeNames(handlers)
	if slices.Contains(names, name) {
		return nil
	}
	list := strings.Join(names[:min(len(names), 12)], ", ")
	if len(names) > 12 {
		list += ", …"
	}
	return control.NotFound(fmt.Sprintf("no running handler has a route %q; there are: %s", name, list))
}

// tell writes a record of what was done by hand, and waits until it is in the log: who
// is told that it was done can find it there.
func (h *Handler) tell(rec *audit.Record) {
	h.inTime(func() {
		h.audit.Write(rec, nil)
		h.flushAudit()
	})
	h.announce(rec)
}

// inTime runs what writes records, and waits for it, but not for ever: where the log hangs,
// who stops caching must not, not even where requests do (`full wait`).
func (h *Handler) inTime(write func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		write()
	}()
	timer := time.NewTimer(storageTime)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
