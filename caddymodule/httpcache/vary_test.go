package httpcache

import (
	"net/http"
	"slices"
	"testing"
)

func TestAddVary(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before []string
		want   []string
	}{
		{"none", nil, []string{"Accept-Language"}},
		{"another", []string{"Accept"}, []string{"Accept", "Accept-Language"}},
		{"there in another case", []string{"accept, accept-language"}, []string{"accept, accept-language"}},
		{"there in a second line", []string{"Accept", "Accept-Language"}, []string{"Accept", "Accept-Language"}},
		{"star covers all", []string{"*"}, []string{"*"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			if tt.before != nil {
				h["Vary"] = tt.before
			}
			AddVary(h, "Accept-Language")
			if !slices.Equal(h["Vary"], tt.want) {
				t.Errorf("Vary is %q, want %q", h["Vary"], tt.want)
			}
		})
	}
}

// TestVaryAny: RFC 9111 §4.1.
func TestVaryAny(t *testing.T) {
	for value, want := range map[string]bool{
		"*": true, "Accept, *": true, " , * ,": true, "*, *": true,
		"": false, "Accept": false, "@foo": false, "*, @foo": false, "X-\x00*": false,
	} {
		if got := VaryAny(http.Header{"vary": {value}}); got != want {
			t.Errorf("%q: %t", value, got)
		}
	}
}
