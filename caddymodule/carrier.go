package caddymodule

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/cacheward/cacheward/caddymodule/attribution"
	"github.com/cacheward/cacheward/caddymodule/attribution/beacon"
	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/policies"
)

// carrier sends what is carried along with the response to a landing, as its head leaves.
// What is stored never has it: that is made of the origin's head, not of this one.
type carrier struct {
	*caddyhttp.ResponseWriterWrapper
	x      *exchange
	rule   *policies.CompiledAttribution
	touch  attribution.Touch // of this landing
	counts attribution.Touch // of all that the visitor has made
	// changed: the visitor's cookie says something else.
	changed bool
	// clear: the visitor has withdrawn their consent.
	clear  bool
	headed bool
}

// WriteHeader implements http.ResponseWriter.
func (c *carrier) WriteHeader(status int) {
	if !c.headed && (status >= 200 || status == http.StatusSwitchingProtocols) {
		c.headed = true
		switch {
		case status >= 200 && status < 400:
			c.carry()
		case !c.clear:
			c.x.attributed.LeftOut = string(attribution.NotAnswered)
		}
	}
	c.ResponseWriterWrapper.WriteHeader(status)
}

// Write implements io.Writer.
func (c *carrier) Write(p []byte) (int, error) {
	if !c.headed {
		c.WriteHeader(http.StatusOK)
	}
	return c.ResponseWriterWrapper.Write(p)
}

// ReadFrom implements io.ReaderFrom.
func (c *carrier) ReadFrom(r io.Reader) (int64, error) {
	if !c.headed {
		c.WriteHeader(http.StatusOK)
	}
	return c.ResponseWriterWrapper.ReadFrom(r)
}

// carry sets the cookie and queues the landing.
func (c *carrier) carry() {
	x := c.x
	if c.clear {
		c.set("", -1)
		return
	}
	out := &x.attributed
	switch {
	case c.rule.Carry == policies.CarryBeacon:
	case !c.changed:
		out.LeftOut = string(attribution.Unchanged)
	default:
		window := time.Duration(c.rule.Window)
		left := c.counts.At.Add(window).Sub(x.started)
		codec := x.h.attributing.cookies.codec()
		if codec == nil {
			out.LeftOut = string(attribution.NoKeys)
			break
		}
		text, err := codec.Seal(c.counts, x.req.Host, c.counts.At.Add(window), c.rule.Encrypt == policies.On)
		if err != nil {
			out.LeftOut = string(attribution.Bounds)
			break
		}
		c.set(text, int(left/time.Second))
		out.Carried = string(policies.CarryCookie)
	}
	if c.rule.Beacon != nil {
		c.report()
	}
}

// set adds the cookie. Whoever keeps such a response gives one visitor's to others.
func (c *carrier) set(value string, maxAge int) {
	x, h := c.x, c.Header()
	text := cookieName(x.req.Scheme) + "=" + value + "; Path=/; Max-Age=" + strconv.Itoa(max(maxAge, 0)) + "; HttpOnly; SameSite=Lax"
	if x.req.Scheme == "https" {
		text += "; Secure"
	}
	h["Set-Cookie"] = append(h["Set-Cookie"], text)
	if x.stopsEverywhere() {
		httpcache.ForbidEverywhere(h)
		return
	}
	httpcache.ForbidAs(h, x.rule.Profile)
}

// report queues the landing for the app.
func (c *carrier) report() {
	x, out := c.x, &c.x.attributed
	rec := audit.Record{}
	x.identify(&rec)
	l := beacon.Landing{
		ID: c.touch.Landing, At: x.started, Host: x.req.Host, Route: x.rule.Name, Path: x.req.EscapedPath,
		Referer: c.touch.Referer, Values: c.touch.Values, Paid: c.touch.Paid,
	}
	if rec.Address != "" || rec.Marks != "" {
		l.Visitor = x.h.audit.Visitor(rec.Address, rec.Marks)
	}
	if x.object != nil {
		l.Object = x.object.ID
	}
	queue := x.h.attributing.beacons[c.rule]
	if err := queue.put(context.WithoutCancel(x.r.Context()), l); err != nil {
		out.BeaconLost = true
		if queue.toSay(x.started) {
			x.h.logger.Error("a landing could not be queued, and the app will not know of it", zap.String("route", x.rule.Name), zap.Error(err))
		}
		return
	}
	if out.Carried == "" {
		out.Carried = string(policies.CarryBeacon)
	} else {
		out.Carried = string(policies.CarryBoth)
	}
}

// Interface guards
var (
	_ http.ResponseWriter = (*carrier)(nil)
	_ io.ReaderFrom       = (*carrier)(nil)
)
