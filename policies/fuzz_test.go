package policies

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// seed adds the files of the corpus that have the extension.
func seed(f *testing.F, ext string) {
	for _, dir := range []string{"ok", "errors"} {
		paths, err := filepath.Glob(filepath.Join("testdata", dir, "*"+ext))
		if err != nil || len(paths) == 0 {
			f.Fatalf("no seeds: %v", err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
}

// roundTrip holds that an accepted policy is written and read back equal, with the
// same verdict.
func roundTrip(t *testing.T, p *Policy, err error) {
	if err != nil {
		if diags, ok := err.(Diagnostics); !ok || len(diags) == 0 {
			t.Fatalf("the error is no Diagnostics: %v", err)
		}
		return
	}
	want := mustJSON(t, p)
	var q Policy
	if err := json.Unmarshal(want, &q); err != nil {
		t.Fatalf("%s\nis not read back: %v", want, err)
	}
	if got := mustJSON(t, &q); string(got) != string(want) {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	if (p.Validate() == nil) != (q.Validate() == nil) {
		t.Fatalf("verdicts differ: %v, %v", p.Validate(), q.Validate())
	}
}

func FuzzParseYAML(f *testing.F) {
	seed(f, ".yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseYAML("fuzz.yaml", data)
		roundTrip(t, p, err)
	})
}

func FuzzParseJSON(f *testing.F) {
	seed(f, ".json")
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseJSON("fuzz.json", data)
		roundTrip(t, p, err)
	})
}

func FuzzParseTokens(f *testing.F) {
	seed(f, ".caddyfile")
	f.Fuzz(func(t *testing.T, data []byte) {
		// Tokens reach us from a lexer and from JSON; both make valid UTF-8.
		p, err := ParseTokens(tokenize("fuzz", strings.ToValidUTF8(string(data), "?")))
		roundTrip(t, p, err)
	})
}

func TestUnmarshalJSON(t *testing.T) {
	var p Policy
	if err := json.Unmarshal([]byte(`{"mode": "observe", "routes": [{"name": "a"}]}`), &p); err != nil || p.Mode != Observe {
		t.Fatalf("got %+v, %v", p, err)
	}
	if p.source != nil || p.Routes[0].source != nil {
		t.Error("positions within a part of a file mislead")
	}
	if err := json.Unmarshal([]byte(`null`), &p); err != nil || p.Mode != Observe {
		t.Errorf("null is a no-op by convention, got %+v, %v", p, err)
	}
	err := json.Unmarshal([]byte(`{"policy": {"mode": "enforce", "routes": [{"name": "a", "match": {"paths": ["/*"]}, "cache": "5m", "cash": "5m"}]}}`), &struct {
		Policy *Policy `json:"policy"`
	}{})
	if want := `routes.a: unknown key "cash"; did you mean "cache"?`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if p.Mode != Observe {
		t.Error("a refused policy was taken over")
	}
}
