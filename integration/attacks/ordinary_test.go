package attacks

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// person is an ordinary visitor: what their program, or the CDN before the edge, sends
// with each request.
type person struct {
	name   string
	fields []field
}

// The sets of fields are those that these programs send when a page is opened.
var people = []person{
	{"Chrome", []field{
		{"Connection", "keep-alive"}, {"sec-ch-ua", `"Chromium";v="141", "Not?A_Brand";v="8", "Google Chrome";v="141"`}, {"sec-ch-ua-mobile", "?0"},
		{"sec-ch-ua-platform", `"Windows"`}, {"Upgrade-Insecure-Requests", "1"},
		{"User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"},
		{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"},
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-User", "?1"}, {"Sec-Fetch-Dest", "document"},
		{"Referer", "https://search.example/"}, {"Accept-Encoding", "gzip, deflate, br, zstd"}, {"Accept-Language", "en-US,en;q=0.9"}, {"Priority", "u=0, i"},
	}},
	{"Safari", []field{
		{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, {"Sec-Fetch-Site", "none"}, {"Sec-Fetch-Mode", "navigate"},
		{"User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"},
		{"Accept-Language", "en-GB,en;q=0.9"}, {"Sec-Fetch-Dest", "document"}, {"Accept-Encoding", "gzip, deflate, br"}, {"Priority", "u=0, i"}, {"Connection", "keep-alive"},
	}},
	{"Firefox", []field{
		{"User-Agent", agent}, {"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, {"Accept-Language", "en,de;q=0.7"},
		{"Accept-Encoding", "gzip, deflate, br, zstd"}, {"DNT", "1"}, {"Sec-GPC", "1"}, {"Connection", "keep-alive"}, {"Upgrade-Insecure-Requests", "1"},
		{"Sec-Fetch-Dest", "document"}, {"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Site", "none"}, {"Sec-Fetch-User", "?1"}, {"Priority", "u=0, i"}, {"TE", "trailers"},
	}},
	{"curl", []field{{"User-Agent", "curl/8.16.0"}, {"Accept", "*/*"}}},
	{"a crawler", []field{
		{"Connection", "keep-alive"}, {"Accept", "text/html,application/xhtml+xml,application/signed-exchange;v=b3,application/xml;q=0.9,*/*;q=0.8"},
		{"From", "googlebot(at)googlebot.com"}, {"User-Agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}, {"Accept-Encoding", "gzip, deflate, br"},
	}},
	{"behind Cloudflare", []field{
		{"User-Agent", agent}, {"Accept", "*/*"}, {"Accept-Encoding", "gzip, br"}, {"CF-RAY", "9943c1aa1b2c3d4e-NRT"}, {"CF-IPCountry", "JP"},
		{"CF-Connecting-IP", "203.0.113.7"}, {"CF-Visitor", `{"scheme":"http"}`}, {"X-Forwarded-For", "203.0.113.7"}, {"X-Forwarded-Proto", "http"}, {"CDN-Loop", "cloudflare; loops=1"},
	}},
	{"behind Fastly", []field{
		{"User-Agent", agent}, {"Accept", "*/*"}, {"Fastly-Client-IP", "203.0.113.8"}, {"Fastly-FF", "x!TYO!cache-tyo11946-TYO"}, {"CDN-Loop", "Fastly, Fastly"},
		{"X-Forwarded-For", "203.0.113.8, 198.51.100.3"}, {"X-Forwarded-Server", "cache-tyo11946-TYO"}, {"X-Forwarded-Host", "HOST"}, {"X-Timer", "S1760000000.123456,VS0"},
		{"X-Varnish", "1234567 7654321"}, {"Via", "1.1 varnish, 1.1 varnish"},
	}},
	{"behind CloudFront", []field{
		{"User-Agent", "Amazon CloudFront"}, {"Via", "2.0 d111111abcdef8.cloudfront.net (CloudFront)"}, {"X-Amz-Cf-Id", "q1w2e3r4t5y6u7i8o9p0"}, {"X-Forwarded-For", "203.0.113.9"},
		{"CloudFront-Viewer-Country", "JP"}, {"CloudFront-Is-Mobile-Viewer", "false"}, {"X-Amzn-Trace-Id", "Root=1-67891233-abcdef012345678912345678"}, {"Accept-Encoding", "br,gzip"},
	}},
	{"with analytics cookies", []field{
		{"User-Agent", agent}, {"Accept", "*/*"},
		{"Cookie", "_ga=GA1.1.1234567890.1760000000; _ga_ABC123=GS2.1.s1760000000$o1$g1; _gid=GA1.2.1.2; _fbp=fb.1.1760000000000.123456789; _gcl_au=1.1.123.456"},
	}},
}

// visit is an ordinary request.
type visit struct {
	name  string
	path  string // after the route and the case
	query string
	add   []field
	// method is GET if empty, and status 200 if 0.
	method string
	status int
	// only are the routes that it is to be tried on. Empty: all that cache.
	only []string
}

var visits = []visit{
	{name: "a page", path: "page"},
	{name: "with a parameter", path: "page", query: "ref=plain"},
	{name: "with an encoded parameter", path: "page", query: "ref=a%20b%26c%E3%81%82&id=1%2B1", only: []string{"ttl", "once", "bypass", "origin", "vary"}},
	{name: "with utm parameters", path: "page", query: "utm_source=news&utm_medium=email&ref=plain&utm_campaign=spring%202026", only: []string{"ttl", "once", "bypass", "strict"}},
	{name: "with click identifiers", path: "page", query: "ref=plain&fbclid=IwAR0abc_-123&gclid=Cj0KCQ", only: []string{"ttl", "once", "bypass", "strict"}},
	{name: "a Japanese path", path: "%E6%97%A5%E6%9C%AC%E8%AA%9E/%E3%83%9A%E3%83%BC%E3%82%B8"},
	{name: "a path in lower-case escapes", path: "%e6%97%a5%e6%9c%ac"},
	{name: "a path with a blank", path: "a%20b"},
	{name: "a path with a percent sign", path: "100%25"},
	{name: "sub-delimiters", path: "a!$&'()*+,=:@b~c-d_e.f"},
	{name: "a trailing slash", path: "dir/"},
	{name: "dots in names", path: "v1.2.3/...x/.well-known/a..b"},
	{name: "HEAD", path: "page", method: http.MethodHead},
	{name: "a condition", path: "page", add: []field{{"If-None-Match", "ETAG"}}, status: http.StatusNotModified},
	{name: "a condition that does not hold", path: "page", add: []field{{"If-None-Match", `"other"`}}},
	{name: "a range", path: "page", add: []field{{"Range", "bytes=0-9"}}, status: http.StatusPartialContent},
	{name: "a reload", path: "page", add: []field{{"Cache-Control", "max-age=0"}}, only: []string{"ttl", "once", "bypass", "strict"}},
	{name: "a trace", path: "page", add: []field{{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, {"X-Request-Id", "7b1c"}}, only: []string{"ttl", "once", "bypass", "strict", "origin"}},
	{name: "Host in capitals", path: "page", add: []field{{"Host", "PLAIN.Example"}}},
	{name: "Host with the port of the scheme", path: "page", add: []field{{"Host", "plain.example:80"}}},
}

// request is the person's.
func (v visit) request(who person, route, name string, h2 bool, etag string) *request {
	p := personalities[0]
	r := &request{method: v.method, target: "/" + route + "/" + name + "/" + v.path, h2: h2, fields: []field{{"Host", host(p)}}}
	if r.method == "" {
		r.method = http.MethodGet
	}
	r.setQuery(v.query)
	for _, f := range v.add {
		r.set(f.name, strings.ReplaceAll(f.value, "ETAG", etag))
	}
	for _, f := range who.fields {
		if h2 && strings.EqualFold(f.name, "Connection") {
			continue
		}
		r.add(f.name, strings.ReplaceAll(f.value, "HOST", r.get("Host")))
	}
	return r
}

// TestOrdinary holds that what ordinary visitors send is served, and from the store: a
// cache that refuses everything would have passed all the other tests.
func TestOrdinary(t *testing.T) {
	s := startEdge(t)
	for _, v := range visits {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			on := v.only
			if on == nil {
				on = []string{"ttl", "once", "bypass", "strict", "origin", "vary"}
			}
			for _, route := range on {
				for _, who := range people {
					cookies := who.name == "with analytics cookies"
					if cookies && (route == "origin" || route == "vary" || route == "bypass") {
						continue // where the policy does not name them, they may mean something
					}
					for _, h2 := range []bool{false, true} {
						s.servesFromStore(t, v, who, route, h2)
					}
				}
			}
		})
	}
}

// servesFromStore has the person ask until they are served from the store, which the
// policy says they are.
func (s *stage) servesFromStore(t *testing.T, v visit, who person, route string, h2 bool) {
	t.Helper()
	name := newCase()
	whole := visit{path: v.path, query: v.query}.request(who, route, name, false, "")
	want := s.right(personalities[0], whole)
	if host := v.request(who, route, name, h2, "").get("Host"); host != "plain.example" {
		whole.set("Host", host)
		want = s.right(personalities[0], whole)
	}
	r := v.request(who, route, name, h2, want.header.Get("ETag"))
	status, body := v.status, want.body
	switch {
	case v.method == http.MethodHead:
		status, body = want.status, nil
	case status == http.StatusNotModified:
		body = nil
	case status == http.StatusPartialContent:
		body = body[:10]
	case status == 0:
		status = http.StatusOK
	}
	if v.method == http.MethodHead {
		ask(s.address, whole) // a HEAD fills nothing
	}
	got := ask(s.address, r)
	for i := 0; i < 20 && !got.hit(); i++ { // the first is still being judged when the next ask
		got = ask(s.address, r)
	}
	if !got.hit() {
		edge.Eventually(t, r.String()+" being served from the store", func() bool {
			got = ask(s.address, r)
			return got.hit()
		})
	}
	if got.status != status || !bytes.Equal(got.body, body) {
		t.Errorf("/%s, %s, %s\n  got  %s\n  want %d %q", route, who.name, r, got, status, body)
	}
}
