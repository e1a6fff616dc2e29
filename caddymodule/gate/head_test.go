package gate

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/cacheward/cacheward/policies"
)

var received = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

// header makes a header from name, value pairs. Names are taken as they are.
func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = append(h[pairs[i]], pairs[i+1])
	}
	return h
}

func originRules() Rules { return Rules{Path: "/", WantIdentity: true, Received: received} }

func operatorRules() Rules {
	r := originRules()
	r.Operator = true
	return r
}

func with(r Rules, change func(*Rules)) Rules {
	change(&r)
	return r
}

// shareable are heads that nothing speaks against.
var shareable = []struct {
	name string
	head Head
	r    Rules
}{
	{"explicit", Head{Status: 200, Header: header("Cache-Control", "public, max-age=60", "Content-Type", "text/html")}, originRules()},
	{"s-maxage over max-age=0", Head{Status: 200, Header: header("Cache-Control", "max-age=0, s-maxage=60")}, originRules()},
	{"expires ahead", Head{Status: 200, Header: header("Expires", "Mon, 01 Mar 2027 13:00:00 GMT")}, originRules()},
	{"max-age outranks expires", Head{Status: 200, Header: header("Cache-Control", "max-age=60", "Expires", "0")}, originRules()},
	{"operator and a silent origin", Head{Status: 200, Header: header("Content-Type", "text/html")}, operatorRules()},
	{"vary on what the store and key settle", Head{Status: 200, Header: header("Vary", "Accept-Encoding, , Host")}, operatorRules()},
	{"vary declared", Head{Status: 200, Header: header("Vary", "accept-language")}, with(operatorRules(), func(r *Rules) {
		r.Declared = func(name string) bool { return name == "Accept-Language" }
	})},
	{"origin keyed", Head{Status: 200, Header: header("Vary", "Origin", "Access-Control-Allow-Origin", "https://a.example.com", "Access-Control-Allow-Credentials", "true")},
		with(operatorRules(), func(r *Rules) { r.OriginKeyed = true })},
	{"open access control", Head{Status: 200, Header: header("Access-Control-Allow-Origin", "*")}, operatorRules()},
	{"cookie that is stripped", Head{Status: 200, Header: header("Set-Cookie", "a=b")}, with(operatorRules(), func(r *Rules) { r.AllowSetCookie = true })},
	{"style sheet", Head{Status: 200, Header: header("Content-Type", "text/css; charset=utf-8")}, with(operatorRules(), func(r *Rules) { r.Path = "/a/x.css" })},
	{"redirect", Head{Status: 301, Header: header("Location", "/b")}, with(operatorRules(), func(r *Rules) {
		r.Statuses = func(status int) bool { return status == 301 }
		r.Path = "/logo.png"
	})},
	{"fill, compressed unasked", Head{Status: 200, Header: header("Content-Encoding", "gzip")}, operatorRules()},
	{"trusted, whatever the coding", Head{Status: 200, Header: header("Content-Encoding", "aws-chunked")}, with(operatorRules(), func(r *Rules) { r.Trusted = true })},
	{"own answer, compressed", Head{Status: 200, Header: header("Content-Encoding", "gzip")}, with(operatorRules(), func(r *Rules) { r.WantIdentity = false })},
	{"content-length twice, agreeing", Head{Status: 200, Header: header("Content-Length", "5", "content-length", "5")}, operatorRules()},
	{"early hints", Head{Status: 200, Informational: []http.Header{header("Link", "</a.css>; rel=preload")}}, operatorRules()},
	{"a name that only resembles", Head{Status: 200, Header: header("X-Powered-By", "app", "Etag", `"a"`)}, operatorRules()},
}

