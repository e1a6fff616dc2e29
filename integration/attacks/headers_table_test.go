package attacks

import (
	"slices"
	"strings"
)

// with adds a field to the request.
func with(class, name, value string) change {
	label := name
	if value != "" {
		label += ": " + value
	}
	return change{class, shorten(label), func(r *request, mark string) {
		r.add(name, strings.ReplaceAll(value, "MARK", mark))
	}}
}

// replacing sets a field that the request has already.
func replacing(class, name, value string) change {
	return change{class, "another " + name + ": " + shorten(value), func(r *request, mark string) {
		r.set(name, strings.ReplaceAll(value, "MARK", mark))
	}}
}

// fieldAttacks are the fields by which a request has been seen to decide what others
// get. MARK is something of the attacker's own.
var fieldAttacks = []struct {
	class  string
	names  []string
	values []string
}{
	{"4.1", []string{
		"X-Forwarded-Host", "X-Host", "X-Forwarded-Server", "X-HTTP-Host-Override", "X-Original-Host", "X-Forwarded-Scheme",
		"X-Forwarded-Proto", "X-Forwarded-Ssl", "Front-End-Https", "X-Url-Scheme", "X-Forwarded-Port", "X-Forwarded-Prefix",
		"X-Forwarded-Path", "X-Script-Name", "X-Forwarded-For", "True-Client-IP", "X-Real-IP", "Via", "X-Forwarded", "X-Client-IP",
	}, []string{"MARK.example"}},
	{"4.1", []string{"Forwarded"}, []string{`host=MARK.example`, `for=127.0.0.1;host="MARK.example";proto=https`}},
	{"4.1", []string{"X-Forwarded-Proto", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "Front-End-Https"}, []string{"https", "on", "http"}},
	{"4.1", []string{"X-Forwarded-Host"}, []string{"plain.example, MARK.example", "plain.example", "", "credulous.example:8443"}},
	{"4.2", []string{
		"X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Envoy-Original-Path", "X-Override-URL", "X-Proxy-URL", "Destination",
		"X-Http-DestinationURL",
	}, []string{"/admin/MARK", "http://MARK.example/x", "/account?user=MARK"}},
	{"4.3", []string{
		"Accept", "Accept-Language", "Accept-Encoding", "Accept-Charset", "User-Agent", "Sec-CH-UA", "Sec-CH-UA-Mobile", "Save-Data", "DNT",
		"Referer", "Origin", "X-Requested-With", "X-Device", "X-Device-Type", "CloudFront-Viewer-Country", "CloudFront-Is-Mobile-Viewer",
		"CF-IPCountry", "X-Wap-Profile", "Prefer", "Accept-Datetime", "X-Country-Code", "Sec-GPC", "X-Up-Calling-Line-Id",
	}, []string{"MARK"}},
	{"4.3", []string{"Accept-Language"}, []string{"ja", "ja, en;q=0.5", "*", "ja-JP;q=0.999, MARK"}},
	{"4.3", []string{"Accept"}, []string{"application/json", "text/MARK", "*/*;q=0", "text/event-stream"}},
	{"4.4", []string{
		"X-Debug", "Fastly-Debug", "X-Cache-Debug", "X-Preview", "X-Ghost-Preview", "X-Feature-New", "X-Draft", "X-Flags", "Sentry-Trace",
	}, []string{"1", "MARK"}},
	{"4.4", []string{"Pragma"}, []string{"akamai-x-cache-on, akamai-x-get-cache-key", "no-cache, MARK"}},
	{"4.4", []string{"traceparent"}, []string{"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "MARK"}},
	{"5", []string{"Cookie"}, []string{
		`fehost="MARK"`, "lang=MARK", "theme=MARK", "theme=dark", "theme=dark; theme=MARK", "_ga=GA1.1.MARK", "_ga=1; lang=MARK",
		"_ga=1;lang=MARK", "_ga=1, lang=MARK", `_ga="1; lang=MARK; "`, "xtheme=MARK", "Theme=MARK", "theme =MARK", "=MARK", "MARK",
		"$Version=1; theme=MARK", "theme=a\tb=MARK", "_ga=\xff; lang=MARK", ";;;lang=MARK", "_gaX=MARK", "__Host-theme=MARK",
	}},
	{"10", internals, []string{"1", "MARK"}},
	{"10", []string{
		"X-Middleware-Rewrite", "X-Nuxt-Payload", "X-Livewire", "X-Alpine-Request", "X-Fragment", "X-Partial", "X-Invoke-Query",
		"X-Vercel-Protection-Bypass", "X-Drupal-Ajax-Token", "X-SvelteKit-Action",
	}, []string{"MARK"}},
	{"11.1", []string{
		"Expect", "Upgrade", "Content-Type", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range",
		"X-Amz-Security-Token", "X-Amz-Website-Redirect-Location", "TE", "Max-Forwards", "HTTP2-Settings", "X-Metachar",
		"Content-Encoding", "Content-Length-X", "Trailer", "Want-Digest", "Accept-Ranges",
	}, []string{"MARK"}},
	{"11.1", []string{"Authorization", "Proxy-Authorization"}, []string{"MARK", "Basic MARK", "", "AWS MARK:signature"}},
	{"11.1", []string{"Expect"}, []string{"100-continue", "200-ok"}},
	{"11.1", []string{"Upgrade"}, []string{"websocket", "h2c", "TLS/1.0"}},
	{"11.1", []string{"If-Match", "If-None-Match"}, []string{"*", `"MARK"`, `W/"MARK"`, `"`}},
	{"12", []string{"Range"}, []string{
		"bytes=0-0", "bytes=0-", "bytes=-1", "bytes=-0", "bytes=0-0,0-0,0-0", "bytes=0-4,2-8", "bytes=99999999-",
		"bytes=0-18446744073709551615", "bytes=18446744073709551616-", "bytes=-18446744073709551616", "bytes=9-1", "bytes=", "bytes=,",
		"bytes=a-b", "MARK=0-0", "bytes=0-1, MARK", "bytes 0-0", "Bytes=0-3", "bytes=\t0-3", "items=0-1",
		"bytes=" + strings.Repeat("0-,", 800) + "0-",
	}},
	{"12", []string{"Request-Range", "X-Range"}, []string{"bytes=0-0"}},
	{"7.3", []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Method"}, []string{"POST", "DELETE", "HEAD", "MARK"}},
	{"15", []string{"Origin"}, []string{"https://MARK.example", "null", "", "https://plain.example"}},
	{"15", []string{"Access-Control-Request-Method", "Access-Control-Request-Headers"}, []string{"MARK"}},
	{"18", []string{"Cache-Control"}, []string{
		"max-age=31536000, MARK", "no-cache", "no-store", "only-if-cached", "max-stale", "public, s-maxage=99999", "stale-if-error=99999",
	}},
	{"19", []string{"CDN-Cache-Control", "Surrogate-Control", "Edge-Control", "X-Accel-Expires", "Cache-Tag", "Surrogate-Key"}, []string{"max-age=999, MARK"}},
	{"21", []string{"Connection"}, []string{
		"close, X-Forwarded-For", "Cookie", "Host", "Content-Length", "Cache-Control", "X-Forwarded-For, X-Forwarded-Host",
		"keep-alive, X-Real-IP", "MARK", "Accept", "Transfer-Encoding", "close, close", "Authorization",
		"user-agent", ",,X-Forwarded-For", "Upgrade, HTTP2-Settings",
	}},
	{"21", []string{"Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Proxy-Foo", "HTTP2-Settings"}, []string{"MARK", "X-Forwarded-For"}},
}

// spellings are other ways of writing a name, which some servers take for the same.
var spellings = []struct {
	name  string
	write func(string) string
}{
	{"with _", func(s string) string { return strings.ReplaceAll(s, "-", "_") }},
	{"in lower case", strings.ToLower},
	{"in upper case", strings.ToUpper},
}

// headerChanges is the table, one change for each name and value, and the names once more
// in other spellings.
func headerChanges() (all []change) {
	for _, a := range fieldAttacks {
		for _, name := range a.names {
			for _, value := range a.values {
				if slices.Contains([]string{"Accept", "User-Agent"}, name) {
					all = append(all, replacing(a.class, name, value))
				} else {
					all = append(all, with(a.class, name, value))
				}
			}
			if a.class == "4.1" || a.class == "4.2" || a.class == "7.3" {
				for _, s := range spellings {
					all = append(all, with("4.5", s.write(name), a.values[0]))
				}
			}
		}
	}
	return append(all, syntaxChanges...)
}

// syntaxChanges are the sizes and the syntax of fields.
var syntaxChanges = []change{
	with("11.1", "X-Oversized", strings.Repeat("MARK", 1000)),
	with("11.1", "X-Oversized", strings.Repeat("x", 30_000)),
	with("11.1", "X-Oversized", strings.Repeat("x", 1<<20+5000)),
	{"4.5", "many fields", func(r *request, mark string) {
		for range 200 {
			r.add("X-Many", mark)
		}
	}},
	{"4.5", "very many fields", func(r *request, mark string) {
		for range 5000 {
			r.add("X-Many", mark)
		}
	}},
	with("4.5", "X-Meta", "a\x01MARK"), with("4.5", "X-Meta", "a\x07MARK"), with("4.5", "X-Meta", "a\x7fMARK"),
	with("4.5", "X-Meta", "a\x00MARK"), with("4.5", "X-Meta", "a\rMARK"), with("4.5", "X-Meta", "a\nX-Forwarded-Host: MARK"),
	with("4.5", "X-Meta", "a\r\n X-Forwarded-Host: MARK"), with("4.5", "X-Meta", "a\r\n\tMARK"), with("4.5", "X-Meta", "\xff\xfeMARK"),
	with("4.5", "X-Forwarded-Host ", "MARK.example"), with("4.5", " X-Forwarded-Host", "MARK.example"),
	with("4.5", "X-Forwarded-Host\t", "MARK.example"), with("4.5", "X-Forwarded-Host\x00", "MARK.example"),
	with("4.5", "X-Forwarded-H\xf6st", "MARK.example"), with("4.5", "", "MARK"), with("4.5", "X(Forwarded)Host", "MARK"),
	with("4.5", "X-Forwarded-Host", "  \t MARK.example \t "),
	{"4.5", "two X-Forwarded-Host", func(r *request, mark string) {
		r.add("X-Forwarded-Host", r.get("Host"))
		r.add("X-Forwarded-Host", mark)
	}},
	{"4.5", "a line that is no field", func(r *request, mark string) { r.add("X-A", "b\r\n"+mark) }},
	{"4.5", "the first field folded", func(r *request, mark string) {
		r.fields = append([]field{{" X-Forwarded-Host", mark}}, r.fields...)
	}},
	{"11.1", "HTTP/1.0", func(r *request, mark string) { r.version = "HTTP/1.0"; r.add("X-M", mark) }},
	{"11.1", "HTTP/1.0 without Host", func(r *request, _ string) { r.version = "HTTP/1.0"; r.del("Host") }},
	{"11.1", "no Host", func(r *request, _ string) { r.del("Host") }},
	{"11.1", "HTTP/1.2", func(r *request, _ string) { r.version = "HTTP/1.2" }},
	{"11.1", "HTTP/3.0", func(r *request, _ string) { r.version = "HTTP/3.0" }},
	{"11.1", "http/1.1", func(r *request, _ string) { r.version = "http/1.1" }},
	{"11.1", "HTTP/1.1 and a blank", func(r *request, _ string) { r.version = "HTTP/1.1 " }},
}
