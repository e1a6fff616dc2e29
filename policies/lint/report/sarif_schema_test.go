package report

import (
	"bytes"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestSARIFSchema checks what is written against the schema of OASIS, SARIF 2.1.0
// errata 01 (testdata/sarif-schema-2.1.0.json).
func TestSARIFSchema(t *testing.T) {
	text, err := os.ReadFile("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("sarif-schema-2.1.0.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	everything := example(t)
	absolute := example(t)
	for i := range absolute.Findings {
		absolute.Findings[i].Pos.File = "/srv/a b/" + absolute.Findings[i].Pos.File
	}
	absolute.Judged = []string{"/srv/a b/x:y.yaml", "x:y.yaml", "<stdin>", `C:\a`, "ü.yaml", "a\n\x1b%zz"}
	for name, r := range map[string]Result{"everything": everything, "absolute": absolute, "nothing": {}} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := Write(&b, "sarif", r); err != nil {
				t.Fatal(err)
			}
			log, err := jsonschema.UnmarshalJSON(&b)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(log); err != nil {
				t.Errorf("%#v", err)
			}
		})
	}
	broken, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(`{"version": "2.1.0", "runs": [{"tool": {"driver": {}}}]}`)))
	if err != nil {
		t.Fatal(err)
	}
	if schema.Validate(broken) == nil {
		t.Error("a driver without a name is accepted: the schema is not looked at")
	}
}
