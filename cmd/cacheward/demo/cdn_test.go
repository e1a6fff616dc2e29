package demo

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// origin is an origin without a network: it answers with its own count, and with
// the header fields that it is given.
type origin struct {
	status   int
	header   http.Header
	body     string
	err      error
	requests []*http.Request
}

func (o *origin) RoundTrip(r *http.Request) (*http.Response, error) {
	o.requests = append(o.requests, r)
	if o.err != nil {
		return nil, o.err
	}
	body := o.body
	if body == "" {
		body = "answer " + strconv.Itoa(len(o.requests))
	}
	header := o.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	status := o.status
	if status == 0 {
		status = http.StatusOK
	}
	return &http.Response{
		StatusCode: status, Header: header, Request: r, ContentLength: -1,
		ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

func TestCDNIsBlindToQueryAndCookies(t *testing.T) {
	o := &origin{}
	c := newCDN("127.0.0.1:1", o)
	ann := get(c, "http://hapitas.example/register/lp?ref=ann", "Cookie", "session=a")
	bob := get(c, "http://hapitas.example/register/lp?ref=bob", "Cookie", "session=b")
	if ann.Header().Get("X-Cache") != "MISS" || bob.Header().Get("X-Cache") != "HIT" {
		t.Errorf("X-Cache: %q then %q, want MISS then HIT", ann.Header().Get("X-Cache"), bob.Header().Get("X-Cache"))
	}
	if ann.Body.String() != "answer 1" || bob.Body.String() != "answer 1" {
		t.Errorf("bodies: %q then %q, want answer 1 twice", ann.Body, bob.Body)
	}
	sent := o.requests[0]
	if sent.URL.RawQuery != "ref=ann" || sent.Host != "hapitas.example" || sent.URL.Host != "127.0.0.1:1" {
		t.Errorf("the origin was asked %q for host %q, want the first visitor's query and host", sent.URL, sent.Host)
	}
	if got := get(c, "http://sp.hapitas.example/register/lp").Header().Get("X-Cache"); got != "MISS" {
		t.Errorf("X-Cache on another host: %q, want MISS", got)
	}
	if got := get(c, "http://hapitas.example/").Header().Get("X-Cache"); got != "MISS" {
		t.Errorf("X-Cache on another path: %q, want MISS", got)
	}
}

func TestCDNKeeps(t *testing.T) {
	for name, test := range map[string]struct {
		header http.Header
		status int
		body   string
		want   time.Duration
	}{
		"silence":                   {want: cdnTTL},
		"max-age under the rule":    {header: http.Header{"Cache-Control": {"public, max-age=1"}}, want: cdnTTL},
		"no-cache under the rule":   {header: http.Header{"Cache-Control": {"no-cache"}}, want: cdnTTL},
		"private":                   {header: http.Header{"Cache-Control": {"private"}}},
		"private with fields":       {header: http.Header{"Cache-Control": {`Private="x"`}}},
		"no-store in a second line": {header: http.Header{"Cache-Control": {"public", "max-age=9, no-store"}}},
		"targeted max-age":          {header: http.Header{"Cdn-Cache-Control": {"max-age=60"}, "Cache-Control": {"max-age=0"}}, want: time.Minute},
		"targeted no-store":         {header: http.Header{"Cdn-Cache-Control": {"no-store"}, "Cache-Control": {"public"}}},
		"targeted, unreadable":      {header: http.Header{"Cdn-Cache-Control": {"max-age=soon"}}},
		"targeted zero":             {header: http.Header{"Cdn-Cache-Control": {"max-age=0"}}},
		"private beats targeted":    {header: http.Header{"Cdn-Cache-Control": {"max-age=60"}, "Cache-Control": {"private"}}},
		"not found":                 {status: http.StatusNotFound},
		"too large":                 {body: strings.Repeat("x", maxCopy+1)},
		"as large as may be":        {body: strings.Repeat("x", maxCopy), want: cdnTTL},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCDN("127.0.0.1:1", &origin{header: test.header, status: test.status, body: test.body})
				first := get(c, "http://hapitas.example/")
				if test.body != "" && first.Body.String() != test.body {
					t.Errorf("the first visitor got %d bytes, want %d", first.Body.Len(), len(test.body))
				}
				if test.want == 0 {
					if got := get(c, "http://hapitas.example/").Header().Get("X-Cache"); got != "MISS" {
						t.Errorf("X-Cache %q, want MISS", got)
					}
					return
				}
				time.Sleep(test.want - time.Second)
				w := get(c, "http://hapitas.example/")
				if w.Header().Get("X-Cache") != "HIT" || w.Header().Get("Age") != strconv.Itoa(int(test.want.Seconds())-1) {
					t.Errorf("a second before the end: X-Cache %q, Age %q", w.Header().Get("X-Cache"), w.Header().Get("Age"))
				}
				time.Sleep(time.Second)
				if got := get(c, "http://hapitas.example/").Header().Get("X-Cache"); got != "MISS" {
					t.Errorf("at the end: X-Cache %q, want MISS", got)
				}
			})
		})
	}
}

