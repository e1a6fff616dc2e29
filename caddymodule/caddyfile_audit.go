package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cacheward/cacheward/caddymodule/audit"
)

func (h *Handler) unmarshalAudit(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	h.Audit = new(Audit)
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		if seen[name] {
			return d.Errf("%s is given twice", name)
		}
		seen[name] = true
		if name == "visitor" {
			if err := h.unmarshalVisitor(d); err != nil {
				return err
			}
			continue
		}
		var value string
		if !d.AllArgs(&value) {
			return d.ArgErr()
		}
		var err error
		switch name {
		case "serves":
			h.Audit.Serves, err = audit.ParseSampling(value)
		case "queue":
			h.Audit.Queue, err = parseCount(value)
		case "full":
			h.Audit.Full, err = audit.ParseFull(value)
		default:
			return d.Errf("unrecognized subdirective %q; serves, full, queue or visitor was expected", name)
		}
		if err != nil {
			return d.Errf("parsing %s: %v", name, err)
		}
	}
	return nil
}

func (h *Handler) unmarshalVisitor(d *caddyfile.Dispenser) error {
	v := new(Visitor)
	h.Audit.Visitor = v
	if d.NextArg() {
		if d.Val() != "off" {
			return d.Errf("visitor %q; off or a block was expected", d.Val())
		}
		v.Off = true
		if d.NextArg() {
			return d.ArgErr()
		}
		return nil
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch name := d.Val(); name {
		case "cookie":
			names := d.RemainingArgs()
			if len(names) == 0 {
				return d.ArgErr()
			}
			v.Cookies = append(v.Cookies, names...)
		case "rotate":
			var value string
			if !d.AllArgs(&value) {
				return d.ArgErr()
			}
			if v.Rotate != 0 {
				return d.Err("rotate is given twice")
			}
			rotate, err := parseDuration(value)
			if err != nil {
				return d.Errf("parsing rotate %q: %v", value, err)
			}
			v.Rotate = rotate
		default:
			return d.Errf("unrecognized subdirective %q; cookie or rotate was expected", name)
		}
	}
	return nil
}
