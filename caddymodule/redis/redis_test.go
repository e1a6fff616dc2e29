package redis

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/store"
	engine "github.com/cacheward/cacheward/caddymodule/store/redis"
	"github.com/cacheward/cacheward/caddymodule/store/redis/redistest"
)

// read reads the store's Caddyfile block.
func read(text string) (*Redis, error) {
	r := new(Redis)
	return r, r.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text))
}

// provisioned is what Caddy makes of the block.
func provisioned(t *testing.T, text string) (*Redis, error) {
	t.Helper()
	r, err := read(text)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	if err := r.Provision(ctx); err != nil {
		return r, err
	}
	return r, r.Validate()
}

// TestEveryOption: the Caddyfile sets every member that JSON has, and JSON decodes into the
// same.
func TestEveryOption(t *testing.T) {
	r, err := read(`redis 10.0.0.1:6379 10.0.0.2:6379 {
		memory 512MiB
		namespace shop
		username cacheward
		password {env.REDIS_PASSWORD}
		database 2
		sentinel mymaster
		tls redis.example {
			ca ca.pem
			certificate cert.pem key.pem
		}
		edge {env.HOSTNAME}
		lease 2s
		on_partition serve
		timeout 100ms
		compress
		piece 1MiB
	}`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
	"addresses": [
		"10.0.0.1:6379",
		"10.0.0.2:6379"
	],
	"memory": 536870912,
	"namespace": "shop",
	"username": "cacheward",
	"password": "{env.REDIS_PASSWORD}",
	"database": 2,
	"sentinel": "mymaster",
	"tls": {
		"server_name": "redis.example",
		"ca": "ca.pem",
		"certificate": "cert.pem",
		"key": "key.pem"
	},
	"edge": "{env.HOSTNAME}",
	"lease": 2000000000,
	"on_partition": "serve",
	"timeout": 100000000,
	"compress": true,
	"piece": 1048576
}`
	if string(got) != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	var back Redis
	if err := caddy.StrictUnmarshalJSON(got, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.MarshalIndent(&back, "", "\t")
	if err != nil || !bytes.Equal(again, got) {
		t.Errorf("JSON came back as %s, %v", again, err)
	}
}

func TestCaddyfileErrors(t *testing.T) {
	for text, want := range map[string]string{
		"redis":                                       "an address was expected",
		"redis a:1 {\n lease 1s\n lease 2s\n}":        "lease is given twice",
		"redis a:1 {\n lease soon\n}":                 `"soon" is not a duration`,
		"redis a:1 {\n timeout -1s\n}":                `"-1s" is not a duration`,
		"redis a:1 {\n memory lots\n}":                `"lots" is not a size`,
		"redis a:1 {\n piece\n}":                      "wrong argument count",
		"redis a:1 {\n database x\n}":                 `"x" is not a number`,
		"redis a:1 {\n namespace a b\n}":              "wrong argument count",
		"redis a:1 {\n compress yes\n}":               "wrong argument count",
		"redis a:1 {\n on_partition panic\n}":         "bypass or serve was expected",
		"redis a:1 {\n size 1MiB\n}":                  `unrecognized subdirective "size"; memory, namespace`,
		"redis a:1 {\n tls a b\n}":                    "wrong argument count",
		"redis a:1 {\n tls a {\n server_name b\n}\n}": "server_name is given twice",
		"redis a:1 {\n tls {\n certificate a\n}\n}":   "the file of its key",
		"redis a:1 {\n tls {\n verify no\n}\n}":       `unrecognized subdirective "verify" of tls`,
		"redis a:1 {\n tls {\n ca a\n ca b\n}\n}":     "tls ca is given twice",
	} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestDefaults(t *testing.T) {
	r, err := provisioned(t, "redis 127.0.0.1:6379")
	if err != nil {
		t.Fatal(err)
	}
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if o := r.options; o.Memory != 256<<20 || o.Namespace != "cacheward" || o.Lease != 3*time.Second || o.ServeAlone ||
		o.Timeout != 250*time.Millisecond || o.Piece != 512<<10 || o.Edge != name || o.TLS != nil || o.Compress {
		t.Errorf("defaults: %+v", o)
	}
}

func TestProvision(t *testing.T) {
	t.Setenv("CACHEWARD_TEST_PASSWORD", "open sesame")
	t.Setenv("CACHEWARD_TEST_HOST", "10.1.1.1")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := provisioned(t, "redis {env.CACHEWARD_TEST_HOST}:6379 {\n password {env.CACHEWARD_TEST_PASSWORD}\n edge x-{env.CACHEWARD_TEST_HOST}\n tls redis.example\n}")
	if err != nil {
		t.Fatal(err)
	}
	if o := r.options; o.Password != "open sesame" || o.Addresses[0] != "10.1.1.1:6379" || o.Edge != "x-10.1.1.1" ||
		o.TLS == nil || o.TLS.ServerName != "redis.example" {
		t.Errorf("provisioned: %+v", o)
	}
	if key := r.StoreKey(); strings.Contains(key, "sesame") || !strings.HasPrefix(key, "redis:cacheward ") || !strings.Contains(key, "10.1.1.1:6379") {
		t.Errorf("StoreKey = %q", key)
	}
	for text, want := range map[string]string{
		"redis {env.CACHEWARD_TEST_NONE}:6379":                    "CACHEWARD_TEST_NONE",
		"redis a:1 {\n password {env.CACHEWARD_TEST_NONE}\n}":     "CACHEWARD_TEST_NONE",
		"redis a:1 {\n edge {env.CACHEWARD_TEST_NONE}\n}":         "CACHEWARD_TEST_NONE",
		"redis a:1 {\n tls {\n ca /nowhere.pem\n}\n}":             "/nowhere.pem",
		"redis a:1 {\n tls {\n ca " + empty + "\n}\n}":            "no certificate",
		"redis a:1 {\n tls {\n certificate /no.pem /no.key\n}\n}": "/no.pem",
		"redis a:1 {\n lease 100ms\n}":                            "lease is 100ms",
		"redis a:1 {\n lease 2m\n}":                               "lease is 2m",
		"redis a:1 {\n lease 400ms\n timeout 200ms\n}":            "less than half of the lease",
		"redis a:1 {\n namespace {x}\n}":                          "namespace",
		"redis a:1 {\n memory 1KiB\n}":                            "less than 1 MiB",
		"redis a:1 {\n piece 1KiB\n}":                             "piece is 1024 bytes",
	} {
		if _, err := provisioned(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	wrong := &Redis{Addresses: []string{"a:1"}, TLS: &TLS{Certificate: "a"}}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	if err := wrong.Provision(ctx); err == nil || !strings.Contains(err.Error(), "together") {
		t.Errorf("a certificate without a key: %v", err)
	}
}

// TestOpen: what is configured is what is opened, and tuned by a reload.
func TestOpen(t *testing.T) {
	server := redistest.Start(t)
	r, err := provisioned(t, "redis "+server.Addr+" {\n edge one\n on_partition serve\n memory 2MiB\n}")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := r.OpenStore()
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	s := opened.(*engine.Store)
	if s.Fleet().Edge != "one" || s.OnPartition() != control.OnPartitionServe || s.Stats().Limit != 2<<20 {
		t.Errorf("opened: %+v, %+v", s.Fleet(), s.Stats())
	}
	r.Memory = 3 << 20
	if err := r.TuneStore(opened); err != nil || s.Stats().Limit != 3<<20 {
		t.Errorf("tuned to %d, %v", s.Stats().Limit, err)
	}
	memory, err := store.NewMemory(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	if err := r.TuneStore(memory); err == nil {
		t.Error("another kind of store was tuned")
	}
}
