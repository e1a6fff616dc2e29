package caddymodule

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cacheward/cacheward/caddymodule/control"
)

// TestPeersOptions: what is written is what is meant, and what cannot work is refused with what
// would be right.
func TestPeersOptions(t *testing.T) {
	provisioned := func(text string) (*Peers, error) {
		p := new(Peers)
		if err := p.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text)); err != nil {
			return nil, err
		}
		ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
		t.Cleanup(cancel)
		if err := p.Provision(ctx); err != nil {
			return nil, err
		}
		return p, p.Validate()
	}
	p, err := provisioned("peers http://10.0.0.2:2019/ https://b.example {\n\tmemory 512MiB\n\tedge here\n\tlease 5s\n\ton_partition serve\n}")
	if err != nil {
		t.Fatal(err)
	}
	if p.Memory != 512<<20 || p.edge != "here" || time.Duration(p.Lease) != 5*time.Second || p.OnPartition != control.OnPartitionServe ||
		strings.Join(p.urls, " ") != "http://10.0.0.2:2019 https://b.example" {
		t.Errorf("got %+v", p)
	}
	if p, err = provisioned("peers http://10.0.0.2:2019"); err != nil || p.Memory != defaultMemory || p.OnPartition != control.OnPartitionBypass || p.edge == "" {
		t.Errorf("the defaults are %+v, %v", p, err)
	}
	for text, want := range map[string]string{
		"peers":                                            "no peer is given",
		"peers 10.0.0.2:2019":                              "the URL of an admin endpoint was expected",
		"peers http://10.0.0.2:2019/config":                "the URL of an admin endpoint was expected",
		"peers http://a:2019 {\n\tlease 1h\n}":             "300ms to 1m was expected",
		"peers http://a:2019 {\n\tlease soon\n}":           "parsing lease",
		"peers http://a:2019 {\n\tmemory 1KiB\n}":          "less than 1 MiB",
		"peers http://a:2019 {\n\ton_partition stop\n}":    "bypass or serve was expected",
		"peers http://a:2019 {\n\tedge\n}":                 "wrong argument count",
		"peers http://a:2019 {\n\tedge a\n\tedge b\n}":     "given twice",
		"peers http://a:2019 {\n\tsecret x\n}":             "memory, edge, lease or on_partition was expected",
		"peers http://a:2019 {\n\tedge {env.NO_SUCH_V}\n}": "edge",
	} {
		if _, err := provisioned(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
