package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"testing"
)

// TestRecordsNameTheInput: a record says which input sent the request to the app, by
// its name and never by its value.
func TestRecordsNameTheInput(t *testing.T) {
	withRoute(t, "cache: 5m\nidentity: {cookies: [session]}\nparams: {deny: [debug]}\nheaders: {bypass: [X-Beta]}", func(t *testing.T, c *ruled) {
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			_, err := io.WriteString(w, "the page")
			return err
		}
		for _, tt := range []struct {
			target  string
			headers []string
			event   string
			want    string
		}{
			{"/", []string{"Cookie", "session=s3cr3t"}, "bypass", "cookie session"},
			{"/", []string{"Cookie", "lead=s3cr3t; theme=x"}, "bypass", "cookie lead"},
			{"/", []string{"Cookie", "theme=x; lead=s3cr3t"}, "bypass", "cookie lead"},
			{"/?utm_x=s3cr3t", nil, "bypass", "param utm_x"},
			{"/?debug=s3cr3t", []string{"Cookie", "session=x"}, "deny", "param debug"},
			{"/", []string{"X-Beta", "s3cr3t"}, "bypass", "header X-Beta"},
			{"/?a=1&b=2", []string{"Cookie", "session=x"}, "bypass", "cookie session"},
			{"/", []string{"Cookie", "q7w8e9r1t2y3u4i5o6p7=x"}, "bypass", "cookie *"},
		} {
			c.get(tt.target, tt.headers...)
			if got := last(c.logged(tt.event, "detail")); got != tt.want {
				t.Errorf("%s %v: detail is %q, want %q", tt.target, tt.headers, got, tt.want)
			}
		}
		c.do(http.MethodPost, "/")
		if got := fmt.Sprint(c.logged("bypass", "detail")); got == "" || last(c.logged("bypass", "detail")) == "param" {
			t.Error(got)
		}
		c.keepsSecret(t, "s3cr3t")
	})
}
