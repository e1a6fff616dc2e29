package redis

import (
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
)

// UnmarshalCaddyfile sets the store up from tokens:
//
//	redis <address> [<address>...] {
//		memory <size>
//		namespace <name>
//		username <name>
//		password <password>
//		database <number>
//		sentinel <name of the master>
//		tls [<server name>] {
//			server_name <name>
//			ca <file>
//			certificate <file> <key file>
//		}
//		edge <name>
//		lease <duration>
//		on_partition bypass|serve
//		timeout <duration>
//		compress
//		piece <size>
//	}
func (r *Redis) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the store's name
	r.Addresses = d.RemainingArgs()
	if len(r.Addresses) == 0 {
		return d.Err("redis: an address was expected, such as 127.0.0.1:6379")
	}
	given := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		if given[name] {
			return d.Errf("%s is given twice", name)
		}
		given[name] = true
		if err := r.option(d, name); err != nil {
			return err
		}
	}
	return nil
}

func (r *Redis) option(d *caddyfile.Dispenser, name string) error {
	texts := map[string]*string{
		"namespace": &r.Namespace, "username": &r.Username, "password": &r.Password,
		"sentinel": &r.Sentinel, "edge": &r.Edge,
	}
	if text, ok := texts[name]; ok {
		if !d.AllArgs(text) {
			return d.ArgErr()
		}
		return nil
	}
	switch name {
	case "memory":
		return readSize(d, &r.Memory)
	case "piece":
		return readSize(d, &r.Piece)
	case "lease":
		return readDuration(d, &r.Lease)
	case "timeout":
		return readDuration(d, &r.Timeout)
	case "tls":
		return r.readTLS(d)
	case "compress":
		if d.NextArg() {
			return d.ArgErr()
		}
		r.Compress = true
	case "database":
		var text string
		if !d.AllArgs(&text) {
			return d.ArgErr()
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return d.Errf("parsing database: %q is not a number; 0 was expected, or the like", text)
		}
		r.Database = n
	case "on_partition":
		if !d.AllArgs(&r.OnPartition) {
			return d.ArgErr()
		}
		if r.OnPartition != bypass && r.OnPartition != serve {
			return d.Errf("on_partition is %q; %s or %s was expected", r.OnPartition, bypass, serve)
		}
	default:
		return d.Errf("unrecognized subdirective %q; memory, namespace, username, password, database, sentinel, tls, "+
			"edge, lease, on_partition, timeout, compress or piece was expected", name)
	}
	return nil
}

func (r *Redis) readTLS(d *caddyfile.Dispenser) error {
	r.TLS = new(TLS)
	if d.NextArg() {
		r.TLS.ServerName = d.Val()
		if d.NextArg() {
			return d.ArgErr()
		}
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		switch name {
		case "server_name":
			if r.TLS.ServerName != "" {
				return d.Err("tls server_name is given twice")
			}
			if !d.AllArgs(&r.TLS.ServerName) {
				return d.ArgErr()
			}
		case "ca":
			if r.TLS.CA != "" {
				return d.Err("tls ca is given twice")
			}
			if !d.AllArgs(&r.TLS.CA) {
				return d.ArgErr()
			}
		case "certificate":
			if r.TLS.Certificate != "" {
				return d.Err("tls certificate is given twice")
			}
			if !d.AllArgs(&r.TLS.Certificate, &r.TLS.Key) {
				return d.Err("tls certificate: a file and the file of its key were expected")
			}
		default:
			return d.Errf("unrecognized subdirective %q of tls; server_name, ca or certificate was expected", name)
		}
	}
	return nil
}

// readSize reads 512MiB, 1GB and the like.
func readSize(d *caddyfile.Dispenser, to *int64) error {
	name := d.Val()
	var text string
	if !d.AllArgs(&text) {
		return d.ArgErr()
	}
	n, err := humanize.ParseBytes(text)
	if err != nil || n == 0 || n > 1<<50 {
		return d.Errf("parsing %s: %q is not a size; 512MiB was expected, or the like", name, text)
	}
	*to = int64(n)
	return nil
}

func readDuration(d *caddyfile.Dispenser, to *caddy.Duration) error {
	name := d.Val()
	var text string
	if !d.AllArgs(&text) {
		return d.ArgErr()
	}
	duration, err := caddy.ParseDuration(text)
	if err != nil || duration <= 0 {
		return d.Errf("parsing %s: %q is not a duration; 3s was expected, or the like", name, text)
	}
	*to = caddy.Duration(duration)
	return nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Redis)(nil)
