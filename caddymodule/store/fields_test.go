package store_test

import (
	"net/http"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/store"
)

// TestFieldsRoundTrip: a header is the same after it was listed, lines in order.
func TestFieldsRoundTrip(t *testing.T) {
	name := rapid.StringMatching(`[A-Z][a-z]{0,8}`)
	lines := rapid.SliceOfN(rapid.String(), 1, 4)
	rapid.Check(t, func(t *rapid.T) {
		h := http.Header(rapid.MapOf(name, lines).Draw(t, "header"))
		fields := store.FieldsOf(h)
		if got := fields.Header(); !reflect.DeepEqual(got, h) {
			t.Fatalf("%v became %v", h, got)
		}
		for i := 1; i < len(fields); i++ {
			if fields[i].Name < fields[i-1].Name {
				t.Fatalf("%q stands behind %q", fields[i].Name, fields[i-1].Name)
			}
		}
	})
}
