package httpcache

import (
	"net/http"
	"slices"
	"strings"

	"github.com/dunglas/httpsfv"

	"github.com/cacheward/cacheward/policies"
)

// Bounds of what is kept to find objects by. RFC 9875 §2 asks for 32 groups of 32
// characters at least.
const (
	maxGroups      = 32
	maxGroupLength = 128
	maxTags        = 1000
	maxTagLength   = 1024
)

// Groups are the groups that a response belongs to within its origin, each once, in
// the order of Cache-Groups (RFC 9875 §2). A damaged field names none, as RFC 9651
// has it. Of more than 32 the first 32 count; names of more than 128 bytes do not.
func Groups(h http.Header) []string { return stringList(lines(h, "Cache-Groups")) }

// GroupInvalidations are the groups whose stored responses a response to an unsafe
// request invalidates within its origin (RFC 9875 §3), read as by [Groups].
func GroupInvalidations(h http.Header) []string {
	return stringList(lines(h, "Cache-Group-Invalidation"))
}

// stringList reads a List of Strings (RFC 9651 §3.1). Parameters mean nothing.
func stringList(all []string) []string {
	var found []string
	for _, line := range all {
		// One line at a time, so that no string opens in one and ends in the next.
		list, err := httpsfv.UnmarshalList([]string{line})
		if err != nil {
			return nil
		}
		for _, member := range list {
			item, _ := member.(httpsfv.Item)
			group, ok := item.Value.(string)
			if !ok {
				return nil
			}
			if len(found) < maxGroups && len(group) <= maxGroupLength && !slices.Contains(found, group) {
				found = append(found, group)
			}
		}
	}
	return found
}

// tagFields are the fields of vendors that name tags, and what parts two of them.
var tagFields = []tagField{
	{"Cache-Tag", isComma},
	{"Edge-Cache-Tag", isComma},
	{"Cdn-Tag", isComma},
	{"Vercel-Cache-Tag", isComma},
	{"Netlify-Cache-Tag", isComma},
	{"Surrogate-Key", isWhiteSpace},
	{"Xkey", isWhiteSpace},
}

type tagField struct {
	name     string
	separate func(rune) bool
}

// Tags are the tags under which a response can be purged, each once, as vendors
// write them: with commas in Cache-Tag, Edge-Cache-Tag, CDN-Tag, Vercel-Cache-Tag and
// Netlify-Cache-Tag, with white space in Surrogate-Key and xkey. The case of letters is
// kept.
//
// Ok is false if there are more than 1000 tags or one has more than 1024 bytes. Such
// a response must not be stored: it could not be purged.
func Tags(h http.Header) (tags []string, ok bool) { return tagsIn(h, "") }

// TagsFor are the [Tags] of a response that goes to the CDN of the profile: those in the
// field that was chosen for that CDN as well, for what is purged there must be purged here.
func TagsFor(h http.Header, to *policies.Profile) (tags []string, ok bool) {
	if to == nil || to.Tags == nil {
		return Tags(h)
	}
	return tagsIn(h, to.Tags.Field)
}

// tagsIn is [Tags], with one more field to look in, whose tags are parted by commas.
func tagsIn(h http.Header, own string) (tags []string, ok bool) {
	fields := tagFields
	if own != "" && !slices.ContainsFunc(fields, func(f tagField) bool { return f.name == own }) {
		fields = append(fields[:len(fields):len(fields)], tagField{own, isComma})
	}
	seen := make(map[string]bool)
	for _, field := range fields {
		for _, line := range lines(h, field.name) {
			for tag := range strings.FieldsFuncSeq(line, field.separate) {
				tag = strings.Trim(tag, " \t")
				if tag == "" || seen[tag] {
					continue
				}
				if len(tag) > maxTagLength || len(tags) == maxTags {
					return nil, false
				}
				seen[tag] = true
				tags = append(tags, tag)
			}
		}
	}
	return tags, true
}

func isComma(r rune) bool      { return r == ',' }
func isWhiteSpace(r rune) bool { return r == ' ' || r == '\t' }
