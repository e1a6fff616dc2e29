package redis

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// TestReadme: the README names every option, and no other, and its defaults are those.
func TestReadme(t *testing.T) {
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(data), "store redis 127.0.0.1:6379 [more addresses] {\n")
	block, _, ended := strings.Cut(block, "\n}")
	if !found || !ended {
		t.Fatal("the README has no block of options")
	}
	values := make(map[string]string)
	var names []string
	for _, line := range strings.Split(block, "\n") {
		line, _, _ = strings.Cut(line, "#")
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		names, values[name] = append(names, name), strings.TrimSpace(value)
	}
	// The options are those that an unknown one is answered with.
	err = new(Redis).UnmarshalCaddyfile(caddyfile.NewTestDispenser("redis a:1 {\n\tunknown\n}"))
	if err == nil {
		t.Fatal("an unknown option is taken")
	}
	_, list, _ := strings.Cut(err.Error(), "; ")
	list, _, _ = strings.Cut(list, " was expected")
	known := regexp.MustCompile(`, | or `).Split(list, -1)
	slices.Sort(names)
	slices.Sort(known)
	if !slices.Equal(names, known) {
		t.Errorf("the README has %q, the module %q", names, known)
	}
	r := new(Redis)
	text := "redis a:1 {\n"
	for _, name := range []string{"memory", "namespace", "database", "lease", "on_partition", "timeout", "piece"} {
		text += "\t" + name + " " + values[name] + "\n"
	}
	if err := r.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text + "}")); err != nil {
		t.Fatal(err)
	}
	bare, err := provisioned(t, "redis a:1")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		got, usual any
	}{
		{"memory", r.Memory, bare.Memory}, {"namespace", r.Namespace, bare.Namespace}, {"database", r.Database, bare.Database},
		{"lease", r.Lease, bare.Lease}, {"on_partition", r.OnPartition, bare.OnPartition}, {"timeout", r.Timeout, bare.Timeout}, {"piece", r.Piece, bare.Piece},
	} {
		if c.got != c.usual {
			t.Errorf("%s is %v in the README; the default is %v", c.name, c.got, c.usual)
		}
	}
}
