package caddymodule

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/zeebo/blake3"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("cacheward", parseCaddyfile)
	// Before invoke: after authentication and request_header, inside encode and
	// templates, and before everything that answers.
	httpcaddyfile.RegisterDirectiveOrder("cacheward", httpcaddyfile.Before, "invoke")
}

func parseCaddyfile(helper httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h := new(Handler)
	files, _ := helper.State["cacheward.files"].(map[string][]string)
	if files == nil {
		files = make(map[string][]string)
		helper.State["cacheward.files"] = files
	}
	if err := h.unmarshal(helper.Dispenser, newColumns(files)); err != nil {
		return nil, err
	}
	// One number for each directive of the file, in its order; see App.
	n, _ := helper.State["cacheward.instance"].(int)
	helper.State["cacheward.instance"] = n + 1
	h.Instance = n + 1
	if helper.IsNamedRoute() {
		h.Instance = -h.Instance // named routes are counted apart
	}
	return h, nil
}

// UnmarshalCaddyfile sets the handler up from tokens:
//
//	cacheward [<matcher>] {
//		id      <name>
//		policy  <file>
//		store   <name> ...
//		encode  <coding> ...|off
//		limits {
//			max_object   <size>
//			fill_memory  <size>
//			max_fills    <n>
//			max_waiters  <n>
//			wait         <duration>
//			fill_timeout <duration>
//		}
//		audit {
//			serves  all|none|<percent>%
//			full    drop|wait
//			queue   <n>
//			visitor off
//			visitor {
//				cookie <name> ...
//				rotate <duration>
//			}
//		}
//		# and the policy itself, as policies/REFERENCE.md has it:
//		mode      enforce|observe
//		default   never|origin
//		ambiguous bypass|deny
//		on_leak   trip|warn
//		identity { ... }
//		downstream { ... }
//		route <name> { ... }
//	}
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return h.unmarshal(d, newColumns(make(map[string][]string)))
}

func (h *Handler) unmarshal(d *caddyfile.Dispenser, source columns) error {
	d.Next() // directive name
	if d.NextArg() {
		return d.ArgErr()
	}
	var inline []policies.Token
	seen := make(map[string]bool)
	for d.NextBlock(0) {
		name := d.Val()
		own := map[string]func(*caddyfile.Dispenser) error{
			"id":     h.unmarshalID,
			"policy": h.unmarshalPolicyFile,
			"store":  h.unmarshalStore,
			"encode": h.unmarshalEncode,
			"limits": h.unmarshalLimits,
			"audit":  h.unmarshalAudit,
		}[name]
		if own == nil {
			if !slices.Contains(policyWords, name) {
				return d.Errf("unrecognized subdirective %q; id, policy, store, encode, limits, audit or a word of the policy (%s) was expected",
					name, strings.Join(policyWords, ", "))
			}
			inline = appendTokens(inline, d.NextSegment(), source)
			continue
		}
		if seen[name] {
			return d.Errf("%s is given twice", name)
		}
		seen[name] = true
		if err := own(d); err != nil {
			return err
		}
	}
	if len(inline) == 0 {
		return nil
	}
	policy, err := policies.ParseTokens(inline)
	if err != nil {
		return err // it has its own places
	}
	h.Policy = policy
	return policy.Validate()
}

// policyWords may begin a line of the policy.
var policyWords = []string{"version", "mode", "default", "ambiguous", "on_leak", "identity", "downstream", "route"}

// appendTokens hands a segment on to the policy's own reader. Only the Dispenser
// can tell lines apart when snippets are imported, so its word counts.
func appendTokens(tokens []policies.Token, segment caddyfile.Segment, source columns) []policies.Token {
	d := caddyfile.NewDispenser(segment)
	for {
		sameLine := d.NextArg()
		if !sameLine && !d.Next() {
			return tokens
		}
		t := d.Token()
		tokens = append(tokens, policies.Token{
			File: t.File, Line: t.Line, Column: source.find(t), Text: t.Text, Quoted: t.Quoted(),
			NewLine: !sameLine && t.Text != "{",
		})
	}
}

func (h *Handler) unmarshalID(d *caddyfile.Dispenser) error {
	if !d.AllArgs(&h.ID) {
		return d.ArgErr()
	}
	if h.ID == "" {
		return d.Err("the id is empty; leave it out, or name the handler")
	}
	return nil
}

// unmarshalPolicyFile resolves the file's name against the Caddyfile's folder, as
// import does, and notes its digest: an edited policy is an edited config. The
// path is absolute, because who loads the config may run in another folder.
func (h *Handler) unmarshalPolicyFile(d *caddyfile.Dispenser) error {
	var name string
	if !d.AllArgs(&name) {
		return d.ArgErr()
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(d.File()), name)
	}
	name, err := filepath.Abs(name)
	if err != nil {
		return d.Errf("reading the policy file: %v", err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return d.Errf("reading the policy file: %v", err)
	}
	// Provision reads the file again. To read the policy here as well tells whoever adapts a
	// config what is wrong with the policy, and nothing else besides.
	if policy, err := policyFiles.parse(name, data); err != nil {
		return err
	} else if err := policy.Validate(); err != nil {
		return err
	}
	sum := blake3.Sum256(data)
	h.PolicyFile, h.PolicyDigest = name, hex.EncodeToString(sum[:16])
	return nil
}

func (h *Handler) unmarshalStore(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	name := d.Val()
	module, err := caddyfile.UnmarshalModule(d, "cacheward.stores."+name)
	if err != nil {
		return err
	}
	provider, ok := module.(Provider)
	if !ok {
		return d.Errf("module cacheward.stores.%s is no store", name)
	}
	h.StoreRaw = caddyconfig.JSONModuleObject(provider, "backend", name, nil)
	return nil
}

func (h *Handler) unmarshalEncode(d *caddyfile.Dispenser) error {
	h.Encode = d.RemainingArgs()
	if len(h.Encode) == 0 {
		return d.ArgErr()
	}
	if err := checkEncode(h.Encode); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (h *Handler) unmarshalLimits(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	h.Limits = new(Limits)
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		var value string
		if !d.AllArgs(&value) {
			return d.ArgErr()
		}
		if seen[name] {
			return d.Errf("%s is given twice", name)
		}
		seen[name] = true
		var err error
		switch name {
		case "max_object":
			h.Limits.MaxObject, err = parseSize(value)
		case "fill_memory":
			h.Limits.FillMemory, err = parseSize(value)
		case "max_fills":
			h.Limits.MaxFills, err = parseCount(value)
		case "max_waiters":
			h.Limits.MaxWaiters, err = parseCount(value)
		case "wait":
			h.Limits.Wait, err = parseDuration(value)
		case "fill_timeout":
			h.Limits.FillTimeout, err = parseDuration(value)
		default:
			return d.Errf("unrecognized limit %q; max_object, fill_memory, max_fills, max_waiters, wait or fill_timeout was expected", name)
		}
		if err != nil {
			return d.Errf("parsing %s %q: %v", name, value, err)
		}
	}
	return nil
}

func parseDuration(s string) (caddy.Duration, error) {
	d, err := caddy.ParseDuration(s)
	if err == nil && d <= 0 {
		err = errors.New("a positive duration was expected")
	}
	return caddy.Duration(d), err
}

func parseCount(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n <= 0 {
		return 0, errors.New("a positive number was expected")
	}
	return n, nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
