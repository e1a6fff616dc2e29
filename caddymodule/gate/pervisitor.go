package gate

import "strings"

// authFields ask for credentials or answer them (RFC 9110 §11.6, §11.7).
var authFields = []string{
	"Www-Authenticate",
	"Proxy-Authenticate",
	"Authentication-Info",
	"Proxy-Authentication-Info",
}

// perVisitor are the response fields that carry or change the state of one
// visitor, by canonical name; a * stands for any ending. None of them belongs in a
// response that is made for everybody.
var perVisitor = []string{
	// Credentials and tokens, echoed or newly issued.
	"Access-Token",
	"Authorization",
	"Cookie",
	"Csrf-Token",
	"Id-Token",
	"Proxy-Authorization",
	"Refresh-Token",
	"Session-Id",
	"X-Access-Token",
	"X-Amz-Security-Token",
	"X-Api-Key",
	"X-Auth-*",
	"X-Csrf-*",
	"X-Csrftoken",
	"X-Id-Token",
	"X-Jwt*",
	"X-Refresh-Token",
	"X-Session*",
	"X-Token",
	"X-Xsrf-*",
	"Xsrf-Token",

	// Who the visitor is, as an app or an authenticating proxy found out, and
	// where they are.
	"Cf-Connecting-Ip",
	"Remote-User",
	"True-Client-Ip",
	"X-Client-Ip",
	"X-Forwarded-Client-Cert",
	"X-Forwarded-Email",
	"X-Forwarded-For",
	"X-Forwarded-User",
	"X-Real-Ip",
	"X-Remote-User",
	"X-User*",

	// Commands to one visitor's browser.
	"Attribution-Reporting-*",
	"Clear-Site-Data",
	"Refresh",
	"Sec-Session-*",    // device bound session credentials
	"Secure-Session-*", // the same, in its later spelling
	"Set-Login",

	// Commands to a proxy to send another, often protected, file.
	"X-Accel-Redirect",
	"X-Lighttpd-Send-File",
	"X-Reproxy-Url",
	"X-Sendfile",
}

// perVisitorNames and perVisitorStarts are perVisitor, made fit for looking up.
var perVisitorNames, perVisitorStarts = func() (map[string]bool, []string) {
	names, starts := map[string]bool{}, []string(nil)
	for _, name := range perVisitor {
		if start, ok := strings.CutSuffix(name, "*"); ok {
			starts = append(starts, start)
		} else {
			names[name] = true
		}
	}
	return names, starts
}()

// isPerVisitor takes a canonical name.
func isPerVisitor(name string) bool {
	if perVisitorNames[name] {
		return true
	}
	for _, start := range perVisitorStarts {
		if strings.HasPrefix(name, start) {
			return true
		}
	}
	return false
}