// refusals are changes to a head, each of which speaks against sharing.
var refusals = []struct {
	name   string
	pairs  []string
	reason policies.Reason
}{
	// attacks 1.1
	{"set-cookie", []string{"Set-Cookie", "a=b"}, policies.ReasonSetCookie},
	{"set-cookie in lower case", []string{"set-cookie", "a=b"}, policies.ReasonSetCookie},
	{"set-cookie in odd case", []string{"SET-cookie", "a=b"}, policies.ReasonSetCookie},
	{"set-cookie with a blank", []string{"Set-Cookie ", "a=b"}, policies.ReasonSetCookie},
	{"set-cookie that is empty", []string{"Set-Cookie", ""}, policies.ReasonSetCookie},
	{"set-cookie among several", []string{"Set-Cookie", "a=b", "Set-Cookie", "c=d"}, policies.ReasonSetCookie},
	{"set-cookie2", []string{"Set-Cookie2", "a=b"}, policies.ReasonSetCookie},
	{"set-cookie as a late trailer", []string{http.TrailerPrefix + "Set-Cookie", "a=b"}, policies.ReasonSetCookie},
	{"set-cookie smuggled", []string{"X-Name", "a\r\nSet-Cookie: a=b"}, policies.ReasonHeaderMalformed},
	// attacks 1.2
	{"challenge", []string{"WWW-Authenticate", "Basic"}, policies.ReasonAuthChallenge},
	{"proxy challenge", []string{"Proxy-Authenticate", "Basic"}, policies.ReasonAuthChallenge},
	{"authentication info", []string{"Authentication-Info", `nextnonce="x"`}, policies.ReasonAuthChallenge},
	{"proxy authentication info", []string{"proxy-authentication-info", `nextnonce="x"`}, policies.ReasonAuthChallenge},
	{"token echoed", []string{"Authorization", "Bearer x"}, policies.ReasonPerVisitorHeader},
	{"csrf token", []string{"x-csrf-token", "x"}, policies.ReasonPerVisitorHeader},
	{"xsrf token", []string{"X-XSRF-TOKEN", "x"}, policies.ReasonPerVisitorHeader},
	{"auth header by its beginning", []string{"X-Auth-Request-Email", "a@example.com"}, policies.ReasonPerVisitorHeader},
	{"user header by its beginning", []string{"X-User-Id", "7"}, policies.ReasonPerVisitorHeader},
	{"session id", []string{"X-Session-Id", "x"}, policies.ReasonPerVisitorHeader},
	{"device bound session", []string{"Sec-Session-Registration", "(ES256)"}, policies.ReasonPerVisitorHeader},
	{"clear-site-data", []string{"Clear-Site-Data", `"*"`}, policies.ReasonPerVisitorHeader},
	{"refresh", []string{"Refresh", "0; url=/x?t=1"}, policies.ReasonPerVisitorHeader},
	{"attribution source", []string{"Attribution-Reporting-Register-Source", "{}"}, policies.ReasonPerVisitorHeader},
	{"login status", []string{"Set-Login", "logged-in"}, policies.ReasonPerVisitorHeader},
	{"internal redirect", []string{"X-Accel-Redirect", "/private/a"}, policies.ReasonPerVisitorHeader},
	{"send file", []string{"X-Sendfile", "/private/a"}, policies.ReasonPerVisitorHeader},
	{"cloud token", []string{"X-Amz-Security-Token", "x"}, policies.ReasonPerVisitorHeader},
	{"visitor's address", []string{"X-Forwarded-For", "192.0.2.1"}, policies.ReasonPerVisitorHeader},
	// attacks 1.4
	{"private", []string{"Cache-Control", "private"}, policies.ReasonPrivate},
	{"private with fields", []string{"Cache-Control", `private="x", max-age=60`}, policies.ReasonPrivate},
	{"private in a second line", []string{"Cache-Control", "public, max-age=60", "cache-control", "PRIVATE"}, policies.ReasonPrivate},
	{"no-store", []string{"Cache-Control", "no-store"}, policies.ReasonNoStore},
	{"no-store swallowed by private", []string{"Cache-Control", "private=x,no-store"}, policies.ReasonNoStore},
	{"no-cache", []string{"Cache-Control", "no-cache"}, policies.ReasonNoCache},
	{"no-cache with fields", []string{"Cache-Control", `no-cache="Set-Cookie"`}, policies.ReasonNoCache},
	{"pragma", []string{"Pragma", "no-cache"}, policies.ReasonNoCache},
	{"targeted refusal", []string{"CDN-Cache-Control", "no-store"}, policies.ReasonNoStore},
	{"surrogate refusal", []string{"Surrogate-Control", "no-store"}, policies.ReasonNoStore},
	{"max-age=0", []string{"Cache-Control", "max-age=0"}, policies.ReasonNotFresh},
	{"s-maxage=0", []string{"Cache-Control", "max-age=60, s-maxage=0"}, policies.ReasonNotFresh},
	{"two lifetimes", []string{"Cache-Control", "max-age=60", "Cache-Control", "max-age=0"}, policies.ReasonNotFresh},
	{"expired", []string{"Expires", "Thu, 01 Jan 1970 00:00:01 GMT"}, policies.ReasonNotFresh},
	{"expires 0", []string{"Expires", "0"}, policies.ReasonNotFresh},
	{"malformed lifetime", []string{"Cache-Control", "max-age=60s"}, policies.ReasonHeaderMalformed},
	// attacks 14
	{"vary star", []string{"Vary", "*"}, policies.ReasonVaryStar},
	{"vary star in a list", []string{"Vary", "Accept-Encoding, *"}, policies.ReasonVaryStar},
	{"vary star in a second line", []string{"Vary", "Accept-Encoding", "vary", "*"}, policies.ReasonVaryStar},
	{"vary junk", []string{"Vary", `Accept-Encoding; "x"`}, policies.ReasonVaryStar},
	{"vary cookie", []string{"Vary", "accept-encoding,COOKIE"}, policies.ReasonVaryCredentials},
	{"vary authorization", []string{"Vary", "Authorization"}, policies.ReasonVaryCredentials},
	{"vary proxy-authorization", []string{"Vary", "Proxy-Authorization"}, policies.ReasonVaryCredentials},
	{"vary undeclared", []string{"Vary", "User-Agent"}, policies.ReasonVaryUndeclared},
	{"vary origin", []string{"Vary", "Origin"}, policies.ReasonVaryUndeclared},
	// attacks 15
	{"one origin", []string{"Access-Control-Allow-Origin", "https://evil.example"}, policies.ReasonAccessControl},
	{"null origin", []string{"Access-Control-Allow-Origin", "null"}, policies.ReasonAccessControl},
	{"origin in a second line", []string{"Access-Control-Allow-Origin", "*", "access-control-allow-origin", "https://evil.example"}, policies.ReasonAccessControl},
	{"credentials", []string{"Access-Control-Allow-Credentials", "true"}, policies.ReasonAccessControl},
	// attacks 12, 13
	{"content-range", []string{"Content-Range", "bytes 0-1/2"}, policies.ReasonIncremental},
	{"event stream", []string{"Content-Type", "Text/Event-Stream; charset=utf-8"}, policies.ReasonIncremental},
	{"replaced part by part", []string{"Content-Type", "multipart/x-mixed-replace; boundary=x"}, policies.ReasonIncremental},
	{"trailers announced", []string{"Trailer", "X-Checksum"}, policies.ReasonIncremental},
	{"incremental", []string{"Incremental", "?1"}, policies.ReasonIncremental},
	{"coded, and to stay so", []string{"Content-Encoding", "gzip", "Cache-Control", "No-Transform"}, policies.ReasonEncodingUnreadable},
	{"coded three times", []string{"Content-Encoding", "gzip, br, gzip"}, policies.ReasonEncodingUnreadable},
	{"coding unknown", []string{"Content-Encoding", "aws-chunked"}, policies.ReasonEncodingUnreadable},
	// attacks 18
	{"two lengths", []string{"Content-Length", "5", "Content-Length", "6"}, policies.ReasonHeaderMalformed},
	{"list of lengths", []string{"Content-Length", "5, 5"}, policies.ReasonHeaderMalformed},
	{"signed length", []string{"Content-Length", "+5"}, policies.ReasonHeaderMalformed},
	{"two types", []string{"Content-Type", "text/html", "content-type", "text/css"}, policies.ReasonHeaderMalformed},
	{"joined types", []string{"Content-Type", "text/html, text/css"}, policies.ReasonHeaderMalformed},
	{"control byte", []string{"Vary", "Accept-Encoding\x00"}, policies.ReasonHeaderMalformed},
	{"field name", []string{"X Y", "a"}, policies.ReasonHeaderMalformed},
}

