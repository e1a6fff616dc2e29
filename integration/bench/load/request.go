package load

import "slices"

// Target is one request, without a body. The zero value with a URI is a GET without fields
// of its own.
type Target struct {
	Method string  // GET if empty
	URI    string  // the request target as on the wire, escaped
	Host   string  // the Host field, Options.Addr if empty
	Fields []Field // sent in this order after Host; not changed, so they may be shared
}

// Field is a header field, sent as it is.
type Field struct{ Name, Value string }

// append appends the request as it is on the wire.
func (t *Target) append(b []byte, addr string) []byte {
	b = append(b, t.method()...)
	b = append(b, ' ')
	b = append(b, t.URI...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	if t.Host != "" {
		b = append(b, t.Host...)
	} else {
		b = append(b, addr...)
	}
	b = append(b, "\r\n"...)
	for _, f := range t.Fields {
		b = append(b, f.Name...)
		b = append(b, ": "...)
		b = append(b, f.Value...)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...)
}

func (t *Target) method() string {
	if t.Method == "" {
		return "GET"
	}
	return t.Method
}

// Browser returns the fields that Chrome sends for a page that is navigated to from another
// site, in its order and without Cookie. The slice is the caller's.
func Browser() []Field { return slices.Clone(browser) }

var browser = []Field{
	{"Connection", "keep-alive"},
	{"sec-ch-ua", `"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"`},
	{"sec-ch-ua-mobile", "?0"},
	{"sec-ch-ua-platform", `"Windows"`},
	{"Upgrade-Insecure-Requests", "1"},
	{"User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"},
	{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"},
	{"Sec-Fetch-Site", "cross-site"},
	{"Sec-Fetch-Mode", "navigate"},
	{"Sec-Fetch-User", "?1"},
	{"Sec-Fetch-Dest", "document"},
	{"Referer", "https://www.example.org/"},
	{"Accept-Encoding", "gzip, deflate, br, zstd"},
	{"Accept-Language", "ja,en-US;q=0.9,en;q=0.8"},
	{"Priority", "u=0, i"},
}
