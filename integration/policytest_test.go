package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/policytest"
)

const policyTests = "../policies/testdata/policytests"

// testJSON runs cacheward test and reads its result.
func testJSON(t *testing.T, args ...string) (policytest.Result, int) {
	t.Helper()
	stdout, stderr, code := command(t, append([]string{"test", "--format", "json"}, args...)...)
	var r policytest.Result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout, stderr)
	}
	return r, code
}

// The landing page of the incident: the same tests pass with the policy that was put
// right, and say of the mistaken one what a visitor would lose, and at which line.
func TestPolicyTestsOfTheIncident(t *testing.T) {
	t.Chdir(policyTests)
	stdout, _, code := command(t, "test", "--policy", "landing.yaml")
	if code != 0 || stdout != "ok: 11 tests passed, 0 failed in 1 file\n" {
		t.Errorf("landing.yaml: exit %d\n%s", code, stdout)
	}
	stdout, _, code = command(t, "test", "--policy", "mistake.yaml")
	if code != 1 {
		t.Errorf("mistake.yaml: exit %d", code)
	}
	for _, want := range []string{
		"FAIL a parameter that nobody declared is left to the app\n",
		"GET https://hapitas.example/register/lp?invite=42\n",
		"want bypass\n        got  strip\n             mistake.yaml:10:22: params.others\n",
		"One object serves both",
		"FAIL: 8 tests passed, 3 failed in 1 file\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("it does not say %q:\n%s", want, stdout)
		}
	}
}

// Policies within a Caddyfile, one of the repository's own example and some of several
// sites.
func TestPolicyTestsOfCaddyfiles(t *testing.T) {
	r, code := testJSON(t, "--coverage", "testdata/policytests")
	if code != 0 || r.Failed > 0 || r.Faults > 0 || r.Passed < 9 || len(r.Files) != 3 {
		t.Errorf("exit %d: %+v", code, r)
	}
	for _, c := range r.Coverage {
		if strings.HasSuffix(c.Policy, "Caddyfile.example") && (c.Routes != 3 || c.RoutesReached != 3) {
			t.Errorf("the tests of the example reach %d of %d routes", c.RoutesReached, c.Routes)
		}
	}
	if len(r.Coverage) != 3 {
		t.Errorf("coverage of %d policies", len(r.Coverage))
	}
}

// Each way in which something cannot be run is told, and is never a pass.
func TestPolicyTestsThatCannotRun(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	empty := t.TempDir()
	sites, err := os.ReadFile("testdata/policytests/sites/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	write("Caddyfile", string(sites))
	const tests = "tests: [{name: t, request: {url: 'http://shop.example/'}, expect: {action: cache}}]\n"
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"no tests", []string{empty}, "no file was found whose name ends with .cachetest.yaml"},
		{"no such path", []string{filepath.Join(dir, "none")}, "no such file"},
		{"a slip of the hand", []string{write("slip.cachetest.yaml", "polcy: p\n")}, `slip.cachetest.yaml:1:1: error: unknown key "polcy"`},
		{"which site", []string{write("which.cachetest.yaml", "policy: Caddyfile\n"+tests)}, "has several policies (shop.example, *.blog.example)"},
		{"another site", []string{write("other.cachetest.yaml", "policy: Caddyfile\nsite: a.example\n"+tests)}, "has no cacheward for that site"},
		{"broken Caddyfile", []string{write("broken.cachetest.yaml", "policy: "+filepath.Base(write("Caddyfile.broken", "a.example {\n\tcacheward {\n\t\troute x {\n\t\t\tcach 5m\n\t\t}\n\t}\n}\n"))+"\n"+tests)}, `Caddyfile.broken:4:4: error: `},
		{"nothing selected", []string{"--run", "no such test", policyTests}, "0 tests passed, 0 failed, 11 not selected"},
		{"regexp", []string{"--run", "("}, "is no regular expression"},
		{"format", []string{"--format", "jason"}, `did you mean "json"?`},
		{"out", []string{"--out", "junit"}, "a format and a file were expected"},
		{"flag", []string{"--covrage"}, "unknown flag"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stdout, stderr, code := command(t, append([]string{"test"}, tt.args...)...)
			if code != 2 || !strings.Contains(stdout+stderr, tt.want) {
				t.Errorf("exit %d, want 2 and %q\n%s%s", code, tt.want, stdout, stderr)
			}
		})
	}
}

// A first test file is written beside its policy, names it, passes, and is never
// overwritten.
func TestPolicyTestsInit(t *testing.T) {
	dir := t.TempDir()
	data, err := os.ReadFile(policyTests + "/landing.yaml")
	if err != nil {
		t.Fatal(err)
	}
	policy := filepath.Join(dir, "site.yaml")
	if err := os.WriteFile(policy, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := command(t, "test", "--init", policy); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	r, code := testJSON(t, "--coverage", dir)
	if code != 0 || r.Passed == 0 || len(r.Coverage) != 1 || len(r.Coverage[0].Missing) > 0 {
		t.Errorf("exit %d: %+v", code, r)
	}
	if _, stderr, code := command(t, "test", "--init", policy); code != 2 || !strings.Contains(stderr, "exists") {
		t.Errorf("written again: exit %d\n%s", code, stderr)
	}
	stdout, _, code := command(t, "test", "--init", "testdata/policytests/sites/Caddyfile", "--site", "shop.example", "-")
	if code != 0 || !strings.Contains(stdout, "site: shop.example\n") || !strings.Contains(stdout, `url: "https://shop.example/page"`) {
		t.Errorf("exit %d\n%s", code, stdout)
	}
}
