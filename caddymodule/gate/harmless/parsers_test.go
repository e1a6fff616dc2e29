package harmless

import (
	"testing"

	"github.com/cacheward/cacheward/policies"
)

// In Shift_JIS and its like the second byte of a character may be a backslash. A reader
// of bytes takes it for an escape and reads past the end of the string.
func TestNoPlacesInOtherCharsets(t *testing.T) {
	set, err := Compile([]policies.Harmless{{JSON: "$.at[*]", Reason: "clock"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"application/json; charset=Shift_JIS", "application/json; charset=gbk"} {
		a := []byte("{\"at\":[\"12:00\x95\x5c\",{\"lead\":111111},\"b\"]}")
		b := []byte("{\"at\":[\"12:00\x95\x5c\",{\"lead\":222222},\"b\"]}")
		if same, pa, _ := set.Same(kind, a, b); same {
			t.Errorf("%s: lead is left out: %q", kind, a[pa[0].Start:pa[0].End])
		}
	}
	one, _ := Compile([]policies.Harmless{{JSON: "$.at[0]", Reason: "clock"}})
	a := []byte("{\"at\":[\"12:00\x95\x5c\",111111,\"b\"]}")
	b := []byte("{\"at\":[\"12:00\x95\x5c\",222222,\"b\"]}")
	if same, pa, _ := one.Same("application/json; charset=Shift_JIS", a, b); same {
		t.Errorf("a number beside the place is left out: %q", a[pa[0].Start:pa[0].End])
	}
}

// A browser may read a page otherwise than the tokenizer: noscript is raw text to one that
// runs scripts, CDATA is text within svg. What is no comment to either is no place.
func TestNoPlacesWhereParsersDiffer(t *testing.T) {
	set, err := Compile([]policies.Harmless{{HTML: "comment", Matching: "generated at *", Reason: "clock"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, page := range map[string][2]string{
		"noscript":  {"<noscript><!--generated at </noscript><script>lead=111111</script>-->", "<noscript><!--generated at </noscript><script>lead=222222</script>-->"},
		"svg cdata": {"<svg><![CDATA[><!--generated at ]]></svg><script>lead=111111</script>-->", "<svg><![CDATA[><!--generated at ]]></svg><script>lead=222222</script>-->"},
		"esi":       {"<!--generated at 1--><p>111111", "<!--generated at 1--><p>222222"},
		"--!>":      {"<!--generated at --!><p>111111--> ", "<!--generated at --!><p>222222--> "},
		"<!-->":     {"<!--><p>generated at 111111-->", "<!--><p>generated at 222222-->"},
		"nested":    {"<!-- generated at <!--><p>111111-->", "<!-- generated at <!--><p>222222-->"},
		"script":    {"<script><!--generated at 111111--></script>", "<script><!--generated at 222222--></script>"},
		"title":     {"<title><!--generated at 111111--></title>", "<title><!--generated at 222222--></title>"},
		"svg title": {"<svg><style><!--generated at </style><script>111111</script>--></svg>", "<svg><style><!--generated at </style><script>222222</script>--></svg>"},
	} {
		if same, _, _ := set.Same("text/html", []byte(page[0]), []byte(page[1])); same {
			t.Errorf("%s: the difference is left out", name)
		}
	}
}
