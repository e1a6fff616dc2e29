package httpcache

import (
	"net/http"
	"reflect"
	"testing"
)

// TestRelay: what the origin said to caches goes on, but for permissions that were
// meant for this one (RFC 9213 §2.2), and for silence.
func TestRelay(t *testing.T) {
	for _, test := range []struct {
		name     string
		in, want []string
	}{
		{"a permission", []string{"Cache-Control: public, max-age=60"}, []string{"Cache-Control: public, max-age=60"}},
		{"two lines", []string{"Cache-Control: public", "Cache-Control: max-age=60"}, []string{"Cache-Control: public", "Cache-Control: max-age=60"}},
		{"Expires alone", []string{"Expires: Thu, 01 Jan 2026 00:00:00 GMT"}, []string{"Expires: Thu, 01 Jan 2026 00:00:00 GMT"}},
		{"silence", nil, []string{"Cache-Control: private, no-store"}},
		{"an empty field", []string{"Cache-Control: , "}, []string{"Cache-Control: private, no-store"}},
		{"no time", []string{"Cdn-Cache-Control: max-age=60", "Cache-Control: public, must-revalidate"}, []string{"Cache-Control: private, no-store"}},
		{"Pragma alone", []string{"Pragma: no-cache"}, []string{"Pragma: no-cache", "Cache-Control: private, no-store"}},
		{"a target permits", []string{"Cdn-Cache-Control: max-age=60", "Cache-Control: no-store"}, []string{"Cache-Control: no-store"}},
		{"a target refuses", []string{"Cdn-Cache-Control: private", "Cache-Control: max-age=60"}, []string{"Cdn-Cache-Control: no-store", "Cache-Control: max-age=60"}},
		{"a target has no time", []string{"Cdn-Cache-Control: max-age=0", "Cache-Control: max-age=60"}, []string{"Cdn-Cache-Control: no-store", "Cache-Control: max-age=60"}},
		{"a vendor's, damaged", []string{"Edge-Control: !no-store=1", "Cache-Control: max-age=60"}, []string{"Edge-Control: no-store", "Cache-Control: max-age=60"}},
		{"a vendor's permits", []string{"Surrogate-Control: max-age=60", "X-Accel-Expires: 60", "Cache-Control: max-age=60"}, []string{"Cache-Control: max-age=60"}},
		{"another key", []string{"No-Vary-Search: params", "Cache-Control: max-age=60"}, []string{"Cache-Control: max-age=60"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := header(append(test.in, "Content-Type: text/html")...)
			Relay(got)
			if want := header(append(test.want, "Content-Type: text/html")...); !reflect.DeepEqual(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

// TestForwardedFields: a response that is one visitor's keeps all but the fields of
// the connection (RFC 9110 §7.6.1).
func TestForwardedFields(t *testing.T) {
	in := header("Set-Cookie: a=b", "Set-Cookie: c=d", "Connection: X-Hop", "X-Hop: 1", "Keep-Alive: 5", "Proxy-Authenticate: x",
		"Age: 3", "Cdn-Cache-Control: no-store", "X-Request-Id: 1", "Clear-Site-Data: \"cache\"")
	got := ForwardedFields(in)
	want := header("Set-Cookie: a=b", "Set-Cookie: c=d", "Cdn-Cache-Control: no-store", "X-Request-Id: 1", "Clear-Site-Data: \"cache\"")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	got["Set-Cookie"][0] = "changed"
	if in["Set-Cookie"][0] != "a=b" {
		t.Error("the copy shares lines with the original")
	}
	for name := range want {
		if !reflect.DeepEqual(want[name], ForwardedFields(http.Header{name: want[name]})[name]) {
			t.Errorf("%s does not stay", name)
		}
	}
}
