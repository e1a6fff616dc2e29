package caddymodule

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// trip stops caching on a route, or everywhere. When it returns, whoever comes is given
// nothing that is stored, and nobody is on the way to being given it. The question has
// been checked. An error means that nothing was done.
func trip(handlers []*Handler, q control.Trip) (control.Switched, error) {
	began := time.Now()
	if len(handlers) == 0 {
		return control.Switched{}, noHandlers
	}
	if q.Route != "" {
		if err := knownRoute(handlers, q.Route); err != nil {
			return control.Switched{}, err
		}
	}
	return handlers[0].trip(control.Tripped{Route: q.Route, Since: began, Why: q.Why, By: q.By}), nil
}

// trip puts the trip in force and says so, in the log, to subscribers and to the one
// who asked.
func (h *Handler) trip(t control.Tripped) control.Switched {
	added := h.breaker.trip(t)
	result := control.Switched{Schema: control.Schema, Done: "tripped " + tripScope(t.Route)}
	result.Settled = processSections.settle(settleTime)
	if !result.Settled {
		result.Notes = append(result.Notes, "some requests that had looked before the trip were still about to answer")
	}
	if !added {
		result.Done = tripScope(t.Route) + " was tripped already"
	}
	result.Problems = publish(fleets(h.others.list()), fleet.Event{Kind: fleet.KindTrip, Trip: t}, &result.Fleet)
	h.save(t.Route, &result)
	result.Tripped = h.breaker.list()
	if added {
		h.metrics.trips.WithLabelValues(t.Route).Inc()
		h.tell(&audit.Record{
			Event: audit.EventTrip, Route: t.Route, Scope: tripScope(t.Route), By: t.By, Why: t.Why,
			Detail: strings.Join(result.Problems, "; "),
		})
		h.warnTripped(t)
	}
	result.Took = milliseconds(time.Since(t.Since))
	return result
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// save writes the trips to storage. It was not in vain if that fails: they are in force.
func (h *Handler) save(route string, result *control.Switched) {
	if err := h.breaker.save(); err != nil {
		result.Problems = append(result.Problems, err.Error()+"; what is in force now would not be after a restart")
		h.inTime(func() { h.recordFault(route, policies.ReasonInternalFault, err) })
		return
	}
	result.Saved = true
}

// reset ends trips. What was stored before it is dropped first, so that what someone
// stopped caching for does not come back.
func reset(handlers []*Handler, q control.Reset) (control.Switched, error) {
	began := time.Now()
	if len(handlers) == 0 {
		return control.Switched{}, noHandlers
	}
	h := handlers[0]
	match := func(t control.Tripped) bool { return q.All || t.Route == q.Route }
	what := tripScope(q.Route)
	if q.All {
		what = "every trip"
	}
	result := control.Switched{Schema: control.Schema, Done: "reset " + what, Settled: true}
	p := new(purger)
	var seen []control.Tripped
	for _, t := range h.breaker.list() {
		if !match(t) {
			continue
		}
		seen = append(seen, t)
		s := store.Selection{Route: t.Route}
		if t.Route == "" {
			s = store.Selection{All: true}
		}
		p.add(handlers, s)
	}
	if len(seen) == 0 {
		return control.Switched{}, control.NotFound(what + " is not tripped" + trippedNow(h.breaker.list()))
	}
	if !q.Keep {
		p.run()
		if len(p.result.Problems) > 0 {
			return control.Switched{}, fmt.Errorf("nothing was reset, because what is stored could not be dropped: %s",
				strings.Join(p.result.Problems, "; "))
		}
		result.Removed = p.result.Removed
	}
	// Not what was tripped meanwhile: of that, nothing was dropped.
	h.breaker.reset(func(t control.Tripped) bool {
		return slices.ContainsFunc(seen, func(s control.Tripped) bool { return s.Route == t.Route && s.Since.Equal(t.Since) })
	})
	result.Fleet = p.result.Fleet
	for _, t := range seen {
		t.By, t.Why = q.By, q.Why
		result.Problems = append(result.Problems, publish(fleets(handlers), fleet.Event{Kind: fleet.KindReset, Trip: t}, &result.Fleet)...)
	}
	h.save(q.Route, &result)
	result.Tripped = h.breaker.list()
	if len(result.Tripped) > 0 {
		result.Notes = append(result.Notes, "there are trips in force still")
	}
	h.tell(&audit.Record{
		Event: audit.EventReset, Route: q.Route, Scope: what, By: q.By, Why: q.Why, Removed: result.Removed,
		Detail: strings.Join(result.Problems, "; "),
	})
	h.logger.Warn("caching goes on: " + what + " was reset by " + q.By)
	result.Took = milliseconds(time.Since(began))
	return result, nil
}

// add has one more selection purged in every store, and what is remembered forgotten.
func (p *purger) add(handlers []*Handler, s store.Selection) {
	done := make(map[*shared]bool)
	for _, h := range handlers {
		if done[h.shared] {
			continue
		}
		done[h.shared] = true
		step := p.step(h)
		step.selections, step.afresh = append(step.selections, s), true
	}
}

func trippedNow(list []control.Tripped) string {
	if len(list) == 0 {
		return "; nothing is"
	}
	scopes := make([]string, len(list))
	for i, t := range list {
		scopes[i] = tripScope(t.Route)
	}
	return "; tripped: " + strings.Join(scopes, ", ")
}

// leaked is for a page that was shared and seems to hold the state of one visitor: what
// else is stored of its route may do so as well. By the policy, the route trips itself,
// once the origin, asked again for nobody, has shown it again: a page that happened to
// be changed between two requests must not stop a route until someone comes.
func (h *Handler) leaked(j *job, object string, d *gate.Divergence, reasons []policies.Reason) {
	if !j.rule.TripOnLeak || !stateOfVisitor(d, reasons) || h.breaker.tripped(j.rule.Name) {
		return
	}
	if !j.nobody { // what already is has the fields that selected the page, and would lose them
		j = j.forNobody()
	}
	d, reasons = h.again(j)
	if reasons == nil || !stateOfVisitor(d, reasons) {
		return
	}
	why := "a page that was shared holds a visitor's state: " + reasons[0].String()
	if d != nil {
		why += ", " + string(d.Class)
		if near := policies.Told(d.Near); near != "" {
			why += " near " + near
		}
	}
	h.trip(control.Tripped{Route: j.rule.Name, Since: time.Now(), Why: why + "; object " + object, By: byItself})
}

// stateOfVisitor says whether what speaks against a page is the state of one visitor in
// it, rather than another version of it, or what its head says.
func stateOfVisitor(d *gate.Divergence, reasons []policies.Reason) bool {
	return ofVisitors(reasons[0]) && (d == nil || d.Class.OfVisitor())
}

// again asks the origin twice, for nobody, and says what speaks against sharing.
func (h *Handler) again(j *job) (*gate.Divergence, []policies.Reason) {
	var answers [2]gate.Answer
	for i := range answers {
		fill := h.startFill(j, func(policies.Reason) {})
		defer fill.stop()
		if reasons := h.freshReasons(j, fill); reasons != nil {
			return nil, reasons
		}
		answers[i] = fill.answer(j)
	}
	d := h.compare(j, answers[0], answers[1], nil)
	if d == nil {
		return nil, nil
	}
	j.withhold(difference{d}, nil)
	return d, divergence(d)
}

// flushAudit waits until the records are written, but not for ever.
func (h *Handler) flushAudit() {
	ctx, cancel := context.WithTimeout(context.Background(), storageTime)
	defer cancel()
	if err := h.audit.Flush(ctx); err != nil {
		h.logger.Error("the audit records were not written in time")
	}
}
