package policies

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// What nobody can declare harmless. A declared difference is not looked at, and what
// is stored in its place is one fill's: if it can be made for one visitor, everybody
// would be that visitor.

// refusedElements are HTML elements of which no text and no attribute can be
// declared, and why.
var refusedElements = []refusedNames{
	{
		names: []string{"input", "button", "textarea", "select", "option", "optgroup", "datalist", "output", "form", "fieldset", "keygen"},
		why:   "it is part of a form, and what forms send back is often made for one visitor",
	},
	{
		names: []string{"script", "style", "template", "noscript", "iframe", "frame", "object", "embed", "applet", "xmp", "plaintext", "noembed", "noframes"},
		why:   "it is a program or a page in the page, which can hold anything",
	},
	{names: []string{"a", "area", "link", "base"}, why: "it is a link, and links carry ids of sessions and visitors"},
}

// refusedAttributes are HTML attributes whose values cannot be declared.
var refusedAttributes = []refusedNames{
	{
		names: []string{
			"href", "*:href", "src", "srcset", "action", "formaction", "cite", "data", "poster", "background", "ping",
			"codebase", "archive", "manifest", "longdesc", "usemap", "imagesrcset", "profile", "xmlns", "xmlns:*", "*:base",
		},
		why: "it is an address, and addresses carry ids of sessions and visitors",
	},
	{names: []string{"nonce", "integrity", "http-equiv", "crossorigin", "sandbox", "referrerpolicy"}, why: "it says what the browser may run or send"},
	{names: []string{"on*", "style", "srcdoc"}, why: "it is a program or a page in the page, which can hold anything"},
	{names: []string{"value"}, why: "what forms send back is often made for one visitor; only meter, progress and data have harmless ones"},
}

