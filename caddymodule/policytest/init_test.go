package policytest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

// TestInit holds that a first test file is one: it can be read, every test of it passes,
// and it leaves out nothing that the policy declares.
func TestInit(t *testing.T) {
	paths := []string{examples + "landing.yaml", examples + "mistake.yaml"}
	for _, pattern := range []string{"../../policies/testdata/ok/*.yaml", "../../policies/lint/testdata/clean/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			policy, err := LoadPolicy(path, "")
			if err != nil {
				t.Fatal(err)
			}
			abs, err := filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			text, err := Init(abs, "", policy)
			if err != nil {
				t.Fatal(err)
			}
			dir := write(t, map[string]string{"t.cachetest.yaml": string(text)})
			r := Runner{Coverage: true}
			got := r.RunFile(filepath.Join(dir, "t.cachetest.yaml"))
			for _, f := range got.Faults {
				t.Errorf("%+v", f)
			}
			for _, test := range got.Tests {
				for _, m := range test.Mismatches {
					t.Errorf("%s: %+v", test.Name, m)
				}
			}
			for _, c := range r.Covered() {
				for _, m := range c.Missing {
					told := "of route " + m.Route
					if m.Input == "" {
						told = "that route " + m.Route + " governs"
					}
					if !strings.Contains(string(text), told) && m.Route != "" {
						t.Errorf("it neither reaches nor tells of %+v", m)
					}
				}
			}
			if t.Failed() {
				t.Log(string(text))
			}
		})
	}
}

// TestInitGolden holds what it looks like.
func TestInitGolden(t *testing.T) {
	policy, err := policies.ParseYAML("site.yaml", []byte(sitePolicy))
	if err != nil {
		t.Fatal(err)
	}
	text, err := Init("site.yaml", "", policy)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/init.golden", string(text))
}

// TestYAMLWord holds that a word is read as it was, whatever it is.
// TestInitSite: requests go to the site that is meant, where no route names a host.
func TestInitSite(t *testing.T) {
	policy, err := policies.ParseYAML("policy.yaml", []byte("routes: [{name: a, match: {paths: [/a]}, cache: 5m}]"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := Init("Caddyfile", "c.example", policy)
	if err != nil || !strings.Contains(string(text), "https://c.example/a") {
		t.Errorf("error %v\n%s", err, text)
	}
}

func TestYAMLWord(t *testing.T) {
	for _, word := range []string{"a", "true", "No", "~", "null", "1", "a: b", "#", "@analytics", "utm_*", `"`, `\`, "日本", "a\nb", "<&>", "-", "", "https://a.example/?a=b&c"} {
		root, err := policies.ReadTree("f", []byte("k: "+yamlWord(word)+"\n"))
		if err != nil {
			t.Errorf("%q: %v", word, err)
			continue
		}
		if got := root.Fields[0].Value; got.Kind != policies.TreeText || got.Text != word {
			t.Errorf("%q is read as %+v", word, got)
		}
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s (go test -update writes it anew)\n--- got\n%s--- want\n%s", path, got, want)
	}
}
