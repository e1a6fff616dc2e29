package gate

import (
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// What is served without a better type is one of these.
const (
	octets       = "application/octet-stream"
	binaryOctets = "binary/octet-stream" // the default of S3
)

var (
	imageTypes  = []string{"image/*", octets, binaryOctets}
	mediaTypes  = []string{"video/*", "audio/*", "application/mp4", "application/ogg", octets, binaryOctets}
	scriptTypes = []string{"text/javascript", "application/javascript", "application/x-javascript", "text/x-javascript", "text/ecmascript", "application/ecmascript"}
	fontTypes   = []string{"font/*", "application/font-*", "application/x-font-*", "application/vnd.ms-fontobject", "application/vnd.ms-opentype", octets, binaryOctets}
	fileTypes   = []string{"application/*", binaryOctets}
	xmlTypes    = []string{"application/xml", "text/xml", "*+xml"}
	htmlTypes   = []string{"text/html", "application/xhtml+xml"}
)

// typesOf has the media types that fit an extension. These are the extensions that
// caches are told, or by default decide, to store without looking further, and so
// the ones that are appended to the path of somebody's account page. A * stands
// for anything but pages and data, see isPageOrData.
var typesOf = map[string][]string{
	"css": {"text/css"},
	"js":  scriptTypes, "mjs": scriptTypes, "cjs": scriptTypes,
	"map":  {"application/json", "text/plain", octets, binaryOctets},
	"wasm": {"application/wasm"},

	"apng": imageTypes, "avif": imageTypes, "bmp": imageTypes, "cur": imageTypes,
	"gif": imageTypes, "ico": imageTypes, "jpeg": imageTypes, "jpg": imageTypes,
	"jxl": imageTypes, "png": imageTypes, "tif": imageTypes, "tiff": imageTypes,
	"webp": imageTypes,
	"svg":  {"image/svg+xml"}, "svgz": {"image/svg+xml"},

	"eot": fontTypes, "otf": fontTypes, "ttf": fontTypes, "woff": fontTypes, "woff2": fontTypes,

	"aac": mediaTypes, "avi": mediaTypes, "flac": mediaTypes, "m4a": mediaTypes,
	"m4v": mediaTypes, "mid": mediaTypes, "midi": mediaTypes, "mkv": mediaTypes,
	"mov": mediaTypes, "mp3": mediaTypes, "mp4": mediaTypes, "ogg": mediaTypes,
	"ogv": mediaTypes, "opus": mediaTypes, "wav": mediaTypes, "webm": mediaTypes,
	"m3u8": {"application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "audio/x-mpegurl"},
	"mpd":  {"application/dash+xml"},

	"7z": fileTypes, "apk": fileTypes, "bin": fileTypes, "bz2": fileTypes, "class": fileTypes,
	"dmg": fileTypes, "doc": fileTypes, "docx": fileTypes, "eps": fileTypes, "exe": fileTypes,
	"gz": fileTypes, "iso": fileTypes, "jar": fileTypes, "ppt": fileTypes, "pptx": fileTypes,
	"ps": fileTypes, "rar": fileTypes, "swf": fileTypes, "tar": fileTypes, "tgz": fileTypes,
	"xls": fileTypes, "xlsx": fileTypes, "xz": fileTypes, "zip": fileTypes, "zst": fileTypes,
	"pdf": {"application/pdf", octets, binaryOctets},

	"csv":         {"text/csv", "application/csv", "text/plain"},
	"json":        {"application/json", "text/json", "*+json"},
	"md":          {"text/markdown", "text/plain"},
	"txt":         {"text/plain"},
	"webmanifest": {"application/manifest+json", "application/json"},
	"xml":         xmlTypes, "rss": xmlTypes, "atom": xmlTypes,

	"htm": htmlTypes, "html": htmlTypes, "xhtml": htmlTypes,
}

// checkType holds the content type against the path's extension: a page or data
// under a static file's name is web cache deception, or a page that says "not
// found" with status 200.
func (f *findings) checkType(s section, path string) {
	fitting, known := typesOf[extension(path)]
	if !known {
		return
	}
	media := ""
	if types := s.fields["Content-Type"]; len(types) > 0 {
		media = mediaType(types[0])
	}
	fits := slices.ContainsFunc(fitting, func(pattern string) bool { return matchesType(pattern, media) })
	f.addIf(!fits, policies.ReasonTypeContradicts)
}

// extension returns the lower-case extension of the path's last segment, without
// its dot. What cannot be part of one ends it: x.css;y is a .css to many.
func extension(path string) string {
	segment := path[strings.LastIndexByte(path, '/')+1:]
	if end := strings.IndexAny(segment, ";?#\x00\n"); end >= 0 {
		segment = segment[:end]
	}
	dot := strings.LastIndexByte(segment, '.')
	if dot < 0 {
		return ""
	}
	return strings.ToLower(segment[dot+1:])
}

// mediaType returns the lower-case type/subtype of a Content-Type, or "" if there
// is none that can be read (RFC 9110 §8.3.1). Parameters do not matter here.
func mediaType(value string) string {
	media, _, _ := strings.Cut(value, ";")
	media = strings.ToLower(strings.Trim(media, " \t"))
	kind, subtype, _ := strings.Cut(media, "/")
	if !isFieldName(kind) || !isFieldName(subtype) { // both are tokens
		return ""
	}
	return media
}

func matchesType(pattern, media string) bool {
	switch {
	case pattern == media:
		return true
	case pattern == "*+json":
		return strings.HasSuffix(media, "+json")
	case isPageOrData(media):
		return false
	}
	if end, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(media, end)
	}
	start, ok := strings.CutSuffix(pattern, "*")
	return ok && strings.HasPrefix(media, start)
}

// isPageOrData reports whether a type is what account pages and APIs answer with.
// Such a type fits only where it is named.
func isPageOrData(media string) bool {
	return strings.Contains(media, "html") || strings.Contains(media, "json")
}
