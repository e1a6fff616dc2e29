package edge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// SiteConfig is a site of the binary with an origin behind it.
type SiteConfig struct {
	// Origin is the address (host:port) that reverse_proxy asks.
	Origin string
	// Policy is what stands in the cacheward block. Empty: no cacheward at all.
	Policy string
	// Options are more global options, Before what stands in front of the cacheward
	// block, and Proxy what stands in the reverse_proxy block.
	Options, Before, Proxy string
	// Protocols is the server's option of that name. Empty: h1 h2c, and h1 h2 with a
	// certificate.
	Protocols string
	// Servers is what else stands in the servers block.
	Servers string
	// Certificate and Key are files in PEM. With them the site speaks https.
	Certificate, Key string
	// Addresses are those of the site and of its admin endpoint. Empty: free ones.
	Addresses []string
}

// Site is a running one. It ends with the test.
type Site struct {
	// Address serves the site for every host name; Admin is Caddy's admin endpoint.
	Address, Admin string
	// Log is the audit log's file.
	Log string

	binary, config string
	process        *os.Process
}

const siteCaddyfile = `{
	admin %s
	storage file_system %s
	persist_config off
	auto_https off
	log audit {
		include http.handlers.cacheward.audit
		output file %s {
			roll_disabled
		}
		format json
	}
	log default {
		exclude http.handlers.cacheward.audit
	}
	servers {
		protocols %s
%s
	}
%s
}
%s {
%s
%s
	reverse_proxy %s {
%s
	}
}
`

// StartSite runs the binary with the site, for every host name, on a free port.
func StartSite(t testing.TB, binary string, c SiteConfig) *Site {
	t.Helper()
	addresses := c.Addresses
	if addresses == nil {
		addresses = FreeAddresses(t, 2)
	}
	dir := t.TempDir()
	s := &Site{
		Address: addresses[0], Admin: addresses[1], Log: filepath.Join(dir, "audit.log"),
		binary: binary, config: filepath.Join(dir, "Caddyfile"),
	}
	s.write(t, c)
	s.Restart(t)
	return s
}

// Kill kills the process with SIGKILL, and waits until it is gone. What it keeps on the
// disk stays.
func (s *Site) Kill(t testing.TB) {
	t.Helper()
	if err := s.process.Kill(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the end of the process", func() bool { return s.process.Signal(syscall.Signal(0)) != nil })
}

// Restart starts it at the same addresses, with the same configuration and storage, after
// it has been killed.
func (s *Site) Restart(t testing.TB) {
	t.Helper()
	dir := filepath.Dir(s.config)
	// What is not in its storage is its own as well: several run beside each other.
	env := []string{"XDG_DATA_HOME=" + dir}
	s.process = start(t, s.binary, dir, env, []string{s.Address, s.Admin}, "run", "--config", s.config, "--adapter", "caddyfile")
}

func (s *Site) write(t testing.TB, c SiteConfig) {
	t.Helper()
	scheme, protocols, before := "http", "h1 h2c", "\tbind 127.0.0.1\n"
	if c.Certificate != "" {
		scheme, protocols = "https", "h1 h2"
		before += fmt.Sprintf("\ttls %s %s\n", c.Certificate, c.Key)
	}
	if c.Protocols == "" {
		c.Protocols = protocols
	}
	handler := ""
	if c.Policy != "" {
		handler = "\tcacheward {\n" + c.Policy + "\n\t}"
	}
	_, port := SplitPort(t, s.Address)
	text := fmt.Sprintf(siteCaddyfile, s.Admin, filepath.Dir(s.config), s.Log, c.Protocols, c.Servers, c.Options,
		scheme+"://:"+port, before+c.Before, handler, c.Origin, c.Proxy)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Reload has the running site take another configuration.
func (s *Site) Reload(t testing.TB, c SiteConfig) {
	t.Helper()
	s.write(t, c)
	if out, err := exec.Command(s.binary, "reload", "--force", "--config", s.config, "--adapter", "caddyfile").CombinedOutput(); err != nil {
		t.Fatalf("reload: %v\n%s", err, out)
	}
}

// Process is the running one.
func (s *Site) Process() *os.Process { return s.process }

// Run runs a verb of the binary that asks the site's admin endpoint, and returns its
// standard output, and its exit code.
func (s *Site) Run(t testing.TB, verb string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(s.binary, append([]string{verb, "--address", s.Admin}, args...)...)
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// Records reads the audit log, each record into a T. A last line that is still being
// written is left out.
func Records[T any](t testing.TB, s *Site) []T {
	t.Helper()
	data, err := os.ReadFile(s.Log)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var all []T
	for _, line := range wholeLines(data) {
		var record T
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatalf("audit record %s: %v", line, err)
		}
		all = append(all, record)
	}
	return all
}

func wholeLines(data []byte) [][]byte {
	end := bytes.LastIndexByte(data, '\n')
	if end < 0 {
		return nil
	}
	return bytes.Split(data[:end], []byte("\n"))
}

// SplitPort parts an address.
func SplitPort(t testing.TB, address string) (host, port string) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}
