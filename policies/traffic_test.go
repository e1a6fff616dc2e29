package policies

import (
	"strings"
	"testing"
)

// landing is a policy as a site would write it.
const landing = `
identity: {cookies: [session, "remember_*"], headers: [X-Api-Key]}
routes:
  - name: landing
    match: {hosts: [hapitas.example, sp.hapitas.example], paths: [/register/lp]}
    cache: {ttl: 5m, stale_while_revalidate: 30s, stale_if_error: 1h}
    params: {key: [ref, source], strip: ["@analytics"], others: bypass}
    cookies: {strip: ["@analytics"], others: bypass}
    headers: {key: [{name: Accept-Language, values: [ja, en]}], others: bypass}
  - name: pages
    match: {hosts: [hapitas.example], paths: [/pages/*]}
    cache: origin
    cookies: {strip: ["@analytics"], others: bypass}
    headers: {others: vary}
  - name: static
    match: {paths: [/static/*]}
    cache: 1d
`

var clients = map[string][]string{
	"Chrome": {
		`Sec-Ch-Ua: "Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"`, "Sec-Ch-Ua-Mobile: ?0", `Sec-Ch-Ua-Platform: "Windows"`,
		"Upgrade-Insecure-Requests: 1", "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
		"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-User: ?1", "Sec-Fetch-Dest: document",
		"Referer: https://www.google.com/", "Accept-Encoding: gzip, deflate, br, zstd", "Accept-Language: ja,en-US;q=0.9,en;q=0.8", "Priority: u=0, i",
		"Cookie: _ga=GA1.1.1234567890.1700000000; _ga_ABC123=GS2.1.s1700000000$o1$g0$t1700000000$j60$l0$h0",
	},
	"Chrome reloading, on a slow line": {
		"Cache-Control: max-age=0", "Connection: keep-alive", "Save-Data: on", "Device-Memory: 8", "Downlink: 10", "Ect: 4g", "Rtt: 50", "Dpr: 2",
		"Sec-Ch-Prefers-Color-Scheme: dark", "Accept: */*", "Accept-Language: en-US,en;q=0.9", "User-Agent: Mozilla/5.0",
		`If-None-Match: "abc"`, "If-Modified-Since: Mon, 03 Nov 2025 10:00:00 GMT", "Pragma: no-cache",
	},
	"Chrome prefetching":        {"Purpose: prefetch", "Sec-Purpose: prefetch;prerender", "Sec-Fetch-Mode: no-cors", "Accept: */*", "User-Agent: Mozilla/5.0"},
	"Chrome seeking in a video": {"Range: bytes=0-", "Accept-Encoding: identity;q=1, *;q=0", `If-Range: "abc"`, "Sec-Fetch-Dest: video", "Accept: */*"},
	"Firefox": {
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		"Accept-Language: en-US,ja;q=0.7,en;q=0.3", "Accept-Encoding: gzip, deflate, br, zstd", "Dnt: 1", "Sec-Gpc: 1", "Connection: keep-alive",
		"Upgrade-Insecure-Requests: 1", "Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: none", "Sec-Fetch-User: ?1",
		"Priority: u=0, i", "Te: trailers", "X-Moz: prefetch",
	},
	"Safari": {
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document",
		"User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
		"Accept-Language: ja-JP,ja;q=0.9", "Priority: u=0, i", "Accept-Encoding: gzip, deflate, br", "Cookie: _fbp=fb.1.1700000000000.1234567890; _gcl_au=1.1.1.1",
	},
	"curl": {"User-Agent: curl/8.17.0", "Accept: */*"},
	"Googlebot": {
		"Connection: keep-alive", "Accept: text/html,application/xhtml+xml,application/signed-exchange;v=b3,application/xml;q=0.9,*/*;q=0.8",
		"From: googlebot(at)googlebot.com", "User-Agent: Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/142.0.0.0 Safari/537.36",
		"Accept-Encoding: gzip, deflate, br", "If-Modified-Since: Mon, 03 Nov 2025 10:00:00 GMT",
	},
}

