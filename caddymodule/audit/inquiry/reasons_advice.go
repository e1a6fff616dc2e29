package inquiry

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/policies"
)

var catalogue = sync.OnceValue(func() map[string]policies.ReasonInfo {
	infos := make(map[string]policies.ReasonInfo)
	for _, reason := range policies.AllReasons() {
		infos[reason.String()] = reason.Info()
	}
	return infos
})

// reasonInfo is the catalogue's entry for a code. Of one that is not known, by a newer
// version, there is only the code.
func reasonInfo(code string) policies.ReasonInfo {
	if info, ok := catalogue()[code]; ok {
		return info
	}
	return policies.ReasonInfo{Code: code}
}

// Advice says which words of the route to write so that what the record tells of could be
// shared, as the Caddyfile has them, and under which condition; or that no line of the
// policy helps. The code is that of a reason, or the class of a divergence. Empty: there
// is nothing to say but the general advice of the catalogue.
//
// It never names a line that would share the state of a visitor. Whether two visitors may
// have one page is for whoever knows the app to say.
func Advice(code string, e *reading.Entry) string { return advise(code, placeOf(code, e)) }

// advise is [Advice] for a place.
func advise(code string, p Place) string {
	if code == policies.ReasonDivergent.String() && p.Class != "" {
		if advice := advise(p.Class, p); advice != "" {
			return advice
		}
		return policies.Class(p.Class).Info().Advice
	}
	switch code {
	case "remembered-refusal", "route-diverging":
		return "cacheward audit refusals has the refusal itself, and what to change."
	case "param-bypass":
		return adviseParam(p.input("param"))
	case "cookie-bypass":
		return adviseCookie(p.input("cookie"))
	case "fragment":
		if name := p.input("header"); name != "" {
			return fmt.Sprintf("`header key %s`, if its fragments can be shared.", name)
		}
	case "header-bypass", "vary-undeclared":
		return adviseHeader(p.input("header"))
	case "cross-origin":
		return "`header key Origin`; or `header strip Origin`, if the answer is the same for every origin."
	case "access-control":
		return "`header key Origin`; or let the app answer Access-Control-Allow-Origin: *."
	case "identity", "authorization", "cookie-repeated", "private", "no-store", "no-cache", "vary-credentials", "www-authenticate":
		return "No line of the policy: what this says is one visitor's stays theirs. " + reasonInfo(code).Advice
	case "set-cookie":
		return "Do not start a session on this page. Only if no visitor needs the cookie: `set_cookie strip \"why nobody needs it\"`; " +
			"then nobody gets it, and two answers must agree."
	case "per-visitor-header":
		return "No line of the policy, unless the app sends the same to everybody; then take the header out of this page."
	case "status":
		return adviseStatus(p.Status)
	case "host-unknown", "host-port":
		if safeWord.MatchString(p.Host) {
			return fmt.Sprintf("`host %s` in the route, if that is a host of yours.", p.Host)
		}
	case "not-explicit":
		return "`cache 5m` in the route, with the time that you choose: two answers must then agree before one is shared. " +
			"Or let the app send Cache-Control: public, max-age=…."
	case "state-in-body":
		return adviseState(p.Detector)
	case "inspection-incomplete":
		return "`admission corroborated`: two answers must then agree before one is shared."
	case "reflects-input", string(policies.ClassReflected):
		return adviseReflection(p)
	case "origin-error", "fill-aborted":
		return "`stale_if_error 1h` in the block of cache keeps visitors served meanwhile."
	case "too-large":
		return "`max_object` among the limits of the handler, if there is memory for it."
	case "waiters-full":
		return "`max_waiters` among the limits of the handler; but look at the app's time first."
	case "fills-full":
		return "`max_fills` among the limits of the handler; but look at the app's time first."
	case "memory-full":
		return "`fill_memory` among the limits of the handler; but look at the app's time first."
	case "no-route":
		return "A route with a `path` for this URL, if its answers can be shared."
	case string(policies.ClassClock):
		return adviseIgnore(p)
	case string(policies.ClassToken), string(policies.ClassCounter), string(policies.ClassPersonal):
		return "No line of the policy: this may be state of one visitor. " + policies.Class(code).Info().Advice
	}
	return ""
}

// safeWord is what can stand in a line of a policy as it is. A * in a record stands for
// what was left out of a name; in a policy it would mean every name.
var safeWord = regexp.MustCompile(`^[A-Za-z0-9_$.:\[\]-][A-Za-z0-9_$.:%\[\]-]{0,63}$`)

// input is the name of an input of that kind, if the place tells one that can be written
// in a policy.
func (p Place) input(kind string) string {
	for _, told := range []string{p.Input, p.Detail} {
		name := strings.TrimPrefix(told, kind+" ")
		if other, _, two := strings.Cut(told, " "); two && other != kind {
			continue
		}
		if name != "" && name != kind && safeWord.MatchString(name) {
			return name
		}
	}
	return ""
}