// refusedFields are response fields whose differences cannot be declared, and why,
// besides those for which nobody can vouch. A * stands for any run of characters.
var refusedFields = []refusedNames{
	{names: []string{"Set-Cookie2", "Clear-Site-Data", "Refresh", "Proxy-Authenticate", "Proxy-Authentication-Info"}, why: "it is meant for one visitor's browser"},
	{
		names: []string{"X-User*", "Remote-User", "X-Remote-User", "X-Forwarded-*", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip"},
		why:   "it says who the visitor is, or where",
	},
	{
		names: []string{"ETag", "Last-Modified", "Accept-Ranges", "Cache-Groups", "Cache-Group-Invalidation", "Cache-Tag", "Surrogate-Key", "No-Vary-Search"},
		why:   "it says which stored responses may be used, and for what (RFC 9110 §8.8, RFC 9111)",
	},
	{names: []string{"Content-*"}, why: "it says what the content is and how it is to be read (RFC 9110 §8), or what it may do"},
	{names: []string{"Location", "Link", "Alt-Svc", "X-Accel-*", "X-Sendfile", "X-Lighttpd-Send-File", "X-Reproxy-Url"}, why: "it says where the content is"},
	{
		names: []string{
			"Cross-Origin-*", "Permissions-Policy", "Referrer-Policy", "Strict-Transport-Security", "X-Frame-Options", "X-Content-Type-Options",
			"Report-To", "Reporting-Endpoints", "NEL", "SourceMap", "X-SourceMap", "Attribution-Reporting-*", "Speculation-Rules", "Service-Worker-*",
		},
		why: "it says what the browser may do",
	},
}

// personalWords make a name that of a credential, a visitor, or where a visitor came
// from: whole words of it (lead_id, leadId, lead-id).
var personalWords = []string{
	"id", "ids", "uid", "uuid", "guid", "sid", "gid", "cid", "lead", "leads", "leadid", "ref", "refs", "source", "campaign", "coupon", "utm",
	"gclid", "fbclid", "click", "clickid", "auth", "oauth", "authorization", "jwt", "key", "keys", "sig", "hmac", "otp", "pin", "mail",
	"phone", "tel", "ip", "address", "person", "profile", "login", "cart", "basket", "viewer", "me",
}

// personalParts do so wherever in a name they stand.
var personalParts = []string{
	"token", "csrf", "xsrf", "session", "nonce", "secret", "passw", "credential", "cookie", "bearer", "viewstate", "signature",
	"fingerprint", "user", "visitor", "customer", "account", "member", "email", "referrer", "referer", "referral", "affiliate", "apikey",
}

// requestWords before id make it the id of a request, which is nobody's.
var requestWords = []string{"request", "trace", "span", "correlation"}

// personalPart returns the part of the name that makes it a credential's or a
// person's, or "".
func personalPart(name string) string {
	words := nameWords(name)
	for i, word := range words {
		if word == "id" && i > 0 && slices.Contains(requestWords, words[i-1]) {
			continue
		}
		if slices.Contains(personalWords, word) {
			return word
		}
	}
	joined := strings.Join(words, "")
	for _, part := range personalParts {
		if strings.Contains(joined, part) {
			return part
		}
	}
	return ""
}

// nameWords parts a name into lower-case words: at what is no letter, and where
// capitals begin a word, as in leadId and XSRFToken.
func nameWords(name string) []string {
	var words []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	runes := []rune(name)
	for i, r := range runes {
		if !unicode.IsLetter(r) {
			flush()
			continue
		}
		afterLower := i > 0 && unicode.IsLower(runes[i-1])
		beforeLower := i+1 < len(runes) && unicode.IsLower(runes[i+1])
		if unicode.IsUpper(r) && (afterLower || beforeLower) {
			flush()
		}
		word = append(word, r)
	}
	flush()
	return words
}

// refusePersonal refuses a name in what somebody declares.
func refusePersonal(text, name string) (message, fix string) {
	part := personalPart(name)
	if part == "" {
		return "", ""
	}
	return fmt.Sprintf("nobody can declare %q harmless: by its name (%s) it is a credential, a visitor's, or where a visitor came from", text, part), moveIt
}

// moveIt is what to do about a difference that cannot be declared.
const moveIt = "let the response leave it out, or load it separately"

func refuseHTML(text string, place HTMLPlace) (message, fix string) {
	because := func(why string) string { return fmt.Sprintf("nobody can declare %q harmless: %s", text, why) }
	for _, e := range refusedElements {
		if slices.Contains(e.names, place.Element) {
			return because(e.why), moveIt
		}
	}
	for _, a := range refusedAttributes {
		for _, pattern := range a.names {
			ownValue := pattern == "value" && slices.Contains([]string{"meter", "progress", "data"}, place.Element)
			if place.Attribute != "" && !ownValue && newNameGlob(pattern, kindHeader).match(place.Attribute) {
				return because(a.why), moveIt
			}
		}
	}
	switch {
	case place.Attribute == "" && slices.Contains(voidElements, place.Element):
		return fmt.Sprintf("%q: the element has no text", text), "name one of its attributes behind a blank"
	case place.Element == "meta" && place.Attribute == "content" && !slices.Contains([]string{"name", "property", "itemprop"}, place.Has):
		return fmt.Sprintf("%q does not name the meta, and a csrf-token is one as well", text), "name it, as in meta[name=generated] content"
	}
	_, attribute, _ := strings.Cut(text, " ") // as written: lower case hides where words begin
	for _, name := range []string{place.ID, place.Is, attribute} {
		if message, fix := refusePersonal(text, name); message != "" {
			return message, fix
		}
	}
	return "", ""
}

// voidElements have no content (HTML §13.1.2).
var voidElements = []string{"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}

func refuseJSON(text string, path JSONPath) (message, fix string) {
	for _, step := range path {
		if message, fix := refusePersonal(text, step.Member); message != "" {
			return message, fix
		}
	}
	return "", ""
}

// checkHarmlessField accepts the names of single fields whose differences somebody
// can declare harmless.
func checkHarmlessField(name string) (message, fix string) {
	if strings.Contains(name, "*") {
		return fmt.Sprintf("%q stands for any number of fields, which nobody has looked at", name), "name each field"
	}
	if message, fix := checkName(kindHeader, name); message != "" {
		return message, fix
	}
	for _, r := range slices.Concat(unvouchable, refusedFields) {
		for _, pattern := range r.names {
			if within(kindHeader, name, pattern) {
				return fmt.Sprintf("nobody can declare %q harmless: %s", name, r.why), "let the origin send the same to everybody, or leave it out"
			}
		}
	}
	return refusePersonal(name, name)
}
