package caddymodule

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"

	"github.com/cacheward/cacheward/caddymodule/store"
)

func init() {
	caddy.RegisterModule(Memory{})
}

// Memory keeps objects in the process's memory. They survive reloads, not restarts.
type Memory struct {
	// Size is for all objects together, their overhead counted, in bytes.
	// Default: 256 MiB.
	Size int64 `json:"size,omitempty"`

	// Name tells several memory stores apart; handlers that give the same name
	// share one. Default: default.
	Name string `json:"name,omitempty"`
}

const defaultMemory = 256 << 20

// CaddyModule returns the Caddy module information.
func (Memory) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "cacheward.stores.memory",
		New: func() caddy.Module { return new(Memory) },
	}
}

// Provision sets the defaults.
func (m *Memory) Provision(caddy.Context) error {
	if m.Size == 0 {
		m.Size = defaultMemory
	}
	if m.Name == "" {
		m.Name = "default"
	}
	return nil
}

// Validate refuses sizes that cannot work.
func (m *Memory) Validate() error {
	if m.Size < 1<<20 {
		return fmt.Errorf("size %d is less than 1 MiB", m.Size)
	}
	return nil
}

// UnmarshalCaddyfile sets the store up from tokens:
//
//	memory [<size>] {
//		size <size>
//		name <name>
//	}
func (m *Memory) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the store's name
	if d.NextArg() {
		if err := m.setSize(d); err != nil {
			return err
		}
		if d.NextArg() {
			return d.ArgErr()
		}
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch d.Val() {
		case "size":
			if m.Size != 0 {
				return d.Err("size is given twice")
			}
			if !d.NextArg() {
				return d.ArgErr()
			}
			if err := m.setSize(d); err != nil {
				return err
			}
		case "name":
			if m.Name != "" {
				return d.Err("name is given twice")
			}
			if !d.AllArgs(&m.Name) {
				return d.ArgErr()
			}
		default:
			return d.Errf("unrecognized subdirective %q; size or name was expected", d.Val())
		}
	}
	return nil
}

func (m *Memory) setSize(d *caddyfile.Dispenser) error {
	size, err := parseSize(d.Val())
	if err != nil {
		return d.Errf("parsing size: %v", err)
	}
	m.Size = size
	return nil
}

// parseSize reads 512MiB, 1GB and the like.
func parseSize(s string) (int64, error) {
	n, err := humanize.ParseBytes(s)
	if err != nil || n == 0 || n > 1<<50 {
		return 0, fmt.Errorf("%q is not a size; 512MiB was expected, or the like", s)
	}
	return int64(n), nil
}

// StoreKey implements [Provider].
func (m *Memory) StoreKey() string { return "memory:" + m.Name }

// OpenStore implements [Provider].
func (m *Memory) OpenStore() (store.Store, error) { return store.NewMemory(m.Size) }

// TuneStore implements [Provider]: a size that changed on a reload takes effect.
func (m *Memory) TuneStore(s store.Store) error {
	memory, ok := s.(*store.Memory)
	if !ok {
		return fmt.Errorf("the open store is a %T", s)
	}
	return memory.SetLimit(m.Size)
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Memory)(nil)
	_ caddy.Validator       = (*Memory)(nil)
	_ caddyfile.Unmarshaler = (*Memory)(nil)
	_ Provider              = (*Memory)(nil)
)
