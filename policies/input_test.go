package policies

import (
	"strings"
	"testing"
)

func TestInputString(t *testing.T) {
	for _, tt := range []struct {
		input Input
		want  string
	}{
		{Input{InputCookie, "lead", "1001"}, "cookie lead"},
		{Input{InputParam, "filter[name]", "x"}, "param filter[name]"},
		{Input{InputHeader, "X-Forwarded-Host", "x"}, "header X-Forwarded-Host"},
		{Input{InputAddress, "", "192.0.2.7"}, "address"},
		{Input{InputParam, "alice@example.com", ""}, "param"},
		{Input{InputCookie, strings.Repeat("a", 65), "x"}, "cookie"},
	} {
		if got := tt.input.String(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