func TestCDNPassesOnOtherMethods(t *testing.T) {
	o := &origin{}
	c := newCDN("127.0.0.1:1", o)
	for range 2 {
		w := post(c, "http://hapitas.example/register", nil)
		if got := w.Header().Get("X-Cache"); got != "MISS" {
			t.Errorf("X-Cache of a POST: %q, want MISS", got)
		}
	}
	get(c, "http://hapitas.example/")
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest(http.MethodHead, "http://hapitas.example/", nil))
	if w.Header().Get("X-Cache") != "HIT" || w.Body.Len() != 0 {
		t.Errorf("HEAD after GET: X-Cache %q and %d bytes, want HIT and none", w.Header().Get("X-Cache"), w.Body.Len())
	}
	if len(o.requests) != 3 {
		t.Errorf("the origin was asked %d times, want 3", len(o.requests))
	}
}

func TestCDNPassesCacheStatusOn(t *testing.T) {
	c := newCDN("127.0.0.1:1", &origin{header: http.Header{"Cache-Status": {"Cacheward; fwd=miss"}}})
	if got := get(c, "http://hapitas.example/").Header().Get("Cache-Status"); got != "Cacheward; fwd=miss" {
		t.Errorf("Cache-Status %q, want it passed on", got)
	}
}

func TestCDNWithoutOrigin(t *testing.T) {
	o := &origin{err: errors.New("refused")}
	c := newCDN("127.0.0.1:1", o)
	if w := get(c, "http://hapitas.example/"); w.Code != http.StatusBadGateway {
		t.Errorf("status %d, want 502", w.Code)
	}
	o.err = nil
	if w := get(c, "http://hapitas.example/"); w.Body.String() != "answer 2" {
		t.Errorf("body %q, want the origin's: an error must not be kept", w.Body)
	}
}

func TestCDNIsBounded(t *testing.T) {
	c := newCDN("127.0.0.1:1", &origin{})
	for i := range maxCopies + 10 {
		get(c, "http://hapitas.example/"+strconv.Itoa(i))
	}
	if len(c.copies) > maxCopies {
		t.Errorf("%d copies, at most %d were expected", len(c.copies), maxCopies)
	}
}

// A refusal in any line and any spelling is obeyed: what the demo shows must not
// hang on a CDN that is worse than real ones.
func TestCDNLifetimeObeysRefusals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		others := rapid.SliceOfN(rapid.SampledFrom([]string{"public", "max-age=60", "must-revalidate", `x="y"`, ""}), 0, 4)
		field := rapid.SampledFrom([]string{"Cache-Control", "CDN-Cache-Control"}).Draw(t, "field")
		refusal := rapid.SampledFrom([]string{"private", "no-store", "No-Store", ` PRIVATE="a"`}).Draw(t, "refusal")
		header := http.Header{}
		for _, line := range [][]string{
			others.Draw(t, "before"),
			append(append(others.Draw(t, "left"), refusal), others.Draw(t, "right")...),
			others.Draw(t, "after"),
		} {
			header.Add(field, strings.Join(line, ","))
		}
		if got := lifetime(header); got != 0 {
			t.Fatalf("lifetime of %v: %v, want 0", header, got)
		}
	})
}
