package caddymodule

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/probe"
	"github.com/cacheward/cacheward/policies"
)

// byWatch is who trips when a probe has found a leak.
const byWatch = "watch"

// judge takes what a probe has found: a leak is recorded, announced and, unless the watch
// only warns, stops caching on the route.
func (w *watcher) judge(began time.Time, report *probe.Report, err error) {
	handlers := w.handlers.list()
	if len(handlers) == 0 {
		return
	}
	verdict, found := probe.Unknown, probe.URLReport{}
	switch {
	case err != nil:
		w.look.failed(err.Error())
	case len(report.URLs) > 0:
		found = report.URLs[0]
		verdict = found.Verdict
		if verdict == probe.Unknown {
			why := append(slices.Clone(found.Errors), report.Notes...)
			if len(why) == 0 {
				why = []string{"no answer told whose it was"}
			}
			w.look.failed(strings.Join(why, "; "))
		}
	}
	w.look.visited(found.Routes)
	routes := w.routes(handlers)
	evidence := tellingOf(found.Leaks)
	changed, state := w.look.saw(verdict, began, evidence, allTripped(handlers, routes), w.ClearAfter)
	handlers[0].metrics.probes.WithLabelValues(string(verdict)).Inc()
	switch changed {
	case changeLeak:
		w.tell(handlers, routes, audit.Record{
			Event: audit.EventLeak, From: state.lastClean, Until: state.firstLeak,
		}, evidence)
		w.stop(handlers, routes, evidence)
	case changeWorse: // it was reset, or is of another route now
		// What was asked before the reset tells nothing of the time after it, and would undo
		// it. The next probe does tell.
		if !handlers[0].breaker.resetSince(began) {
			w.stop(handlers, routes, evidence)
		}
	case changeClear:
		w.tell(handlers, routes, audit.Record{
			Event: audit.EventClear, From: state.firstLeak, Until: state.cleanSince,
		}, nil)
	}
}

// tellingOf is the first evidence that is about a cache, or else the first.
func tellingOf(leaks []probe.Evidence) *probe.Evidence {
	if len(leaks) == 0 {
		return nil
	}
	i := slices.IndexFunc(leaks, func(e probe.Evidence) bool { return e.Who != probe.WhoApp })
	return &leaks[max(i, 0)]
}

// routes are those that answer the URL: as the edge's receipts say, or, where there are
// none, as the policies do. What no route matches has the name of the default.
func (w *watcher) routes(handlers []*Handler) []string {
	names := slices.Clone(w.look.state().routes)
	names = slices.DeleteFunc(names, func(name string) bool { return knownRoute(handlers, name) != nil })
	if len(names) > 0 {
		return names
	}
	for _, rule := range rulesFor(handlers, w.url) {
		names = append(names, rule.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// stop trips the routes that are not. Where the app itself shows visitors what others have
// sent, a list of the latest searches, say, no cache has a part in it, and stopping them
// would help nobody.
func (w *watcher) stop(handlers []*Handler, routes []string, evidence *probe.Evidence) {
	if w.OnLeak != onLeakTrip || evidence != nil && evidence.Who == probe.WhoApp {
		return
	}
	why := "a probe of " + w.url + " was given what belongs to another visitor"
	if evidence != nil {
		why += ": " + evidence.Sentence
	}
	for _, route := range routes {
		if !handlers[0].breaker.tripped(route) {
			handlers[0].trip(control.Tripped{Route: route, Since: time.Now(), Why: why, By: byWatch})
		}
	}
}

// tell records and announces it, once for each route.
func (w *watcher) tell(handlers []*Handler, routes []string, rec audit.Record, evidence *probe.Evidence) {
	u, err := url.Parse(w.url)
	if err != nil {
		return // it was checked
	}
	rec.By, rec.Scope = byWatch, "url "+w.url
	rec.Scheme, rec.Host, rec.Path, rec.Query = u.Scheme, strings.ToLower(u.Host), u.EscapedPath(), u.RawQuery
	if evidence != nil {
		rec.Why, rec.Evidence = evidence.Sentence, proof{evidence}
	}
	if len(routes) > 0 {
		rec.Route = strings.Join(routes, ", ")
	}
	handlers[0].tell(&rec)
	if rec.Event == audit.EventLeak {
		fields := []zap.Field{
			zap.String("url", w.url), zap.Strings("routes", routes), zap.String("why", rec.Why), zap.Time("first_leak", rec.Until),
		}
		if !rec.From.IsZero() {
			fields = append(fields, zap.Time("last_clean", rec.From))
		}
		w.logger.Error("a cache in front, or this one, gives visitors what belongs to others", fields...)
		return
	}
	w.logger.Warn("probes find no leak any more", zap.String("url", w.url), zap.Strings("routes", routes))
}

// allTripped says whether nothing of the routes is shared now.
func allTripped(handlers []*Handler, routes []string) bool {
	return !slices.ContainsFunc(routes, func(r string) bool { return !handlers[0].breaker.tripped(r) })
}

// rulesFor are the rules that would govern a request for the URL, one of each handler.
// Which handler gets it, only the site's own matchers say.
func rulesFor(handlers []*Handler, text string) []*policies.Rule {
	u, err := url.Parse(text)
	if err != nil {
		return nil // it was checked
	}
	req := policies.Request{
		Method: http.MethodGet, Scheme: u.Scheme, Host: strings.ToLower(u.Host), Port: u.Port(),
		Path: u.Path, EscapedPath: u.EscapedPath(), RawQuery: u.RawQuery, Header: make(http.Header),
	}
	var rules []*policies.Rule
	for _, h := range handlers {
		rules = append(rules, h.policy.Route(&req))
	}
	return rules
}

// routesFor are the routes of those rules, as they were written. The default has none.
func routesFor(handlers []*Handler, text string) []*policies.Route {
	var routes []*policies.Route
	for i, rule := range rulesFor(handlers, text) {
		written := handlers[i].written.Routes
		at := slices.IndexFunc(written, func(r policies.Route) bool { return r.Name == rule.Name })
		if at >= 0 {
			routes = append(routes, &written[at])
		}
	}
	return routes
}

// proof is the evidence as the record has it.
type proof struct{ *probe.Evidence }

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (p proof) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("kind", p.Kind)
	for _, f := range []struct{ name, value string }{
		{"who", p.Who}, {"giver", p.Giver}, {"receiver", p.Receiver}, {"input", p.Input}, {"where", p.Where}, {"phase", p.Phase}, {"sentence", p.Sentence},
	} {
		if f.value != "" {
			enc.AddString(f.name, brief(f.value))
		}
	}
	if len(p.Headers) > 0 {
		return enc.AddObject("status", statusFields(p.Headers))
	}
	return nil
}

// statusFields are response fields that tell of caches.
type statusFields map[string]string

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (f statusFields) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	for name, value := range f {
		enc.AddString(strings.ToLower(name), brief(value))
	}
	return nil
}

// maxProof bounds each text of the evidence, in bytes: a cache in front may say anything.
const maxProof = 512

func brief(text string) string {
	if len(text) <= maxProof {
		return text
	}
	return strings.ToValidUTF8(text[:maxProof], "") + "…"
}
