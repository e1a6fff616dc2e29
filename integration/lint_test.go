package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestLint: real command lines, and what they say.
func TestLint(t *testing.T) { transcripts(t, "lint") }

// TestLintOwnExamples: what the repository shows as an example has no mistake in it.
func TestLintOwnExamples(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := command(t, "lint", filepath.Join(root, "Caddyfile.example"), "--fail-on", "info")
	if code != 0 {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

// TestLintRules: each rule is listed, and has a page that can be shown by its id and
// by its name.
func TestLintRules(t *testing.T) {
	list, _, code := command(t, "lint", "--list")
	if code != 0 {
		t.Fatal("--list failed")
	}
	n := 0
	for line := range strings.Lines(list) {
		words := strings.Fields(line)
		if len(words) < 3 || !strings.HasPrefix(words[0], "CW") {
			continue
		}
		n++
		if n%10 != 1 {
			continue // one of ten is enough for a process each
		}
		byID, _, code := command(t, "lint", "--explain", words[0])
		byName, _, _ := command(t, "lint", "--explain", words[1])
		if code != 0 || byID != byName || !strings.Contains(byID, words[1]) || len(byID) < 200 {
			t.Errorf("--explain %s: exit %d\n%s", words[0], code, byID)
		}
	}
	if n < 40 {
		t.Errorf("%d rules are listed", n)
	}
}

// TestLintEachRule: the command finds what is marked in the examples of each rule, where
// it is marked, and exits with 1 for it.
func TestLintEachRule(t *testing.T) {
	mark := regexp.MustCompile(`# want((?: CW\d{3})+)[ \t]*$`)
	files, err := filepath.Glob("../policies/lint/testdata/CW*/bad-*")
	if err != nil {
		t.Fatal(err)
	}
	judged := make(map[string]bool)
	for _, file := range files {
		id := filepath.Base(filepath.Dir(file))
		// Examples of the rules on comments have marks behind comments; those of the
		// rules on policies that end in .Caddyfile are parts of one.
		if id <= "CW005" || filepath.Ext(file) == ".Caddyfile" && id < "CW700" {
			continue
		}
		judged[id] = true
		t.Run(id+"/"+filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want := make(map[string]bool)
			n := 0
			for line := range strings.Lines(string(data)) {
				n++
				if m := mark.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil && slices.Contains(strings.Fields(m[1]), id) {
					want[strconv.Itoa(n)] = true
				}
			}
			stdout, stderr, code := command(t, "lint", "--format", "compact", "--fail-on", "info", "--no-inline-ignores", "--rule", id, file)
			got := make(map[string]bool)
			for line := range strings.Lines(stdout) {
				if parts := strings.SplitN(strings.TrimPrefix(line, file+":"), ":", 2); strings.Contains(line, " ["+id+" ") {
					got[parts[0]] = true
				}
			}
			if code != 1 || len(want) == 0 || !maps.Equal(got, want) {
				t.Errorf("exit %d; findings in lines %v, want %v\n%s%s", code, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)), stdout, stderr)
			}
		})
	}
	if len(judged) < 40 {
		t.Errorf("%d rules have examples", len(judged))
	}
}

// TestLintSARIF: the same finding as in the other formats, in SARIF 2.1.0. The whole of
// the format is held by the tests of its package.
func TestLintSARIF(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.sarif")
	stdout, stderr, code := command(t, "lint", "--out", "sarif="+file, "../policies/lint/testdata/founding/mistake.yaml", "--format", "compact")
	if code != 1 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var log struct {
		Version string
		Runs    []struct {
			Results []struct {
				RuleID    string `json:"ruleId"`
				Locations []struct {
					PhysicalLocation struct {
						Region struct{ StartLine int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(data, &log); err != nil || log.Version != "2.1.0" || len(log.Runs) != 1 {
		t.Fatalf("%v\n%.300s", err, data)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) < 3 || len(log.Runs[0].Results) != len(lines) {
		t.Fatalf("%d results, and\n%s", len(log.Runs[0].Results), stdout)
	}
	for i, r := range log.Runs[0].Results {
		if where := fmt.Sprintf(":%d:", r.Locations[0].PhysicalLocation.Region.StartLine); !strings.Contains(lines[i], "["+r.RuleID+" ") || !strings.Contains(lines[i], where) {
			t.Errorf("%+v\n%s", r, lines[i])
		}
	}
}
