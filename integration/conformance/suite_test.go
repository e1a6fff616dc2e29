package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// suite is the public suite, installed, with its server running.
type suite struct {
	dir       string // the package's own folder
	server    *process
	origin    string // the server's address
	questions []question
}

// startSuite installs the suite in a temporary folder, exactly as package-lock.json
// has it, and starts its server. It skips the test where there is no node.
func startSuite(t *testing.T) *suite {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the public suite needs %s: %v", tool, err)
		}
	}
	root := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc", "suite.mjs"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := &suite{dir: filepath.Join(root, "node_modules", "http-cache-tests")}
	runIn(t, root, nil, "npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
	if err := json.Unmarshal(runIn(t, root, nil, "node", "suite.mjs"), &s.questions); err != nil {
		t.Fatalf("what the suite asks: %v", err)
	}

	// The package's start script leaves the server behind; so the server itself.
	cmd := exec.Command("node", "--no-warnings", filepath.Join(s.dir, "server", "server.mjs"))
	cmd.Dir = t.TempDir() // it serves the files of its working directory
	cmd.Env = append(cmd.Environ(),
		"npm_config_protocol=http", "npm_config_port=0", "npm_config_pidfile="+filepath.Join(cmd.Dir, "pid"))
	s.server = start(t, "the suite's server", cmd)
	listening := regexp.MustCompile(`Listening on http://.*:(\d+)/`)
	s.server.until(t, "the suite's server listens", func() bool {
		found := listening.FindStringSubmatch(s.server.output.String())
		if found == nil {
			return false
		}
		s.origin = "127.0.0.1:" + found[1]
		return true
	})
	return s
}

// run puts every question of the suite to the proxy.
func (s *suite) run(t *testing.T, proxy string) map[string]finding {
	t.Helper()
	findings, err := parseFindings(s.client(t, proxy, ""))
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

// exchange runs one test alone, and returns what was sent and received by the client
// and by the server, and the result.
func (s *suite) exchange(t *testing.T, proxy, id string) string {
	t.Helper()
	before := len(s.server.output.String())
	client := s.client(t, proxy, id)
	server := s.server.output.String()[before:]
	return colours.ReplaceAllString(fmt.Sprintf("%s\nThe server's side:\n\n%s", client, server), "")
}

var colours = regexp.MustCompile(`\x1b\[[0-9;]*m`)

func (s *suite) client(t *testing.T, proxy, id string) []byte {
	t.Helper()
	// An empty id means all, but only if it is there under its second name, too.
	env := []string{"npm_config_base=http://" + proxy, "npm_config_id=" + id, "npm_package_config_id=" + id}
	return runIn(t, s.dir, env, "node", "--no-warnings", "cli.mjs")
}

// runIn runs a command to its end and returns what it printed.
func runIn(t *testing.T, dir string, env []string, name string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), env...)
	var errOut strings.Builder
	cmd.Stderr = &errOut
	tie(cmd)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, tail(string(out), 2000), errOut.String())
	}
	return out
}
