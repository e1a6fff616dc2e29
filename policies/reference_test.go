package policies

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const referencePath = "REFERENCE.md"

func reference(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestReferenceExamples holds that the examples of a section are valid and say the
// same in all three spellings.
func TestReferenceExamples(t *testing.T) {
	fence := regexp.MustCompile("(?s)```(yaml|json|caddyfile)\n(.*?)```")
	examples := 0
	for section := range strings.SplitSeq(reference(t), "\n## ") {
		title, _, _ := strings.Cut(section, "\n")
		blocks := fence.FindAllStringSubmatch(section, -1)
		if len(blocks) == 0 {
			continue
		}
		t.Run(title, func(t *testing.T) {
			spellings := make(map[string]string)
			for _, block := range blocks {
				p, err := parse(block[1], block[2])
				if err != nil {
					t.Fatalf("%s: %v", block[1], err)
				}
				if err := p.Validate(); err != nil {
					t.Errorf("%s: %v", block[1], err)
				}
				spellings[block[1]] = string(mustJSON(t, p))
			}
			if len(spellings) != 3 || spellings["yaml"] != spellings["json"] || spellings["yaml"] != spellings["caddyfile"] {
				t.Errorf("the spellings differ:\n%v", spellings)
			}
		})
		examples++
	}
	if examples < 5 {
		t.Errorf("only %d sections have examples", examples)
	}
}

func parse(spelling, text string) (*Policy, error) {
	switch spelling {
	case "yaml":
		return ParseYAML("example", []byte(text))
	case "json":
		return ParseJSON("example", []byte(text))
	}
	return ParseTokens(tokenize("example", text))
}

// TestReferenceIsComplete holds that every key of the model is in a table of its
// section.
func TestReferenceIsComplete(t *testing.T) {
	text := reference(t)
	for section, models := range map[string][]any{
		"The policy": {Policy{}}, "Identity": {Identity{}}, "Routes": {Route{}}, "Match": {Match{}}, "Params and cookies": {Inputs{}},
		"Headers": {HeaderInputs{}}, "Attribution": {Attribution{}, Deliver{}, Beacon{}, Consent{}},
		"Downstream": {Downstream{}}, "Targeted": {Targeted{}}, "Vouch": {Vouch{}}, "Ignore": {Harmless{}}, "Tolerate": {Tolerance{}},
	} {
		_, body, ok := strings.Cut(text, "\n## "+section+"\n")
		if !ok {
			t.Fatalf("no section %q", section)
		}
		body, _, _ = strings.Cut(body, "\n## ")
		for _, model := range models {
			for field := range reflect.TypeOf(model).Fields() {
				key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				if key != "" && !regexp.MustCompile("(?m)^\\| `"+key+"[:` ].*\\| .+\\|$").MatchString(body) {
					t.Errorf("section %q does not explain %s", section, key)
				}
			}
		}
	}
}

// TestReferenceGenerated holds that the generated parts are what would be generated.
func TestReferenceGenerated(t *testing.T) {
	text := reference(t)
	for _, part := range []struct{ name, body string }{
		{"lists", listsTable()},
		{"headers", headersTable()},
		{"reasons", reasonsTable()},
		{"harmless", harmlessTable()},
		{"detectors", detectorsTable()},
		{"classes", classesTable()},
		{"shapes", shapesTable()},
		{"profiles", profilesTable()},
	} {
		begin, end := "<!-- begin generated: "+part.name+" -->\n", "<!-- end generated: "+part.name+" -->"
		before, rest, ok1 := strings.Cut(text, begin)
		have, after, ok2 := strings.Cut(rest, end)
		if !ok1 || !ok2 {
			t.Fatalf("%s has no markers for %s", referencePath, part.name)
		}
		if have != part.body && !*update {
			t.Errorf("%s: the part %q is out of date (go test -update writes it anew)", referencePath, part.name)
		}
		text = before + begin + part.body + end + after
	}
	if *update {
		if err := os.WriteFile(referencePath, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func listsTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Version %d.\n", ListVersion())
	for _, list := range knownLists() {
		fmt.Fprintf(&b, "\n| name in %s | parameter | cookie | whose |\n| --- | --- | --- | --- |\n", list)
		for _, e := range Lists()[list] {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", e.Pattern, yes(e.Param), yes(e.Cookie), cell(e.Vendor))
		}
	}
	return b.String()
}

func headersTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Version %d.\n\n| verb | reason | headers |\n| --- | --- | --- |\n", builtinVersion)
	for _, class := range builtinHeaders {
		reason := ""
		if class.verb == Bypass {
			reason = "`" + class.reason.String() + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", class.verb, reason, cell(strings.Join(class.names, ", ")))
	}
	b.WriteString("| `vary` | | on `cache: origin` routes: " + strings.Join(defaultVary, ", ") + " |\n")
	return b.String()
}

func reasonsTable() string {
	var b strings.Builder
	b.WriteString("| code | about | what was found | see | what to do |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range AllReasons() {
		info := r.Info()
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", info.Code, info.Class, cell(info.Sentence), cell(info.Reference), cell(info.Advice))
	}
	return b.String()
}

func harmlessTable() string {
	var b strings.Builder
	table := func(head string, refused []refusedNames) {
		fmt.Fprintf(&b, "| %s | why nobody can declare them |\n| --- | --- |\n", head)
		for _, r := range refused {
			fmt.Fprintf(&b, "| %s | %s |\n", cell(strings.Join(r.names, ", ")), cell(r.why))
		}
		b.WriteString("\n")
	}
	table("HTML elements", refusedElements)
	table("HTML attributes", refusedAttributes)
	table("response fields", slices.Concat(unvouchable, refusedFields))
	fmt.Fprintf(&b, "Names with one of these words: %s; or in which one of these occurs: %s. The words of a name are parted by what is no letter and by\n"+
		"capitals (`lead_id`, `leadId`). The ids of a request (%s before id) are nobody's.\n",
		strings.Join(personalWords, ", "), strings.Join(personalParts, ", "), strings.Join(requestWords, ", "))
	return b.String()
}

func detectorsTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Version %d.\n\n| detector | what it finds | whose | what to do |\n| --- | --- | --- | --- |\n", DetectorVersion())
	for _, d := range Detectors() {
		fmt.Fprintf(&b, "| `%s` | %s | [%s](%s) | %s |\n", d.ID, cell(d.Finds), cell(d.Framework), d.Source, cell(d.Advice))
	}
	return b.String()
}

func classesTable() string {
	var b strings.Builder
	b.WriteString("| class | what it is | a visitor's | what to do |\n| --- | --- | --- | --- |\n")
	for _, c := range AllClasses() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", c.Class, cell(c.Sentence), yes(c.OfVisitor), cell(c.Advice))
	}
	return b.String()
}

func profilesTable() string {
	var b strings.Builder
	b.WriteString("| profile | CDN | refused besides by | shared by | tags |\n| --- | --- | --- | --- | --- |\n")
	for _, p := range Profiles() {
		var refuse []string
		if p.Refuse.Name != "" {
			refuse = append(refuse, "`"+p.Refuse.Name+": "+p.Refuse.Value+"`")
		}
		if p.VaryCookie {
			refuse = append(refuse, "`Vary: Cookie`")
		}
		share := "`" + p.Share.Name + ": " + p.Share.Value + "…`"
		if p.Share.Name == "Cache-Control" {
			share = "`" + p.Share.Value + "…`"
		}
		tags := "none"
		if t := p.Tags; t != nil {
			field := "`" + t.Field + "`"
			if t.Chosen {
				field = "in `tag_header`"
			}
			tags = fmt.Sprintf("%s, at most %d of %d bytes, %d in all", field, t.Count, t.Length, t.Bytes)
		} else if p.Name == ProfileGeneric {
			tags = "as the app sent them"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", p.Name, cell(p.CDN), strings.Join(refuse, ", "), share, tags)
	}
	return b.String()
}

func shapesTable() string {
	var b strings.Builder
	b.WriteString("| shape | what it is |\n| --- | --- |\n")
	for _, s := range AllShapes() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", s.Shape, cell(s.Sentence))
	}
	return b.String()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// cell escapes what would end a cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