func TestCheckPasses(t *testing.T) {
	for _, tt := range shareable {
		t.Run(tt.name, func(t *testing.T) {
			if got := Check(tt.head, tt.r); got != nil {
				t.Errorf("Check() = %v, want nothing", got)
			}
		})
	}
}

// Every refusal counts on every shareable head, whether the origin or the operator
// governs the route, and whatever else the head says.
func TestCheckRefuses(t *testing.T) {
	for _, tt := range refusals {
		for _, base := range []struct {
			name string
			r    Rules
			head http.Header
		}{
			{"origin", originRules(), header("Content-Type", "text/html")},
			{"operator", operatorRules(), nil},
		} {
			t.Run(tt.name+"/"+base.name, func(t *testing.T) {
				h := base.head.Clone()
				if h == nil {
					h = http.Header{}
				}
				for name, values := range header(tt.pairs...) {
					h[name] = values
				}
				got := Check(Head{Status: 200, Header: h}, base.r)
				if !slices.Contains(got, tt.reason) {
					t.Errorf("Check(%v) = %v, want %v among them", h, got, tt.reason)
				}
			})
		}
	}
}

func TestCheckStatus(t *testing.T) {
	all := func(int) bool { return true }
	tests := []struct {
		name     string
		status   int
		statuses func(int) bool
		location string
		want     []policies.Reason
	}{
		{"200 by default", 200, nil, "", nil},
		{"404 by default", 404, nil, "", []policies.Reason{policies.ReasonStatus}},
		{"404 declared", 404, all, "", nil},
		{"none", 0, all, "", []policies.Reason{policies.ReasonStatus}},
		{"not final", 103, all, "", []policies.Reason{policies.ReasonStatus}},
		{"not modified", 304, all, "", []policies.Reason{policies.ReasonStatus}},
		{"beyond", 999, all, "", []policies.Reason{policies.ReasonStatus}},
		{"partial", 206, all, "", []policies.Reason{policies.ReasonIncremental}},
		{"redirect with location", 302, all, "/a", nil},
		{"redirect without location", 307, all, "", []policies.Reason{policies.ReasonRedirectWithoutLocation}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			if tt.location != "" {
				h.Set("Location", tt.location)
			}
			got := Check(Head{Status: tt.status, Header: h}, with(operatorRules(), func(r *Rules) { r.Statuses = tt.statuses }))
			if !slices.Equal(got, tt.want) {
				t.Errorf("Check() = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestCheckExplicitness(t *testing.T) {
	tests := []struct {
		name  string
		value string
		want  []policies.Reason
	}{
		{"silence", "", []policies.Reason{policies.ReasonNotExplicit}},
		{"public alone", "public", []policies.Reason{policies.ReasonNotExplicit}},
		{"a refusal is not silence", "no-store", []policies.Reason{policies.ReasonNoStore}},
		{"nought is not silence", "max-age=0", []policies.Reason{policies.ReasonNotFresh}},
		{"damage", "max-age=60, s-maxage=x5", []policies.Reason{policies.ReasonHeaderMalformed}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Check(Head{Status: 200, Header: header("Cache-Control", tt.value)}, originRules())
			if !slices.Equal(got, tt.want) {
				t.Errorf("Check() = %v, want %v", got, tt.want)
			}
		})
	}
}

// A cookie that the route strips is still refused where nothing strips it.
func TestAllowSetCookieIsForTheHeadAlone(t *testing.T) {
	r := with(operatorRules(), func(r *Rules) { r.AllowSetCookie = true })
	cookie := header("Set-Cookie", "a=b")
	want := []policies.Reason{policies.ReasonSetCookie}
	if got := Check(Head{Status: 200, Informational: []http.Header{nil, cookie}}, r); !slices.Equal(got, want) {
		t.Errorf("in a 1xx response: %v, want %v", got, want)
	}
	if got := CheckTrailer(cookie, r); !slices.Equal(got, want) {
		t.Errorf("in a trailer: %v, want %v", got, want)
	}
	if got := CheckTrailer(header("X-Checksum", "1", "Set-Cookie", "a=b"), r); !slices.Equal(got, want) {
		t.Errorf("among trailers: %v, want %v", got, want)
	}
	if got := CheckTrailer(http.Header{"X-Checksum": {"1"}, "Set-Cookie": nil}, r); got != nil {
		t.Errorf("announced and not sent: %v, want nothing", got)
	}
}

func TestCheckOrdersReasons(t *testing.T) {
	got := Check(Head{Status: 500, Header: header(
		"Cache-Control", "private, no-store, no-cache",
		"Set-Cookie", "a=b",
		"set-cookie2", "a=b",
		"Vary", "*, Cookie, X-A, X-B",
	), Informational: []http.Header{header("Set-Cookie", "a=b")}}, operatorRules())
	want := []policies.Reason{
		policies.ReasonStatus, policies.ReasonSetCookie,
		policies.ReasonPrivate, policies.ReasonNoStore, policies.ReasonNoCache,
		policies.ReasonVaryStar, policies.ReasonVaryCredentials, policies.ReasonVaryUndeclared,
	}
	if !slices.Equal(got, want) {
		t.Errorf("Check() = %v, want %v", got, want)
	}
}

func TestCheckLeavesTheHeaderAlone(t *testing.T) {
	h := header("Vary", "A", "vary", "B", "Set-Cookie", "a=b")
	before := h.Clone()
	Check(Head{Status: 200, Header: h}, originRules())
	if len(h) != len(before) {
		t.Fatalf("header is %v, want %v", h, before)
	}
	for name, values := range before {
		if !slices.Equal(h[name], values) {
			t.Errorf("%s is %q, want %q", name, h[name], values)
		}
	}
}
