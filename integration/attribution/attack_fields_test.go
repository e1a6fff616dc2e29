package attribution

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// fieldAttacks are fields by which the app is told, from who should not tell it.
func fieldAttacks() []attack {
	var all []attack
	add := func(name string, trailer []field, fields ...field) {
		marked := func(a *attacker, list []field) (out []field) {
			for _, f := range list {
				out = append(out, field{f.name, strings.ReplaceAll(f.value, "MARK", a.mark)})
			}
			return out
		}
		all = append(all, attack{name: name, do: func(a *attacker) {
			a.land("", marked(a, fields)...)
			a.post("", marked(a, trailer), marked(a, fields)...)
		}})
	}
	for _, name := range []string{
		policies.AttributionField, policies.AttributionAtField, policies.AttributionRefererField, policies.AttributionLandingField, policies.AttributionField + "-Other",
		strings.ToUpper(policies.AttributionField), "cacheward-ATTRIBUTION-landing", "Cacheward_Attribution", "cacheward-attribution_landing", "CACHEWARD_ATTRIBUTION_REFERER",
	} {
		add(name, nil, field{name, "ref=MARK"})
		add(name+", twice", nil, field{name, "ref=MARK"}, field{name, "ref=MARK"})
		add(name+", of this connection", nil, field{"Connection", "close, " + name}, field{name, "ref=MARK"})
		add(name+", in a trailer", []field{{name, "ref=MARK"}}, field{"Trailer", name})
		add(name+", in a trailer, unannounced", []field{{"X-A", "MARK"}, {name, "ref=MARK"}}, field{"Trailer", "X-A"})
		add(name+", in a trailer without any", []field{{name, "ref=MARK"}})
	}
	add("a field with a blank", nil, field{policies.AttributionField + " ", "ref=MARK"})
	add("a folded field", nil, field{"X-A", "b\r\n " + policies.AttributionField + ": ref=MARK"})
	add("a field within a field", nil, field{"X-A", "b\n" + policies.AttributionField + ": ref=MARK"})
	return all
}

func asks(s site) bool { return s.model == consent }

// consentAttacks carry without consent.
var consentAttacks = []attack{
	{name: "no consent", reasons: []string{"consent"}, only: asks, do: func(a *attacker) { a.landInVain(http.MethodGet, "ref="+a.mark) }},
	{name: "consent to something else", reasons: []string{"consent"}, only: asks, do: func(a *attacker) {
		a.landInVain(http.MethodGet, "ref="+a.mark, field{"Cookie", "consent=necessary"})
	}},
	{name: "a cookie of almost that name", reasons: []string{"consent"}, only: asks, do: func(a *attacker) {
		a.landInVain(http.MethodGet, "ref="+a.mark, field{"Cookie", "Consent=marketing; xconsent=marketing; a=consent=marketing"})
	}},
	{name: "consent twice", reasons: []string{"consent"}, only: asks, do: func(a *attacker) {
		a.landInVain(http.MethodGet, "ref="+a.mark, field{"Cookie", "consent=marketing; consent=necessary"})
	}},
	{name: "consent withdrawn", reasons: []string{"consent"}, only: asks, do: func(a *attacker) {
		a.visit(http.MethodGet, a.page(), "ref="+a.mark, field{"Cookie", "consent=" + url.QueryEscape("necessary marketing")})
		if a.cookie == "" {
			a.t.Error("with consent nothing is carried")
		}
		a.post("", nil, field{"Cookie", "consent=necessary; " + a.cookieName() + "=" + a.cookie})
	}},
	{name: "consent forgotten", reasons: []string{"consent"}, only: asks, do: func(a *attacker) {
		a.visit(http.MethodGet, a.page(), "ref="+a.mark, field{"Cookie", "consent=marketing"})
		a.signUp()
	}},
}
