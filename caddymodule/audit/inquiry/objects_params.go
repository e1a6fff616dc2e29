package inquiry

import (
	"iter"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Codes are values of parameters as they stand in records, decoded, by name. Nearly
// always there is one of each.
type Codes map[string][]string

// digest begins values that records do not have in clear.
const digest = "h:"

// params are the parameters of a record's URL that have a value: name and value as they
// stand there. What has none says nothing of the visitor.
func params(recorded string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		_, query, _ := strings.Cut(recorded, "?")
		for pair := range strings.SplitSeq(query, "&") {
			name, value, assigned := strings.Cut(pair, "=")
			if assigned && name != "" && value != "" && !yield(name, value) {
				return
			}
		}
	}
}

// codesOf are the parameters that stand in clear; where names are given, only those, and
// digests of them too, which at least can be compared.
func codesOf(recorded string, names map[string]bool) Codes {
	var codes Codes
	for name, value := range params(recorded) {
		name = decoded(name)
		if len(names) > 0 && !names[name] || len(names) == 0 && strings.HasPrefix(value, digest) {
			continue
		}
		if codes == nil {
			codes = make(Codes)
		}
		codes[name] = append(codes[name], decoded(value))
	}
	return codes
}

// equal says whether both have the same values of the same parameters.
func (c Codes) equal(o Codes) bool {
	return maps.EqualFunc(c, o, func(a, b []string) bool { return slices.Equal(a, b) })
}

// String is the codes as in a query, readable.
func (c Codes) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c)) {
		for _, value := range c[name] {
			parts = append(parts, name+"="+value)
		}
	}
	return strings.Join(parts, "&")
}

// decoded is what an app reads, or the text as it stands where that cannot be told.
func decoded(s string) string {
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	return s
}

// pathOf is the path of a URL, or of a path with a query, as records write it.
func pathOf(s string) string {
	s, _, _ = strings.Cut(s, "#")
	s, _, _ = strings.Cut(s, "?")
	if _, rest, ok := strings.Cut(s, "://"); ok {
		_, path, _ := strings.Cut(rest, "/")
		s = "/" + path
	}
	return s
}

// hostOf is the host of a URL in lower case, with its port if that is an unusual one; empty
// if it has none.
func hostOf(s string) string {
	_, rest, ok := strings.Cut(s, "://")
	if !ok {
		return ""
	}
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	return usualHost(host)
}

// usualHost is the host in lower case and without the port that browsers leave out.
func usualHost(host string) string {
	host = strings.ToLower(host)
	for _, port := range []string{":80", ":443"} {
		host = strings.TrimSuffix(host, port)
	}
	return host
}
