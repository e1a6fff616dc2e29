package policies

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseHTMLPlace(t *testing.T) {
	for text, want := range map[string]HTMLPlace{
		"comment":                              {Comment: true},
		"time":                                 {Element: "time"},
		"time datetime":                        {Element: "time", Attribute: "datetime"},
		"SPAN#Stamp":                           {Element: "span", ID: "Stamp"},
		"my-clock#a:b data-At":                 {Element: "my-clock", ID: "a:b", Attribute: "data-at"},
		"meta[Name=Generated] Content":         {Element: "meta", Has: "name", Is: "Generated", Attribute: "content"},
		"meta[property=og:updated_at] content": {Element: "meta", Has: "property", Is: "og:updated_at", Attribute: "content"},
		"td#t[data-x=1.5/2]":                   {Element: "td", ID: "t", Has: "data-x", Is: "1.5/2"},
		"meter value":                          {Element: "meter", Attribute: "value"},
		"h2#更新":                                {Element: "h2", ID: "更新"},
	} {
		if got, err := ParseHTMLPlace(text); err != nil || got != want {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
}

func TestParseJSONPath(t *testing.T) {
	for text, want := range map[string]JSONPath{
		"$.at":           {{Member: "at"}},
		"$.a_1.é":        {{Member: "a_1"}, {Member: "é"}},
		"$[0][*].at":     {{List: true}, {List: true, Index: AnyIndex}, {Member: "at"}},
		"$['a.b']['']":   {{Member: "a.b"}, {}},
		`$['\'\\[*]']`:   {{Member: `'\[*]`}},
		"$[999999999].a": {{List: true, Index: 999999999}, {Member: "a"}},
	} {
		if got, err := ParseJSONPath(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
}

// TestRefusedPlaces: what can be made for one visitor is refused however it is
// spelled, and wherever in a name the word stands.
func TestRefusedPlaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := []string{"page", "built", "at"}
		word := rapid.SampledFrom(slices.Concat(personalWords, personalParts)).Draw(t, "word")
		words = slices.Insert(words, rapid.IntRange(0, len(words)).Draw(t, "where"), word)
		name := strings.Join(words, rapid.SampledFrom([]string{"_", "-", ".", "1"}).Draw(t, "between"))
		if rapid.Bool().Draw(t, "camel") {
			name = ""
			for i, w := range words {
				if i > 0 {
					w = strings.ToUpper(w[:1]) + w[1:]
				}
				name += w
			}
		}
		if rapid.Bool().Draw(t, "upper") && strings.ContainsAny(name, "_-.1") {
			name = strings.ToUpper(name)
		}
		for _, text := range []string{"p data-" + name, "meta[name=" + name + "] content", "p[itemprop=" + name + "]", "P#" + strings.ReplaceAll(name, ".", "-")} {
			if place, err := ParseHTMLPlace(text); err == nil || place != (HTMLPlace{}) {
				t.Fatalf("%q is accepted: %+v", text, place)
			}
		}
		for _, text := range []string{"$['" + name + "']", "$.a['" + name + "'][*].at"} {
			if path, err := ParseJSONPath(text); err == nil || path != nil {
				t.Fatalf("%q is accepted: %+v", text, path)
			}
		}
	})
}

// TestRefusedElements: no text and no attribute of a form's field, a script or a
// link, and no attribute that is an address or a program (HTML §4.10, §4.12, §4.6).
func TestRefusedElements(t *testing.T) {
	for _, r := range refusedElements {
		for _, name := range r.names {
			for _, text := range []string{name, strings.ToUpper(name), name + "#a", name + "[a=b]", name + " title", name + "[name=ts] value"} {
				if _, err := ParseHTMLPlace(text); err == nil || !strings.Contains(err.Error(), r.why) {
					t.Errorf("%q: got %v", text, err)
				}
			}
		}
	}
	for _, r := range refusedAttributes {
		for _, pattern := range r.names {
			name := strings.ReplaceAll(pattern, "*", "x")
			for _, text := range []string{"p " + name, "P#a[b=c] " + strings.ToUpper(name)} {
				if _, err := ParseHTMLPlace(text); err == nil || !strings.Contains(err.Error(), r.why) {
					t.Errorf("%q: got %v", text, err)
				}
			}
		}
	}
}

// TestRefusedFields: no field for which nobody can vouch, and none that governs
// sharing, content or routing, is declared harmless, in any letter case.
func TestRefusedFields(t *testing.T) {
	for _, r := range slices.Concat(unvouchable, refusedFields) {
		for _, pattern := range r.names {
			name := strings.ReplaceAll(pattern, "*", "Any")
			for _, name := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
				if message, _ := checkHarmlessField(name); !strings.HasPrefix(message, "nobody can declare ") {
					t.Errorf("%q: got %q", name, message)
				}
			}
		}
	}
	for _, name := range []string{"X-Node", "X-Build", "Server", "X-Powered-By", "X-Runtime", "X-Request-Id", "x-trace-id", "Server-Timing", "Date", "Age"} {
		if message, fix := checkHarmlessField(name); message != "" {
			t.Errorf("%q: %s; %s", name, message, fix)
		}
	}
}

