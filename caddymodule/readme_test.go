package caddymodule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/cacheward/cacheward/caddymodule/audit"
)

// TestReadmeOptions: the options in the README are all that there are, and their
// values the defaults.
func TestReadmeOptions(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(readme), "<!-- options -->\n```caddyfile\n")
	if !found {
		t.Fatal("the README has no block of options")
	}
	block, _, _ = strings.Cut(block, "```")
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "policies.yaml"), []byte("version: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	adapted, ok := adaptText(t, file, "http://:8080 {\n"+block+"}\n")
	if !ok {
		t.Fatal(adapted)
	}
	raw := handlersOf(t, adapted)
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw[0], &object); err != nil {
		t.Fatal(err)
	}
	delete(object, "handler")
	options, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	var h Handler
	if err := caddy.StrictUnmarshalJSON(options, &h); err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{*h.Limits, *h.Audit, h.Audit.Visitor.Cookies, h.Audit.Visitor.Rotate, h.ID, h.PolicyFile, h.Encode} {
		value := reflect.ValueOf(v)
		if value.Kind() != reflect.Struct {
			if value.IsZero() {
				t.Errorf("%v is not in the README", v)
			}
			continue
		}
		for i := range value.NumField() {
			if name := value.Type().Field(i).Name; value.Field(i).IsZero() && name != "Serves" && name != "Full" { // all and drop are zero values
				t.Errorf("%s is not in the README", name)
			}
		}
	}

	// The defaults are what a handler without options has.
	given := *h.Limits
	bare := new(Handler)
	if err := bare.provisionLimits(); err != nil {
		t.Fatal(err)
	}
	if given != *bare.Limits {
		t.Errorf("the README has %+v, the defaults are %+v", given, *bare.Limits)
	}
	if h.Audit.Full != audit.FullDrop || time.Duration(h.Audit.Visitor.Rotate) != defaultRotation || h.Audit.Serves != (audit.Sampling{}) {
		t.Errorf("the README has %+v", h.Audit)
	}
	log := audit.New(caddy.Log(), audit.Options{})
	defer log.Close()
	if got := log.Stats().Room; got != h.Audit.Queue {
		t.Errorf("the README has a queue of %d, the default is %d", h.Audit.Queue, got)
	}
	if !strings.Contains(string(object["store"]), "268435456") || defaultMemory != 268435456 {
		t.Errorf("the README has the store %s", object["store"])
	}
}
