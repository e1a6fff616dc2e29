// Package redis is the Caddy module cacheward.stores.redis: several edges that share a
// Redis or Valkey. It is apart from the other modules so that a build without it carries no
// Redis code.
package redis

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/cacheward/cacheward/caddymodule"
	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/store"
	engine "github.com/cacheward/cacheward/caddymodule/store/redis"
)

func init() {
	caddy.RegisterModule(Redis{})
}

// Redis keeps objects in memory and, for all edges that name the same one, in a Redis or
// Valkey (7 or later). What one of these edges purges or trips, all do. An edge that does
// not hear from Redis serves nothing that is stored, unless on_partition says otherwise.
type Redis struct {
	// Addresses are host and port of the server; of some nodes of a cluster; or, with
	// sentinel, of the Sentinels. Placeholders such as {env.REDIS} are replaced.
	Addresses []string `json:"addresses,omitempty"`

	// Memory is the size of this edge's own memory, in which it looks first, in bytes.
	// Default: 256 MiB.
	Memory int64 `json:"memory,omitempty"`

	// Namespace tells apart the sites or products that share a Redis. Default: cacheward.
	Namespace string `json:"namespace,omitempty"`

	// Username and Password are those of an ACL user of Redis. Placeholders are replaced.
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`

	// Database is the number of the database; a cluster has only 0. Default: 0.
	Database int `json:"database,omitempty"`

	// Sentinel is the name of the master that the Sentinels watch. Default: no Sentinels.
	Sentinel string `json:"sentinel,omitempty"`

	// TLS, if given, has all connections encrypted, and the server's name verified.
	TLS *TLS `json:"tls,omitempty"`

	// Edge is the name of this edge, unique in the fleet. Placeholders are replaced.
	// Default: the machine's name.
	Edge string `json:"edge,omitempty"`

	// Lease is for how long this edge serves what is stored after it last heard from Redis.
	// It is the same for all edges. Default: 3s.
	Lease caddy.Duration `json:"lease,omitempty"`

	// OnPartition is what this edge does when its lease is over. With bypass it serves
	// nothing that is stored until it hears from Redis again; with serve it goes on with
	// what it has in memory, although that may have been purged meanwhile. Default: bypass.
	OnPartition string `json:"on_partition,omitempty"`

	// Timeout is for how long one call of Redis may take. Default: 250ms.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// Compress has bodies compressed in Redis, with zstd. Default: false.
	Compress bool `json:"compress,omitempty"`

	// Piece is the size of the values in which a body is kept in Redis, in bytes. Default:
	// 512 KiB.
	Piece int64 `json:"piece,omitempty"`

	options engine.Options
	logger  *zap.Logger
}

// TLS says how Redis is reached with TLS.
type TLS struct {
	// ServerName is the name in the server's certificate. Default: the host of the address.
	ServerName string `json:"server_name,omitempty"`
	// CA is a file of certificates, in PEM, one of which has signed the server's. Default:
	// those that the system trusts.
	CA string `json:"ca,omitempty"`
	// Certificate and Key are files, in PEM, of what this edge shows to the server.
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`
}

const (
	bypass = "bypass"
	serve  = "serve"
)

// CaddyModule returns the Caddy module information.
func (Redis) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "cacheward.stores.redis",
		New: func() caddy.Module { return new(Redis) },
	}
}

