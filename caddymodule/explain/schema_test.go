package explain

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestSchemaNamesEveryField: nothing is written that SCHEMA.md does not have.
func TestSchemaNamesEveryField(t *testing.T) {
	data, err := os.ReadFile("SCHEMA.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[reflect.Type]bool)
	var look func(reflect.Type)
	look = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] || !strings.Contains(typ.PkgPath(), "explain") {
			return
		}
		seen[typ] = true
		for field := range typ.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			switch {
			case !field.IsExported() || name == "-":
				continue
			case name == "":
				t.Errorf("%s.%s has no name in JSON", typ.Name(), field.Name)
			case !strings.Contains(string(data), "`"+name+"`") && !strings.Contains(string(data), "."+name+"`") && typ.Name() != "Field" && !strings.Contains(string(data), `"`+name+`"`):
				t.Errorf("SCHEMA.md does not have %q of %s", name, typ.Name())
			}
			look(field.Type)
		}
	}
	look(reflect.TypeFor[Answer]())
	look(reflect.TypeFor[Question]())
	if len(seen) < 15 {
		t.Errorf("only %d types were looked at", len(seen))
	}
}
