package policies

import (
	"regexp"
	"strings"
	"testing"
)

// checkSentence holds that a text can stand in a table of the reference.
func checkSentence(t *testing.T, of, text string) {
	t.Helper()
	if len(text) < 10 || !strings.HasSuffix(text, ".") || strings.TrimSpace(text) != text || strings.ContainsAny(text, "\n|") {
		t.Errorf("%s: %q is no sentence", of, text)
	}
}

func TestClassCatalogue(t *testing.T) {
	want := []Class{
		ClassReflected, ClassToken, ClassCounter, ClassVariant, ClassPersonal, ClassOrder, ClassContent, ClassClock,
	}
	all := AllClasses()
	if len(all) != len(want) {
		t.Fatalf("%d classes listed, want %d", len(all), len(want))
	}
	word := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	for i, info := range all {
		if info.Class != want[i] {
			t.Errorf("class %d is %s, want %s", i, info.Class, want[i])
		}
		if !word.MatchString(string(info.Class)) {
			t.Errorf("%q is not a kebab-case word", info.Class)
		}
		checkSentence(t, string(info.Class), info.Sentence)
		checkSentence(t, string(info.Class), info.Advice)
		if got := info.Class.Info(); got != info {
			t.Errorf("%s: Info is %+v", info.Class, got)
		}
	}
	all[0].Class = "changed"
	if AllClasses()[0].Class != ClassReflected {
		t.Error("a caller can change the catalogue")
	}
}

func TestClassOfVisitor(t *testing.T) {
	for class, want := range map[Class]bool{
		ClassReflected: true, ClassToken: true, ClassCounter: true, ClassPersonal: true,
		ClassVariant: false, ClassOrder: false, ClassContent: false, ClassClock: false,
		"": true, "weather": true,
	} {
		if got := class.OfVisitor(); got != want {
			t.Errorf("%q: got %v", class, got)
		}
	}
}

func TestClassOutranks(t *testing.T) {
	all := AllClasses()
	for i, a := range all {
		for j, b := range all {
			if got := a.Class.Outranks(b.Class); got != (i < j) {
				t.Errorf("%s outranks %s: %v", a.Class, b.Class, got)
			}
		}
		if !a.Class.Outranks("") || Class("").Outranks(a.Class) {
			t.Errorf("%s and no class", a.Class)
		}
	}
	if got := Class("weather").Info(); got != (ClassInfo{Class: "weather"}) {
		t.Errorf("Info of no class is %+v", got)
	}
}

func TestShapeCatalogue(t *testing.T) {
	word := regexp.MustCompile(`^[a-z0-9]+(-N)?$`)
	seen := make(map[string]bool)
	for _, info := range AllShapes() {
		if !word.MatchString(info.Shape) || seen[info.Shape] {
			t.Errorf("%q is no shape, or twice", info.Shape)
		}
		seen[info.Shape] = true
		checkSentence(t, info.Shape, info.Sentence)
	}
}
