package markers

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
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