func TestPersonalPart(t *testing.T) {
	for name, want := range map[string]string{
		"id": "id", "ID": "id", "lead_id": "lead", "leadId": "lead", "XSRFToken": "token", "accesstoken": "token", "x-pin": "pin", "userName": "user",
		"user_id2": "id", "requestID_id": "id", "spanId": "", "trace_id": "", "correlation-id": "", "request_id": "", "server_time": "", "valid": "",
		"grid": "", "leading": "", "keyboard": "", "PreferredAt": "", "": "", "12": "", "renderTimeMs": "", "reference": "",
	} {
		if got := personalPart(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// FuzzHarmless: of any text, a place or a path is read or refused, never both; what is
// read is what the text says, and not personal.
func FuzzHarmless(f *testing.F) {
	for _, seed := range []string{"comment", "meta[name=generated] content", "span#a", "a href", "$.at", "$['a\\'b'][*][0]", "$..", "$['", "p[a=b", "p #a", "\xff", "$.\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		place, err := ParseHTMLPlace(text)
		if written := writeHTMLPlace(place); err == nil && !strings.EqualFold(written, text) || err != nil && place != (HTMLPlace{}) {
			t.Fatalf("%q: %+v, written %q, %v", text, place, written, err)
		}
		if personalPart(place.ID)+personalPart(place.Is)+personalPart(place.Attribute) != "" {
			t.Fatalf("%q is accepted", text)
		}
		path, err := ParseJSONPath(text)
		if err != nil {
			if path != nil {
				t.Fatalf("%q: %+v and %v", text, path, err)
			}
			return
		}
		if again, err := ParseJSONPath(writeJSONPath(path)); err != nil || !slices.Equal(again, path) {
			t.Fatalf("%q: %+v, written %q and read %+v, %v", text, path, writeJSONPath(path), again, err)
		}
		for _, step := range path {
			if personalPart(step.Member) != "" {
				t.Fatalf("%q is accepted", text)
			}
		}
	})
}

func writeHTMLPlace(p HTMLPlace) string {
	if p.Comment {
		return "comment"
	}
	text := p.Element
	if p.ID != "" {
		text += "#" + p.ID
	}
	if p.Has != "" {
		text += "[" + p.Has + "=" + p.Is + "]"
	}
	if p.Attribute != "" {
		text += " " + p.Attribute
	}
	return text
}

func writeJSONPath(path JSONPath) string {
	text := "$"
	for _, step := range path {
		switch {
		case !step.List:
			text += "['" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(step.Member) + "']"
		case step.Index == AnyIndex:
			text += "[*]"
		default:
			text += fmt.Sprintf("[%d]", step.Index)
		}
	}
	return text
}
