package gate

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/policies"
)

// wellFormed reports what is wrong with the form of a divergence, which must not
// depend on what the answers have in them.
func wellFormed(d *Divergence) string {
	if len(d.Spans) == 0 || len(d.Spans) > maxListed || d.Total < len(d.Spans) {
		return fmt.Sprintf("%d spans of %d", len(d.Spans), d.Total)
	}
	first := d.Spans[0]
	if d.Part != first.Part || d.Field != first.Field || d.Offset != first.Offset || d.Length != first.Length ||
		d.OwnLength != first.OwnLength || d.Shape != first.Shape || d.Entropy != first.Entropy || d.Near != first.Near {
		return "tells of another span than the first"
	}
	told := false
	for i, s := range d.Spans {
		if why := wellFormedSpan(s); why != "" {
			return fmt.Sprintf("span %d: %s", i, why)
		}
		if s.Class.Outranks(d.Class) {
			return fmt.Sprintf("%s, and span %d is %s", d.Class, i, s.Class)
		}
		told = told || s.Class == d.Class && s.Input == d.Input
	}
	if !told {
		return "no span is " + string(d.Class)
	}
	return ""
}

func wellFormedSpan(s Span) string {
	switch {
	case s.Part != PartStatus && s.Part != PartHeader && s.Part != PartBody:
		return "part " + s.Part
	case s.Part != PartHeader && s.Field != "":
		return "field " + s.Field
	case s.Shape != "" && !knownShape(s.Shape):
		return "shape " + s.Shape
	case (s.Shape == "") != (s.Entropy == ""):
		return "entropy " + s.Entropy
	case s.Entropy != "" && s.Entropy != EntropyLow && s.Entropy != EntropyMedium && s.Entropy != EntropyHigh:
		return "entropy " + s.Entropy
	case s.Near != "" && !identifier.MatchString(s.Near):
		return "near " + s.Near
	case s.Offset < -1 || s.Length < 0 || s.OwnLength < 0:
		return "negative span"
	case s.Class.Info().Sentence == "":
		return "class " + string(s.Class)
	case (s.Class == policies.ClassReflected) != (s.Input != "") || s.Input != "" && !identifier.MatchString(s.Input):
		return "input " + s.Input
	}
	return ""
}

// knownShape reports whether a shape is in the catalogue.
func knownShape(shape string) bool {
	kind, length, sized := strings.Cut(shape, "-")
	if _, err := strconv.ParseUint(length, 10, 64); sized && err == nil {
		shape = kind + "-N"
	}
	return slices.ContainsFunc(policies.AllShapes(), func(info policies.ShapeInfo) bool { return info.Shape == shape })
}

