package httpcache

import (
	"testing"
	"time"
)

// RFC 9110 §13.1, RFC 9111 §4.3.2
func TestNotModified(t *testing.T) {
	const tag = `Etag: "a"`
	modified := "Last-Modified: " + at(-time.Hour)
	tests := []struct {
		name   string
		method string
		req    []string
		stored []string
		want   bool
	}{
		{"unconditional", "GET", nil, []string{tag, modified}, false},
		{"equal", "GET", []string{`If-None-Match: "a"`}, []string{tag}, true},
		{"HEAD", "HEAD", []string{`If-None-Match: "a"`}, []string{tag}, true},
		{"POST", "POST", []string{`If-None-Match: "a"`}, []string{tag}, false},
		{"other", "GET", []string{`If-None-Match: "b"`}, []string{tag}, false},
		{"case", "GET", []string{`If-None-Match: "A"`}, []string{tag}, false},
		{"list", "GET", []string{`If-None-Match: "x", W/"y" ,"a"`}, []string{tag}, true},
		{"lines", "GET", []string{`If-None-Match: "x"`, `If-None-Match: "a"`}, []string{tag}, true},
		{"comma in a tag", "GET", []string{`If-None-Match: "x, y","a,b"`}, []string{`Etag: "a,b"`}, true},
		{"tag inside a tag", "GET", []string{`If-None-Match: "x, a, y"`}, []string{tag}, false},
		{"weak in request", "GET", []string{`If-None-Match: W/"a"`}, []string{tag}, true},
		{"weak in store", "GET", []string{`If-None-Match: "a"`}, []string{`Etag: W/"a"`}, true},
		{"lower-case w", "GET", []string{`If-None-Match: w/"a"`}, []string{tag}, false},
		{"star", "GET", []string{"If-None-Match: *"}, []string{"Content-Type: text/plain"}, true},
		{"star in a list", "GET", []string{`If-None-Match: *, "x"`}, []string{tag}, false},
		{"unquoted", "GET", []string{"If-None-Match: a"}, []string{tag}, false},
		{"unquoted in both", "GET", []string{"If-None-Match: a"}, []string{"Etag: a"}, false},
		{"empty and no tag", "GET", []string{"If-None-Match: "}, nil, false},
		{"open quote", "GET", []string{`If-None-Match: "a`}, []string{tag}, false},
		{"no comma", "GET", []string{`If-None-Match: "x" "a"`}, []string{tag}, false},
		{"text after the tag", "GET", []string{`If-None-Match: "a"b`}, []string{tag}, false},
		{"two tags stored", "GET", []string{`If-None-Match: "a"`}, []string{tag, `Etag: "b"`}, false},
		{"damaged tag stored", "GET", []string{`If-None-Match: "a"`}, []string{`Etag: "a"b`}, false},

		{"precedence: tag differs", "GET", []string{`If-None-Match: "b"`, "If-Modified-Since: " + at(0)}, []string{tag, modified}, false},
		{"precedence: no tag", "GET", []string{`If-None-Match: "b"`, "If-Modified-Since: " + at(0)}, []string{modified}, false},
		{"precedence: tag equal", "GET", []string{`If-None-Match: "a"`, "If-Modified-Since: " + at(-2*time.Hour)}, []string{tag, modified}, true},

		{"since then", "GET", []string{"If-Modified-Since: " + at(-time.Hour)}, []string{modified}, true},
		{"later", "GET", []string{"If-Modified-Since: " + at(0)}, []string{modified}, true},
		{"earlier", "GET", []string{"If-Modified-Since: " + at(-time.Hour-time.Second)}, []string{modified}, false},
		{"Date instead", "GET", []string{"If-Modified-Since: " + at(0)}, []string{"Date: " + at(0)}, true},
		{"Date later", "GET", []string{"If-Modified-Since: " + at(-time.Hour)}, []string{"Date: " + at(0)}, false},
		{"nothing to compare with", "GET", []string{"If-Modified-Since: " + at(0)}, nil, false},
		{"bad date", "GET", []string{"If-Modified-Since: tomorrow"}, []string{modified}, false},
		{"bad Last-Modified", "GET", []string{"If-Modified-Since: " + at(0)}, []string{"Last-Modified: 0", "Date: " + at(-time.Hour)}, false},
		{"two dates", "GET", []string{"If-Modified-Since: " + at(0), "If-Modified-Since: " + at(0)}, []string{modified}, false},
		{"method of a date", "PUT", []string{"If-Modified-Since: " + at(0)}, []string{modified}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := NotModified(tt.method, header(tt.req...), header(tt.stored...)); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}

func FuzzIfNoneMatch(f *testing.F) {
	f.Add(`"a", W/"b"`, `"b"`)
	f.Add(`*`, ``)
	f.Add(`"a" , ,"`, `W/"`)
	f.Fuzz(func(t *testing.T, match, tag string) {
		opaque, rest, ok := entityTag(tag)
		whole := ok && rest == ""
		found := anyMatches([]string{match}, []string{tag})
		if whole && !anyMatches([]string{`"x", W/` + opaque}, []string{tag}) {
			t.Errorf("%q does not match itself", tag)
		}
		if !whole && found != anyMatches([]string{match}, nil) {
			t.Errorf("%q is no entity tag, and matches %q", tag, match)
		}
	})
}
