package httpcache

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// TellTags moves the tags of h into the field in which the CDN looks for them, as it takes
// them. It is not ok if they are more than it takes; none is left then. A CDN that looks
// nowhere gets none; the generic profile has them as the origin sent them.
func TellTags(h http.Header, to *policies.Profile) (ok bool) {
	if to == nil || to.Name == policies.ProfileGeneric {
		return true
	}
	own := ""
	if to.Tags != nil {
		own = to.Tags.Field
	}
	if !tagged(h, own) {
		return true
	}
	tags, ok := tagsIn(h, own)
	for name := range h {
		if isTagField(name, own) {
			delete(h, name)
		}
	}
	if !ok {
		return false
	}
	if own == "" || len(tags) == 0 {
		return true
	}
	list, ok := tagList(tags, to.Tags)
	if ok {
		h[own] = []string{list}
	}
	return ok
}

// tagged reports whether h has a field of tags, own being one.
func tagged(h http.Header, own string) bool {
	for name := range h {
		if isTagField(name, own) {
			return true
		}
	}
	return false
}

func isTagField(name, own string) bool {
	if name == "" {
		return false
	}
	// The last letter, of Tag and Key, sorts out nearly all other names at once.
	if last := name[len(name)-1] | 0x20; last == 'g' || last == 'y' {
		for i := range tagFields {
			if strings.EqualFold(name, tagFields[i].name) {
				return true
			}
		}
	}
	return own != "" && strings.EqualFold(name, own)
}

// tagList writes the tags, each once, as the CDN takes them. It is not ok if they are
// more than it takes.
func tagList(tags []string, limits *policies.ProfileTags) (list string, ok bool) {
	told := make([]string, 0, min(len(tags), limits.Count))
	seen := make(map[string]bool, cap(told))
	for _, tag := range tags {
		tag = ShortTag(tag, limits)
		if seen[tag] {
			continue
		}
		if len(told) == limits.Count {
			return "", false
		}
		seen[tag] = true
		told = append(told, tag)
	}
	list = strings.Join(told, limits.Separator)
	return list, len(list) <= limits.Bytes
}

// ShortTag returns a tag as it is told to a CDN, and as it must be named to purge the
// CDN by it: in lower case (of ASCII); or, if that is longer than the CDN takes or has
// characters that it does not, "h-" and the first 32 hexadecimal digits of the SHA-256
// digest of that.
func ShortTag(tag string, limits *policies.ProfileTags) string {
	tag = lower(tag)
	if len(tag) <= limits.Length && !strings.ContainsFunc(tag, func(r rune) bool { return !taken(r, limits.Characters) }) {
		return tag
	}
	sum := sha256.Sum256([]byte(tag))
	return "h-" + hex.EncodeToString(sum[:16])
}

// taken reports whether a tag may have the character, which is in lower case.
func taken(r rune, characters string) bool {
	if characters == "" {
		return r > ' ' && r < 0x7f && r != ','
	}
	return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune(characters, r)
}

// lower is strings.ToLower for ASCII alone, which leaves all other bytes as they are.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + ('a' - 'A')
		}
	}
	return string(b)
}
