package store

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/cacheward/cacheward/policies"
)

const (
	// MinKey is how many bytes of a key [Selection] needs at least.
	MinKey = 8

	// MaxSelection is how many bytes the route, URI or prefix of a [Selection] may have.
	MaxSelection = 8192
)

// Selection says which objects are meant, by exactly one of its members. It is data,
// so that a store elsewhere can be told.
//
// URI and Prefix look into [Object.Parts]: an object whose parts are no encoded key is
// selected by neither of them.
type Selection struct {
	// All selects everything.
	All bool
	// Route selects what the route of that name admitted.
	Route string
	// Key is the beginning of the digest of Parts, the primary key: the variants of a
	// key and their index are selected with it.
	Key []byte
	// Tag selects what has the tag.
	Tag *Tag
	// URI selects the answers for one URI, whatever else is in their keys: host, escaped
	// path and query, without the scheme. The query is that of the canonical request, as
	// [policies.Parts.AppendURI] writes it. A host without a port is that host on any
	// port. Where a rewrite changed the path, either path is meant.
	URI string
	// Prefix selects the answers for URIs that begin so, and is written as URI is. It
	// ends with a segment of the path: example.com/a selects /a and /a/b and not /ab,
	// and example.com the whole host. After a ? it ends with a parameter. With a * at
	// the end it ends anywhere: example.com/a* selects /ab as well.
	Prefix string
}

// Check returns an error, one line, unless exactly one member is given, and well-formed.
func (s Selection) Check() error {
	_, err := s.compile()
	return err
}

// Selects reports whether the object is meant. A selection that does not pass
// [Selection.Check] selects nothing.
func (s Selection) Selects(o *Object) bool {
	m, err := s.compile()
	return err == nil && m.selects(&subject{Object: o})
}

// Compiled is a selection that was checked and taken apart, for those who hold many against
// many objects.
type Compiled struct{ matcher }

// Compile returns an error, one line, where [Selection.Check] does.
func (s Selection) Compile() (Compiled, error) {
	m, err := s.compile()
	return Compiled{m}, err
}

// Subject is an object that many selections are held against. It is for one goroutine.
type Subject struct{ subject }

// SubjectOf returns the object as a subject.
func SubjectOf(o *Object) Subject { return Subject{subject{Object: o}} }

// Selects reports whether the subject is meant.
func (c *Compiled) Selects(o *Subject) bool { return c.selects(&o.subject) }

// String says what is selected: "everything", "route landing", "key 0123456789abcdef",
// "tag …", "url example.com/a", "prefix example.com/a".
func (s Selection) String() string {
	switch {
	case s.All:
		return "everything"
	case s.Route != "":
		return "route " + s.Route
	case len(s.Key) > 0:
		return "key " + hex.EncodeToString(s.Key)
	case s.Tag != nil:
		return "tag " + hex.EncodeToString(s.Tag[:])
	case s.URI != "":
		return "url " + s.URI
	case s.Prefix != "":
		return "prefix " + s.Prefix
	}
	return "nothing"
}

// matcher is a selection that was checked, taken apart once for many objects.
type matcher struct {
	Selection
	target target // where URI or Prefix is given
}

var errSelection = errors.New("exactly one of all, route, key, tag, url and prefix was expected")

func (s Selection) compile() (matcher, error) {
	given := 0
	for _, is := range [...]bool{s.All, s.Route != "", s.Key != nil, s.Tag != nil, s.URI != "", s.Prefix != ""} {
		if is {
			given++
		}
	}
	if given != 1 {
		return matcher{}, fmt.Errorf("selection has %d members: %w", given, errSelection)
	}
	m := matcher{Selection: s}
	var err error
	switch longest := max(len(s.Route), len(s.URI), len(s.Prefix)); {
	case longest > MaxSelection:
		err = fmt.Errorf("selection has %d bytes; at most %d were expected", longest, MaxSelection)
	case s.Key != nil && (len(s.Key) < MinKey || len(s.Key) > len(Key{})):
		err = fmt.Errorf("key has %d bytes; %d to %d were expected", len(s.Key), MinKey, len(Key{}))
	case s.Key != nil:
		m.Key = slices.Clone(s.Key) // the caller may change it later
	case s.Tag != nil:
		tag := *s.Tag
		m.Tag = &tag
	case s.URI != "":
		m.target, err = readTarget("url", s.URI)
	case s.Prefix != "":
		m.target, err = readPrefix(s.Prefix)
	}
	return m, err
}

// subject is an object that is held against selections. What has to be worked out for
// that is, once.
type subject struct {
	*Object
	digest         Key
	digested, read bool
	uri            policies.URI
	hasURI         bool
}

func (o *subject) beginsWith(key []byte) bool {
	if !o.digested {
		var buffer [1024]byte // most keys fit, and need no allocation
		o.digest, o.digested = policies.Digest(append(buffer[:0], o.Parts...)), true
	}
	return string(o.digest[:len(key)]) == string(key)
}

func (o *subject) at(t *target) bool {
	if !o.read {
		o.uri, o.hasURI = policies.KeyURI(o.Parts)
		o.read = true
	}
	return o.hasURI && t.matches(&o.uri)
}

func (m *matcher) selects(o *subject) bool {
	switch {
	case m.All:
		return true
	case m.Route != "":
		return o.Route == m.Route
	case m.Key != nil:
		return o.beginsWith(m.Key)
	case m.Tag != nil:
		return slices.Contains(o.Tags, *m.Tag)
	default:
		return o.at(&m.target)
	}
}
