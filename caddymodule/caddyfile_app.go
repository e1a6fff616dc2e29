package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("cacheward", parseOptions)
}

// parseOptions reads the global option.
func parseOptions(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		return nil, d.Err("the global option cacheward is given twice")
	}
	a := new(App)
	if err := a.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "cacheward", Value: caddyconfig.JSON(a, nil)}, nil
}

// UnmarshalCaddyfile sets the app up from the tokens of the global option:
//
//	cacheward {
//		probe {
//			secret <text>
//		}
//		watch <url> ... {
//			interval    <duration>
//			on_leak     trip|warn
//			clear_after <n>
//			param       <name> ...
//			cookie      <name> ...
//			header      <name> ...
//			resolve     <host:port>
//			timeout     <duration>
//		}
//	}
//
// There may be several watch blocks.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the option's name
	if d.NextArg() {
		return d.ArgErr()
	}
	for d.NextBlock(0) {
		var err error
		switch name := d.Val(); name {
		case "probe":
			err = a.unmarshalProbe(d)
		case "watch":
			err = a.unmarshalWatch(d)
		default:
			err = d.Errf("unrecognized option %q; probe or watch was expected", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *App) unmarshalProbe(d *caddyfile.Dispenser) error {
	if a.Probe != nil {
		return d.Err("probe is given twice")
	}
	a.Probe = new(ProbeOptions)
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() != "secret" {
			return d.Errf("unrecognized option %q; secret was expected", d.Val())
		}
		if a.Probe.Secret != "" {
			return d.Err("secret is given twice")
		}
		if !d.AllArgs(&a.Probe.Secret) {
			return d.ArgErr()
		}
	}
	if a.Probe.Secret == "" {
		return d.Err("probe: a secret was expected: secret {env.CACHEWARD_PROBE_SECRET}")
	}
	return nil
}

func (a *App) unmarshalWatch(d *caddyfile.Dispenser) error {
	w := Watch{URLs: d.RemainingArgs()}
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		if names := map[string]*[]string{"param": &w.Params, "cookie": &w.Cookies, "header": &w.Headers}[name]; names != nil {
			more := d.RemainingArgs()
			if len(more) == 0 {
				return d.ArgErr()
			}
			*names = append(*names, more...)
			continue
		}
		if seen[name] {
			return d.Errf("%s is given twice", name)
		}
		seen[name] = true
		var value string
		if !d.AllArgs(&value) {
			return d.ArgErr()
		}
		var err error
		switch name {
		case "interval":
			w.Interval, err = parseDuration(value)
		case "timeout":
			w.Timeout, err = parseDuration(value)
		case "on_leak":
			w.OnLeak = value
		case "clear_after":
			w.ClearAfter, err = parseCount(value)
		case "resolve":
			w.Resolve = value
		default:
			return d.Errf("unrecognized option %q; interval, on_leak, clear_after, param, cookie, header, resolve or timeout was expected", name)
		}
		if err != nil {
			return d.Errf("parsing %s %q: %v", name, value, err)
		}
	}
	// So that a mistake has its line.
	if err := w.check(); err != nil {
		return d.Err(err.Error())
	}
	a.Watch = append(a.Watch, w)
	return nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*App)(nil)
