package caddymodule

import (
	"encoding/hex"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/policies"
)

// The events that Caddy's events app can hand to subscribers (exec, a plugin …). They
// are rare: a refused key is not judged again for a while.
const (
	eventDiverge  = "cacheward_diverge"
	eventWithdraw = "cacheward_withdraw"
	eventPurge    = "cacheward_purge"
	eventTrip     = "cacheward_trip"
	eventReset    = "cacheward_reset"
	eventLeak     = "cacheward_leak"
	eventClear    = "cacheward_clear"
)

// events emits Caddy events with the handler's own context.
type events struct {
	app *caddyevents.App
	ctx caddy.Context
}

// announce emits the event that a record is about, if there is one. Subscribers run
// before it returns.
func (h *Handler) announce(rec *audit.Record) {
	name := ""
	switch rec.Event {
	case audit.EventDiverge:
		name = eventDiverge
	case audit.EventWithdraw:
		name = eventWithdraw
	case audit.EventPurge:
		name = eventPurge
	case audit.EventTrip:
		name = eventTrip
	case audit.EventReset:
		name = eventReset
	case audit.EventLeak:
		name = eventLeak
	case audit.EventClear:
		name = eventClear
	}
	if name == "" || h.events.app == nil || !h.events.app.ShouldEmit(name) {
		return
	}
	data := map[string]any{"route": rec.Route}
	if rec.Event == audit.EventLeak || rec.Event == audit.EventClear {
		data["url"], data["host"], data["path"], data["why"] = strings.TrimPrefix(rec.Scope, "url "), rec.Host, rec.Path, rec.Why
		data["from"], data["until"] = rec.From, rec.Until
	} else if rec.Scope != "" {
		data["scope"], data["by"], data["why"], data["removed"] = rec.Scope, rec.By, rec.Why, rec.Removed
	} else {
		data["host"], data["path"] = rec.Host, rec.Path
		data["key"], data["reasons"] = hex.EncodeToString(rec.Key[:8]), reasonCodes(rec.Reasons)
	}
	if rec.Object != "" {
		data["object"] = rec.Object
	}
	if d, ok := rec.Difference.(difference); ok {
		data["class"], data["near"] = string(d.Class), policies.Told(d.Near)
	}
	h.events.app.Emit(h.events.ctx, name, data)
}

func reasonCodes(reasons []policies.Reason) []string {
	codes := make([]string, len(reasons))
	for i, r := range reasons {
		codes[i] = r.String()
	}
	return codes
}
