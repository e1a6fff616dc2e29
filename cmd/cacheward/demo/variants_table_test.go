package demo

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

var seenVariants = []variantResult{
	{
		variant{carrierInput, byQuery, silent},
		walked{visitors: 24, waited: 10, why: &explanation{[]string{"divergent"}, &divergence{
			Class: "token", Part: "body", Near: "input lead", Shape: "hex-24", Entropy: "random",
		}}},
		walked{visitors: 24, cached: 20, misattributed: 20},
	},
	{
		variant{carrierCookie, byReferer, overruled},
		walked{visitors: 24, waited: 9, why: &explanation{Reasons: []string{"set-cookie", "private"}}},
		walked{visitors: 24, cached: 20, misattributed: 20},
	},
	{
		variant{carrierScript, byCookie, mistaken},
		walked{visitors: 1200, why: &explanation{[]string{"divergent"}, &divergence{Class: "reflected-input", Input: "cookie ref", Field: "X-Lead"}}},
		walked{visitors: 1200, cached: 1196, misattributed: 1196},
	},
}

var leakingVariants = []variantResult{
	{variant{carrierLink, byQuery, silent}, walked{visitors: 24, misattributed: 1, cached: 1, unexplained: []string{"hapitas.example at once"}}, walked{visitors: 24, misattributed: 20}},
	{
		variant{carrierInput, byQuery, silent},
		walked{visitors: 24, why: &explanation{[]string{"divergent"}, &divergence{}}, unexplained: []string{"hapitas.example at once"}},
		walked{visitors: 24, misattributed: 20},
	},
}

func TestVariantGoldens(t *testing.T) {
	for name, test := range map[string]struct {
		results []variantResult
		color   bool
	}{
		"variants-plain":   {seenVariants, false},
		"variants-color":   {append(seenVariants[:2:2], leakingVariants...), true},
		"variants-leaking": {leakingVariants, false},
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := writeVariantsText(&got, test.results, test.color); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(got.String(), "\x1b[") != test.color {
				t.Errorf("colours, or none, against what was wanted:\n%q", &got)
			}
			golden := "testdata/" + name + ".golden"
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("got:\n%s\nwant:\n%s", &got, want)
			}
		})
	}
}

// The keys are an interface.
func TestVariantJSONKeys(t *testing.T) {
	var out, compact bytes.Buffer
	if err := writeVariantsJSON(&out, append(seenVariants[:2:2], leakingVariants[0])); err != nil {
		t.Fatal(err)
	}
	if err := json.Compact(&compact, out.Bytes()); err != nil {
		t.Fatal(err)
	}
	want := `{"variants":[` + strings.Join([]string{
		`{"carrier":"hidden input","input":"query","cache_control":"","visitors":24,"from_cache":0,"misattributed":0,"waited":10,"misattributed_without_cacheward":20,` +
			`"why":{"reasons":["divergent"],"divergence":{"class":"token","part":"body","near":"input lead","shape":"hex-24","entropy":"random"}}}`,
		`{"carrier":"Set-Cookie","input":"Referer","cache_control":"private","visitors":24,"from_cache":0,"misattributed":0,"waited":9,"misattributed_without_cacheward":20,` +
			`"why":{"reasons":["set-cookie","private"]}}`,
		`{"carrier":"link","input":"query","cache_control":"","visitors":24,"from_cache":1,"misattributed":1,"waited":0,"misattributed_without_cacheward":20,` +
			`"why":null,"unexplained":["hapitas.example at once"]}`,
	}, ",") + `],"visitors":72,"misattributed":1}`
	if compact.String() != want {
		t.Errorf("got  %s\nwant %s", &compact, want)
	}
}
