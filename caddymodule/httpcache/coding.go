package httpcache

import (
	"net/http"
	"strings"
)

// The content codings (RFC 9110 §8.4.1) in which stored responses can be kept.
const (
	Gzip   = "gzip" // RFC 1952
	Zstd   = "zstd" // RFC 8878, with the window of RFC 9659
	Brotli = "br"   // RFC 7932
)

// maxOffered is how many codings [NegotiateCoding] looks at.
const maxOffered = 4

// wholeWeight is the weight of what has none, in thousandths (RFC 9110 §12.4.2).
const wholeWeight = 1000

// NegotiateCoding returns the coding, of those offered, that the lines of an
// Accept-Encoding field prefer (RFC 9110 §12.5.3); empty: identity. Of codings with one
// weight the one that is offered first is chosen, and any of them rather than identity,
// unless identity is listed with a higher weight. A * stands for the codings that are not
// listed, x-gzip for gzip. A member that is malformed, or listed twice, counts with
// the least of what it may mean, so that a client never gets what it did not ask for.
// It allocates nothing.
//
// Offered are names in lower case, four of them at most.
func NegotiateCoding(accept, offered []string) string {
	const unlisted = -1
	weights := [maxOffered]int{unlisted, unlisted, unlisted, unlisted}
	offered = offered[:min(len(offered), maxOffered)]
	identity, others := unlisted, 0
	note := func(of *int, weight int) {
		if *of == unlisted || weight < *of {
			*of = weight
		}
	}
	for _, line := range accept {
		for line != "" {
			var member string
			member, line, _ = strings.Cut(line, ",")
			name, weight := weigh(member)
			switch {
			case name == "*":
				others = weight
				continue
			case isName(name, "identity"):
				note(&identity, weight)
				continue
			case isName(name, "x-gzip"):
				name = Gzip
			}
			for i, coding := range offered {
				if isName(name, coding) {
					note(&weights[i], weight)
				}
			}
		}
	}
	best, chosen := 0, ""
	for i, coding := range offered {
		weight := weights[i]
		if weight == unlisted {
			weight = others
		}
		if weight > best {
			best, chosen = weight, coding
		}
	}
	if identity > best {
		return ""
	}
	return chosen
}

// isName compares in any case. Most names differ in length, which is seen at once.
func isName(s, name string) bool { return len(s) == len(name) && strings.EqualFold(s, name) }

// weigh takes a member of Accept-Encoding apart: a name, and its weight in thousandths.
func weigh(member string) (name string, weight int) {
	name, params, given := strings.Cut(member, ";")
	name = strings.Trim(name, " \t")
	if !given {
		return name, wholeWeight
	}
	params = strings.Trim(params, " \t")
	if len(params) < len("q=0") || params[0]|0x20 != 'q' || params[1] != '=' {
		return name, 0
	}
	return name, qvalue(params[len("q="):])
}

// qvalue reads a weight (RFC 9110 §12.4.2) in thousandths; 0 if it is none.
func qvalue(s string) int {
	whole, fraction, _ := strings.Cut(s, ".")
	if whole != "0" && whole != "1" || len(fraction) > 3 {
		return 0
	}
	weight, unit := int(whole[0]-'0')*wholeWeight, wholeWeight
	for i := range len(fraction) {
		if fraction[i] < '0' || fraction[i] > '9' {
			return 0
		}
		unit /= 10
		weight += int(fraction[i]-'0') * unit
	}
	if weight > wholeWeight {
		return 0
	}
	return weight
}

// CodedTag is the entity tag of a representation in a coding, made of the one without
// as Caddy's encode makes it (RFC 9110 §8.8.3.3): "abc" in gzip is "abc-gzip". A weak
// tag stands for both and stays as it is, as does what is no tag.
func CodedTag(tag, coding string) string {
	bare, ok := strings.CutSuffix(tag, `"`)
	if !ok || len(bare) == 0 || bare[0] != '"' {
		return tag
	}
	return bare + "-" + coding + `"`
}

// EvaluateCoded is [Evaluate] for a response that the client would be given in a coding. A
// condition may name the entity tag of that, or of the identity: a client that has either has
// what is stored. Tag is the one that a 304 is about.
func EvaluateCoded(method string, req, stored http.Header, coding string) (outcome Precondition, tag string) {
	identity := stored["Etag"]
	if len(identity) != 1 {
		return Evaluate(method, req, stored), ""
	}
	stored["Etag"] = []string{CodedTag(identity[0], coding)}
	coded := Evaluate(method, req, stored)
	tag = stored["Etag"][0]
	stored["Etag"] = identity
	if coded == NotModified {
		return coded, tag
	}
	plain := Evaluate(method, req, stored)
	if plain == PreconditionFailed {
		return coded, tag
	}
	return plain, identity[0]
}

// compressible are the media types, without parameters, of which it is known that they
// shrink. They are those that Caddy's encode and Cloudflare compress.
var compressible = map[string]bool{
	"application/atom+xml":              true,
	"application/eot":                   true,
	"application/font":                  true,
	"application/geo+json":              true,
	"application/graphql+json":          true,
	"application/graphql-response+json": true,
	"application/javascript":            true,
	"application/json":                  true,
	"application/ld+json":               true,
	"application/manifest+json":         true,
	"application/opentype":              true,
	"application/otf":                   true,
	"application/rss+xml":               true,
	"application/truetype":              true,
	"application/ttf":                   true,
	"application/vnd.api+json":          true,
	"application/vnd.ms-fontobject":     true,
	"application/wasm":                  true,
	"application/x-httpd-cgi":           true,
	"application/x-javascript":          true,
	"application/x-opentype":            true,
	"application/x-otf":                 true,
	"application/x-perl":                true,
	"application/x-protobuf":            true,
	"application/x-ttf":                 true,
	"application/xhtml+xml":             true,
	"application/xml":                   true,
	"font/otf":                          true,
	"font/ttf":                          true,
	"image/svg+xml":                     true,
	"image/vnd.microsoft.icon":          true,
	"image/x-icon":                      true,
	"multipart/bag":                     true,
	"multipart/mixed":                   true,
}

// Compressible reports whether content of that Content-Type is worth compressing.
func Compressible(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.ToLower(strings.Trim(kind, " \t"))
	return strings.HasPrefix(kind, "text/") && kind != "text/event-stream" || compressible[kind]
}
