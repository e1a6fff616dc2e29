package integration

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// hook is an entry of .pre-commit-hooks.yaml, as far as it matters here.
type hook struct {
	ID, Name, Entry, Language, Files string
}

// action is a composite action, as far as it matters here.
type action struct {
	Name, Description string
	Inputs            map[string]struct{ Description, Default string }
	Outputs           map[string]struct{ Description, Value string }
	Runs              struct {
		Using string
		Steps []struct {
			Name, Uses, If, Shell, Run string
			With, Env                  map[string]string
		}
	}
}

func readYAML(t *testing.T, path string, into any) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return string(data)
}

const actionPath = "../.github/actions/lint/action.yml"

// The hooks match the files that they are for, and no others.
func TestPreCommitHooks(t *testing.T) {
	var hooks []hook
	readYAML(t, "../.pre-commit-hooks.yaml", &hooks)
	var ids []string
	for _, h := range hooks {
		ids = append(ids, h.ID)
		if h.Language != "golang" || h.Name == "" {
			t.Errorf("%+v", h)
		}
		files, err := regexp.Compile(h.Files)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Caddyfile", "conf/Caddyfile.example", "site.Caddyfile", "cacheward.yaml", "a/policy.yml", "shop.cacheward.yaml"} {
			if !files.MatchString(name) {
				t.Errorf("%s does not see %s", h.ID, name)
			}
		}
		for _, name := range []string{"README.md", "Caddyfile/notes.txt", "main.go"} {
			if files.MatchString(name) {
				t.Errorf("%s sees %s", h.ID, name)
			}
		}
	}
	if !slices.Equal(ids, []string{"cacheward-lint", "cacheward-test"}) {
		t.Errorf("the hooks are %v", ids)
	}
}

