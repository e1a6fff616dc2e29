package cdn

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// Varnish is a running varnishd in front of one origin.
type Varnish struct {
	// Address is where it listens.
	Address string

	origin, dir string
	loaded      int
}

// StartVarnish runs varnishd on a free port, in front of the origin (host:port). rules
// are subroutines of VCL 4.1, which Varnish runs before its own; without any it obeys
// the origin, keeps silence for two minutes, and passes what has a cookie.
func StartVarnish(t testing.TB, origin, rules string) *Varnish {
	t.Helper()
	program := edge.Need(t, "varnishd", "varnish")
	edge.Need(t, "varnishadm", "varnish")
	addresses := edge.FreeAddresses(t, 1)
	// The working directory has a socket in it, whose path must be short.
	dir, err := os.MkdirTemp("", "vcl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	v := &Varnish{Address: addresses[0], origin: origin, dir: dir}
	// -T none would do without varnishadm; its default is a free port of loopback.
	edge.Start(t, program, dir, addresses, "-F", "-n", filepath.Join(dir, "n"), "-a", v.Address,
		"-f", v.file(t, rules), "-s", "malloc,64m", "-j", "none", "-T", "127.0.0.1:0",
		"-p", "thread_pool_min=5", "-p", "thread_pools=1", "-p", "default_grace=0", "-p", "feature=+http2")
	return v
}

func (v *Varnish) file(t testing.TB, rules string) string {
	t.Helper()
	v.loaded++
	host, port := edge.SplitPort(t, v.origin)
	text := fmt.Sprintf("vcl 4.1;\nbackend default { .host = %q; .port = %q; }\n%s\n", host, port, rules)
	path := filepath.Join(v.dir, fmt.Sprintf("%d.vcl", v.loaded))
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Reload puts other rules in force. What is stored stays.
func (v *Varnish) Reload(t testing.TB, rules string) {
	t.Helper()
	path := v.file(t, rules)
	name := fmt.Sprintf("v%d", v.loaded)
	v.tell(t, "vcl.load", name, path)
	v.tell(t, "vcl.use", name)
}

// Ban drops all that is stored.
func (v *Varnish) Ban(t testing.TB) {
	t.Helper()
	v.tell(t, "ban", "obj.status", "!=", "0")
}

// Set gives one of varnishd's parameters another value.
func (v *Varnish) Set(t testing.TB, parameter, value string) {
	t.Helper()
	v.tell(t, "param.set", parameter, value)
}

func (v *Varnish) tell(t testing.TB, args ...string) {
	t.Helper()
	args = append([]string{"-n", filepath.Join(v.dir, "n")}, args...)
	if out, err := exec.Command("varnishadm", args...).CombinedOutput(); err != nil {
		t.Fatalf("varnishadm %q: %v\n%s", args, err, out)
	}
}
