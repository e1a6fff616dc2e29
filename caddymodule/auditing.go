package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// Audit says what is recorded. The records go to Caddy's log under the name
// http.handlers.cacheward.audit, which a `log` option can send to a file.
type Audit struct {
	// Serves is how many of the hits are recorded: all, none, or a percentage
	// (5%). Everything else always is. Default: all.
	Serves audit.Sampling `json:"serves,omitzero"`
	// Full says what happens when records come faster than the log takes them: drop
	// loses records, counts them and says so in the log; wait has requests wait, for
	// those who must lose none. Default: drop.
	Full audit.Full `json:"full,omitzero"`
	// Queue is how many records may be on their way into the log. Default: 8192.
	Queue int `json:"queue,omitempty"`
	// Visitor says what a visitor's pseudonym is made of.
	Visitor *Visitor `json:"visitor,omitempty"`
}

// Visitor says what a visitor's pseudonym in the records is made of: the address that
// Caddy takes for the client's (see trusted_proxies), and the cookies that are named.
// The key is kept in Caddy's storage, and only the current one.
type Visitor struct {
	// Off leaves pseudonyms out of the records.
	Off bool `json:"off,omitempty"`
	// Cookies are exact names of cookies that tell visitors at one address apart.
	Cookies []string `json:"cookies,omitempty"`
	// Rotate is for how long a visitor has the same pseudonym, at least 1h. A new key
	// begins at multiples of it in UTC. Default: 24h.
	Rotate caddy.Duration `json:"rotate,omitempty"`
}

const (
	defaultRotation  = 24 * time.Hour
	shortestRotation = time.Hour
	longestRotation  = 366 * 24 * time.Hour
	mostAuditQueue   = 1 << 20
)

// provisionAudit opens the log of the records.
func (h *Handler) provisionAudit(ctx caddy.Context) error {
	if h.Audit != nil {
		h.auditOptions = *h.Audit
	}
	o := &h.auditOptions
	visitor := Visitor{}
	if o.Visitor != nil {
		visitor = *o.Visitor
	}
	rotate := time.Duration(visitor.Rotate)
	if rotate == 0 {
		rotate = defaultRotation
	}
	switch {
	case o.Queue < 0 || o.Queue > mostAuditQueue:
		return fmt.Errorf("audit: queue is %d; a number up to %d was expected", o.Queue, mostAuditQueue)
	case rotate < shortestRotation || rotate > longestRotation:
		return fmt.Errorf("audit: visitor: rotate is %s; 1h to 366d was expected", rotate)
	case visitor.Off && len(visitor.Cookies) > 0:
		return errors.New("audit: visitor: cookies are named, but pseudonyms are off; leave one of the two out")
	}
	h.visitor = visitor
	keys, err := h.openKeys(ctx, rotate)
	if err != nil {
		return err
	}
	h.audit = audit.New(h.logger.Named("audit"), audit.Options{Serves: o.Serves, Keys: keys, Room: o.Queue, Full: o.Full, Edge: h.shared.edge()})
	return nil
}

// closeAudit writes what is left of the records. Where the log hangs they are lost: no
// configuration must stay for that.
func (h *Handler) closeAudit() {
	if h.audit != nil {
		h.inTime(h.audit.Close)
	}
}

// keyrings holds the keys of the pseudonyms, by how often they change, so that they
// survive reloads.
var keyrings = caddy.NewUsagePool()

type keyring struct{ *audit.Keys }

// Destruct implements caddy.Destructor.
func (keyring) Destruct() error { return nil }

func (h *Handler) openKeys(ctx caddy.Context, rotate time.Duration) (*audit.Keys, error) {
	name := rotate.String()
	logger := h.logger
	loaded, _, err := keyrings.LoadOrNew(name, func() (caddy.Destructor, error) {
		v := vault{ctx.Storage(), "cacheward/visitor_key_" + name + ".json"}
		return keyring{audit.NewKeys(v, rotate, func(err error) {
			logger.Warn("the key of the visitors' pseudonyms", zap.Error(err))
		})}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("audit: the key of the pseudonyms: %w", err)
	}
	h.keyringName = name
	keys := loaded.(keyring).Keys
	// Not before: a configuration that is only validated must not write to the storage,
	// least of all as a user whose files the proxy cannot read.
	h.others.inCharge(func() error {
		keys.Open()
		return nil
	})
	return keys, nil
}

func (h *Handler) closeKeys() error {
	if h.keyringName == "" {
		return nil
	}
	_, err := keyrings.Delete(h.keyringName)
	h.keyringName = ""
	return err
}

// vault keeps a key in Caddy's storage.
type vault struct {
	storage certmagic.Storage
	name    string
}

// Load implements audit.Vault.
func (v vault) Load() ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), storageTime)
	defer cancel()
	data, err := v.storage.Load(ctx, v.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// Save implements audit.Vault.
func (v vault) Save(data []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), storageTime)
	defer cancel()
	return v.storage.Store(ctx, v.name, data)
}

// identify notes in the record what the visitor's pseudonym is made of.
func (x *exchange) identify(rec *audit.Record) {
	v := &x.h.visitor
	if v.Off {
		return
	}
	rec.Address, _ = x.vars[caddyhttp.ClientIPVarKey].(string)
	if rec.Address == "" {
		rec.Address = hostOf(x.r.RemoteAddr)
	}
	if len(v.Cookies) > 0 {
		rec.Marks = marks(x.r, v.Cookies)
	}
}

// maxMarks bounds what a record keeps of the cookies while it waits, in bytes: who sends
// more, over and over, must not fill the memory with it.
const maxMarks = 4 << 10

// marks are the chosen cookies of a request, each with its name, as far as there is room.
func marks(r *http.Request, names []string) string {
	var b []byte
	for _, name := range names {
		for _, c := range r.CookiesNamed(name) {
			if b = append(append(append(append(b, name...), 0), c.Value...), 0); len(b) > maxMarks {
				return string(b[:maxMarks])
			}
		}
	}
	return string(b)
}

// watchStore records what the store drops of its own accord. It is called under locks
// of the store, so it never waits.
func (h *Handler) watchStore() {
	h.follow()
	log := h.audit
	h.shared.store.Watch(func(o *store.Object, why store.DropCause) {
		rec := audit.Record{Event: audit.EventExpire, Route: o.Route, Object: o.ID, Size: int64(len(o.Body))}
		if why == store.DropEvicted {
			rec.Event = audit.EventEvict
		}
		now := time.Now()
		rec.TTL, rec.Age = o.TTL(now), o.Age(now)
		rec.Key = keyOf(o)
		log.Offer(&rec, nil)
	})
}

// keyOf is the key of the object's page, also where it is one of several variants.
func keyOf(o *store.Object) store.Key {
	if o.Selecting == nil {
		return o.Key
	}
	return policies.Digest([]byte(o.Parts))
}
