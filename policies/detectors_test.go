package policies

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestDetectorCatalogue(t *testing.T) {
	all := Detectors()
	if DetectorVersion() < 1 || len(all) == 0 || len(all) != len(DetectorIDs()) {
		t.Fatalf("version %d, %d detectors, %d ids", DetectorVersion(), len(all), len(DetectorIDs()))
	}
	id := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	places := []string{InTag, InText, InScript, InState, InJSON, InData}
	values := []string{"", ValueToken, ValueJWT, ValueMail, ValueNonce, ValueStream}
	seen := make(map[string]bool)
	for _, d := range all {
		if !id.MatchString(d.ID) || seen[d.ID] {
			t.Errorf("%q is no id, or is given twice", d.ID)
		}
		seen[d.ID] = true
		for what, text := range map[string]string{"finds": d.Finds, "advice": d.Advice} {
			if len(text) < 20 || !strings.HasSuffix(text, ".") || text[0] < 'A' || text[0] > 'Z' {
				t.Errorf("%s: %s: %q is no sentence", d.ID, what, text)
			}
		}
		if !strings.HasPrefix(d.Source, "https://") {
			t.Errorf("%s: %q is no address", d.ID, d.Source)
		}
		if !slices.Contains(places, d.In) {
			t.Errorf("%s: in %q", d.ID, d.In)
		}
		if !slices.Contains(values, d.Value) {
			t.Errorf("%s: value %q", d.ID, d.Value)
		}
		if d.Before < 0 || d.Before > 512 || d.After < 0 || d.After > 4096 {
			t.Errorf("%s: a pattern on %d bytes before its anchor and %d after is too dear", d.ID, d.Before, d.After)
		}
	}
}

// A detector has what its place needs, and nothing that has no effect there.
func TestDetectorsFitTheirPlaces(t *testing.T) {
	for _, d := range Detectors() {
		whole := d.In == InJSON
		blobs := d.In == InState || d.In == InData
		anchored := !whole && !blobs
		if (len(d.Blobs) > 0) != blobs {
			t.Errorf("%s: %d blobs in %s", d.ID, len(d.Blobs), d.In)
		}
		if anchored && (len(d.Literals) == 0 || len(d.Members) > 0) || !anchored && (len(d.Literals) > 0) == (len(d.Members) > 0) {
			t.Errorf("%s: %d literals and %d members in %s", d.ID, len(d.Literals), len(d.Members), d.In)
		}
		start := strings.TrimPrefix(d.Pattern, "(?i)")
		if d.In == InTag && (!strings.HasPrefix(start, "^") || d.Before+d.After > 0) {
			t.Errorf("%s: a pattern on a tag begins with ^ and sees the whole tag", d.ID)
		}
		if len(d.Members) > 0 && !strings.HasPrefix(start, "^") {
			t.Errorf("%s: a pattern on a member begins with ^", d.ID)
		}
		if token := regexp.MustCompile(`\?P<value\d?>[^()]*\)\\n`); d.In == InTag && d.Value == ValueToken && !token.MatchString(d.Pattern) {
			t.Errorf("%s: a token in a tag is a whole attribute, up to the end of its line", d.ID)
		}
		if strings.Contains(d.Pattern, "{q}") || strings.Contains(d.Unless, "{q}") {
			t.Errorf("%s: {q} is still in a pattern", d.ID)
		}
		pattern, err := regexp.Compile(d.Pattern)
		if err != nil {
			t.Errorf("%s: %v", d.ID, err)
		} else if pattern.SubexpIndex("value") < 0 {
			t.Errorf("%s: the pattern has no group value", d.ID)
		}
		if _, err := regexp.Compile(d.Unless); err != nil {
			t.Errorf("%s: %v", d.ID, err)
		}
	}
}

// A short literal costs a pass over every body, so there are few.
func TestShortLiteralsAreFew(t *testing.T) {
	var short []string
	for _, d := range Detectors() {
		if d.In != InData {
			for _, literal := range slices.Concat(d.Literals, d.Blobs) {
				if len(literal) < 8 && !slices.Contains(short, literal) {
					short = append(short, literal)
				}
			}
		}
	}
	if len(short) > 3 {
		t.Errorf("%d short literals: %q", len(short), short)
	}
}

func TestDetectorsAreReadStrictly(t *testing.T) {
	const good = "version: 1\ndetectors:\n  - {id: a, finds: b, framework: c, source: d, advice: e, in: text, pattern: f"
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", good + ", befor: 3}", "befor"},
		{"no pattern", strings.Replace(good, ", pattern: f", "", 1) + "}", "no pattern"},
		{"before is no number", good + ", before: a}", "number of bytes"},
		{"no literals", good + ", literals: []}", "empty"},
		{"twice", good + ", id: b}", "twice"},
		{"unknown table", good + "}\nlists: []", "lists"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root, err := parseYAML("t.yaml", []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := readDetectors(root); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	root, err := parseYAML("t.yaml", []byte(good+"}"))
	if err != nil {
		t.Fatal(err)
	}
	if table, err := readDetectors(root); err != nil || len(table.detectors) != 1 || table.detectors[0].Pattern != "f" {
		t.Errorf("read %+v, %v", table, err)
	}
}

// The catalogue is one for all; who asks for it may change what they get.
func TestDetectorsAreTheCallers(t *testing.T) {
	Detectors()[0].ID = "changed"
	DetectorIDs()[0] = "changed"
	if Detectors()[0].ID == "changed" || DetectorIDs()[0] == "changed" {
		t.Error("the catalogue was changed")
	}
}
