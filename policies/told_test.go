package policies

import "testing"

func TestTold(t *testing.T) {
	for name, want := range map[string]string{
		"input lead":                     "input lead",
		"$.user.id":                      "$.user.id",
		"cookie PHPSESSID":               "cookie PHPSESSID",
		"X-Forwarded-For":                "X-Forwarded-For",
		"utm_source":                     "utm_source",
		"base64url":                      "base64url",
		"oauth2_v2":                      "oauth2_v2",
		"csrf_89843f4ebc0c0bb4":          "csrf_*",
		"cookie SECRET9f8e7d6c5b":        "cookie *",
		"$.orders.100248.total":          "$.orders.*.total",
		"wordpress_logged_in_1a2b3c4d5e": "wordpress_logged_in_*",
	} {
		if got := Told(name); got != want {
			t.Errorf("%q is told as %q, want %q", name, got, want)
		}
	}
}
