package policies

import "strings"

// InputKind says where in a request an input stands.
type InputKind string

// The kinds of inputs.
const (
	InputParam   InputKind = "param"
	InputCookie  InputKind = "cookie"
	InputHeader  InputKind = "header"
	InputAddress InputKind = "address" // the visitor's
)

// Input is a part of a request that could change the response, with its value. The
// value is personal data: it is looked for, and never logged.
type Input struct {
	Kind InputKind
	// Name is the parameter's (decoded), the cookie's or the header's. Empty for the
	// address.
	Name string
	// Value as the application reads it: a parameter's is decoded.
	Value string
}

// String names the input without its value: "cookie lead", "param ref", "address". A
// name that does not look like one might be somebody's value, and is left out.
func (i Input) String() string {
	if i.Name == "" || len(i.Name) > 64 || strings.ContainsFunc(i.Name, notInName) {
		return string(i.Kind)
	}
	return string(i.Kind) + " " + Told(i.Name)
}

func notInName(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("_-.:$[]", r)
}
