package gate

import (
	"net/http"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/policies"
)

// Unseen is what is known of a response and not to be seen in its header.
type Unseen struct {
	// Fields are the names of those that the response had and that were taken out, because
	// it named them as fields of the connection (RFC 9110 §7.6.1). Names may be in any case.
	Fields []string
	// End says that the body ends where its connection does and nothing else says so, so
	// that a part of it cannot be told from the whole (RFC 9112 §6.3).
	End bool
}

// checkUnseen judges what the header does not show.
func (f *findings) checkUnseen(u Unseen) {
	f.addIf(slices.ContainsFunc(u.Fields, decides), policies.ReasonConnectionField)
	f.addIf(u.End, policies.ReasonEndsUnseen)
}

// decides reports whether a field may speak against sharing a response, or says which
// requests it answers, or what its content is. What others there are may be missing.
func decides(name string) bool {
	name = http.CanonicalHeaderKey(name)
	switch name {
	case "Age", "Date", "Etag", "Incremental", "Last-Modified", "Location", "Set-Cookie", "Set-Cookie2", "Vary":
		return true
	}
	return httpcache.Governs(name) || isPerVisitor(name) || slices.Contains(authFields, name) ||
		strings.HasPrefix(name, "Access-Control-") || strings.HasPrefix(name, "Content-")
}
