package lint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLoad(t *testing.T) {
	const route = "routes:\n  - name: a\n    match: {paths: [/a]}\n    cache: never\n"
	for _, tt := range []struct {
		name, file, data string
		scopes           int
		compiled         bool
		fault            string // a part of the first one
	}{
		{"YAML", "a.yaml", route, 1, true, ""},
		{"YAML by any other name", "<stdin>", route, 1, true, ""},
		{"JSON", "a.json", `{"routes": [{"name": "a", "match": {"paths": ["/a"]}, "cache": "never"}]}`, 1, true, ""},
		{"JSON in capitals", "A.JSON", `{"default": "never"}`, 1, true, ""},
		{"YAML is no JSON", "a.json", route, 0, false, "a.json:1:1: invalid character"},
		{"read and not valid", "a.yaml", strings.Replace(route, "/a]", "/a], methods: [get]", 1), 1, false, "a.yaml:3:36: routes.a.match.methods.0"},
		{"not read", "a.yaml", "routes: [", 0, false, "a.yaml:1:"},
		{"empty", "a.yaml", "", 0, false, "a.yaml: the policy is empty"},
		{"not UTF-8", "a.yaml", "\xff\xfe", 0, false, "not valid UTF-8"},
		{"too long", "a.yaml", strings.Repeat("#", MaxInput+1), 0, false, "the file is longer than 16 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := Load(tt.file, []byte(tt.data))
			if len(u.Scopes) != tt.scopes || tt.scopes > 0 && (u.Scopes[0].Compiled != nil) != tt.compiled {
				t.Errorf("scopes %+v", u.Scopes)
			}
			if tt.fault == "" != (len(u.Faults) == 0) || tt.fault != "" && !strings.Contains(u.Faults[0].String(), tt.fault) {
				t.Errorf("faults %v, want %q", u.Faults, tt.fault)
			}
			if found := Run(u, nil); tt.fault != "" && (len(found) == 0 || found[0].Rule != "CW001") {
				t.Errorf("what cannot be read is no finding: %v", found)
			}
		})
	}
}

// FuzzLoad: whatever a file holds, judging it ends, places are in the file, and edits
// can be made.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/CW*/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), false)
	}
	f.Add(`{"routes": [{"name": "a", "match": {"paths": ["/a", "/a"]}, "cache": "nevr"}]}`, true)
	f.Add("# cacheward:ignore CW006 until=2026-02-30 --\n\"# cacheward:ignore\n'# cacheward:ignore CW1,,CW006 -- ''a # b", false)
	f.Fuzz(func(t *testing.T, data string, json bool) {
		name := "f.yaml"
		if json {
			name = "f.json"
		}
		u := Load(name, []byte(data))
		found := Suppress(u, Run(u, nil), today, true)
		for _, f := range found {
			if f.Pos.File != name || f.Pos.Line > u.source(name).Lines() {
				t.Errorf("%v: %s: no place in the file", f.Pos, f.Rule)
			}
			u.source(name).Range(f.Pos, f.End)
		}
		edits := PickEdits(name, found)
		fixed, err := ApplyEdits(u.Files[name], edits)
		if err != nil {
			t.Fatal(err)
		}
		if utf8.ValidString(data) && !utf8.Valid(fixed) {
			t.Errorf("an edit cuts a character: %q", fixed)
		}
		if _, err := Diff(name, u.Files[name], edits); err != nil {
			t.Fatal(err)
		}
		if len(Load(name, fixed).Faults) > 0 && len(u.Faults) == 0 {
			t.Errorf("the edits break it:\n%s\n%v", fixed, Load(name, fixed).Faults)
		}
	})
}

// TestLineBreaks: places are the same whatever the line breaks are.
func TestLineBreaks(t *testing.T) {
	const text = "# first\nversion: 1 # second\n\nroutes:\n  # third\n  - name: a\n    match: {paths: [/a]}\n    cache: 5m\n    params:\n      strip: [ref] # fourth\n"
	place := func(text string) string {
		return Load("f.yaml", []byte(text)).Scopes[0].Policy.Routes[0].At("params.strip.0").String()
	}
	for _, text := range []string{text, strings.ReplaceAll(text, "\n", "\r\n")} {
		if got := place(text); got != "f.yaml:10:15" {
			t.Errorf("ref is at %s in %q", got, text)
		}
	}
}
