package caddymodule

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// TestReadmeGlobalOptions: the global options in the README are all that there are, and
// where a comment does not say otherwise, their values the defaults.
func TestReadmeGlobalOptions(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(readme), "<!-- global options -->\n```caddyfile\n{\n")
	if !found {
		t.Fatal("the README has no block of global options")
	}
	block, _, _ = strings.Cut(block, "\n}\n```")
	tokens, err := caddyfile.Tokenize([]byte(block), "README.md")
	if err != nil {
		t.Fatal(err)
	}
	a := new(App)
	if err := a.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)); err != nil {
		t.Fatal(err)
	}
	if len(a.Watch) != 1 || a.Probe == nil {
		t.Fatalf("%+v", a)
	}
	w := reflect.ValueOf(a.Watch[0])
	for i := range w.NumField() {
		if w.Field(i).IsZero() {
			t.Errorf("%s is not in the README", w.Type().Field(i).Name)
		}
	}
	bare := Watch{URLs: []string{"https://a.example/"}}
	if err := bare.check(); err != nil {
		t.Fatal(err)
	}
	given := a.Watch[0]
	if given.Interval != bare.Interval || given.OnLeak != bare.OnLeak || given.ClearAfter != bare.ClearAfter || time.Duration(given.Timeout) != 10*time.Second {
		t.Errorf("the README has %+v, the defaults are %+v", given, bare)
	}
}
