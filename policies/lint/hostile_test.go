package lint

import (
	"strings"
	"testing"
	"time"
)

// TestHostile: what a file holds may be wrong in a great many places.
func TestHostile(t *testing.T) {
	const n = 3_000
	many := func(s string) string { return strings.Repeat(s, n) }
	const route = "route a {\n\tpath /a\n\tcache 5m\n"
	for _, tt := range []struct{ name, file, text string }{
		{"comments", "f.Caddyfile", many("# cacheward:ignore CW006\n") + route + "}\n"},
		{"comments in force", "f.Caddyfile", many("# cacheward:ignore CW006 -- why\n") + route + "\tparam strip x1 x*\n}\n"},
		{"rules in a comment", "f.Caddyfile", "# cacheward:ignore " + many("CW006,") + " -- why\n" + route + "}\n"},
		{"comments at the ends of lines", "f.Caddyfile", route + many("\tcookie strip x1 # cacheward:ignore CW006 -- why\n") + "}\n"},
		{"names", "f.Caddyfile", route + "\tparam strip x* " + many("x1 ") + "\n}\n"},
		{"lines with one name", "f.Caddyfile", route + many("\tparam strip x1\n") + "}\n"},
		{"globs", "f.Caddyfile", route + "\tparam strip " + many("x*y* ") + "\n}\n"},
		{"unknown words", "f.Caddyfile", route + many("\tparm strip x1\n") + "}\n"},
		{"words on a line", "f.Caddyfile", route + many("parm ") + "\n}\n"},
		{"closing braces", "f.Caddyfile", route + many("}\n")},
		{"quotes", "f.Caddyfile", route + many("\"'` #")},
		{"names in YAML", "f.yaml", "routes:\n  - name: a\n    match: {paths: [/a]}\n    cache: 5m\n    params: {strip: [" + many("x1, ") + "x2]}\n"},
		{"names in JSON", "f.json", `{"routes": [{"name": "a", "match": {"paths": ["/a"]}, "cache": "5m", "params": {"strip": [` + many(`"x1", `) + `"x2"]}}]}`},
		{"paths in JSON", "f.json", `{"routes": [{"name": "a", "match": {"paths": [` + many(`"/a", `) + `"/b"]}, "cache": "5m"}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			u := loadText(t, tt.file, tt.text)
			loaded := time.Since(start)
			start = time.Now()
			found := Suppress(u, Run(u, onlyGeneral), today, true)
			edits := PickEdits(tt.file, found)
			if _, err := Diff(tt.file, []byte(tt.text), edits); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("it takes %v", took)
			} else {
				t.Logf("read in %v, judged in %v, %d findings, %d edits", loaded, took, len(found), len(edits))
			}
		})
	}
}