// What only one page has never gets into a record, wherever in the markup it
// stands: as a value, as a name, as a key, or where a name is looked for.
func TestDivergenceTellsNoSecret(t *testing.T) {
	places := []string{
		`<input name="lead" value="%">`, `<input value="%" name="lead">`, `<input value="1" name="%">`,
		`<input name="%" value="%">`, `<a href="/x?%=1">`, `<a %="1">`, `<% a="1">`, `<a id=% href=1>x</a>`,
		`<meta content="x" name='%'>`, `{"%":"%"}`, `{"lead":"%"}`, `<script>var % = "%";</script>`, `<script>%: %</script>`,
		`<script>a.%="%"</script>`, `<p id="%">%</p>`, `<p>%: %</p>`, `<!-- % -->`, `%`, `<style>.%{color:%}</style>`,
	}
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[A-Za-z0-9]{8,24}`)
		a := secret.Draw(t, "own")
		b := rapid.OneOf(secret, rapid.Just("")).Draw(t, "fill")
		before, after := pageAround(t)
		place := rapid.SampledFrom(places).Draw(t, "place") + rapid.SampledFrom(places).Draw(t, "second place")
		own := before + strings.ReplaceAll(place, "%", a) + after
		fill := before + strings.ReplaceAll(place, "%", b) + after
		inputs := []policies.Input{cookie("ref", a), param(a, "1"), param(a+"@", b), param("x", before)}
		d := Compare(answer(own), answer(fill), Context{Inputs: inputs, StandIns: []policies.Input{cookie("ref", b)}})
		if d == nil {
			return
		}
		if why := wellFormed(d); why != "" {
			t.Fatal(why)
		}
		for _, s := range []string{a, b} {
			for i := 0; i+4 <= len(s); i++ {
				part := s[i : i+4]
				shared := containsFold(own, part) && containsFold(fill, part)
				for _, span := range d.Spans {
					if !shared && containsFold(span.Near, part) {
						t.Fatalf("near %q has %q of the secret in it", span.Near, part)
					}
				}
			}
		}
	})
}

// containsFold ignores case because names of elements are lower-cased.
func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

func FuzzCompare(f *testing.F) {
	f.Add([]byte(`<input name="lead" value="1001">`), []byte(`<input name="lead" value="1002">`), "1001", uint16(100))
	f.Add([]byte(`{"lead":"1001"}`), []byte(`{"lead":""}`), "lead", uint16(10))
	f.Add([]byte(`<script>var a="\`), []byte(`<script>var a='<!--`), "", uint16(100))
	f.Add([]byte(`<a b=c`), []byte(`<a b=`), "c", uint16(0))
	f.Add([]byte("Mon, 01 Mar 2027 12:00:00 GMT"), []byte("Mon, 01 Mar 2027 12:00:01 GMT"), "12:00", uint16(100))
	f.Add([]byte("<p><!--made 5--> <b>1</b>"), []byte("<p><!--made 17--> <b>2</b>"), "made 17", uint16(100))
	f.Add([]byte(`{"now":5,"a":[1,2],"b":"%41bcd"}`), []byte(`{"now":6,"a":[2,1],"b":""}`), "Abcd", uint16(100))
	set := declare(f, policies.Harmless{HTML: "comment", Matching: "made *"}, policies.Harmless{JSON: "$.now"})
	f.Fuzz(func(t *testing.T, a, b []byte, value string, keep uint16) {
		l := Limits{Keep: int64(keep), Decoded: 1 << 20}
		own := Answer{Status: 200, Header: parseHead(string(a)), Body: record(nil, l, a)}
		fill := Answer{Status: 200, Header: parseHead(string(b)), Body: record(nil, l, b)}
		if d := Compare(own, own, Context{}); d != nil {
			t.Fatalf("an answer differs from itself: %+v", d)
		}
		inputs := Context{Inputs: []policies.Input{param("x", value)}, StandIns: []policies.Input{param("y", value)}}
		d := Compare(own, fill, inputs)
		if (d == nil) != (Compare(fill, own, Context{}) == nil) {
			t.Fatal("the order of two answers, or what is known of them, decides whether they differ")
		}
		if d != nil {
			if why := wellFormed(d); why != "" {
				t.Fatal(why)
			}
		}
		for _, media := range []string{"text/html", "application/json"} {
			own.Header, fill.Header = header("Content-Type", media), header("Content-Type", media)
			inputs.Harmless = set
			if d := Compare(own, fill, inputs); d != nil {
				if why := wellFormed(d); why != "" {
					t.Fatal(why)
				}
				if bytes.Equal(a, b) {
					t.Fatalf("got %+v", d)
				}
			}
		}
		own.Header, fill.Header = nil, nil
		if d = Compare(own, fill, Context{}); (d == nil) != bytes.Equal(a, b) {
			t.Fatalf("got %+v", d)
		}
		if d == nil || d.Offset < 0 {
			return
		}
		if !bytes.Equal(a[:d.Offset], b[:d.Offset]) {
			t.Fatalf("the pages differ before %d", d.Offset)
		}
		grown := int64(0) // by how much the fill is longer so far
		for _, s := range d.Spans {
			if s.Offset+s.Length > int64(len(fill.Body.Kept)) || s.Offset-grown+s.OwnLength > int64(len(own.Body.Kept)) {
				t.Fatalf("%+v reaches beyond what is kept", s)
			}
			if grown += s.Length - s.OwnLength; d.Total > len(d.Spans) {
				return // those between the listed ones are not known
			}
		}
	})
}
