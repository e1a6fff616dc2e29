package httpcache

import (
	"net/http"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// RFC 9111 §3.1, RFC 9110 §7.6.1
func TestStoredFields(t *testing.T) {
	h := http.Header{
		// kept
		"Content-Type":     {"text/html"},
		"Date":             {"Fri, 02 Jan 2026 03:04:05 GMT"},
		"Cache-Control":    {"max-age=60", "public"},
		"Expires":          {"0"},
		"Etag":             {`"a"`},
		"Vary":             {"Accept-Language"},
		"Via":              {"1.1 Caddy"},
		"Link":             {"<a>", "<b>"},
		"x-odd":            {"2"},
		"X-ODD":            {"1"},
		"X-Requested-With": {"not an identifier"},
		"Content-Encoding": {"gzip"},
		// not kept
		"Connection":                   {"close, X-Hop", "x-other-hop"},
		"X-Hop":                        {"1"},
		"X-Other-Hop":                  {"1"},
		"Keep-Alive":                   {"5"},
		"Transfer-Encoding":            {"chunked"},
		"Proxy-Authenticate":           {"Basic"},
		"Proxy-Status":                 {"x"},
		"proxy-anything":               {"x"},
		"Alt-Svc":                      {"h3"},
		"Trailer":                      {"Etag"},
		http.TrailerPrefix + "Etag":    {`"b"`},
		"Set-Cookie":                   {"a=b"},
		"set-cookie":                   {"c=d"},
		"Set-Cookie2":                  {"a=b"},
		"Clear-Site-Data":              {"*"},
		"Sec-Session-Registration":     {"x"},
		"WWW-Authenticate":             {"Basic"},
		"Age":                          {"3"},
		"Cache-Status":                 {"x; hit"},
		"Content-Length":               {"5"},
		"Cdn-Cache-Control":            {"max-age=1"},
		"Cloudflare-Cdn-Cache-Control": {"max-age=1"},
		"Surrogate-Control":            {"max-age=1"},
		"Edge-Control":                 {"max-age=1"},
		"X-Accel-Expires":              {"1"},
		"No-Vary-Search":               {"params"},
		"X-Request-Id":                 {"1"},
		"X-B3-TraceId":                 {"1"},
		"Server-Timing":                {"db;dur=1"},
		"Bad Name":                     {"1"},
		"":                             {"1"},
		"X-Empty":                      {},
	}
	want := http.Header{
		"Content-Type":     {"text/html"},
		"Date":             {"Fri, 02 Jan 2026 03:04:05 GMT"},
		"Cache-Control":    {"max-age=60", "public"},
		"Expires":          {"0"},
		"Etag":             {`"a"`},
		"Vary":             {"Accept-Language"},
		"Via":              {"1.1 Caddy"},
		"Link":             {"<a>", "<b>"},
		"X-Odd":            {"1", "2"},
		"X-Requested-With": {"not an identifier"},
		"Content-Encoding": {"gzip"},
	}
	before := h.Clone()
	got := StoredFields(h, nil)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
	for _, values := range got {
		values[0] = "changed"
	}
	if !reflect.DeepEqual(h, before) {
		t.Error("the copy shares memory with the header")
	}
}

func TestStoredFieldsOfAnyHeader(t *testing.T) {
	names := rapid.OneOf(
		rapid.SampledFrom([]string{"Set-Cookie", "set-cookie", "SET-COOKIE", "X-A", "x-a", "Connection", "X-Request-Id", "x-cdn-cache-control", "Age"}),
		rapid.StringMatching(`[A-Za-z :-]{0,12}`),
	)
	values := rapid.SliceOfN(rapid.SampledFrom([]string{"X-A", "x-a, close", "Cache-Control", "1"}), 0, 3)
	rapid.Check(t, func(t *rapid.T) {
		h := http.Header(rapid.MapOf(names, values).Draw(t, "header"))
		kept := StoredFields(h, nil)
		for name := range kept {
			if name != http.CanonicalHeaderKey(name) || PerRequest(name) || targeted(name) || name == "Set-Cookie" || name == "Connection" {
				t.Fatalf("%q is kept", name)
			}
		}
		if again := StoredFields(kept, nil); !reflect.DeepEqual(again, kept) {
			t.Fatalf("the copy of the copy is %v, not %v", again, kept)
		}
	})
}

func TestPerRequest(t *testing.T) {
	for name, want := range map[string]bool{
		"X-Request-Id":          true,
		"x-request-id":          true,
		"X-REQUEST-ID":          true,
		"traceparent":           true,
		"X-B3-Sampled":          true,
		"x-b3-":                 true,
		"X-Amzn-RequestId":      true,
		"CF-Ray":                true,
		"X-RateLimit-Remaining": true,
		"X-B3":                  false,
		"X-Request-Identity":    false,
		"Etag":                  false,
		"":                      false,
	} {
		if got := PerRequest(name); got != want {
			t.Errorf("PerRequest(%q) = %t, want %t", name, got, want)
		}
	}
}

func TestHasPerVisitor(t *testing.T) {
	for name, want := range map[string]bool{
		"Set-Cookie": true, "set-cookie": true, "Clear-Site-Data": true, "WWW-Authenticate": true, "X-Csrf-Token": true,
		"Server": false, "Cache-Control": false, "Cookie": false, "X-Request-Id": false,
	} {
		if got := HasPerVisitor(http.Header{"Content-Type": {"text/html"}, name: {"x"}}); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if HasPerVisitor(nil) {
		t.Error("no fields at all")
	}
}
