package policies

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what tests compare with anew: testdata/**/*.out and the generated parts of REFERENCE.md")

// read parses a policy in the spelling that the file's name says.
func read(t *testing.T, path string) (*Policy, error) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(path)
	switch filepath.Ext(path) {
	case ".yaml":
		return ParseYAML(name, data)
	case ".json":
		return ParseJSON(name, data)
	}
	return ParseTokens(tokenize(name, string(data)))
}

// TestErrors compares every message with testdata/errors/*.out, so that neither
// wording nor detection changes unseen.
func TestErrors(t *testing.T) {
	for _, path := range corpus(t, "errors") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			p, err := read(t, path)
			if err == nil {
				err = p.Validate()
			}
			if err == nil {
				t.Fatal("no mistake was found")
			}
			golden(t, path+".out", err.Error()+"\n")
		})
	}
}

// TestAccepted holds that these policies have no mistake.
func TestAccepted(t *testing.T) {
	for _, path := range corpus(t, "ok") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			p, err := read(t, path)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			golden(t, path+".out", string(mustJSON(t, p))+"\n")
		})
	}
}

func corpus(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join("testdata", dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, path := range all {
		if !strings.HasSuffix(path, ".out") {
			out = append(out, path)
		}
	}
	if len(out) == 0 {
		t.Fatalf("testdata/%s is empty", dir)
	}
	return out
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
