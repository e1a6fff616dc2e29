package markers

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
)

// tokenBits is how many bits a random value must have to be no accident.
const tokenBits = 64

const (
	digit = 1 << iota
	lower
	upper
)

// randomBits estimates how many random bits a value has, from its alphabet and
// length. It is 0 for what does not look random: words, even with a number in them,
// and values in which few characters recur.
//
// Words stay within one kind of characters (digits, letters of one case) for long;
// random values change it every two or three characters.
func randomBits(value []byte) int {
	var seen [256]bool
	n, distinct, changes, kinds, last := 0, 0, 0, 0, 0
	hex := true
	for _, c := range value {
		kind := 0
		switch {
		case '0' <= c && c <= '9':
			kind = digit
		case 'a' <= c && c <= 'z':
			kind, hex = lower, hex && c <= 'f'
		case 'A' <= c && c <= 'Z':
			kind, hex = upper, hex && c <= 'F'
		default:
			continue // - _ . and so on are in words, too
		}
		if n > 0 && kind != last {
			changes++
		}
		if !seen[c] {
			seen[c] = true
			distinct++
		}
		n, last, kinds = n+1, kind, kinds|kind
	}
	switch {
	case distinct < 6:
		return 0
	case kinds == digit:
		return int(float64(n) * math.Log2(10))
	case changes*7 < n:
		return 0
	case kinds&digit == 0 && (n < 20 || changes*5 < n*2): // camelCase
		return 0
	}
	size := 0
	switch {
	case hex && kinds != digit|lower|upper:
		size = 16
	default:
		size = 10*bit(kinds, digit) + 26*bit(kinds, lower) + 26*bit(kinds, upper)
	}
	return int(float64(n) * math.Log2(float64(size)))
}

func bit(set, one int) int {
	if set&one != 0 {
		return 1
	}
	return 0
}

// isPersonalJWT says whether a value is a JSON Web Token that is made for somebody.
// Tokens for the role anon (Supabase and the like give one to everybody) are not, nor
// is the example that stands in all documentation.
func isPersonalJWT(value []byte) bool {
	parts := bytes.Split(value, []byte{'.'})
	header, ok := claims(parts[0])
	if !ok || header["alg"] == nil && header["enc"] == nil {
		return false
	}
	if len(parts) != 3 {
		return len(parts) == 5 // encrypted: RFC 7516 §3.1
	}
	payload, ok := claims(parts[1])
	if !ok {
		return false
	}
	role, _ := payload["role"].(string)
	subject, _ := payload["sub"].(string)
	return role != "anon" && subject != "1234567890"
}

func claims(part []byte) (map[string]any, bool) {
	text, err := base64.RawURLEncoding.DecodeString(string(part))
	if err != nil {
		return nil, false
	}
	var out map[string]any
	return out, json.Unmarshal(text, &out) == nil
}

// Mail addresses that are nobody's: those of roles (RFC 2142 and custom), and what
// stands in forms for anybody's.
var (
	roles = set(`abuse accounting admin administrator billing booking bookings business careers contact contactus customercare
		customerservice customersupport do-not-reply donotreply dpo editor enquiries events feedback hello help helpdesk hi
		hostmaster hr inbox info information inquiries invoice jobs kontakt legal mail mailer-daemon marketing media news
		newsletter no-reply no_reply noreply notifications office orders partner partners postmaster pr press privacy
		recruiting reservations root sales security service shop store subscribe support team unsubscribe webmaster welcome`)
	anybodys = set(`address e-mail email first.last firstname.lastname mymail name somebody someone username
		you your your-email your.email your.name youremail yourname`)
	anyDomains = set(`domain.com domain.tld email.com example.com example.edu example.net example.org mysite.com
		yourcompany.com yourdomain.com yoursite.com`)
	fileEndings = set("png jpg jpeg gif webp svg avif css js") // as of photo@2x.png
)

func set(words string) map[string]bool {
	out := make(map[string]bool)
	for _, word := range strings.Fields(words) {
		out[word] = true
	}
	return out
}

// isPersonalMail says whether a mail address may be a person's.
func isPersonalMail(value []byte) bool {
	local, domain, _ := strings.Cut(strings.ToLower(string(value)), "@")
	local, _, _ = strings.Cut(local, "+")
	_, parent, _ := strings.Cut(domain, ".")
	ending := domain[strings.LastIndexByte(domain, '.')+1:]
	return !roles[local] && !anybodys[local] && !anyDomains[domain] && !anyDomains[parent] && !fileEndings[ending]
}
