package caddymodule

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

const largeRoutes = 10_000

// largeSite writes a Caddyfile whose policy has ten thousand routes, in the Caddyfile or
// in a file beside it, and returns its name.
func largeSite(tb testing.TB, spelling string) string {
	dir := tb.TempDir()
	var inline, file strings.Builder
	file.WriteString("version: 1\nidentity: {cookies: [session]}\nroutes:\n")
	for i := range largeRoutes {
		fmt.Fprintf(&inline, "\t\troute r%d {\n\t\t\thost shop%d.example\n\t\t\tpath /area%d/* /p/%d\n\t\t\tcache 5m\n\t\t\tparam key page\n\t\t\tparam strip @analytics\n\t\t\tcookie strip @analytics\n\t\t}\n", i, i%200, i, i)
		fmt.Fprintf(&file, "  - name: r%d\n    match: {hosts: [shop%d.example], paths: [\"/area%d/*\", /p/%d]}\n    cache: 5m\n    params: {key: [page], strip: [\"@analytics\"]}\n    cookies: {strip: [\"@analytics\"]}\n", i, i%200, i, i)
	}
	policy := "\t\tpolicy policy.yaml\n"
	if spelling == "inline" {
		policy = "\t\tidentity {\n\t\t\tcookie session\n\t\t}\n" + inline.String()
	}
	text := "{\n\tadmin off\n}\nhttp://127.0.0.1:0 {\n\tcacheward {\n" + policy + "\t}\n\trespond ok\n}\n"
	name := filepath.Join(dir, "Caddyfile")
	for name, text := range map[string]string{name: text, filepath.Join(dir, "policy.yaml"): file.String()} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return name
}

func adaptLarge(tb testing.TB, name string) []byte {
	text, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(text, map[string]any{"filename": name})
	if err != nil {
		tb.Fatal(err)
	}
	return config
}

// forgetPolicyFiles has the next reading of a file be the first.
func forgetPolicyFiles() {
	policyFiles.mu.Lock()
	defer policyFiles.mu.Unlock()
	clear(policyFiles.read)
}

// BenchmarkStepAdapt10000Routes makes JSON of a Caddyfile: what a reload does first.
func BenchmarkStepAdapt10000Routes(b *testing.B) {
	for _, spelling := range []string{"inline", "file"} {
		b.Run(spelling, func(b *testing.B) {
			name := largeSite(b, spelling)
			b.ReportAllocs()
			for b.Loop() {
				forgetPolicyFiles()
				adaptLarge(b, name)
			}
		})
	}
}

// BenchmarkStepProvision10000Routes loads the JSON without putting it into force: what a
// running server does on a reload. The file has been edited, or is as it was.
func BenchmarkStepProvision10000Routes(b *testing.B) {
	for _, c := range []struct {
		name, spelling string
		edited         bool
	}{{"inline", "inline", true}, {"file", "file", true}, {"same", "file", false}} {
		b.Run(c.name, func(b *testing.B) {
			config := adaptLarge(b, largeSite(b, c.spelling))
			b.ReportAllocs()
			for b.Loop() {
				if c.edited {
					forgetPolicyFiles()
				}
				var cfg caddy.Config
				if err := json.Unmarshal(config, &cfg); err != nil {
					b.Fatal(err)
				}
				if err := caddy.Validate(&cfg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What is read under one name is read once while it is in use, and again once it is edited
// or nobody has it.
func TestPolicyFilesAreReadOnce(t *testing.T) {
	text := []byte("default: origin\n")
	first, err := policyFiles.parse("once.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := policyFiles.parse("once.yaml", text)
	if err != nil || again != first {
		t.Errorf("the same file was read twice, %v", err)
	}
	for name, text := range map[string]string{"other.yaml": "default: origin\n", "once.yaml": "default: never\n"} {
		p, err := policyFiles.parse(name, []byte(text))
		if err != nil || p == first {
			t.Errorf("%s with %q is taken for what it is not, %v", name, text, err)
		}
	}
	if p, err := policyFiles.parse("bad.yaml", []byte("defualt: origin\n")); err == nil || p != nil {
		t.Error("a mistake was not told")
	}
	if _, err := policyFiles.parse("bad.yaml", []byte("defualt: origin\n")); err == nil {
		t.Error("a mistake was told once only")
	}
}
