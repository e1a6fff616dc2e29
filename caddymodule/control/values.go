package control

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of the values that select, in bytes.
const (
	maxURL   = 16 << 10
	maxRoute = 64
	maxTag   = 1024
)

// checkURL: absolute, of http or https, with a host, and spelled as it is sent. Another
// spelling would select nothing, and the answer would look as if nothing was stored.
func checkURL(value string) error {
	if !strings.Contains(value, "://") {
		return errors.New("an absolute URL was expected: https://example.com/page")
	}
	_, err := parseURL(value)
	return err
}

// checkPrefix: a host and the beginning of a path, perhaps with a scheme, perhaps with a
// * at its end.
func checkPrefix(value string) error {
	rest, _ := strings.CutSuffix(value, "*")
	if strings.Contains(rest, "*") {
		return errors.New("a * only stands at the end")
	}
	whole := rest
	if !strings.Contains(rest, "://") {
		whole = "http://" + rest
	}
	if strings.HasPrefix(whole, "http:///") {
		return errors.New("a prefix begins with a host: example.com/a/")
	}
	u, err := parseURL(whole)
	if err != nil {
		return err
	}
	if len(rest) < len(value) && u.Path == "" {
		return errors.New("a * stands in the path and not in the host: example.com/a*")
	}
	return nil
}

func parseURL(value string) (*url.URL, error) {
	if len(value) > maxURL {
		return nil, fmt.Errorf("it has %d bytes, at most %d were expected", len(value), maxURL)
	}
	if i := strings.IndexFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }); i >= 0 {
		r, _ := utf8.DecodeRuneInString(value[i:])
		return nil, fmt.Errorf("%q is sent percent-encoded (in a host, as xn--): write it as it is sent", r)
	}
	if strings.Contains(value, "#") {
		return nil, errors.New("what follows a # is never sent: leave it off")
	}
	u, err := url.Parse(value)
	if wrong, ok := errors.AsType[*url.Error](err); ok {
		err = wrong.Err // without the whole URL again
	}
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the scheme is %q, http or https was expected", u.Scheme)
	case u.User != nil:
		return nil, errors.New("a name or password before the host is never sent in a URL: leave it off")
	case u.Hostname() == "":
		return nil, errors.New("it has no host: https://example.com/page was expected")
	}
	return u, nil
}

// checkKey: the leading half or more of a key, as whole bytes.
func checkKey(value string) error {
	for _, r := range value {
		if !strings.ContainsRune("0123456789abcdefABCDEF", r) {
			return errors.New("hexadecimal digits were expected, as audit records have them")
		}
	}
	if len(value) < 16 || len(value) > 64 || len(value)%2 != 0 {
		return fmt.Errorf("it has %d digits; 16, as audit records have them, or up to 64, an even number, were expected", len(value))
	}
	return nil
}

// checkRoute: whether there is such a route is for the handlers to say.
func checkRoute(value string) error {
	if len(value) > maxRoute {
		return fmt.Errorf("it has %d bytes; names of routes have at most %d", len(value), maxRoute)
	}
	for _, r := range value {
		if !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_') {
			return fmt.Errorf("%q is in no name of a route: lower-case letters, digits, - and _ were expected", r)
		}
	}
	return nil
}

// checkTag: one name, as an origin can write it in Cache-Tag (which separates them by
// commas) or in Surrogate-Key (by spaces).
func checkTag(value string) error {
	if len(value) > maxTag {
		return fmt.Errorf("it has %d bytes; tags have at most %d", len(value), maxTag)
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' || c == 0x7f {
			return fmt.Errorf("%q is in no tag", rune(c))
		}
	}
	if strings.Trim(value, " ") != value || strings.ContainsRune(value, ' ') && strings.ContainsRune(value, ',') {
		return errors.New("one tag was expected")
	}
	return nil
}

// checkText: what people write, on one line.
func checkText(value string, most int) error {
	if len(value) > most {
		return fmt.Errorf("it has %d bytes, at most %d were expected", len(value), most)
	}
	if !utf8.ValidString(value) {
		return errors.New("UTF-8 was expected")
	}
	for _, r := range value {
		if !unicode.IsGraphic(r) {
			return fmt.Errorf("%q is no character that can be seen: one line of text was expected", r)
		}
	}
	return nil
}
