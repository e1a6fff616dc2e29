package probe

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// TestStateInASharedPage: a cache gives everybody one page that has nothing of theirs in it,
// but a token, or says itself that nobody else may have it. Without receipts that is not
// said to be in order.
func TestStateInASharedPage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, page, control string
		verdict             Verdict
		note                string
	}{
		{"a hidden token", `<form><input type="hidden" name="lead" value="9b57eb9bacbc911e666d5175"></form>`, "max-age=60", Unknown, "hidden-token lead"},
		{"a refusal in its head", `<h1>Your orders</h1>`, "private, no-store", Unknown, "must not be shared"},
		{"nothing", `<h1>News</h1>`, "max-age=60", Shared, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				w.Header().Set("X-Cache", "HIT")
				w.Header().Set("Cache-Control", test.control)
				_, _ = w.Write([]byte(test.page))
			}))
			defer server.Close()
			r, err := Run(context.Background(), Options{URLs: []string{server.URL}, Quick: true, Rate: 1000})
			if err != nil {
				t.Fatal(err)
			}
			told := slices.ContainsFunc(r.URLs[0].Notes, func(n string) bool { return test.note != "" && strings.Contains(n, test.note) })
			if r.Verdict != test.verdict || told != (test.verdict == Unknown) {
				t.Errorf("%s, notes %q", r.Verdict, r.URLs[0].Notes)
			}
		})
	}
}
