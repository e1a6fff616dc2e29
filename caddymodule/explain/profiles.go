package explain

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/policies"
)

// AllProfiles stands for every profile in [Question].Profiles.
const AllProfiles = "all"

// Spoken is what a CDN is told, in one dialect, by the fields about caching.
type Spoken struct {
	Profile string `json:"profile"`
	// CDN is what people call it.
	CDN string `json:"cdn"`
	// Refuse is for an answer that nobody may store: of the response's kind, or of a page
	// where there is none.
	Refuse []Field `json:"refuse"`
	// Share is for the object that the next visitor gets: of the response at hand or, where
	// there is none, of one that has just come and lives for long enough. Nil where nothing
	// is shared: the route gives no permission or leaves it to the origin, or the response
	// is not stored, or may not be reused unasked.
	Share []Field `json:"share,omitempty"`
	// Reasons say why a response that could be shared is not shared with this CDN.
	Reasons []Reason `json:"reasons,omitempty"`
}

// shared is an object as it is served, before caches further on are told about it.
type shared struct {
	header     http.Header
	permission httpcache.Permission
}

// CheckProfiles says whether the names are of profiles, or all.
func CheckProfiles(names []string) error {
	_, err := profilesOf(names)
	return err
}

func profilesOf(names []string) ([]*policies.Profile, error) {
	var found []*policies.Profile
	for _, name := range names {
		if name == AllProfiles {
			return policies.Profiles(), nil
		}
		p, err := policies.FindProfile(name)
		if err != nil {
			return nil, fmt.Errorf("%w; or %s", err, AllProfiles)
		}
		found = append(found, p)
	}
	return found, nil
}

// Speak says what CDNs of these profiles would be told, and enters it as Profiles. Call it
// after [Explanation.Judge], if there is a response.
func (e *Explanation) Speak(names []string) error {
	profiles, err := profilesOf(names)
	if err != nil {
		return err
	}
	e.Profiles = nil
	for _, p := range profiles {
		if p.Name == e.rule.Profile.Name {
			p = e.rule.Profile // with the tag header that was chosen
		}
		said := Spoken{Profile: p.Name, CDN: p.CDN, Refuse: e.refusal(p, e.answered())}
		if s := e.shareable(); s != nil {
			h := s.header.Clone()
			if httpcache.PermitAs(h, s.permission, p) {
				said.Share = told(h, p)
			} else {
				said.Reasons = reasonsOf([]policies.Reason{policies.ReasonDownstreamTags})
			}
		}
		e.Profiles = append(e.Profiles, said)
	}
	return nil
}

// answered is the head of the response at hand, or of any page.
func (e *Explanation) answered() http.Header {
	if e.fill != nil {
		return e.fill.head.Header
	}
	return http.Header{"Content-Type": {"text/html"}}
}

// refusal are the fields about caching of an answer that is its visitor's alone.
func (e *Explanation) refusal(p *policies.Profile, head http.Header) []Field {
	h := make(http.Header, len(head))
	for name, lines := range head {
		name = http.CanonicalHeaderKey(name)
		h[name] = append(h[name], lines...)
	}
	httpcache.ForbidAs(h, p)
	return told(h, p)
}

// shareable is what may be shared, or nil.
func (e *Explanation) shareable() *shared {
	switch {
	case e.fill != nil && !e.Response.Stored:
		return nil
	case e.fill != nil:
		return e.fill.shared
	case !e.cache || e.Contract.Permits != PermitsTTL:
		return nil
	}
	h := make(http.Header)
	for _, name := range e.rule.VaryOn() {
		httpcache.AddVary(h, name)
	}
	d := e.rule.Downstream
	return &shared{h, httpcache.Permission{CDN: time.Duration(d.TTL), Browser: time.Duration(d.Browser)}}
}

// told are those of the fields by which caches are told what they may do.
func told(h http.Header, p *policies.Profile) []Field {
	var out []Field
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if !httpcache.Tells(name, p) {
			continue
		}
		for _, value := range h[name] {
			out = append(out, Field{name, value})
		}
	}
	return out
}

func (e *Explanation) writeProfiles(p *printer) {
	for _, said := range e.Profiles {
		p.line("")
		text := p.bold(said.Profile)
		if said.Profile == e.Contract.Profile {
			text += ", which the route speaks"
		}
		p.line(text + p.dim("  "+said.CDN))
		p.more("an answer that nobody may store:")
		p.fields(said.Refuse)
		switch {
		case said.Share != nil:
			p.more("the object, for the next visitor:")
			p.fields(said.Share)
		case len(said.Reasons) > 0:
			p.more("the object is not shared with it:")
			p.reasons(said.Reasons)
		default:
			p.more(p.dim("nothing is shared with it"))
		}
	}
}
