package attacks

import (
	"fmt"
	"net/http"
	"testing"
)

// targetedCases are heads with fields for some caches only (RFC 9213, and what vendors
// have), and whether the plain route may keep them.
var targetedCases = []struct {
	name   string
	fields []string
	// refusedOn are the kinds of route that must not keep it.
	refusedOn []string
}{
	{"a year for the CDN, private for all", []string{"Cache-Control: private", "CDN-Cache-Control: max-age=31536000"}, []string{onDuration, onTrusted, onOrigin}},
	{"no-store for all, minutes for the CDN", []string{"Cache-Control: no-store", "CDN-Cache-Control: max-age=60"}, []string{onDuration, onTrusted, onOrigin}},
	{"invalid as a whole", []string{"CDN-Cache-Control: max-age=60, ]["}, []string{onOrigin, onPlain}},
	{"a string for a number", []string{`CDN-Cache-Control: max-age="60"`}, []string{onOrigin}},
	{"a decimal for a number", []string{"CDN-Cache-Control: max-age=60.5"}, []string{onOrigin}},
	{"a vendor's permission", []string{"Cloudflare-CDN-Cache-Control: max-age=60"}, []string{onOrigin, onPlain}},
	{"surrogate's permission", []string{"Surrogate-Control: max-age=60"}, []string{onOrigin, onPlain}},
	{"edge's permission", []string{"Edge-Control: max-age=60"}, []string{onOrigin, onPlain}},
	{"x-accel's permission", []string{"X-Accel-Expires: 60"}, []string{onOrigin, onPlain}},
	{"a vendor's refusal beside a permission for all", []string{permitted, "Surrogate-Control: no-store"}, everywhere},
	{"private for the CDN", []string{permitted, "CDN-Cache-Control: private"}, everywhere},
	{"a lifetime of nought for the CDN", []string{permitted, "CDN-Cache-Control: max-age=0"}, everywhere},
	{"no-store in upper case", []string{permitted, "CDN-Cache-Control: NO-STORE"}, everywhere},
	{"no-store that is false", []string{"CDN-Cache-Control: no-store=?0"}, []string{onOrigin}},
}

// A permission for some cache does not outweigh a refusal for all, unless the route
// says so; and no cache further on learns of what was meant for this one.
func testTargetedFields(t *testing.T, w *ward) {
	for _, c := range targetedCases {
		s := script{name: c.name, fields: append([]string{htmlType}, c.fields...), body: "<h1>One page</h1>"}
		w.refusedOn(t, s, c.refusedOn...)
	}
	s := script{fields: []string{htmlType, "Cache-Control: max-age=60", "CDN-Cache-Control: max-age=3600"}, body: "<h1>One page</h1>"}
	w.each(t, "consumed", always(s), []string{onOrigin}, func(t *testing.T, path string) {
		a := w.settle(t, path)
		if got := a.header.Get("Cdn-Cache-Control"); got == "max-age=3600" {
			t.Errorf("%s: what was said to this cache went on to the next: %s", leak, a)
		}
	})
}

// Visitors may send the fields by which origins speak to caches, and an app may repeat
// them. Neither makes a page shareable.
func testEchoedControl(t *testing.T, w *ward) {
	names := []string{"Cache-Control", "CDN-Cache-Control", "Surrogate-Control", "Edge-Control", "Expires", "X-Accel-Expires", "Cloudflare-CDN-Cache-Control", "Cache-Tag", "Surrogate-Key", "Vary"}
	with := func(q asked) script {
		s := script{fields: []string{htmlType}, body: "<p>§</p>"}
		for _, name := range names {
			for _, value := range q.header[http.CanonicalHeaderKey(name)] {
				s.fields = append(s.fields, name+": "+value)
			}
		}
		return s
	}
	for _, name := range names {
		for _, value := range []string{"max-age=3600", "public, max-age=3600", "3600", future} {
			w.each(t, name+" "+value, with, []string{onDuration, onOrigin, onNothing}, func(t *testing.T, path string) {
				answers := make([]*answered, 0, 8)
				for n := range 4 {
					v := visitor(n, path)
					v.fields = append(v.fields, fmt.Sprintf("%s: %s", name, value))
					answers = append(answers, w.client.ask(v), w.client.ask(visitor(n, path)))
				}
				report(t, refused(answers))
				report(t, denied(answers, http.StatusOK))
			})
		}
	}
}
