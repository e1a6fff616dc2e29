package policies

import "testing"

// TestAttributionIsPlainHoweverItIsWritten: what is taken and carried, the audit log has in
// clear. Else a visitor could have a code carried that no record tells.
func TestAttributionIsPlainHoweverItIsWritten(t *testing.T) {
	p, err := ParseYAML("policy.yaml", []byte(`routes:
  - name: landing
    match: {paths: [/lp]}
    cache: 5m
    params: {key: [lang], plain: [lang]}
    attribution: {params: [ref, "utm_*"]}
`))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compile(p, "test")
	if err != nil {
		t.Fatal(err)
	}
	rule := c.Rules()[0]
	for name, want := range map[string]bool{
		"ref": true, "%72ef": true, "r%65f": true, "utm_source": true, "%75tm_source": true, "lang": true,
		"%6Cang": false, "secret": false, "%": false, "ref%": false,
	} {
		if got := rule.Plain(name); got != want {
			t.Errorf("%s: plain %t, not %t", name, got, want)
		}
		if rule.Attribution.Takes(name) && !rule.Plain(name) {
			t.Errorf("%s is taken and not plain", name)
		}
	}
}