// Provision sets the defaults, replaces placeholders and reads the files.
func (r *Redis) Provision(ctx caddy.Context) error {
	r.logger = ctx.Logger()
	if r.Memory == 0 {
		r.Memory = engine.DefaultMemory
	}
	if r.Namespace == "" {
		r.Namespace = engine.DefaultNamespace
	}
	if r.Lease == 0 {
		r.Lease = caddy.Duration(fleet.DefaultLease)
	}
	if r.OnPartition == "" {
		r.OnPartition = bypass
	}
	if r.Timeout == 0 {
		r.Timeout = caddy.Duration(engine.DefaultTimeout)
	}
	if r.Piece == 0 {
		r.Piece = engine.DefaultPiece
	}
	repl := caddy.NewReplacer()
	var wrong []error
	replace := func(what, text string) string {
		replaced, err := repl.ReplaceOrErr(text, true, true)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", what, err))
		}
		return replaced
	}
	addresses := make([]string, len(r.Addresses))
	for i, address := range r.Addresses {
		addresses[i] = replace("address", address)
	}
	edge, err := replace("edge", r.Edge), error(nil)
	if r.Edge == "" {
		if edge, err = os.Hostname(); err != nil {
			return fmt.Errorf("edge: the machine has no name, so one has to be given: %w", err)
		}
	}
	r.options = engine.Options{
		Addresses: addresses,
		Username:  replace("username", r.Username),
		Password:  replace("password", r.Password),
		Database:  r.Database,
		Sentinel:  r.Sentinel,
		Namespace: r.Namespace,
		Edge:      edge,
		Lease:     time.Duration(r.Lease), ServeAlone: r.OnPartition == serve,
		Timeout: time.Duration(r.Timeout),
		Memory:  r.Memory, Compress: r.Compress, Piece: int(r.Piece),
		Changed: r.changed,
	}
	if r.TLS != nil {
		if r.options.TLS, err = r.TLS.config(replace); err != nil {
			wrong = append(wrong, err)
		}
	}
	return errors.Join(wrong...)
}

// config reads the files.
func (t *TLS) config(replace func(what, text string) string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: replace("server_name", t.ServerName)}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls ca: %s holds no certificate in PEM", t.CA)
		}
	}
	if t.Certificate != "" || t.Key != "" {
		if t.Certificate == "" || t.Key == "" {
			return nil, fmt.Errorf("tls: certificate and key are given together, or neither")
		}
		certificate, err := tls.LoadX509KeyPair(t.Certificate, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, nil
}

// Validate refuses what cannot work.
func (r *Redis) Validate() error {
	if r.OnPartition != bypass && r.OnPartition != serve {
		return fmt.Errorf("on_partition is %q; %s or %s was expected", r.OnPartition, bypass, serve)
	}
	if r.Memory < 1<<20 {
		return fmt.Errorf("memory %d is less than 1 MiB", r.Memory)
	}
	if r.Edge != "" && strings.TrimSpace(r.options.Edge) == "" {
		return fmt.Errorf("edge %q is empty once placeholders are replaced; a name was expected", r.Edge)
	}
	return r.options.Check()
}

// changed tells the log what ops should know.
func (r *Redis) changed(trusted bool, problem string) {
	fields := []zap.Field{zap.String("edge", r.options.Edge), zap.String("namespace", r.Namespace)}
	switch {
	case trusted:
		r.logger.Info("this edge hears from Redis: what is stored is served", fields...)
	case r.options.ServeAlone:
		r.logger.Error("this edge does not hear from Redis: it serves what it has in memory, which others may have purged",
			append(fields, zap.String("problem", problem))...)
	default:
		r.logger.Error("this edge does not hear from Redis: nothing stored is served until it does",
			append(fields, zap.String("problem", problem))...)
	}
}

// StoreKey implements [caddymodule.Provider]. All that [Redis.TuneStore] cannot change makes
// another store of it, so that a reload that changes, say, the lease is not in vain.
func (r *Redis) StoreKey() string {
	o := &r.options
	rest := fmt.Sprintf("%d %q %s %t %s %t %d %+v", o.Database, o.Sentinel, o.Lease, o.ServeAlone, o.Timeout, o.Compress, o.Piece, r.TLS)
	sum := sha256.Sum256([]byte(rest))
	return fmt.Sprintf("redis:%s at %s as %s (%x)", o.Namespace, strings.Join(o.Addresses, ","), o.Edge, sum[:4])
}

// OpenStore implements [caddymodule.Provider].
func (r *Redis) OpenStore() (store.Store, error) {
	s, err := engine.Open(r.options)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// TuneStore implements [caddymodule.Provider]: the size of the memory and the credentials that
// changed on a reload take effect.
func (r *Redis) TuneStore(s store.Store) error {
	redis, ok := s.(*engine.Store)
	if !ok {
		return fmt.Errorf("the open store is a %T", s)
	}
	redis.SetCredentials(r.options.Username, r.options.Password)
	return redis.SetLimit(r.Memory)
}

// Interface guards
var (
	_ caddy.Provisioner    = (*Redis)(nil)
	_ caddy.Validator      = (*Redis)(nil)
	_ caddymodule.Provider = (*Redis)(nil)
	// A store that were none would be taken for one of an edge that is alone.
	_ caddymodule.Fleet = (*engine.Store)(nil)
)
