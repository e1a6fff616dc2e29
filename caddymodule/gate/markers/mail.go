package markers

import (
	"bytes"
	"strings"
)

// maxLocal is how long the part of a mail address before the @ may be (RFC 5321
// §4.5.3.1.1), maxDomain the part after it.
const (
	maxLocal  = 64
	maxDomain = 255
)

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

// mayBeMail says whether the @ at a place may be in a mail address of a person that is
// a whole string, without a pattern: most signs are not, as in @handle, @scope/package
// or info@, and lists of those are long.
func mayBeMail(text []byte, at int) bool {
	from, end, quote := at, at+1, false
	for from > 0 && at-from < maxLocal && isLocal(text[from-1]) {
		from--
		quote = quote || text[from] == '\''
	}
	for end < len(text) && end-at <= maxDomain && isDomain(text[end]) {
		end++
	}
	top := at + 1 + bytes.LastIndexByte(text[at+1:end], '.') + 1
	switch {
	case from == at, top == at+1, top == end, !isLetter(text[top]): // as in name@1.0
		return false
	case end == len(text), text[end] != '"' && text[end] != '\'' && text[end] != '\\':
		return false
	case quote:
		return true // of the address, or around it
	}
	return from > 0 && (text[from-1] == '"' || text[from-1] == '\'') && isPersonalMail(text[from:end])
}

func isLocal(c byte) bool { return isDomain(c) || c == '%' || c == '+' || c == '\'' }

func isDomain(c byte) bool {
	return isLetter(c) || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.'
}
