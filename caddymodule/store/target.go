package store

import (
	"fmt"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// target is a URI, or the beginning of one, as [Selection] has it.
type target struct {
	host, port string // lower case; no port: any
	path       string // escaped, never empty
	query      string
	hasQuery   bool // for a prefix: the path is whole
	prefix     bool
	open       bool // a prefix that ends anywhere
}

func readPrefix(text string) (target, error) {
	whole, open := strings.CutSuffix(text, "*")
	t, err := readTarget("prefix", whole)
	if err != nil {
		return t, err
	}
	if open && !strings.ContainsAny(whole, "/?") {
		return t, fmt.Errorf("prefix %q has a * in its host; a * after the first / was expected", text)
	}
	t.prefix, t.open = true, open
	return t, nil
}

// readTarget takes apart what is called so in errors.
func readTarget(what, text string) (target, error) {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return target{}, fmt.Errorf("%s %q has a %q; a host and a path were expected, escaped as they are sent", what, text, text[i:i+1])
		}
	}
	if scheme, _, ok := strings.Cut(text, "://"); ok && !strings.ContainsAny(scheme, "/?") {
		return target{}, fmt.Errorf("%s %q has a scheme; only host and path were expected", what, text)
	}
	host, t := text, target{path: "/"}
	if i := strings.IndexAny(text, "/?"); i >= 0 {
		host = text[:i]
		var path string
		path, t.query, t.hasQuery = strings.Cut(text[i:], "?")
		if path != "" {
			t.path = path
		}
	}
	var ok bool
	if t.host, t.port, ok = policies.SplitHost(strings.ToLower(host)); !ok {
		return target{}, fmt.Errorf("%s %q does not begin with a host; example.com/path was expected", what, text)
	}
	return t, nil
}

func (t *target) matches(uri *policies.URI) bool {
	return t.hasHost(uri) && (t.hasRest(uri.EscapedPath, uri.Query) ||
		uri.OriginalPath != "" && t.hasRest(uri.OriginalPath, uri.Query))
}

// hasHost compares the host and, if the target has one, the port: also with what a
// scheme implies.
func (t *target) hasHost(uri *policies.URI) bool {
	rest, ok := strings.CutPrefix(uri.Host, t.host)
	if !ok || rest != "" && rest[0] != ':' {
		return false
	}
	switch {
	case t.port == "":
		return true
	case rest != "":
		return rest[1:] == t.port
	case uri.Scheme == "https":
		return t.port == "443"
	default:
		return t.port == "80"
	}
}

func (t *target) hasRest(path, query string) bool {
	switch {
	case !t.prefix:
		return path == t.path && query == t.query
	case t.hasQuery:
		return path == t.path && begins(query, t.query, '&', t.open)
	default:
		return begins(path, t.path, '/', t.open)
	}
}

// begins reports whether s begins with prefix and, unless open, whether prefix ends
// where a part of s does.
func begins(s, prefix string, separator byte, open bool) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	return ok && (open || rest == "" || rest[0] == separator || prefix == "" || prefix[len(prefix)-1] == separator)
}