// Commands that files in this repository tell CI systems to run have the flags that the
// binary knows, and formats that it writes.
func TestCICommandsExist(t *testing.T) {
	var a action
	texts := []string{readYAML(t, "../.pre-commit-hooks.yaml", new([]hook)), readYAML(t, actionPath, &a)}
	for _, name := range []string{"../policies/CI.md", "../policies/TESTS.md"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(data))
	}
	commandLine := regexp.MustCompile(`(?:cacheward|\$RUNNER_TEMP/cacheward") (lint|test|explain)\b((?:[^\n\x60|#]|\\\n)*)`)
	flag := regexp.MustCompile(`--([a-z][a-z-]*)`)
	format := regexp.MustCompile(`--(?:format |out "?)([a-z]+)`)
	help := make(map[string]string)
	found := 0
	for _, text := range texts {
		text = strings.ReplaceAll(text, "\\\n", " ")
		for _, match := range commandLine.FindAllStringSubmatch(text, -1) {
			verb, rest := match[1], match[2]
			if help[verb] == "" {
				stdout, stderr, code := command(t, verb, "--help")
				if code != 0 {
					t.Fatalf("cacheward %s --help: exit %d\n%s", verb, code, stderr)
				}
				help[verb] = stdout
			}
			found++
			for _, f := range flag.FindAllStringSubmatch(rest, -1) {
				if !regexp.MustCompile(`(?m)^ +(-., )?--` + f[1] + `\b`).MatchString(help[verb]) {
					t.Errorf("cacheward %s has no --%s: %s", verb, f[1], match[0])
				}
			}
			for _, f := range format.FindAllStringSubmatch(rest, -1) {
				known := regexp.MustCompile(`(?m)^ +--format [a-z]+ +(.*)$`).FindStringSubmatch(help[verb])
				if known == nil || !regexp.MustCompile(`\b`+f[1]+`\b`).MatchString(known[1]) {
					t.Errorf("cacheward %s does not write %s: %q", verb, f[1], known)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d commands were found", found)
	}
}

// Inputs of the action that its steps and the documentation name are there, and none
// comes into a script but by the environment.
func TestActionInputs(t *testing.T) {
	var a action
	text := readYAML(t, actionPath, &a)
	if a.Name == "" || a.Runs.Using != "composite" {
		t.Fatalf("%+v", a)
	}
	used := make(map[string]bool)
	for _, match := range regexp.MustCompile(`\binputs\.([a-z-]+)`).FindAllStringSubmatch(text, -1) {
		used[match[1]] = true
		if _, ok := a.Inputs[match[1]]; !ok {
			t.Errorf("the action has no input %s", match[1])
		}
	}
	for name, input := range a.Inputs {
		if !used[name] || input.Description == "" {
			t.Errorf("input %s is not used, or not described", name)
		}
	}
	for _, step := range a.Runs.Steps {
		if step.Uses == "" && step.Shell == "" {
			t.Errorf("step %s has no shell", step.Name)
		}
		if strings.Contains(step.Run, "${{") {
			t.Errorf("step %s has an expression in its script: whoever writes the input writes the script", step.Name)
		}
	}
	for _, step := range a.Runs.Steps {
		for _, file := range step.With {
			path, ok := strings.CutPrefix(file, "${{ github.action_path }}")
			if !ok {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(actionPath), path)); err != nil {
				t.Error(err)
			}
		}
	}
	doc, err := os.ReadFile("../policies/CI.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(doc), "uses: cacheward/cacheward/")
	dir, example, _ := strings.Cut(example, "@")
	if _, err := os.Stat(filepath.Join("..", dir, "action.yml")); err != nil {
		t.Error(err)
	}
	_, example, _ = strings.Cut(example, "with:\n")
	example, _, _ = strings.Cut(example, "- uses:")
	for _, match := range regexp.MustCompile(`(?m)^ {10}([a-z-]+):`).FindAllStringSubmatch(example, -1) {
		if _, ok := a.Inputs[match[1]]; !ok {
			t.Errorf("CI.md gives the action an input %s", match[1])
		}
	}
}

// The scripts of the action do what they say, run as a runner would, with the binary
// under test in the place of the one that they build.
func TestActionScripts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the scripts are for bash")
	}
	var a action
	readYAML(t, actionPath, &a)
	for _, tt := range []struct {
		policy   string
		findings bool
	}{{"mistake.yaml", true}, {"landing.yaml", false}} {
		t.Run(tt.policy, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Symlink(binary, filepath.Join(dir, "cacheward")); err != nil {
				t.Fatal(err)
			}
			policy, err := filepath.Abs(filepath.Join(policyTests, tt.policy))
			if err != nil {
				t.Fatal(err)
			}
			inputs := map[string]string{"paths": "\n" + policy + "\n", "fail-on": "error", "sarif": filepath.Join(dir, "out.sarif"), "test": filepath.Dir(policy)}
			summary := filepath.Join(dir, "summary.md")
			for _, step := range a.Runs.Steps {
				if step.Name != "Lint" && step.Name != "Test" {
					continue
				}
				cmd := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.Run)
				cmd.Env = append(os.Environ(), "RUNNER_TEMP="+dir, "GITHUB_STEP_SUMMARY="+summary)
				for name, value := range step.Env {
					for input, given := range inputs {
						value = strings.ReplaceAll(value, "${{ inputs."+input+" }}", given)
					}
					cmd.Env = append(cmd.Env, name+"="+value)
				}
				out, err := cmd.CombinedOutput()
				exit, failed := errors.AsType[*exec.ExitError](err)
				if err != nil && !failed {
					t.Fatal(err)
				}
				switch wantFail := step.Name == "Lint" && tt.findings; {
				case failed != wantFail || failed && exit.ExitCode() != 1:
					t.Errorf("%s: %v\n%s", step.Name, err, out)
				case wantFail && !strings.Contains(string(out), "::error file="):
					t.Errorf("%s annotates nothing:\n%s", step.Name, out)
				}
			}
			data, err := os.ReadFile(summary)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"### cacheward lint\n", "### cacheward test\n", "ok: 11 tests passed"} {
				if !strings.Contains(string(data), want) {
					t.Errorf("the summary does not have %q:\n%s", want, data)
				}
			}
			sarif, err := os.ReadFile(inputs["sarif"])
			if err != nil || !json.Valid(sarif) {
				t.Errorf("the SARIF file is no JSON, or not there: %v", err)
			}
		})
	}
}
