package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// TestErrorsHaveColumns: a mistake in a Caddyfile is reported where it stands, also
// if the same word stands earlier in the line.
func TestErrorsHaveColumns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "Caddyfile")
	text := "http://:8080 {\n\tcacheward {\n\t\troute landing {\n\t\t\tpath /strp\n\t\t\tcache 5m\n\t\t\tparam key param\n\t\t\tparam strp ref; # strp\n\t\t\tcookie others other\n\t\t}\n\t}\n}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": file})
	if err == nil {
		t.Fatal("the Caddyfile was accepted")
	}
	if want := file + ":7:10: "; !strings.Contains(err.Error(), want) {
		t.Errorf("no %q in\n%v", want, err)
	}
}
