package probe

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestSchemaIsDocumented: SCHEMA.md names each field of the JSON.
func TestSchemaIsDocumented(t *testing.T) {
	data, err := os.ReadFile("SCHEMA.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[reflect.Type]bool)
	var look func(reflect.Type)
	look = func(of reflect.Type) {
		switch {
		case of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice || of.Kind() == reflect.Map:
			look(of.Elem())
			return
		case of.Kind() != reflect.Struct || of == reflect.TypeFor[time.Time]() || seen[of]:
			return
		}
		seen[of] = true
		for field := range of.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "-" {
				continue
			}
			if name == "" || !strings.Contains(string(data), "`"+name+"`") {
				t.Errorf("%s.%s: %q is not in SCHEMA.md", of.Name(), field.Name, name)
			}
			look(field.Type)
		}
	}
	look(reflect.TypeFor[Report]())
	if len(seen) < 6 {
		t.Errorf("%d types", len(seen))
	}
	for _, v := range verdicts {
		if !strings.Contains(string(data), "`"+string(v)+"`") {
			t.Errorf("verdict %s is not in SCHEMA.md", v)
		}
	}
}
