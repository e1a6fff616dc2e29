package policies

import (
	_ "embed"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Profile is how one kind of CDN is spoken to: an entry of profiles.yaml. Package
// httpcache writes what it says. It is not to be changed.
type Profile struct {
	// Name is the word for it in a policy.
	Name string
	// CDN is what people call it.
	CDN string
	// Refuse is the field that is sent beside Cache-Control: private, no-store, with
	// its value. Empty: none.
	Refuse Field
	// Share is the field that gives the CDN its time, and what stands in it before the
	// seconds. The name is Cache-Control where nothing more specific does.
	Share Field
	// AgeIgnored: the CDN does not subtract the Age of a response from the time that
	// Share gives it.
	AgeIgnored bool
	// VaryCookie: the CDN does not store what varies on Cookie even where it was told
	// to store everything, so that pages which are refused say so as well.
	VaryCookie bool
	// Query says how the query can be missing from the CDN's key unless it is told
	// otherwise. Empty: it is in it.
	Query string
	// Vary says why the CDN may give the variant of one to another. Empty: it looks at
	// Vary, or does not store what varies.
	Vary string
	// Varies are the only request headers on which a response may vary and be stored
	// by the CDN. Nil: any.
	Varies []string
	// Tags is how the CDN is told what to purge a response by. Nil: not at all, and on
	// the profile generic as the origin does.
	Tags *ProfileTags
}

// ProfileTags is how a CDN is told a response's tags, and how many it takes.
type ProfileTags struct {
	// Field is the canonical name of the field. Empty: the operator chooses it, and has
	// not.
	Field string
	// Chosen: the operator chooses it.
	Chosen bool
	// Separator stands between two tags.
	Separator string
	// Count is how many tags a response may have, Length how many bytes each, Bytes how
	// many all of them with their separators.
	Count, Length, Bytes int
	// Characters are those that a tag may have beside letters and digits. Empty: all of
	// visible ASCII, the comma excepted.
	Characters string
}

//go:embed profiles.yaml
var profilesYAML []byte

// Profiles returns the catalogue of profiles, in its order. The result is the caller's,
// but not what it points to.
func Profiles() []*Profile { return slices.Clone(builtinProfiles()) }

// ProfileNames returns the names of all profiles, in the catalogue's order. [ProfileOrigin]
// is none of them.
func ProfileNames() []string {
	var names []string
	for _, p := range builtinProfiles() {
		names = append(names, p.Name)
	}
	return names
}

// FindProfile returns the profile with the name. The error says which ones there are.
func FindProfile(name string) (*Profile, error) {
	if p := profileNamed(name); p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%q is no profile; %s", name, suggest(name, ProfileNames()))
}

func profileNamed(name string) *Profile {
	for _, p := range builtinProfiles() {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// ProfileOf returns how the CDN is spoken to on one of the policy's routes. The policy
// must be valid.
func (p *Policy) ProfileOf(r *Route) *Profile { return speaks(r.Downstream, p.Downstream).profile() }

// speaks is the CDN that is spoken to on a route: what the route says, and else what
// the policy does.
func speaks(d *Downstream, inherited *CDN) CDN {
	var cdn CDN
	if inherited != nil {
		cdn = *inherited
	}
	if d == nil || d.Profile == ProfileOrigin {
		return cdn
	}
	if d.Profile != "" && d.Profile != cdn.Profile {
		cdn = CDN{Profile: d.Profile}
	}
	if d.TagHeader != "" {
		cdn.TagHeader = d.TagHeader
	}
	return cdn
}

// profile is the profile of a valid policy's CDN, with the tag header that was chosen.
func (c CDN) profile() *Profile {
	p := profileNamed(c.Profile)
	if p == nil {
		return builtinProfiles()[0]
	}
	if c.TagHeader == "" {
		return p
	}
	chosen, tags := *p, *p.Tags
	tags.Field = http.CanonicalHeaderKey(c.TagHeader)
	chosen.Tags = &tags
	return &chosen
}

// builtinProfiles reads the catalogue that is compiled in. It is a constant, so a
// mistake in it is a fault of the build, which every test would meet.
var builtinProfiles = sync.OnceValue(func() []*Profile {
	root, err := parseYAML("profiles.yaml", profilesYAML)
	if err != nil {
		panic(err)
	}
	profiles, err := readProfiles(root)
	if err != nil {
		panic(err)
	}
	return profiles
})

func readProfiles(root *node) ([]*Profile, error) {
	var profiles []*Profile
	d := decoder{}
	d.object(root, "", "the catalogue of profiles", member{"profiles", func(n *node, path string) {
		each(&d, n, path, "a list of profiles", func(item *node, path string) {
			profiles = append(profiles, d.profile(item, path))
		})
	}})
	if len(d.diags) > 0 {
		return nil, d.diags.sorted()
	}
	return profiles, nil
}

func (d *decoder) profile(n *node, path string) *Profile {
	p := new(Profile)
	var age, cookie string
	d.object(n, path, "a profile",
		member{"name", word(d, &p.Name, "a name")},
		member{"cdn", word(d, &p.CDN, "a name")},
		member{"refuse", d.field(&p.Refuse)},
		member{"share", d.field(&p.Share)},
		member{"age", word(d, &age, "ignored")},
		member{"vary_cookie", word(d, &cookie, "html")},
		member{"query", word(d, &p.Query, "a sentence")},
		member{"vary", word(d, &p.Vary, "a sentence")},
		member{"varies", d.words(&p.Varies, "header")},
		member{"tags", func(n *node, path string) { p.Tags = d.profileTags(n, path) }},
	)
	p.AgeIgnored, p.VaryCookie = age == "ignored", cookie == "html"
	if p.Name == "" || p.CDN == "" || p.Share.Name == "" || age != "" && !p.AgeIgnored || cookie != "" && !p.VaryCookie {
		d.fault(n.pos, path, "the profile has no name, cdn or share, or an unknown word", "")
	}
	return p
}

// field reads "Name: value".
func (d *decoder) field(into *Field) reader {
	return func(n *node, path string) {
		text, ok := d.text(n, path, "a field and its value")
		name, value, colon := strings.Cut(text, ": ")
		if ok && !colon {
			d.expected(n, path, `a field and its value, such as "Name: value"`)
			return
		}
		*into = Field{http.CanonicalHeaderKey(name), value}
	}
}

// chosenTagField stands for a name that the operator chooses.
const chosenTagField = "chosen"

func (d *decoder) profileTags(n *node, path string) *ProfileTags {
	t := &ProfileTags{Separator: ","}
	var field, separator string
	d.object(n, path, "how tags are told",
		member{"field", word(d, &field, "a name")},
		member{"separator", word(d, &separator, "space")},
		member{"count", d.integer(&t.Count, "a number of tags")},
		member{"length", d.integer(&t.Length, "a number of bytes")},
		member{"bytes", d.integer(&t.Bytes, "a number of bytes")},
		member{"characters", word(d, &t.Characters, "characters")},
	)
	if t.Chosen = field == chosenTagField; !t.Chosen {
		t.Field = http.CanonicalHeaderKey(field)
	}
	if separator == "space" {
		t.Separator = " "
	}
	if field == "" || t.Count == 0 || t.Length == 0 || t.Bytes == 0 || separator != "" && separator != "space" {
		d.fault(n.pos, path, "the tags have no field, or a limit is missing", "")
	}
	return t
}
