package gate

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/cacheward/cacheward/policies"
)

// section is a header or trailer section with its fields under canonical names.
type section struct {
	fields http.Header
	// prefixed says that there were fields of the kind that net/http sends as
	// trailers (http.TrailerPrefix).
	prefixed bool
	// badName says that a field's name is no token.
	badName bool
}

// fold gathers the lines of each field, in whatever spelling its name stands in h.
// It shares h's slices and changes none.
func fold(h http.Header) section {
	s := section{fields: make(http.Header, len(h))}
	for name, values := range h {
		if len(values) == 0 {
			continue // is not sent
		}
		name, prefixed, bad := foldName(name)
		s.prefixed = s.prefixed || prefixed
		s.badName = s.badName || bad
		if others, ok := s.fields[name]; ok {
			values = append(others[:len(others):len(others)], values...)
		}
		s.fields[name] = values
	}
	return s
}

// foldName is the canonical name of a field. One that is no token is judged as what it
// resembles.
func foldName(name string) (canonical string, prefixed, bad bool) {
	name, prefixed = strings.CutPrefix(name, http.TrailerPrefix)
	if !isFieldName(name) {
		name, bad = strings.Trim(name, " \t:"), true
	}
	return http.CanonicalHeaderKey(name), prefixed, bad
}

// foldLines are the lines that fold gathers of the one field.
func foldLines(h http.Header, field string) (lines []string) {
	for name, values := range h {
		if folded, _, _ := foldName(name); folded == field {
			lines = append(lines, values...)
		}
	}
	return lines
}

func (s section) has(name string) bool { return len(s.fields[name]) > 0 }

func isFieldName(name string) bool { return httpguts.ValidHeaderFieldName(name) }

// singular are the fields of which a message has one line only (RFC 9110 §5.3) and
// that decide about sharing. Lines that agree count as one.
var singular = []string{"Content-Length", "Content-Range", "Content-Type", "Location"}

// checkSyntax finds fields that two readers could read differently.
func (f *findings) checkSyntax(s section) {
	bad := s.badName
	for _, values := range s.fields {
		for _, value := range values {
			bad = bad || hasControl(value)
		}
	}
	for _, name := range singular {
		for _, value := range s.fields[name] {
			bad = bad || value != s.fields[name][0]
		}
	}
	for _, value := range s.fields["Content-Length"] {
		bad = bad || value == "" || strings.Trim(value, "0123456789") != ""
	}
	for _, value := range s.fields["Content-Type"] {
		bad = bad || value != "" && mediaType(value) == ""
	}
	f.addIf(bad, policies.ReasonHeaderMalformed)
}

// hasControl finds the bytes that no field value may have (RFC 9110 §5.5). A line
// break among them is how a field is smuggled into a response.
func hasControl(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}
