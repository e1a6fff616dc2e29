package attribution

import (
	"fmt"
	"net/http"
	"strings"
)

// landingAttacks are landings of which nothing may come.
func landingAttacks() []attack {
	var all []attack
	landing := func(name string, reasons []string, query string, fields ...field) {
		all = append(all, attack{name: name, reasons: reasons, do: func(a *attacker) {
			a.landInVain(http.MethodGet, strings.ReplaceAll(query, "MARK", a.mark), fields...)
		}})
	}
	for _, f := range []field{
		{"Sec-Purpose", "prefetch"}, {"Sec-Purpose", "prefetch;prerender"}, {"Sec-Purpose", "prefetch;anonymous-client-ip"},
		{"Purpose", "prefetch"}, {"Purpose", "prerender"}, {"X-Moz", "prefetch"}, {"Purpose", "preview"}, {"Sec-Purpose", "PREFETCH"},
	} {
		landing(f.name+": "+f.value, []string{"prefetch"}, "ref=MARK", f)
	}
	for _, crawler := range []string{
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
		"facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "Twitterbot/1.0", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
		"Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
	} {
		landing(crawler[:min(len(crawler), 36)], []string{"crawler"}, "ref=MARK", field{"User-Agent", crawler})
	}
	for _, q := range []struct{ name, query string }{
		{"a value of 257 bytes", "ref=MARK" + strings.Repeat("x", 257)},
		{"a value of 6 KB", "ref=MARK" + strings.Repeat("x", 6<<10)},
		{"a name of 65 bytes", "utm_" + strings.Repeat("n", 61) + "=MARK"},
		{"17 parameters", "ref=MARK" + many(16)},
		{"900 parameters", "ref=MARK" + many(900)},
		{"CRLF in a value", "ref=MARK%0d%0aSet-Cookie:%20session=MARK"},
		{"LF in a value", "ref=MARK%0aMARK"},
		{"NUL in a value", "ref=MARK%00"},
		{"DEL in a value", "ref=MARK%7f"},
		{"a C1 control in a value", "ref=MARK%c2%85"},
		{"no UTF-8 in a value", "ref=MARK%ff"},
		{"overlong UTF-8 in a value", "ref=MARK%c0%8a"},
		{"a surrogate in a value", "ref=MARK%ed%a0%80"},
		{"CRLF in a name", "utm_%0d%0aX-Evil:%20MARK=MARK"},
		{"NUL in a name", "utm_%00=MARK"},
		{"one value of two broken", "ref=MARK&utm_source=%0d%0a"},
	} {
		landing(q.name, tooMuch, q.query)
	}
	for _, method := range []string{http.MethodHead, http.MethodPost, http.MethodPut, http.MethodOptions} {
		all = append(all, attack{name: "landing by " + method, do: func(a *attacker) {
			a.landInVain(method, "ref="+a.mark)
		}})
	}
	return all
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "&utm_%d=MARK", i)
	}
	return b.String()
}

// landInVain lands, must not be given a cookie, and signs up.
func (a *attacker) landInVain(method, query string, fields ...field) {
	got := a.visit(method, a.page(), query, fields...)
	if a.cookie != "" {
		a.t.Errorf("%s, %s: %s ?%.60s %v: a cookie is set: %v", a.wire, a.site.host(), method, query, fields, got.header)
	}
	a.signUp()
}

func header(s site) bool { return s.as == "header" && s.model != consent }

// refererAttacks are Referers that name no other site.
var refererAttacks = func() (all []attack) {
	for _, r := range []struct{ name, value string }{
		{"its own host", "HOME/lp?MARK"}, {"its own host in upper case", "HOMEUP/MARK"}, {"its own host with its port", "HOME:443/MARK"},
		{"no URL", "MARK"}, {"a script", "javascript:alert('MARK')"}, {"data", "data:text/html,MARK"}, {"a host with a blank", "https://a MARK.example/"},
		{"a host of 600 bytes", "https://MARK" + strings.Repeat("a", 600) + ".example/"}, {"a file", "file:///MARK"}, {"no host", "https:///MARK"},
		{"a quoted host", `https://"MARK".example/`}, {"a host with %0d%0a", "https://MARK%0d%0a.example/"},
	} {
		all = append(all, attack{name: "Referer: " + r.name, only: header, do: func(a *attacker) {
			home := a.wire.scheme + "://" + a.site.host()
			value := strings.NewReplacer("HOMEUP", strings.ToUpper(home), "HOME", home, "MARK", a.mark).Replace(r.value)
			a.landInVain(http.MethodGet, "", field{"Referer", value})
		}})
	}
	return all
}()
