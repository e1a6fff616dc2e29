package policies

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Where a detector looks, as [Detector].In has it.
const (
	// InTag is the start tag that the anchor stands in, in any text. The pattern is
	// applied to the tag in its ordered form: the element's name on the first line
	// and one "attribute=value" a line, names in lower case and in their order,
	// character references decoded, a repeated attribute left out.
	InTag = "tag"
	// InText is anywhere in a text.
	InText = "text"
	// InScript is where programs read: scripts, JSON, and tags (data-* attributes).
	// What a page shows to people is left out.
	InScript = "script"
	// InState is a blob of state that a page carries for its scripts.
	InState = "state"
	// InJSON is a body that is JSON as a whole.
	InJSON = "json"
	// InData is both of the last.
	InData = "data"
)

// What the value that a detector found must be, as [Detector].Value has it.
const (
	// ValueToken is a value that looks random and has at least 64 bits, as estimated
	// from its alphabet and length. In a tag, it is a whole attribute.
	ValueToken = "token"
	// ValueJWT is a JSON Web Token (RFC 7519) that is not made for everybody.
	ValueJWT = "jwt"
	// ValueMail is a mail address of a person: not info@ and the like, and not at
	// example.com.
	ValueMail = "mail"
	// ValueNonce is a nonce that the page's Content-Security-Policy has.
	ValueNonce = "nonce"
	// ValueStream is a signed name of a stream of Turbo that is one visitor's.
	ValueStream = "stream"
)

// Detector finds one kind of state of a visitor in a single body. It is an entry of
// the catalogue in detectors.yaml; package markers applies it.
type Detector struct {
	// ID is the stable, kebab-case name, by which a route tolerates it.
	ID string
	// Finds says what is found, in a sentence.
	Finds string
	// Framework is who puts it there.
	Framework string
	// Source is where that is documented.
	Source string
	// Advice says what to do if the page should be shared.
	Advice string
	// In is where the detector looks: InTag, InText, InScript, InState, InJSON or
	// InData.
	In string
	// Literals are the anchors, in any letter case: the pattern is applied where one
	// of them stands.
	Literals []string
	// Blobs are the names by which a blob of state is known (InState, InData).
	Blobs []string
	// Members are the names of the members of JSON that the pattern is applied to,
	// if they are objects.
	Members []string
	// Arrays is how many arrays such a member may stand in: one in a list is one of
	// many.
	Arrays int
	// Pattern is a regular expression (RE2). Of its groups value, value2 and so on,
	// one has what is the visitor's; of name, name2 and so on, one may have the name
	// of that.
	Pattern string
	// Unless is a regular expression for what makes the find harmless; it is applied
	// to the same text.
	Unless string
	// Before and After are how many bytes around the anchor's first one the pattern
	// sees. Without Before, what matches begins with the anchor.
	Before, After int
	// Value is what the value must be: ValueToken, ValueJWT, ValueMail, ValueNonce
	// or ValueStream. Empty: what matches the pattern.
	Value string
}

//go:embed detectors.yaml
var detectorsYAML []byte

// DetectorVersion changes whenever the catalogue of detectors does: objects that
// were admitted under the former one must not be found any more.
func DetectorVersion() int { return builtinDetectors().version }

// Detectors returns the catalogue, in its order: a value is reported by the first
// detector that finds it. The result is the caller's, but not the lists in it.
func Detectors() []Detector { return slices.Clone(builtinDetectors().detectors) }

// DetectorIDs returns the ids of all detectors, in the catalogue's order.
func DetectorIDs() []string {
	ids := make([]string, 0, len(builtinDetectors().detectors))
	for _, d := range builtinDetectors().detectors {
		ids = append(ids, d.ID)
	}
	return ids
}

type detectorTable struct {
	version   int
	detectors []Detector
}

// builtinDetectors reads the catalogue that is compiled in. It is a constant, so a
// mistake in it is a fault of the build, which every test would meet.
var builtinDetectors = sync.OnceValue(func() *detectorTable {
	root, err := parseYAML("detectors.yaml", detectorsYAML)
	if err != nil {
		panic(err)
	}
	table, err := readDetectors(root)
	if err != nil {
		panic(err)
	}
	return table
})

// readDetectors reads {version: …, shared: …, detectors: […]}. What is shared is
// there for its anchors only.
func readDetectors(root *node) (*detectorTable, error) {
	table := new(detectorTable)
	d := decoder{}
	d.object(root, "", "the catalogue of detectors",
		member{"version", d.integer(&table.version, "a version")},
		member{"shared", func(*node, string) {}},
		member{"detectors", func(n *node, path string) {
			each(&d, n, path, "a list of detectors", func(item *node, path string) {
				table.detectors = append(table.detectors, d.detector(item, path))
			})
		}},
	)
	if len(d.diags) > 0 {
		return nil, d.diags.sorted()
	}
	return table, nil
}

// quotes is what {q} stands for in a pattern: a quotation mark in a script or JSON,
// in JSON within a string, or in an HTML attribute.
const quotes = `(?:\\*["']|&quot;|&#34;|\\+u0022)`

func (d *decoder) detector(n *node, path string) (out Detector) {
	d.object(n, path, "a detector",
		member{"id", word(d, &out.ID, "an id")},
		member{"finds", word(d, &out.Finds, "a sentence")},
		member{"framework", word(d, &out.Framework, "a framework")},
		member{"source", word(d, &out.Source, "where it is documented")},
		member{"advice", word(d, &out.Advice, "a sentence")},
		member{"in", word(d, &out.In, "where to look")},
		member{"literals", d.words(&out.Literals, "literal")},
		member{"blobs", d.words(&out.Blobs, "name")},
		member{"members", d.words(&out.Members, "name")},
		member{"arrays", d.integer(&out.Arrays, "a number of arrays")},
		member{"pattern", word(d, &out.Pattern, "a regular expression")},
		member{"unless", word(d, &out.Unless, "a regular expression")},
		member{"before", d.integer(&out.Before, "a number of bytes")},
		member{"after", d.integer(&out.After, "a number of bytes")},
		member{"value", word(d, &out.Value, "a kind of value")},
	)
	for key, given := range map[string]bool{
		"id": out.ID != "", "finds": out.Finds != "", "framework": out.Framework != "", "source": out.Source != "",
		"advice": out.Advice != "", "in": out.In != "", "pattern": out.Pattern != "",
	} {
		if !given {
			d.fault(n.pos, path, fmt.Sprintf("the detector has no %s", key), "")
		}
	}
	out.Pattern = strings.ReplaceAll(out.Pattern, "{q}", quotes)
	out.Unless = strings.ReplaceAll(out.Unless, "{q}", quotes)
	return out
}
