package gate

import (
	"cmp"
	"encoding/base64"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cacheward/cacheward/caddymodule/gate/search"
	"github.com/cacheward/cacheward/policies"
)

const (
	// maxNeedles is how many are looked for at once. Of more, base64 comes last, and
	// values of more bits first.
	maxNeedles = 256
	// maxValue is how much of a value is looked for: a page may repeat a part of a long
	// one only. In no coding it takes more than eight times as much.
	maxValue = 96
	// maxElements of a list, and as many values of the query of a Referer.
	maxElements = 20
	// Literals below minTogether bytes are looked for apart: the shortest one of those
	// that are looked for together says how fast that is.
	minTogether = 6
)

// Needles are values of a visitor's request, in all codings in which a response may
// repeat them. They do not change and may be used by many at once. All methods work on
// nil and find nothing.
type Needles struct {
	// short are those with a literal below minTogether bytes.
	short, long []needle
	shortSet    *search.Set
	longSet     *search.Set
	inputs      int // how many have a needle
	cut         bool
}

// needle is a literal that is looked for.
type needle struct {
	*target
	literal string
	coding  string // the literal's
	// from and to are where in the value it stands. The rest of the value has to be
	// around it, in any coding. In base64 there is no rest.
	from, to int
}

// target is a value that is looked for.
type target struct {
	input policies.Input // without its value
	value string
	bits  float64
	word  bool // counts where no letter, digit, - or _ is beside it
}

// NewNeedles prepares the search for the values of the inputs that are strong enough:
//
//   - the value itself, up to its first 96 bytes;
//   - of Authorization (RFC 9110 §11.6.2) and Proxy-Authorization the credentials
//     without the scheme, and of Basic (RFC 7617) the user and the password;
//   - of Referer its path and query, and the decoded values of the query;
//   - of Forwarded (RFC 7239), X-Forwarded-For and the fields that have addresses each
//     element, without port, brackets and quotes; by Telling, of Forwarded only for and
//     by, because every page has the host in it;
//   - of a cookie with percent-encoding the decoded value as well;
//
// each of them plain; percent-encoded (RFC 3986 §2.1), or with + for a blank; escaped
// for HTML; escaped for JSON (RFC 8259 §7), in whichever way and however much of it; and
// what is the same of it in base64 (RFC 4648 §4, §5) wherever it begins. Letters, digits
// and -._ are expected as they are.
//
// It returns nil if there is nothing to look for. There are at most 256 needles.
func NewNeedles(inputs []policies.Input, rule Strength) *Needles {
	all := make([]needle, 0, 4*len(inputs))
	cut := false
	for _, in := range inputs {
		parts := partsOf(in, rule)
		cut = cut || len(parts) >= maxElements
		for _, part := range parts {
			all = appendNeedles(all, in, part, rule)
		}
	}
	cut = cut || len(all) > maxNeedles
	all = strongest(all)
	if len(all) == 0 {
		return nil
	}
	n := &Needles{cut: cut}
	seen := make(map[policies.Input]struct{})
	for _, one := range all {
		seen[one.input] = struct{}{}
		if len(one.literal) < minTogether {
			n.short = append(n.short, one)
		} else {
			n.long = append(n.long, one)
		}
	}
	n.shortSet, n.longSet, n.inputs = searchSet(n.short), searchSet(n.long), len(seen)
	return n
}

// Cut reports whether there were more values than are looked for, so that finding none
// of them says nothing.
func (n *Needles) Cut() bool { return n != nil && n.cut }

func searchSet(needles []needle) *search.Set {
	if len(needles) == 0 {
		return nil
	}
	literals := make([]string, len(needles))
	for i := range needles {
		literals[i] = needles[i].literal
	}
	return search.New(literals, false)
}

// part is one of the values that an input has.
type part struct {
	value string
	word  bool
}

func appendNeedles(all []needle, in policies.Input, p part, rule Strength) []needle {
	value := cutValue(p.value)
	bits, word, ok := rule.judge(in, value)
	if !ok {
		return all
	}
	in.Value = ""
	found := &target{in, value, bits, word || p.word}
	if len(value) < minCoded {
		return append(all, needle{found, value, CodingPlain, 0, len(value)})
	}
	for _, a := range anchors(value) {
		all = append(all, needle{found, a.literal, a.coding, a.from, a.to})
	}
	for _, text := range base64Spellings(value) {
		all = append(all, needle{found, text, CodingBase64, 0, len(value)})
	}
	return all
}

