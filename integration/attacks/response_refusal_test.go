package attacks

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// refusals are the ways in which an origin says that a response is not to be shared
// (RFC 9111 §5.2.2, RFC 9213, and what is read beside them).
var refusals = []script{
	{name: "private", fields: []string{"Cache-Control: private"}},
	{name: "private beside max-age", fields: []string{"Cache-Control: max-age=3600, private"}},
	{name: "private beside public", fields: []string{"Cache-Control: public, private, max-age=3600"}},
	{name: "private in upper case", fields: []string{"Cache-Control: max-age=3600, PRIVATE"}},
	{name: "private that names a field", fields: []string{`Cache-Control: private="Set-Cookie", max-age=3600`}},
	{name: "private without a value", fields: []string{"Cache-Control: max-age=3600, private="}},
	{name: "private in the second line", fields: []string{permitted, "Cache-Control: private"}},
	{name: "private in the first line", fields: []string{"Cache-Control: private", permitted}},
	{name: "private and no-store in one list", fields: []string{"Cache-Control: private=x,no-store, max-age=60"}},
	{name: "no-store", fields: []string{"Cache-Control: no-store"}},
	{name: "no-store beside max-age", fields: []string{"Cache-Control: no-store, max-age=600"}},
	{name: "no-store with a value", fields: []string{`Cache-Control: max-age=600, no-store="x"`}},
	{name: "no-cache", fields: []string{"Cache-Control: no-cache"}},
	{name: "no-cache beside max-age", fields: []string{"Cache-Control: no-cache, max-age=600"}},
	{name: "no-cache that names a field", fields: []string{`Cache-Control: max-age=600, no-cache="Set-Cookie"`}},
	{name: "no-cache that names several", fields: []string{`Cache-Control: max-age=600, no-cache="set-cookie, x"`}},
	{name: "vary on everything", fields: []string{permitted, "Vary: *"}},
	{name: "vary on everything in a list", fields: []string{permitted, "Vary: Accept, *"}},
	{name: "vary on everything in the second line", fields: []string{permitted, "Vary: Accept", "vary: *"}},
	{name: "vary on what is no name", fields: []string{permitted, "Vary: Accept, a b"}},
	{name: "vary on cookie", fields: []string{permitted, "Vary: Cookie"}},
	{name: "vary on cookie in a list", fields: []string{permitted, "Vary: accept-encoding,COOKIE"}},
	{name: "vary on authorization", fields: []string{permitted, "Vary: Authorization"}},
	{name: "surrogate-control", fields: []string{permitted, "Surrogate-Control: no-store"}},
	{name: "cdn-cache-control no-store", fields: []string{permitted, "CDN-Cache-Control: no-store"}},
	{name: "cdn-cache-control private", fields: []string{permitted, "CDN-Cache-Control: private"}},
	{name: "cdn-cache-control of nought", fields: []string{permitted, "CDN-Cache-Control: max-age=0"}},
	{name: "a vendor's no-store", fields: []string{permitted, "Cloudflare-CDN-Cache-Control: no-store"}},
	{name: "edge-control", fields: []string{permitted, "Edge-Control: no-store"}},
	{name: "x-accel-expires", fields: []string{permitted, "X-Accel-Expires: 0"}},
}

// expired are the ways in which it says that no time is left, where nothing else says
// otherwise.
var expired = []script{
	{name: "max-age of nought", fields: []string{"Cache-Control: public, max-age=0"}},
	{name: "s-maxage of nought", fields: []string{"Cache-Control: public, max-age=3600, s-maxage=0"}},
	{name: "two lifetimes, one nought", fields: []string{"Cache-Control: max-age=60, max-age=0"}},
	{name: "two lines, one nought", fields: []string{"Cache-Control: max-age=0", "Cache-Control: max-age=60"}},
	{name: "must-understand of what is not", fields: []string{"Cache-Control: max-age=3600, must-understand, no-store"}, status: "599 Odd"},
	{name: "expired", fields: []string{"Expires: Thu, 01 Jan 1970 00:00:00 GMT"}},
	{name: "expires of nought", fields: []string{"Expires: 0"}},
	{name: "expires of minus one", fields: []string{"Expires: -1"}},
	{name: "pragma alone", fields: []string{"Pragma: no-cache"}},
	{name: "pragma and expires", fields: []string{"Pragma: no-cache", "Expires: " + future}},
}

// future is when what expires does not.
var future = time.Now().Add(24 * time.Hour).UTC().Format(http.TimeFormat)

// What the origin refuses is not shared on any kind of route, neither where each
// answer is another one nor where only the refusal tells.
func testRefusals(t *testing.T, w *ward) {
	for _, s := range slices.Concat(refusals, expired) {
		s.fields = append([]string{htmlType}, s.fields...)
		s.body = "<h1>§</h1>"
		w.refusedOn(t, s, everywhere...)
		s.name += ", the same for all"
		s.body = "<h1>One page</h1>"
		w.refusedOn(t, s, onDuration, onTrusted, onOrigin, onPlain)
	}
}

// silences are what an origin says when it says nothing of caching. Only the operator
// can make such answers shareable, and then only if they are the same for all.
var silences = []script{
	{name: "nothing"},
	{name: "public alone", fields: []string{"Cache-Control: public"}},
	{name: "an unknown directive", fields: []string{"Cache-Control: friendly, x=1"}},
	{name: "empty", fields: []string{"Cache-Control:"}},
	{name: "last-modified", fields: []string{"Last-Modified: Tue, 01 Jan 2019 00:00:00 GMT"}},
	{name: "etag", fields: []string{`ETag: "v1"`}},
	{name: "max-age that is no number", fields: []string{"Cache-Control: max-age=soon"}},
}

// Silence is no permission.
func testSilence(t *testing.T, w *ward) {
	for _, s := range silences {
		s.fields = append([]string{htmlType}, s.fields...)
		s.body = "<h1>§</h1>"
		w.refusedOn(t, s, onDuration, onOrigin, onNothing)
	}
}
