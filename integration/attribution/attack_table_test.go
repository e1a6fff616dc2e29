package attribution

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// attacks are all of them.
func attacks() []attack {
	return slices.Concat(cookieAttacks(), keyAttacks(), tossings, landingAttacks(), refererAttacks, fieldAttacks(), consentAttacks)
}

// The words of the records.
var (
	forged    = []string{"forged"}
	expired   = []string{"expired"}
	broken    = []string{"forged", "malformed", "bounds", "expired", "foreign"}
	ambiguous = []string{"ambiguous"}
	tooMuch   = []string{"bounds", "malformed"}
)

// with makes an attack of what is made of an honest cookie.
func with(name string, reasons []string, forge func(honest string) string) attack {
	return attack{name: name, reasons: reasons, do: func(a *attacker) {
		a.cookie = forge(a.honest())
		a.land("") // where a page could show it
		a.signUp()
	}}
}

// cookieAttacks forge what the edge has signed.
func cookieAttacks() []attack {
	all := []attack{
		{name: "no signature", reasons: broken, do: func(a *attacker) {
			a.cookie = base64.RawURLEncoding.EncodeToString([]byte(`{"values":[{"name":"ref","value":"` + a.mark + `"}]}`))
			a.signUp()
		}},
		{name: "in clear", reasons: broken, do: func(a *attacker) { a.cookie = a.mark; a.signUp() }},
		{name: "a pair in clear", reasons: broken, do: func(a *attacker) { a.cookie = "ref=" + a.mark; a.signUp() }},
		with("a byte less", broken, func(v string) string { return v[:len(v)-1] }),
		with("half of it", broken, func(v string) string { return v[:len(v)/2] }),
		with("a byte more", broken, func(v string) string { return v + "A" }),
		with("padding", broken, func(v string) string { return v + "=" }),
		with("twice over", broken, func(v string) string { return v + v }),
		with("in lower case", broken, strings.ToLower),
		with("the alphabet of +/", broken, func(v string) string { return "+/" + v }),
		with("escaped", broken, func(v string) string { return fmt.Sprintf("%%%02X%s", v[0], v[1:]) }),
		with("4 KB", broken, func(v string) string { return v + strings.Repeat("A", 4<<10) }),
		with("12 KB", broken, func(v string) string { return strings.Repeat("A", 12<<10) + v }),
		{name: "bits flipped", reasons: broken, do: func(a *attacker) {
			honest := a.honest()
			for i := 0; i < len(honest); i += 1 + len(honest)/12 {
				a.cookie = changed(honest, i)
				a.signUp()
			}
			a.cookie = changed(honest, len(honest)-1)
			a.signUp()
		}},
		{name: "another version, other flags, another key", reasons: broken, do: func(a *attacker) {
			raw, err := base64.RawURLEncoding.DecodeString(a.honest())
			if err != nil {
				a.t.Errorf("the cookie is not base64url: %v", err)
			}
			for i := range min(8, len(raw)) {
				for _, flip := range []byte{1, 2, 0x80, 0xff} {
					b := slices.Clone(raw)
					b[i] ^= flip
					a.cookie = base64.RawURLEncoding.EncodeToString(b)
					a.signUp()
				}
			}
		}},
		{name: "of another site", reasons: []string{"foreign", "forged"}, do: func(a *attacker) {
			here := a.site
			a.site = attackedSites[(slices.Index(attackedSites, here)+1)%3]
			a.cookie = a.honest()
			a.site = here
			a.signUp()
		}},
	}
	return all
}

// changed has another letter at one place.
func changed(text string, at int) string {
	other := byte('A')
	if text[at] == other {
		other = 'B'
	}
	return text[:at] + string(other) + text[at+1:]
}

// tossings put cookies beside or in the place of the right one, as a subdomain or a plain
// page can.
var tossings = []attack{
	{name: "two cookies, one line", reasons: ambiguous, do: func(a *attacker) {
		a.post("", nil, field{"Cookie", a.cookieName() + "=" + a.honest() + "; " + a.cookieName() + "=" + a.honest()})
	}},
	{name: "two cookies, the first broken", reasons: ambiguous, do: func(a *attacker) {
		a.post("", nil, field{"Cookie", a.cookieName() + "=x; a=b; " + a.cookieName() + "=" + a.honest()})
	}},
	{name: "two cookies, the last broken", reasons: ambiguous, do: func(a *attacker) {
		a.post("", nil, field{"Cookie", a.cookieName() + "=" + a.honest() + "; " + a.cookieName() + "="})
	}},
	{name: "two cookies, two lines", reasons: ambiguous, do: func(a *attacker) {
		a.post("", nil, field{"Cookie", a.cookieName() + "=" + a.honest()}, field{"Cookie", a.cookieName() + "=" + a.honest()})
	}},
	{name: "forty cookies", reasons: ambiguous, do: func(a *attacker) {
		a.post("", nil, field{"Cookie", strings.Repeat(a.cookieName()+"="+a.honest()+"; ", 40) + "a=b"})
	}},
	{name: "the other scheme's cookie", do: func(a *attacker) {
		a.post("", nil, field{"Cookie", a.otherName() + "=" + a.honest()})
	}},
	{name: "the other scheme's cookie, with a claim", do: func(a *attacker) {
		claim := map[string]string{"http": "https", "https": "http"}[a.wire.scheme]
		a.post("", nil, field{"X-Forwarded-Proto", claim}, field{"Forwarded", "proto=" + claim}, field{"Cookie", a.otherName() + "=" + a.honest()})
	}},
	{name: "without a name", do: func(a *attacker) {
		a.post("", nil, field{"Cookie", "=" + a.cookieName() + "=x"})
	}},
}
