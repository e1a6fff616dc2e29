package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/cacheward/cacheward/policies"
)

var updateAdapted = flag.Bool("update", false, "write what is adapted into testdata/adapt")

const (
	adaptFolder = "testdata/adapt"
	adaptDashes = "----------\n"
)

// adaptText is the Caddyfile's JSON, indented, or the text of the error.
func adaptText(t *testing.T, name, text string) (adapted string, ok bool) {
	t.Helper()
	options := map[string]any{"filename": name}
	raw, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), options)
	if err != nil {
		return err.Error(), false
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return b.String(), true
}

// TestAdapt holds every Caddyfile in the folder against what stands below its
// line of dashes: JSON, or what the error's text must hold.
func TestAdapt(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(adaptFolder, "*.caddyfiletest"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	here, err := filepath.Abs(adaptFolder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".caddyfiletest")
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text, want, found := strings.Cut(string(content), adaptDashes)
			if !found {
				t.Fatal("there is no line of dashes")
			}
			got, ok := adaptText(t, file, text)
			got = strings.ReplaceAll(got, here, "FOLDER")
			if *updateAdapted {
				if err := os.WriteFile(file, []byte(text+adaptDashes+got+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if fails := strings.HasPrefix(name, "error_"); fails == ok {
				t.Fatalf("adapted: %t; got:\n%s", ok, got)
			}
			if got != strings.TrimSuffix(want, "\n") {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// handlersOf returns what the adapted config has of the handler, in its order.
func handlersOf(t *testing.T, adapted string) []json.RawMessage {
	t.Helper()
	var found []json.RawMessage
	var walk func(raw json.RawMessage)
	walk = func(raw json.RawMessage) {
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) == nil {
			for _, item := range list {
				walk(item)
			}
			return
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil {
			return
		}
		if string(object["handler"]) == `"cacheward"` {
			found = append(found, raw)
			return
		}
		for _, item := range object {
			walk(item)
		}
	}
	walk(json.RawMessage(adapted))
	return found
}

// adaptFile adapts the Caddyfile above the dashes of a file in the folder.
func adaptFile(t *testing.T, name string) string {
	t.Helper()
	file := filepath.Join(adaptFolder, name+".caddyfiletest")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(content), adaptDashes)
	adapted, ok := adaptText(t, file, text)
	if !ok {
		t.Fatal(adapted)
	}
	return adapted
}

// TestEveryOptionInBothFormats: the Caddyfile all_options sets every field that
// JSON has, and its JSON decodes into the same handler and back.
func TestEveryOptionInBothFormats(t *testing.T) {
	raw := handlersOf(t, adaptFile(t, "all_options"))
	if len(raw) != 1 {
		t.Fatalf("%d handlers", len(raw))
	}
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
	var m struct {
		Memory
		Backend string `json:"backend"`
	}
	if err := json.Unmarshal(object["store"], &m); err != nil || m.Backend != "memory" {
		t.Fatalf("store is %s: %v", object["store"], err)
	}
	landing, news := h.Policy.Routes[0], h.Policy.Routes[1]
	for name, v := range map[string]any{
		"Handler": h, "Limits": *h.Limits, "Audit": *h.Audit, "Memory": m.Memory, "Policy": *h.Policy,
		"Identity": *h.Policy.Identity, "CDN": *h.Policy.Downstream, "Match": landing.Match, "Cache": landing.Cache, "Params": *landing.Params,
		"Downstream": *landing.Downstream, "Targeted": *news.Targeted, "Vouch": *news.Vouch,
	} {
		for i, value := range fieldsOf(v) {
			if value.IsZero() {
				t.Errorf("%s.%s is not set from the Caddyfile", name, reflect.TypeOf(v).Field(i).Name)
			}
		}
	}
	// Some options of a route exclude others, so it takes two to set them all.
	for i, value := range fieldsOf(landing) {
		if value.IsZero() && fieldsOf(news)[i].IsZero() {
			t.Errorf("Route.%s is not set from the Caddyfile", reflect.TypeOf(landing).Field(i).Name)
		}
	}
	again, err := json.Marshal(&h)
	if err != nil {
		t.Fatal(err)
	}
	if !sameJSON(t, options, again) {
		t.Errorf("adapted:\n%s\ndecoded and encoded:\n%s", options, again)
	}
}

// fieldsOf are the values of the exported fields by their index.
func fieldsOf(v any) map[int]reflect.Value {
	value := reflect.ValueOf(v)
	fields := make(map[int]reflect.Value)
	for i := range value.NumField() {
		if value.Type().Field(i).IsExported() {
			fields[i] = value.Field(i)
		}
	}
	return fields
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}

// TestPolicyFormats: the policy of the Caddyfile all_options, in YAML and in JSON.
func TestPolicyFormats(t *testing.T) {
	var h Handler
	raw := handlersOf(t, adaptFile(t, "all_options"))[0]
	if err := json.Unmarshal(raw, &h); err != nil {
		t.Fatal(err)
	}
	// JSON is YAML, so one text serves for both parsers.
	text, err := json.Marshal(h.Policy)
	if err != nil {
		t.Fatal(err)
	}
	for name, parse := range map[string]func(string, []byte) (*policies.Policy, error){
		"policy.json": policies.ParseJSON, "policy.yaml": policies.ParseYAML,
	} {
		p, err := parse(name, text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, again) {
			t.Errorf("%s:\n%s\nwant\n%s", name, again, text)
		}
	}
}

// TestPlaceInChain: authentication and header clean-up first, encode and templates
// around it, everything that answers behind it.
func TestPlaceInChain(t *testing.T) {
	order := handlerNames(t, adaptFile(t, "order"))
	at := slices.Index(order, "cacheward")
	if at < 0 {
		t.Fatalf("order: %v", order)
	}
	for _, name := range []string{"rewrite", "authentication", "headers", "encode", "templates"} {
		if i := slices.Index(order, name); i < 0 || i > at {
			t.Errorf("%s is not before cacheward: %v", name, order)
		}
	}
	for _, name := range []string{"static_response", "reverse_proxy"} {
		if i := slices.Index(order, name); i < at {
			t.Errorf("%s is not behind cacheward: %v", name, order)
		}
	}
	if i := slices.Index(order[at:], "headers"); i >= 0 {
		t.Errorf("headers stand behind cacheward: %v", order)
	}
}

// handlerNames are the handlers of a config in the order in which they run.
func handlerNames(t *testing.T, adapted string) []string {
	t.Helper()
	var names []string
	dec := json.NewDecoder(strings.NewReader(adapted))
	for key := false; ; {
		token, err := dec.Token()
		if err != nil {
			return names
		}
		name, isText := token.(string)
		if key && isText {
			names = append(names, name)
		}
		key = isText && name == "handler"
	}
}

// site is what a server with one route of these handlers has, as JSON.
func site(handlers string) string {
	return `"routes": [{"handle": [` + handlers + `]}]`
}

// configOf is a config with one or two servers, s0 and s1.
func configOf(servers ...string) []byte {
	// Two names for one address: the same listener twice would be refused.
	hosts := [...]string{"127.0.0.1", "localhost"}
	named := make([]string, len(servers))
	for i, s := range servers {
		named[i] = fmt.Sprintf(`"s%d": {"listen": ["%s:0"], %s}`, i, hosts[i], s)
	}
	return []byte(`{"admin": {"disabled": true}, "apps": {"http": {"servers": {` + strings.Join(named, ",") + `}}}}`)
}

// TestValidateJSON provisions configs that no Caddyfile made.
func TestValidateJSON(t *testing.T) {
	yaml := filepath.Join(t.TempDir(), "policies.yaml")
	if err := os.WriteFile(yaml, []byte("version: 1\nroutes:\n  - name: one\n    match: {paths: [/]}\n    cache: 5m\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("version: 1\nroutes:\n  - name: one\n    match: {paths: [/]}\n    cache: often\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := func(path string) string {
		quoted, err := json.Marshal(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(quoted)
	}
	const route = `"policy": {"routes": [{"name": "one", "match": {"paths": ["/"]}, "cache": "5m"}]}`
	for _, c := range []struct {
		name    string
		config  []byte
		message string // empty: valid
	}{
		{"nothing said", configOf(site(`{"handler": "cacheward"}`)), ""},
		{"a policy inline", configOf(site(`{"handler": "cacheward", ` + route + `}`)), ""},
		{"a policy file", configOf(site(`{"handler": "cacheward", "policy_file": ` + file(yaml) + `}`)), ""},
		{"two with ids", configOf(site(`{"handler": "cacheward", "id": "a"}, {"handler": "cacheward", "id": "b"}`)), ""},
		{"one with, one without an id", configOf(site(`{"handler": "cacheward", "id": "a"}, {"handler": "cacheward"}`)), ""},
		{"two without ids", configOf(site(`{"handler": "cacheward"}, {"handler": "cacheward"}`)), "has no id"},
		{"two without ids in two servers", configOf(site(`{"handler": "cacheward"}`), site(`{"handler": "cacheward"}`)), "has no id"},
		{"one adapted, one by hand", configOf(site(`{"handler": "cacheward", "instance": 1}, {"handler": "cacheward"}`)), "has no id"},
		{"one id twice", configOf(site(`{"handler": "cacheward", "id": "a"}, {"handler": "cacheward", "id": "a"}`)), `the id "a"`},
		{"the file and inline define a route", configOf(site(`{"handler": "cacheward", ` + route + `, "policy_file": ` + file(yaml) + `}`)), `"one" is defined twice`},
		{"a file that is not there", configOf(site(`{"handler": "cacheward", "policy_file": "nowhere.yaml"}`)), "nowhere.yaml"},
		{"a file with a mistake", configOf(site(`{"handler": "cacheward", "policy_file": ` + file(broken) + `}`)), "broken.yaml:5"},
		{"an unknown field", configOf(site(`{"handler": "cacheward", "polici": {}}`)), "polici"},
		{"an unknown word in the policy", configOf(site(`{"handler": "cacheward", "policy": {"rutes": []}}`)), "rutes"},
		{"a policy that means nothing", configOf(site(`{"handler": "cacheward", "policy": {"default": "always"}}`)), `"always"`},
		{"an unknown store", configOf(site(`{"handler": "cacheward", "store": {"backend": "tape"}}`)), "cacheward.stores.tape"},
		{"a store without a size", configOf(site(`{"handler": "cacheward", "store": {"backend": "memory", "size": 10}}`)), "less than 1 MiB"},
		{"a negative size", configOf(site(`{"handler": "cacheward", "limits": {"max_object": -1}}`)), "max_object is negative"},
		{"a negative count", configOf(site(`{"handler": "cacheward", "limits": {"max_waiters": -1}}`)), "max_waiters is negative"},
		{"a share that is none", configOf(site(`{"handler": "cacheward", "audit": {"serves": "most"}}`)), `"most"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var config caddy.Config
			err := caddy.StrictUnmarshalJSON(c.config, &config)
			if err == nil {
				err = caddy.Validate(&config)
			}
			switch {
			case c.message == "" && err != nil:
				t.Errorf("error: %v", err)
			case c.message != "" && (err == nil || !strings.Contains(err.Error(), c.message)):
				t.Errorf("error is %v, want one with %q", err, c.message)
			}
		})
	}
	if n := openStores(); n != 0 {
		t.Errorf("%d stores are still open", n)
	}
}

func openStores() int {
	n := 0
	pool.Range(func(any, any) bool {
		n++
		return true
	})
	return n
}

// TestAdaptedConfigsAreValid provisions every config of the folder that adapts to
// handlers, save those with certificates to manage.
func TestAdaptedConfigsAreValid(t *testing.T) {
	for _, name := range []string{"minimal", "all_options", "limits", "snippet", "import_file", "named_route", "matcher_named", "two_listeners"} {
		t.Run(name, func(t *testing.T) {
			for _, raw := range handlersOf(t, adaptFile(t, name)) {
				var config caddy.Config
				if err := caddy.StrictUnmarshalJSON(configOf(site(string(raw))), &config); err != nil {
					t.Fatal(err)
				}
				if err := caddy.Validate(&config); err != nil {
					t.Errorf("%s: %v", raw, err)
				}
			}
		})
	}
}