// cutValue cuts a long value between two characters.
func cutValue(v string) string {
	if len(v) <= maxValue {
		return v
	}
	end := maxValue
	for end > maxValue-utf8.UTFMax && !utf8.RuneStart(v[end]) {
		end--
	}
	return v[:end]
}

// strongest keeps as many needles as there may be.
func strongest(all []needle) []needle {
	if len(all) <= maxNeedles {
		return all
	}
	slices.SortStableFunc(all, func(a, b needle) int {
		switch in, other := a.coding == CodingBase64, b.coding == CodingBase64; {
		case in && !other:
			return 1
		case other && !in:
			return -1
		}
		return cmp.Or(cmp.Compare(b.bits, a.bits), cmp.Compare(len(b.literal), len(a.literal)))
	})
	return all[:maxNeedles]
}

// partsOf are the values that are looked for of an input.
func partsOf(in policies.Input, rule Strength) []part {
	whole := part{value: in.Value}
	switch {
	case in.Kind == policies.InputCookie && strings.Contains(in.Value, "%"):
		if plain, err := url.PathUnescape(in.Value); err == nil {
			return []part{whole, {value: plain}}
		}
	case in.Kind == policies.InputHeader:
		switch in.Name {
		case "Authorization", "Proxy-Authorization":
			return credentials(in.Value)
		case "Referer":
			return refererParts(in.Value, rule)
		case "Forwarded":
			return forwardedParts(in.Value, rule)
		case "X-Forwarded-For", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip":
			return elements(in.Value)
		}
	}
	switch {
	case rule == Any:
		return append([]part{whole}, tokens(in.Value)...)
	case isAlike(in):
		return oddMembers(in)
	}
	return []part{whole}
}

// tokens are the parts of a structured value that a page may repeat by themselves.
func tokens(value string) []part {
	var parts []part
	for token := range strings.FieldsFuncSeq(value, func(r rune) bool { return strings.ContainsRune(" \t,;=&|\"", r) }) {
		if len(parts) < maxElements && len(token) >= minTelling && token != value && estimateBits(token) >= minTellingBits && !isWords(token) {
			parts = append(parts, part{value: token})
		}
	}
	return parts
}

func credentials(value string) []part {
	scheme, rest, ok := strings.Cut(value, " ")
	if rest = strings.TrimLeft(rest, " "); !ok || rest == "" {
		return []part{{value: value}}
	}
	parts := []part{{value: rest}}
	if strings.EqualFold(scheme, "Basic") {
		plain, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(rest, "="))
		if user, password, ok := strings.Cut(string(plain), ":"); err == nil && ok {
			parts = append(parts, part{value: user}, part{value: password})
		}
	}
	return parts
}

// refererParts: pages are full of links to each other, so by Telling a path is no sign,
// and a URL only if nothing follows it.
func refererParts(value string, rule Strength) []part {
	var parts []part
	_, rest, absolute := strings.Cut(value, "://")
	if absolute || rule == Any {
		parts = append(parts, part{value, rule == Telling})
	}
	path := value
	if absolute {
		path = rest[min(len(rest), strings.IndexByte(rest+"/", '/')):]
		if rule == Any && len(path) > 1 {
			parts = append(parts, part{value: path})
		}
	}
	_, query, _ := strings.Cut(path, "?")
	query, _, _ = strings.Cut(query, "#")
	for pair := range strings.SplitSeq(query, "&") {
		if len(parts) == maxElements {
			break
		}
		_, value, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(value); err == nil {
			value = plain
		}
		parts = append(parts, part{value: value})
	}
	return parts
}

// forwardedParts are the values of the parameters of RFC 7239 §4.
func forwardedParts(value string, rule Strength) []part {
	var parts []part
	for pair := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok || len(parts) == maxElements {
			continue
		}
		if rule == Any || strings.EqualFold(name, "for") || strings.EqualFold(name, "by") {
			parts = append(parts, part{value: node(value)})
		}
	}
	return parts
}

// elements are those of a list of addresses.
func elements(value string) []part {
	var parts []part
	for element := range strings.SplitSeq(value, ",") {
		if len(parts) < maxElements {
			parts = append(parts, part{value: node(element)})
		}
	}
	return parts
}

// node is a node of RFC 7239 §6 without quotes, and without brackets and port if it is
// an address.
func node(s string) string {
	s = strings.Trim(strings.TrimSpace(s), `"`)
	if addr, err := netip.ParseAddrPort(s); err == nil {
		return addr.Addr().String()
	}
	return strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
}
