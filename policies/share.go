package policies

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// shareUnit is the smallest share that can be spelled: 0.0001%.
const shareUnit = 1e6

var sharePattern = regexp.MustCompile(`^([0-9]{1,3})(?:\.([0-9]{1,4}))?%$`)

// ParseShare reads a Share above nothing and up to the whole, in percent with up to
// four decimals: 1%, 0.5%, 100%.
func ParseShare(s string) (Share, error) {
	bad := func(why string) (Share, error) {
		return 0, fmt.Errorf("%q is not a share: %s (write 1%%, 0.5%% or 100%%)", s, why)
	}
	m := sharePattern.FindStringSubmatch(s)
	if m == nil {
		return bad("it is a number of percent, with at most four decimals")
	}
	digits := m[1] + m[2] + strings.Repeat("0", 4-len(m[2]))
	units, err := strconv.Atoi(digits)
	switch {
	case err != nil:
		return bad("it is no number")
	case units == 0:
		return bad("it is nothing at all")
	case units > shareUnit:
		return bad("it is more than the whole")
	}
	return Share(float64(units) / shareUnit), nil
}

// String writes the share in percent, without needless decimals. What [ParseShare]
// cannot read is written in the same form.
func (s Share) String() string {
	text := strconv.FormatFloat(float64(s)*100, 'f', 4, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text + "%"
}

// MarshalText writes the share as [Share.String] does.
func (s Share) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
