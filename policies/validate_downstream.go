package policies

import (
	"fmt"
	"strings"
)

// cdn judges what is said of the CDN at the top of a policy.
func (s section) cdn(c *CDN) {
	if c == nil {
		return
	}
	if c.Profile == "" {
		s.fault("downstream", "downstream names no profile", "name one, or leave downstream out; how long caches further on may store is for routes to say")
		return
	}
	oneOf(s, "downstream.profile", c.Profile, "profile", ProfileNames())
	s.tagHeader(c.TagHeader, *c)
}

func (s section) downstream(d *Downstream, inherited *CDN) {
	if d == nil {
		return
	}
	if d.Profile == ProfileOrigin {
		if d.TTL != 0 || d.Browser != 0 || d.TagHeader != "" {
			s.fault("downstream.profile", "downstream: origin passes on what the origin says, which leaves nothing for ttl, browser and tag_header to say",
				"write downstream: origin alone, or leave the profile out")
		}
		return
	}
	s.positive("downstream.ttl", d.TTL, false)
	s.positive("downstream.browser", d.Browser, true)
	oneOf(s, "downstream.profile", d.Profile, "profile", append(ProfileNames(), ProfileOrigin))
	s.tagHeader(d.TagHeader, speaks(d, inherited))
}

// tagHeader judges the name of the field for tags, given the CDN that reads it.
func (s section) tagHeader(name string, to CDN) {
	if name == "" {
		return
	}
	const path = "downstream.tag_header"
	p := profileNamed(to.Profile)
	if p == nil && to.Profile != "" {
		return // that is told already
	}
	if p == nil || p.Tags == nil || !p.Tags.Chosen {
		s.fault(path, fmt.Sprintf("the profile %s leaves no name of the tag header to choose", firstOf(to.Profile, ProfileGeneric)),
			"leave it out, or use the profile cloudfront")
		return
	}
	if message, fix := checkTagHeader(name); message != "" {
		s.fault(path, message, fix)
	}
}

// checkTagHeader accepts names that nothing else than a list of tags has: what the
// origin says in the field is replaced.
func checkTagHeader(name string) (message, fix string) {
	if strings.Contains(name, "*") {
		return fmt.Sprintf("%q is no name of a field", name), "write the name that the CDN was told"
	}
	if message, fix := checkName(kindHeader, name); message != "" {
		return message, fix
	}
	last := strings.TrimSuffix(strings.ToLower(name), "s")
	if last == "etag" || !strings.HasSuffix(last, "tag") && !strings.HasSuffix(last, "-key") {
		return fmt.Sprintf("%q does not look like a field of tags", name), "choose a name that ends with Tag, Tags, -Key or -Keys, such as Cache-Tag, for the CDN as well"
	}
	return "", ""
}
