package gate

import (
	"net/http"
	"strings"
)

// Legible reports whether a response's content type is one in which state can be
// written for a browser or a program to read: text, markup, data, scripts, and
// whatever says nothing about itself. Pictures, films, sounds, fonts and archives are
// bytes among which anything looks like a token.
func Legible(h http.Header) bool {
	types := fold(h).fields["Content-Type"]
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
