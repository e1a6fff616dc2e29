package policies

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	data, err := os.ReadFile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource(schemaPath, text); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(schemaPath) // checks it against its meta-schema
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// document reads a policy as an editor does, which knows YAML and JSON alone.
func document(path string) (any, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if filepath.Ext(path) == ".yaml" {
		data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
		var value any
		if err := yaml.Unmarshal(data, &value); err != nil {
			return nil, err
		}
		if data, err = json.Marshal(value); err != nil {
			return nil, err
		}
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(data))
}

// TestSchemaAccepts holds that an editor has nothing to say about the policies of this
// repository that are right.
func TestSchemaAccepts(t *testing.T) {
	schema := compiledSchema(t)
	files := append(corpus(t, "ok"), "../caddymodule/testdata/adapt/policies.yaml")
	for _, pattern := range []string{"testdata/policytests/*.yaml", "lint/testdata/founding/*.yaml", "lint/testdata/clean/*.yaml"} {
		found, _ := filepath.Glob(pattern)
		files = append(files, found...)
	}
	for _, path := range files {
		if ext := filepath.Ext(path); ext != ".yaml" && ext != ".json" || strings.HasSuffix(path, ".cachetest.yaml") {
			continue
		}
		value, err := document(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestSchemaAcceptsReference holds the same of the examples of the reference.
func TestSchemaAcceptsReference(t *testing.T) {
	schema := compiledSchema(t)
	for i, block := range strings.Split(reference(t), "\n```")[1:] {
		language, text, _ := strings.Cut(block, "\n")
		if language != "yaml" && language != "json" {
			continue
		}
		p, err := parse(language, text)
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(mustJSON(t, p)))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("block %d: %v\n%s", i, err, text)
		}
	}
}

// notOfForm are the files of testdata/errors in which a schema sees nothing wrong.
var notOfForm = []string{
	"downstream-cookies.yaml", // two fields contradict each other
	"profiles-generic.yaml",   // so do they here
	// Parts of YAML that policies do not use; what they come to has the right form.
	"complex-key.yaml", "directive.yaml", "documents.yaml", "tag.yaml",
}

// notRead are those that are no YAML or JSON that an editor could hold against a schema.
func notRead(path string) bool {
	_, err := document(path)
	return err != nil
}

// TestSchemaRefuses holds that an editor marks the policies that are wrong in form.
func TestSchemaRefuses(t *testing.T) {
	schema := compiledSchema(t)
	refused := 0
	for _, path := range corpus(t, "errors") {
		name := filepath.Base(path)
		if ext := filepath.Ext(path); ext != ".yaml" && ext != ".json" || notRead(path) {
			continue
		}
		value, err := document(path)
		if err != nil {
			t.Fatal(err)
		}
		err = schema.Validate(value)
		if want := !slices.Contains(notOfForm, name); want != (err != nil) {
			t.Errorf("%s: refused: %t, want %t", name, err != nil, want)
		}
		if err != nil {
			refused++
		}
	}
	if refused < 10 {
		t.Errorf("only %d files were refused", refused)
	}
}
