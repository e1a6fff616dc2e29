package policies

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const schemaPath = "policy.schema.json"

// TestSchema holds that policy.schema.json, which editors read, is what the Go types
// and their comments make.
func TestSchema(t *testing.T) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(policySchema(t)); err != nil {
		t.Fatal(err)
	}
	golden(t, schemaPath, b.String())
}

// TestSchemaWords holds that every enumeration of the schema has the words that
// Validate accepts, and no others.
func TestSchemaWords(t *testing.T) {
	places := map[string]string{ // where a word stands, in a policy that is right otherwise
		"Policy.mode":              `{"mode": %s}`,
		"Policy.default":           `{"default": %s}`,
		"Policy.ambiguous":         `{"ambiguous": %s}`,
		"Policy.on_leak":           `{"on_leak": %s}`,
		"Route.mode":               wordIn(`"cache": "5m", "mode": %s`),
		"Route.ambiguous":          wordIn(`"cache": "5m", "ambiguous": %s`),
		"Route.on_leak":            wordIn(`"cache": "5m", "on_leak": %s`),
		"Route.admission":          wordIn(`"cache": "origin", "admission": %s`),
		"Route.set_cookie":         wordIn(`"cache": "5m", "set_cookie": {"rule": %s, "reason": "r"}`),
		"Route.inspect":            wordIn(`"cache": "5m", "inspect": {"rule": %s, "reason": "r"}`),
		"Route.authorization":      wordIn(`"cache": "origin", "authorization": {"rule": %s, "reason": "r"}`),
		"Route.address":            wordIn(`"cache": "origin", "address": {"rule": %s, "reason": "r"}`),
		"Route.heuristic":          wordIn(`"cache": "origin", "heuristic": %s`),
		"Route.request_directives": wordIn(`"cache": "5m", "request_directives": %s`),
		"Inputs.others":            wordIn(`"cache": "5m", "params": {"others": %s}`),
		"HeaderInputs.others":      wordIn(`"cache": "origin", "headers": {"others": %s}`),
		"Targeted.order":           wordIn(`"cache": "origin", "targeted": {"order": %s}`),
		"CDN.profile":              `{"downstream": {"profile": %s}}`,
		"Downstream.profile":       wordIn(`"cache": "5m", "downstream": {"ttl": "1m", "profile": %s}`),
		"Tolerance.detector":       wordIn(`"cache": "5m", "tolerate": [{"detector": %s, "reason": "r"}]`),
		"Attribution.referer":      attributionIn(`"referer": %s`),
		"Attribution.model":        attributionIn(`"referer": "external", "model": %s`),
		"Attribution.carry":        attributionIn(`"referer": "external", "carry": %s`) + "\n" + attributionIn(`"referer": "external", "carry": %s, "beacon": {"url": "http://app/"}`),
		"Attribution.encrypt":      attributionIn(`"referer": "external", "encrypt": %s`),
		"Deliver.as":               attributionIn(`"params": ["ref"], "deliver": {"paths": ["/"], "as": %s}`),
		"Beacon.sync":              attributionIn(`"params": ["ref"], "carry": "both", "beacon": {"url": "http://app/", "sync": %s}`),
		"Match.methods":            `{"routes": [{"name": "a", "cache": "never", "match": {"paths": ["/"], "methods": [%s]}}]}`,
	}
	all := []string{"no-such-word"}
	for _, words := range schemaWords {
		all = append(all, words...)
	}
	for field, words := range schemaWords {
		place, ok := places[field]
		if !ok {
			t.Errorf("%s has no place in this test", field)
			continue
		}
		for _, word := range all {
			var err error
			for text := range strings.SplitSeq(place, "\n") { // one of which must have it
				var p *Policy
				if p, err = ParseJSON("f", fmt.Appendf(nil, text, strconv.Quote(word))); err == nil {
					err = p.Validate()
				}
				if err == nil {
					break
				}
			}
			if in := slices.Contains(words, word); in != (err == nil) {
				t.Errorf("%s: %q is in the schema: %t, but Validate says: %v", field, word, in, err)
			}
		}
	}
}

func attributionIn(fields string) string {
	return wordIn(`"cache": "5m", "attribution": {` + fields + `}`)
}

func wordIn(fields string) string {
	return `{"routes": [{"name": "a", "match": {"paths": ["/"]}, ` + fields + `}]}`
}

// TestSchemaPatterns holds that the patterns of the schema take what the parsers take,
// of words that look like it.
func TestSchemaPatterns(t *testing.T) {
	for _, word := range []string{"", "5", "5m", "1h30m", "5 m", "-5m", "1.5h", "5M", "2w1d", "ms", "10ms"} {
		_, err := ParseDuration(word)
		if got := durationPattern.MatchString(word); got != (err == nil) {
			t.Errorf("duration %q: pattern %t, parser %v", word, got, err)
		}
	}
	for _, word := range []string{"", "%", "1", "1%", "0.5%", ".5%", "0.00001%", "100%", "1 %", "1000%"} {
		_, err := ParseShare(word)
		if got := sharePattern.MatchString(word); got != (err == nil) {
			t.Errorf("share %q: pattern %t, parser %v", word, got, err)
		}
	}
	for _, name := range []string{"", "a", "A", "a-b_c", "-a", "_a", "0", strings.Repeat("a", 64), strings.Repeat("a", 65), "é", "a b"} {
		if got := routeNamePattern.MatchString(name); got != routeName(name) {
			t.Errorf("route name %q: pattern %t", name, got)
		}
	}
}

// TestSchemaComplete holds that everything in the model is described, and that the
// tables of this test name nothing that the model does not have.
func TestSchemaComplete(t *testing.T) {
	known := make(map[string]bool)
	docs := readModel(t)
	for _, typ := range schemaTypes {
		for field := range fieldsOf(typ) {
			known[typ.Name()+"."+field.key] = true
			if docs.field(typ.Name(), field.name) == "" {
				t.Errorf("%s.%s has no comment", typ.Name(), field.name)
			}
		}
	}
	for _, table := range []map[string][]string{schemaWords, schemaRequired()} {
		for name := range table {
			typ, _, isField := strings.Cut(name, ".")
			if isField && !known[name] || !slices.ContainsFunc(schemaTypes, func(s reflect.Type) bool { return s.Name() == typ }) {
				t.Errorf("the model has no %s", name)
			}
		}
	}
}

// schemaLine is how a YAML file tells an editor which schema it has.
const schemaLine = "# yaml-language-server: $schema="

// TestSchemaLines holds that the schema which an example names is there.
func TestSchemaLines(t *testing.T) {
	lines := 0
	for _, path := range []string{"testdata/ok/full.yaml", "testdata/ok/origin.yaml", "testdata/ok/inspect.yaml", "testdata/policytests/landing.yaml"} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			continue
		}
		first, _, _ := strings.Cut(string(data), "\n")
		name, ok := strings.CutPrefix(first, schemaLine)
		if !ok {
			t.Errorf("%s does not begin with %s", path, schemaLine)
			continue
		}
		if _, err := os.Stat(strings.TrimSuffix(path, path[strings.LastIndex(path, "/")+1:]) + name); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		lines++
	}
	if lines == 0 {
		t.Error("no example names its schema")
	}
}