func adviseParam(name string) string {
	switch {
	case name == "":
		return "`param key NAME` if the page shows it, `param strip NAME` if the page does not depend on it; cacheward explain URL says which it is."
	case analytics(name, policies.InputParam):
		return "`param strip @analytics`: that list has " + name + "."
	}
	return fmt.Sprintf("`param key %s` if the page shows it, `param strip %[1]s` if the page does not depend on it.", name)
}

func adviseCookie(name string) string {
	switch {
	case name == "":
		return "`cookie strip NAME` if the app does not use it on this page, `cookie key NAME` if the page depends on it and everybody " +
			"with the same value may see the same."
	case analytics(name, policies.InputCookie):
		return "`cookie strip @analytics`: that list has " + name + "."
	case ofOneVisitor(name):
		return "No line of the policy: by its name, " + name + " is one visitor's. If the page is the same for everybody, " +
			"set that cookie for another path."
	}
	return fmt.Sprintf("`cookie strip %s` if the app does not use it on this page, `cookie key %[1]s` if the page depends on it and everybody "+
		"with the same value may see the same.", name)
}

func adviseHeader(name string) string {
	switch {
	case name == "":
		return "`header key NAME` if the page depends on it, `header strip NAME` if not."
	case ofOneVisitor(name):
		return "No line of the policy: by its name, " + name + " is one visitor's."
	}
	return fmt.Sprintf("`header key %s` if the page depends on it, `header strip %[1]s` if not.", name)
}

// shareable are the statuses that a route can give a lifetime.
var shareable = []int{203, 300, 301, 302, 303, 307, 308, 404, 410, 451}

func adviseStatus(status int) string {
	if slices.Contains(shareable, status) {
		return fmt.Sprintf("`status %d 10s` in the block of cache, if everybody gets the same.", status)
	}
	return "No line of the policy: this status is never shared."
}

func adviseState(detector string) string {
	advice := ""
	for _, d := range policies.Detectors() {
		if d.ID == detector {
			advice = d.Advice + " "
		}
	}
	return advice + "If the value is the same for everybody: `admission corroborated`; two answers must then agree before one is shared."
}

func adviseReflection(p Place) string {
	if name := p.input("param"); name != "" && strings.HasPrefix(p.Input+" ", "param ") {
		return fmt.Sprintf("`param key %s`, if each of its values is to have a page of its own; else let the page not repeat it.", name)
	}
	return "No line of the policy: the page shows something of one visitor. Let it not repeat that."
}

// adviseIgnore names the place of a clock in the words of the policy, if it accepts that:
// nothing whose name is a visitor's.
func adviseIgnore(p Place) string {
	const otherwise = "Take it out of the page, or declare the place: `ignore \"the clock of the app\" html|json|header PLACE`, if nobody reads it."
	switch {
	case strings.Contains(p.Near, "*"):
	case p.Part == "header" && safeWord.MatchString(p.Field):
		return fmt.Sprintf("`ignore \"the clock of the app\" header %s`, if nobody reads it.", p.Field)
	case strings.HasPrefix(p.Near, "$"):
		if _, err := policies.ParseJSONPath(p.Near); err == nil {
			return fmt.Sprintf("`ignore \"the clock of the app\" json %s`, if nobody reads it.", p.Near)
		}
	case p.Near == "time" || p.Near == "time datetime":
		return fmt.Sprintf("`ignore \"the clock of the app\" html %s`, if nobody reads it.", quoted(p.Near))
	}
	return otherwise
}

func quoted(s string) string {
	if strings.Contains(s, " ") {
		return `"` + s + `"`
	}
	return s
}

// analytics says whether the built-in list has the name.
func analytics(name string, kind policies.InputKind) bool {
	return slices.ContainsFunc(analyticsNames(), func(entry policies.ListEntry) bool {
		if kind == policies.InputParam && !entry.Param || kind == policies.InputCookie && !entry.Cookie {
			return false
		}
		matched, err := path.Match(entry.Pattern, name)
		return err == nil && matched
	})
}

var analyticsNames = sync.OnceValue(func() []policies.ListEntry { return policies.Lists()["@analytics"] })

// Parts and words of names whose values are one visitor's.
var (
	visitorParts = []string{
		"session", "sess", "token", "auth", "jwt", "csrf", "xsrf", "secret", "passw", "apikey", "login", "logged", "email",
		"user", "visitor", "customer", "account", "member", "remember", "cart", "basket", "identity", "credential", "lead",
	}
	visitorWords = []string{"sid", "uid", "id", "uuid", "guid", "key", "ticket", "nonce", "cookie", "me", "ip"}
)

// ofOneVisitor says whether what has this name is one visitor's, going by the name.
func ofOneVisitor(name string) bool {
	name = strings.ToLower(name)
	if slices.ContainsFunc(visitorParts, func(part string) bool { return strings.Contains(name, part) }) {
		return true
	}
	return slices.ContainsFunc(strings.FieldsFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }),
		func(word string) bool { return slices.Contains(visitorWords, word) })
}
