package caddymodule

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	digits       = "0123456789"
	digitsMade   = "Sat, 01 Aug 2026 10:00:00 GMT"
	beforeDigits = "Fri, 31 Jul 2026 10:00:00 GMT"
)

// serveDigits is an origin that knows ranges and conditions.
func serveDigits(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Etag", `"v1"`)
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Cache-Control", "max-age=300")
	made, _ := http.ParseTime(digitsMade)
	http.ServeContent(w, r, "", made, strings.NewReader(digits))
}

// TestRangesFromTheStore: RFC 9110 §14, §13. What a complete object answers to
// ranges and conditions.
func TestRangesFromTheStore(t *testing.T) {
	e := start(t, oncePage, newOrigin(t, serveDigits))
	e.stored("/")
	for _, test := range []struct {
		name         string
		headers      []string
		status       int
		body         string
		contentRange string
	}{
		{"§14.1.2 first bytes", []string{"Range", "bytes=0-3"}, 206, "0123", "bytes 0-3/10"},
		{"§14.1.2 to the end", []string{"Range", "bytes=7-"}, 206, "789", "bytes 7-9/10"},
		{"§14.1.2 suffix", []string{"Range", "bytes=-3"}, 206, "789", "bytes 7-9/10"},
		{"§14.1.2 suffix longer than all", []string{"Range", "bytes=-30"}, 206, digits, "bytes 0-9/10"},
		{"§14.1.2 beyond the end", []string{"Range", "bytes=8-30"}, 206, "89", "bytes 8-9/10"},
		{"§15.5.17 outside", []string{"Range", "bytes=10-"}, 416, "", "bytes */10"},
		{"§15.5.17 empty suffix", []string{"Range", "bytes=-0"}, 416, "", "bytes */10"},
		{"§14.2 one of two outside", []string{"Range", "bytes=20-, 0-1"}, 206, "01", "bytes 0-1/10"},
		{"§14.2 malformed", []string{"Range", "bytes=3-1"}, 200, digits, ""},
		{"§14.2 another unit", []string{"Range", "pages=0-1"}, 200, digits, ""},
		{"§13.1.5 the same version", []string{"Range", "bytes=0-3", "If-Range", `"v1"`}, 206, "0123", "bytes 0-3/10"},
		{"§13.1.5 another version", []string{"Range", "bytes=0-3", "If-Range", `"v2"`}, 200, digits, ""},
		{"§13.1.5 a weak tag", []string{"Range", "bytes=0-3", "If-Range", `W/"v1"`}, 200, digits, ""},
		{"§13.1.5 another date", []string{"Range", "bytes=0-3", "If-Range", beforeDigits}, 200, digits, ""},
		{"§13.1.1 holds", []string{"If-Match", `"v0", "v1"`}, 200, digits, ""},
		{"§13.1.1 fails", []string{"If-Match", `"v2"`}, 412, "", ""},
		{"§13.1.1 weak", []string{"If-Match", `W/"v1"`}, 412, "", ""},
		{"§13.1.4 holds", []string{"If-Unmodified-Since", digitsMade}, 200, digits, ""},
		{"§13.1.4 fails", []string{"If-Unmodified-Since", beforeDigits}, 412, "", ""},
		{"§13.2.2 If-Match first", []string{"If-Match", `"v2"`, "If-None-Match", `"v1"`}, 412, "", ""},
		{"§13.2.2 conditions before ranges", []string{"If-None-Match", `"v1"`, "Range", "bytes=0-3"}, 304, "", ""},
		{"§13.2.2 range after conditions", []string{"If-None-Match", `"v2"`, "Range", "bytes=0-3"}, 206, "0123", "bytes 0-3/10"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := e.get("/", test.headers...)
			if a.err != nil || a.status != test.status || a.body != test.body || !a.hit() {
				t.Errorf("%d %q, %s, %v", a.status, a.body, a.header["Cache-Status"], a.err)
			}
			if got := a.header.Get("Content-Range"); got != test.contentRange {
				t.Errorf("Content-Range %q", got)
			}
			if got, want := a.header.Get("Content-Length"), fmt.Sprint(len(test.body)); got != want && test.status != 304 {
				t.Errorf("Content-Length %q", got)
			}
			if got := a.header.Get("Etag"); (test.status < 400) != (got == `"v1"`) {
				t.Errorf("Etag %q", got)
			}
			if got := a.header["Cache-Control"]; len(got) != 1 || got[0] != "private, no-store" {
				t.Errorf("Cache-Control %q", got)
			}
		})
	}
}

