package httpcache

import (
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// RFC 9111 §4.3.1, RFC 9110 §8.8
func TestValidators(t *testing.T) {
	date := at(0)
	for _, tt := range []struct {
		name           string
		lines          []string
		etag, modified string
	}{
		{"none", nil, "", ""},
		{"both", []string{`Etag: "a"`, "Last-Modified: " + date}, `"a"`, date},
		{"weak", []string{`Etag: W/"a"`}, `W/"a"`, ""},
		{"empty tag", []string{`etag: ""`}, `""`, ""},
		{"obs-text", []string{"Etag: \"\xe9\""}, "\"\xe9\"", ""},
		{"two tags", []string{`Etag: "a"`, `Etag: "b"`, "Last-Modified: " + date}, "", date},
		{"two dates", []string{`Etag: "a"`, "Last-Modified: " + date, "Last-Modified: " + date}, `"a"`, ""},
		{"unquoted", []string{"Etag: a"}, "", ""},
		{"lower-case w", []string{`Etag: w/"a"`}, "", ""},
		{"quote within", []string{`Etag: "a"b"`}, "", ""},
		{"list", []string{`Etag: "a", "b"`}, "", ""},
		{"blank within", []string{`Etag: "a b"`}, "", ""},
		{"one quote", []string{`Etag: "`}, "", ""},
		{"open", []string{`Etag: W/"a`}, "", ""},
		{"line break", []string{"Etag: \"a\r\n\""}, "", ""},
		{"no date", []string{"Last-Modified: 0"}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if etag, modified := Validators(header(tt.lines...)); etag != tt.etag || modified != tt.modified {
				t.Errorf("got %q, %q, want %q, %q", etag, modified, tt.etag, tt.modified)
			}
		})
	}
}

// RFC 9111 §3.2, §4.3.4
func TestFreshen(t *testing.T) {
	stored := header("Content-Type: text/plain", `Etag: "a"`, "Date: 1", "Cache-Control: max-age=1", "Cache-Control: public",
		"Content-Encoding: gzip", "Content-Digest: a", "X-Old: 1", "X-Frame-Options: deny", "Vary: Accept")
	update := header("content-type: text/html", `ETag: "b"`, "Date: 2", "Cache-Control: max-age=2",
		"Content-Encoding: br", "Content-Length: 7", "Content-Range: bytes 0-1/2", "Content-MD5: b", "Content-Digest: b", "Repr-Digest: b", "Digest: b",
		"X-Frame-Options: sameorigin", "X-Frame-Options: deny", "Vary: Accept-Language", "X-New: 1", "Expires: 0",
		// never stored (§3.1)
		"Set-Cookie: a=b", "Connection: X-Hop", "X-Hop: 1", "Keep-Alive: 1", "Age: 5", "X-Request-Id: 1", "Cdn-Cache-Control: max-age=9", "Clear-Site-Data: *")
	want := header("Content-Type: text/html", `Etag: "a"`, "Date: 2", "Cache-Control: max-age=2",
		"Content-Encoding: gzip", "Content-Digest: a", "X-Old: 1", "X-Frame-Options: sameorigin", "X-Frame-Options: deny", "Vary: Accept-Language",
		"X-New: 1", "Expires: 0")
	storedBefore, updateBefore := stored.Clone(), update.Clone()
	got := Freshen(stored, update, nil)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
	for _, values := range got {
		values[0] = "changed"
	}
	if !reflect.DeepEqual(stored, storedBefore) || !reflect.DeepEqual(update, updateBefore) {
		t.Error("the result shares memory with an argument")
	}
}

func TestFreshenAnyHeader(t *testing.T) {
	names := rapid.SampledFrom([]string{"Etag", "ETag", "Content-Length", "Set-Cookie", "set-cookie", "X-A", "x-a", "Connection", "Cache-Control", "Content-Type", "Cdn-Cache-Control"})
	headers := rapid.MapOf(names, rapid.SliceOfN(rapid.SampledFrom([]string{"X-A", "a", `"b"`, "no-store"}), 0, 2))
	rapid.Check(t, func(t *rapid.T) {
		stored := StoredFields(headers.Draw(t, "stored"), nil)
		update := http.Header(headers.Draw(t, "update"))
		got := Freshen(stored, update, nil)
		kept := StoredFields(update, nil)
		for name := range got {
			from := stored
			if _, updated := kept[name]; updated && name != "Etag" {
				from = kept
			}
			if !reflect.DeepEqual(got[name], from[name]) || !storable(name, nil) {
				t.Fatalf("%s is %q, stored %q, updated to %q", name, got[name], stored[name], update)
			}
		}
		for name := range stored {
			if _, ok := got[name]; !ok {
				t.Fatalf("%s is gone", name)
			}
		}
		if again := Freshen(got, update, nil); !reflect.DeepEqual(again, got) {
			t.Fatalf("a second time gives %v, not %v", again, got)
		}
	})
}

// RFC 9111 §4.3.5
func TestHeadAgrees(t *testing.T) {
	stored := header(`Etag: "a"`, "Last-Modified: "+at(0))
	for _, tt := range []struct {
		name string
		head []string
		want bool
	}{
		{"says nothing", []string{"Cache-Control: max-age=5"}, true},
		{"says the same", []string{"Content-Length: 5", `Etag: "a"`, "Last-Modified: " + at(0)}, true},
		{"lower-case names", []string{"content-length: 6"}, false},
		{"another length", []string{"Content-Length: 4"}, false},
		{"two lengths", []string{"Content-Length: 5", "Content-Length: 6"}, false},
		{"no length", []string{"Content-Length: +5"}, false},
		{"empty length", []string{"Content-Length: "}, false},
		{"another tag", []string{`Etag: "b"`}, false},
		{"weak tag", []string{`Etag: W/"a"`}, false},
		{"two tags", []string{`Etag: "a"`, `Etag: "b"`}, false},
		{"another date", []string{"Last-Modified: " + at(1e9)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := HeadAgrees(stored, 5, header(tt.head...)); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
	if HeadAgrees(nil, 5, header(`Etag: "a"`)) {
		t.Error("a tag that is new agrees")
	}
}

func FuzzValidators(f *testing.F) {
	f.Add(`"a"`, "Fri, 02 Jan 2026 04:04:05 GMT")
	f.Add(`W/"`, "0")
	f.Fuzz(func(t *testing.T, tag, modified string) {
		etag, lastModified := Validators(http.Header{"Etag": {tag}, "Last-Modified": {modified}})
		whole := regexp.MustCompile(`\A(W/)?"[^\x00-\x20"\x7f]*"\z`).MatchString(tag)
		if whole && etag != tag || !whole && etag != "" {
			t.Errorf("the validator of %q is %q", tag, etag)
		}
		if _, err := http.ParseTime(strings.ToUpper(modified)); lastModified != "" && (lastModified != modified || err != nil) {
			t.Errorf("the validator of %q is %q", modified, lastModified)
		}
	})
}
