package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/integration/edge"
)

// proxySetup is what tests of operating a proxy set it up with.
type proxySetup struct {
	origin string // host:port
	policy string // the inside of the cacheward block
	// before are directives that come before cacheward.
	before string
	// roll is what the audit log's writer is told of rolling.
	roll string
	// logs are further log options.
	logs string
}

// proxy is the binary, running with a storage, an admin endpoint and an audit log of
// its own.
type proxy struct {
	t                testing.TB
	dir, config, log string
	site, admin      string
	process          *os.Process
	setup            proxySetup
}

const proxyCaddyfile = `{
	admin %[1]s
	storage file_system %[2]s/storage
	persist_config off
	auto_https off
	grace_period 2s
	servers {
		trusted_proxies static 127.0.0.1/8
	}
	log {
		level ERROR
	}
	log audit {
		output file %[2]s/log/audit.log {
			%[3]s
		}
		format json
		include http.handlers.cacheward.audit
	}
%[4]s
}
http://:%[5]s {
	bind 127.0.0.1
%[6]s
	cacheward {
%[7]s
	}
	reverse_proxy %[8]s
}
`

// startProxy runs the binary until the test ends.
func startProxy(t testing.TB, s proxySetup) *proxy {
	t.Helper()
	addresses := edge.FreeAddresses(t, 2)
	dir := t.TempDir()
	p := &proxy{
		t: t, dir: dir, config: filepath.Join(dir, "Caddyfile"), log: filepath.Join(dir, "log", "audit.log"),
		site: addresses[0], admin: addresses[1], setup: s,
	}
	p.configure()
	p.start()
	return p
}

// configure writes the Caddyfile.
func (p *proxy) configure() {
	p.t.Helper()
	_, port, _ := strings.Cut(p.site, ":")
	if p.setup.roll == "" {
		p.setup.roll = "roll_disabled"
	}
	text := fmt.Sprintf(proxyCaddyfile, p.admin, p.dir, p.setup.roll, p.setup.logs, port, p.setup.before, p.setup.policy, p.setup.origin)
	if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// start starts it, or starts it again.
func (p *proxy) start() {
	p.t.Helper()
	p.process = edge.Start(p.t, binary, p.dir, []string{p.site, p.admin}, "run", "--config", p.config, "--adapter", "caddyfile")
}

// end ends the process with a signal, and waits for that.
func (p *proxy) end(signal os.Signal) {
	p.t.Helper()
	if err := p.process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
	edge.Eventually(p.t, "the end of the process", func() bool { return p.process.Signal(syscall.Signal(0)) != nil })
}

func (p *proxy) url(path string) string { return "http://" + p.site + path }

// run runs a verb that asks the proxy.
func (p *proxy) run(t *testing.T, verb string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return command(t, append([]string{verb, "--address", p.admin}, args...)...)
}

// must is run where it has to be done.
func (p *proxy) must(t *testing.T, verb string, args ...string) string {
	t.Helper()
	stdout, stderr, code := p.run(t, verb, args...)
	if code != 0 {
		t.Fatalf("cacheward %s %q: exit %d\n%s%s", verb, args, code, stdout, stderr)
	}
	return stdout
}

// reload has the proxy take the Caddyfile again.
func (p *proxy) reload(t *testing.T) {
	t.Helper()
	if _, stderr, code := command(t, "reload", "--force", "--config", p.config, "--adapter", "caddyfile"); code != 0 {
		t.Fatalf("reload: exit %d\n%s", code, stderr)
	}
}

// status is the state of the proxy, and the exit code of the command.
func (p *proxy) status(t *testing.T) (control.Status, int) {
	t.Helper()
	stdout, stderr, code := p.run(t, "status", "--format", "json")
	if code == 2 {
		t.Fatalf("status: %s", stderr)
	}
	return decode[control.Status](t, stdout), code
}

// settled waits until all records are in the log.
func (p *proxy) settled(t *testing.T) {
	t.Helper()
	edge.Eventually(t, "an empty queue of records", func() bool {
		status, _ := p.status(t)
		for _, h := range status.Handlers {
			if h.Audit.Queued > 0 {
				return false
			}
		}
		return true
	})
}

// audit asks a question of the log.
func (p *proxy) audit(t *testing.T, verb string, args ...string) (stdout, stderr string) {
	t.Helper()
	stdout, stderr, code := command(t, append([]string{"audit", verb}, args...)...)
	if code != 0 {
		t.Fatalf("audit %s %q: exit %d\n%s%s", verb, args, code, stdout, stderr)
	}
	return stdout, stderr
}

func decode[T any](t testing.TB, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return v
}

// operation is a line of the audit log, as tests of operating a proxy look at it.
type operation struct {
	Time    float64  `json:"ts"`
	Event   string   `json:"event"`
	Route   string   `json:"route"`
	Outcome string   `json:"outcome"`
	URL     string   `json:"url"`
	Object  string   `json:"object"`
	Visitor string   `json:"visitor"`
	By      string   `json:"by"`
	Why     string   `json:"why"`
	Scope   string   `json:"scope"`
	Removed int      `json:"removed"`
	Records int      `json:"records"`
	Reasons []string `json:"reasons"`
}

// operations reads the audit log as it is now. A last line without an end is left out.
func (p *proxy) operations(t *testing.T) []operation {
	t.Helper()
	data, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	var all []operation
	for line := range bytes.Lines(data) {
		all = append(all, decode[operation](t, string(line)))
	}
	return all
}

// waitForOperation returns the first record that fits.
func (p *proxy) waitForOperation(t *testing.T, what string, fits func(operation) bool) operation {
	t.Helper()
	var found operation
	edge.Eventually(t, "a record of "+what, func() bool {
		for _, o := range p.operations(t) {
			if fits(o) {
				found = o
				return true
			}
		}
		return false
	})
	return found
}
