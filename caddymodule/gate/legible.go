package gate

import (
	"bytes"
	"mime"
	"net/http"
	"strings"
)

// Legible reports whether a response's content type is one in which state can be
// written for a browser or a program to read: text, markup, data, scripts, and
// whatever says nothing about itself. Pictures, films, sounds, fonts and archives are
// bytes among which anything looks like a token.
func Legible(h http.Header) bool {
	types := foldLines(h, "Content-Type")
	if len(types) == 0 {
		return true
	}
	media := mediaType(types[0])
	switch kind, subtype, _ := strings.Cut(media, "/"); kind {
	case "audio", "font", "video":
		return false
	case "image":
		return subtype == "svg+xml"
	case "application":
		switch subtype {
		case "gzip", "pdf", "vnd.ms-fontobject", "wasm", "x-7z-compressed", "x-bzip2", "x-gzip", "x-tar", "x-xz", "zip", "zstd":
			return false
		}
	}
	return true
}

// ASCIIBased reports whether ASCII characters are single bytes of the body, as the
// searches for needles and markers take for granted: neither the charset nor a byte
// order mark says otherwise (Encoding Standard §6).
func ASCIIBased(h http.Header, body []byte) bool {
	for _, mark := range []string{"\xfe\xff", "\xff\xfe"} {
		if bytes.HasPrefix(body, []byte(mark)) {
			return false
		}
	}
	for _, line := range foldLines(h, "Content-Type") {
		_, params, _ := mime.ParseMediaType(line)
		switch charset := strings.ToLower(params["charset"]); {
		case strings.HasPrefix(charset, "utf-16"), strings.HasPrefix(charset, "utf-32"), strings.HasPrefix(charset, "utf-7"),
			strings.HasPrefix(charset, "unicode"), strings.Contains(charset, "ucs-"), strings.Contains(charset, "10646"):
			return false
		}
	}
	return true
}