// TestNotModifiedFields: RFC 9110 §15.4.5. A 304 has the fields that the 200 would
// have had to update the visitor's copy, and none of content that it does not have.
func TestNotModifiedFields(t *testing.T) {
	withRoute(t, "cache: origin\ndownstream: origin", func(t *testing.T, c *ruled) {
		c.origin = oldPage("the page", "Cache-Control", "max-age=60", "Expires", "Sat, 01 Jan 2000 00:01:00 GMT",
			"Vary", "Accept-Language", "Content-Location", "/page.en", "Content-Language", "en")
		c.get("/")
		time.Sleep(10 * time.Second)
		a := c.get("/", "If-None-Match", `"v1"`)
		a.check(t, "conditional", 304, "", "hit")
		for name, want := range map[string]string{
			"Cache-Control": "max-age=60", "Expires": "Sat, 01 Jan 2000 00:01:00 GMT", "Vary": "Accept-Language",
			"Content-Location": "/page.en", "Etag": `"v1"`, "Date": "Sat, 01 Jan 2000 00:00:00 GMT", "Age": "10",
			"Content-Length": "", "Content-Type": "", "Content-Language": "",
		} {
			if got := strings.Join(a.header[name], "|"); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	})
}

// TestSeveralRanges: RFC 9110 §14.6. Several parts make a multipart/byteranges, of
// the length that it says.
func TestSeveralRanges(t *testing.T) {
	e := start(t, oncePage, newOrigin(t, serveDigits))
	e.stored("/")
	a := e.get("/", "Range", "bytes=0-1, 4-5 ,-2")
	media, params, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil || a.status != 206 || media != "multipart/byteranges" || a.header.Get("Content-Length") != fmt.Sprint(len(a.body)) || a.header.Get("Content-Range") != "" {
		t.Fatalf("%d, %v, %v", a.status, a.header, err)
	}
	parts := multipart.NewReader(strings.NewReader(a.body), params["boundary"])
	for _, want := range []struct{ contentRange, body string }{{"bytes 0-1/10", "01"}, {"bytes 4-5/10", "45"}, {"bytes 8-9/10", "89"}} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(part)
		if err != nil || string(body) != want.body || part.Header.Get("Content-Range") != want.contentRange || part.Header.Get("Content-Type") != "text/plain" {
			t.Errorf("%q, %v, %v", body, part.Header, err)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("after the last part: %v", err)
	}
}

// TestRangeOnAColdKey: RFC 9111 §3.3. The fill is for the whole, which is stored, and
// the part is cut out of it. It was no hit (RFC 9211 §2.1).
func TestRangeOnAColdKey(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = func(w http.ResponseWriter, r *http.Request) error { serveDigits(w, r); return nil }
		a := c.get("/", "Range", "bytes=2-3", "If-Range", `"v1"`)
		a.check(t, "cold", 206, "23", "fwd=uri-miss", "fwd-status=200", "stored")
		sent := c.reached(t, "cold", 1)[0]
		if sent.Header["Range"] != nil || sent.Header["If-Range"] != nil || !canonical(sent) {
			t.Errorf("the fill has %v", sent.Header)
		}
		c.get("/").check(t, "the whole", 200, digits, "hit")
	})
}

// TestRangeOfAPageThatIsRefused: RFC 9110 §14.2. The visitor's own request goes out
// as it is.
func TestRangeOfAPageThatIsRefused(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Set-Cookie", "a=b")
			serveDigits(w, r)
			return nil
		}
		c.get("/", "Range", "bytes=2-3").check(t, "own", 206, "23", "fwd=uri-miss", "fwd-status=206", "detail=set-cookie")
		if own := c.reached(t, "refused", 2)[1]; own.Header.Get("Range") != "bytes=2-3" {
			t.Errorf("%v", own.Header)
		}
	})
}

// TestRangeOfWhatIsTooLarge: RFC 9110 §14.2. Beyond the object limit nothing is
// stored, and the origin, which can, answers the visitor's range.
func TestRangeOfWhatIsTooLarge(t *testing.T) {
	large := bytes.Repeat([]byte(digits), 20_000)
	var mu sync.Mutex
	var ranges []string
	e := start(t, oncePage, newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		ranges = append(ranges, r.Header.Get("Range")+" "+r.Header.Get("If-Range"))
		mu.Unlock()
		w.Header().Set("Etag", `"v1"`)
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Cache-Control", "max-age=300")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(large))
	}), "limits {\nmax_object 64KiB\n}")
	for i := range 2 {
		a := e.get("/", "Range", "bytes=100001-100004", "If-Range", `"v1"`)
		if a.err != nil || a.status != 206 || a.body != "1234" || a.header.Get("Content-Range") != "bytes 100001-100004/200000" {
			t.Errorf("request %d: %d %q, %v, %v", i, a.status, a.body, a.header, a.err)
		}
		settled(t)
		nothingStored(t)
	}
	if a := e.ok("/"); a.body != string(large) {
		t.Errorf("the whole has %d bytes", len(a.body))
	}
	settled(t)
	nothingStored(t)
	mu.Lock()
	defer mu.Unlock()
	if len(ranges) < 3 || ranges[0] != " " || ranges[1] != `bytes=100001-100004 "v1"` || ranges[2] != `bytes=100001-100004 "v1"` {
		t.Errorf("the origin was asked for %q", ranges)
	}
}

// TestPartialIsNeverStored: RFC 9111 §3.3. A 206 that nobody asked for is passed over.
func TestPartialIsNeverStored(t *testing.T) {
	withRoute(t, "cache: origin", func(t *testing.T, c *ruled) {
		c.origin = say(206, "0123", "Cache-Control", "max-age=60", "Content-Range", "bytes 0-3/10", "Etag", `"v1"`)
		c.get("/").check(t, "first", 206, "0123", "fwd=uri-miss")
		c.get("/", "Range", "bytes=0-3").check(t, "second", 206, "0123", "fwd=miss")
		if n := c.objects(); n != 0 {
			t.Errorf("%d objects are stored", n)
		}
	})
}