var deliveries = map[string][]string{
	"direct": nil,
	"Cloudflare": {
		"Cf-Connecting-Ip: 203.0.113.7", "Cf-Ipcountry: JP", "Cf-Ray: 8f0a1b2c3d4e5f60-NRT", `Cf-Visitor: {"scheme":"https"}`, "Cdn-Loop: cloudflare; loops=1",
		"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https", "True-Client-Ip: 203.0.113.7", "Cf-Ew-Via: 15", "Cf-Worker: example.com",
	},
	"CloudFront": {
		"Via: 2.0 0a1b2c.cloudfront.net (CloudFront)", "X-Amz-Cf-Id: abcDEF_-123==", "X-Forwarded-For: 203.0.113.7", "X-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678",
		"Cloudfront-Viewer-Country: JP", "Cloudfront-Is-Mobile-Viewer: false", "Cloudfront-Forwarded-Proto: https", "Cloudfront-Viewer-Address: 203.0.113.7:46532",
		"Cloudfront-Viewer-Http-Version: 2.0", "X-Forwarded-Proto: https", "X-Forwarded-Port: 443",
	},
	"Fastly": {
		"Fastly-Client-Ip: 203.0.113.7", "Fastly-Ff: abc!TYO!cache-tyo11900-TYO", "Fastly-Ssl: 1", "X-Forwarded-For: 203.0.113.7, 198.51.100.2", "X-Forwarded-Host: hapitas.example",
		"X-Forwarded-Server: cache-tyo11900-TYO", "X-Timer: S1700000000.123456,VS0", "X-Varnish: 1234", "Cdn-Loop: Fastly", "Via: 1.1 varnish",
	},
	"Akamai": {
		"Akamai-Origin-Hop: 2", "Via: 1.1 v1-akamaitech.net(ghost) (AkamaiGHost), 1.1 akamai.net(ghost) (AkamaiGHost)", "X-Forwarded-For: 203.0.113.7, 23.32.0.1", "True-Client-Ip: 203.0.113.7",
		"X-Akamai-Config-Log-Detail: true", "X-Akamai-Edgescape: georegion=100,country_code=JP,city=TOKYO", "Cache-Control: no-cache, max-age=0", "Pragma: no-cache", "Connection: TE, keep-alive", "Te: chunked;q=1.0",
	},
	"a load balancer and tracing": {
		"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https", "X-Forwarded-Port: 443", "X-Real-Ip: 203.0.113.7", "Forwarded: for=203.0.113.7;proto=https;host=hapitas.example",
		"X-Request-Id: 0af7651916cd43dd8448eb211c80319c", "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Tracestate: x=y", "X-B3-Traceid: 1", "Baggage: a=b",
		"X-Cloud-Trace-Context: 1/2;o=1", "X-Datadog-Trace-Id: 1", "Sentry-Trace: 1-2",
	},
}

// TestOrdinaryTraffic holds that what real clients send, by whatever way it comes,
// is looked up. The landing page is strict about headers: what is on neither list
// would make a bypass.
func TestOrdinaryTraffic(t *testing.T) {
	c := compiled(t, landing)
	for client, own := range clients {
		for delivery, added := range deliveries {
			for _, target := range []string{
				"https://hapitas.example/register/lp?ref=abc&utm_source=x&fbclid=IwAR0&gclid=Cj0-_",
				"https://hapitas.example/pages/%E6%A4%9C%E7%B4%A2?q=%E6%A5%BD%E5%A4%A9&page=2",
			} {
				t.Run(client+" by "+delivery+strings.TrimPrefix(target, "https://"), func(t *testing.T) {
					req := request(target, append(append([]string{}, own...), added...)...)
					rule := c.Route(req)
					if rule == c.rest {
						t.Fatal("no route matches")
					}
					checkReasons(t, rule.Inspect(req), ActCache)
					checkDispose(t, rule, req, ActCache)
				})
			}
		}
	}
}

// TestDeliveriesShare holds that on a route with a duration all visitors with one
// language have one key, whatever client and network they come with.
func TestDeliveriesShare(t *testing.T) {
	c := compiled(t, landing)
	canonical := make(map[string]bool)
	keys := make(map[string]bool)
	for _, own := range clients {
		for _, added := range deliveries {
			req := request("https://hapitas.example/register/lp?ref=abc", append(append([]string{}, own...), added...)...)
			req.Header["Accept-Language"] = []string{"ja"}
			p := checkDispose(t, c.Route(req), req, ActCache)
			keys[string(p.AppendKey(nil))] = true
			canonical[canonicalText(p.Canonical())] = true
		}
	}
	if len(keys) != 1 || len(canonical) != 1 {
		t.Errorf("%d keys and %d canonical requests", len(keys), len(canonical))
	}
}

// BenchmarkJudge is what every request costs before the store is asked.
func BenchmarkJudge(b *testing.B) {
	c := compiled(b, landing)
	req := request("https://hapitas.example/register/lp?ref=abc&utm_source=newsletter&gclid=Cj0KCQ", clients["Chrome"]...)
	if len(req.Header) != 15 {
		b.Fatalf("%d fields", len(req.Header))
	}
	var (
		p      Parts
		key    []byte
		digest [32]byte
	)
	b.ReportAllocs()
	for b.Loop() {
		rule := c.Route(req)
		if rule.Inspect(req).Action != ActCache || rule.Dispose(req, &p).Action != ActCache {
			b.Fatal("not for the cache")
		}
		key = p.AppendKey(key[:0])
		digest = Digest(key)
	}
	_ = digest
}

// TestJudgeDoesNotAllocate holds what BenchmarkJudge reports.
func TestJudgeDoesNotAllocate(t *testing.T) {
	c := compiled(t, landing)
	for name, fields := range clients {
		req := request("https://hapitas.example/register/lp?ref=abc&utm_source=newsletter&gclid=Cj0KCQ", fields...)
		var p Parts
		var key []byte
		allocs := testing.AllocsPerRun(100, func() {
			rule := c.Route(req)
			rule.Inspect(req)
			rule.Dispose(req, &p)
			key = p.AppendKey(key[:0])
			_ = Digest(key)
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}
