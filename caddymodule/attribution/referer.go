package attribution

import (
	"net/url"
	"strings"
)

// readReferer takes the Referer, if another site's page is the one that linked here.
func (t *Touch) readReferer(referer, host string, full bool) Problem {
	if referer == "" || sameHost(authority(referer), host) {
		return "" // most are of the site itself, and cost nothing
	}
	if !isText(referer) {
		return Malformed
	}
	u, err := url.Parse(referer)
	if err != nil || !isSite(u) || sameHost(u.Host, host) {
		return ""
	}
	from := strings.ToLower(bareHost(u.Host))
	if !isHostname(from) {
		return ""
	}
	t.Referer = from
	if page := pageOf(u); full && len(page) <= MaxReferer {
		t.Referer = page
	}
	if len(t.Referer) > MaxReferer {
		return Bounds
	}
	return ""
}

// authority is the part of an absolute URL that names the host, without a user.
func authority(rawURL string) string {
	_, rest, ok := strings.Cut(rawURL, "://")
	if !ok {
		return ""
	}
	if end := strings.IndexAny(rest, "/?#\\"); end >= 0 {
		rest = rest[:end]
	}
	return rest[strings.LastIndexByte(rest, '@')+1:]
}

// isSite: android-app names the app in which a link was followed.
func isSite(u *url.URL) bool {
	return u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "android-app"
}

// pageOf is the URL without what may be personal in it. It is ASCII.
func pageOf(u *url.URL) string {
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return u.Scheme + "://" + strings.ToLower(u.Host) + path
}

// sameHost compares hosts as cookies do: without ports and letter case.
func sameHost(a, b string) bool {
	a, b = bareHost(a), bareHost(b)
	return a != "" && strings.EqualFold(a, b)
}

// bareHost is the host without its port and the dot of the root.
func bareHost(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host[i:], ']') < 0 {
		host = host[:i]
	}
	return strings.TrimSuffix(host, ".")
}

// isHostname: letters, digits and what else stands in a name or an address. Browsers send
// other scripts in Punycode.
func isHostname(host string) bool {
	for i := range len(host) {
		c := host[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-._[]:", c) >= 0) {
			return false
		}
	}
	return host != ""
}
