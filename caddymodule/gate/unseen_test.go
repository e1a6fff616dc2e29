package gate

import (
	"net/http"
	"slices"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

// TestUnseen: what was taken out of the head, and how the body ends, count in every answer.
func TestUnseen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		unseen Unseen
		want   []policies.Reason
	}{
		{"nothing", Unseen{}, nil},
		{"a field of no account", Unseen{Fields: []string{"X-Served-By", "a"}}, nil},
		{"a directive", Unseen{Fields: []string{"a", "cache-control"}}, []policies.Reason{policies.ReasonConnectionField}},
		{"a targeted one", Unseen{Fields: []string{"CDN-Cache-Control"}}, []policies.Reason{policies.ReasonConnectionField}},
		{"a cookie", Unseen{Fields: []string{"SET-COOKIE"}}, []policies.Reason{policies.ReasonConnectionField}},
		{"vary", Unseen{Fields: []string{"vary"}}, []policies.Reason{policies.ReasonConnectionField}},
		{"a token", Unseen{Fields: []string{"x-csrf-token"}}, []policies.Reason{policies.ReasonConnectionField}},
		{"credentials", Unseen{Fields: []string{"www-authenticate"}}, []policies.Reason{policies.ReasonConnectionField}},
		{"a coding", Unseen{Fields: []string{"content-encoding"}}, []policies.Reason{policies.ReasonConnectionField}},
		{"an origin", Unseen{Fields: []string{"access-control-allow-origin"}}, []policies.Reason{policies.ReasonConnectionField}},
		{"an end", Unseen{End: true}, []policies.Reason{policies.ReasonEndsUnseen}},
	} {
		h := Head{Status: http.StatusOK, Header: http.Header{"Cache-Control": {"public, max-age=60"}, "Etag": {`"1"`}}, Unseen: test.unseen}
		if got := Check(h, Rules{}); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v", test.name, got)
		}
		h.Status = http.StatusNotModified
		if got := CheckUpdate(h, Rules{}); !slices.Equal(got, test.want) {
			t.Errorf("%s, updating: %v", test.name, got)
		}
	}
}
