package harmless

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/policies"
)

// piece is a part of a body: text around, or a place with what may stand in it.
type piece struct {
	around string
	before string // of a place
	values *rapid.Generator[string]
	after  string
}

// htmlPieces are pages by parts, made apart from the reader of them.
func htmlPieces() *rapid.Generator[piece] {
	short := rapid.StringMatching(`[a-z0-9 :.-]{0,12}`)
	return rapid.OneOf(
		rapid.Map(rapid.SampledFrom([]string{
			"<p>hello</p>", "<input type=hidden name=lead value=17>", "<!-- lead 17 -->", "text & <b>more</b>", "\n", "<script>var a = '<!--gen 1-->'</script>",
			`<a href="/x?ref=5">`, "<span id=other>12:01</span>", "<time>", "<title>t</title>", "<meta name=csrf content=5>",
		}), func(s string) piece { return piece{around: s} }),
		rapid.Just(piece{before: "<!--", values: rapid.Map(short, func(s string) string { return "gen" + strings.ReplaceAll(s, "--", "") }), after: "-->"}),
		rapid.Just(piece{before: `<span class=x id="stamp">`, values: short, after: "</span>"}),
		rapid.Just(piece{before: `<time class="a" datetime="`, values: short, after: `">`}),
		rapid.Just(piece{before: `<time datetime=`, values: rapid.StringMatching(`[a-z0-9:]{1,8}`), after: " >"}),
		rapid.Just(piece{before: `<meta name=generated content='`, values: short, after: "'>"}),
	)
}

var htmlRules = []policies.Harmless{
	{HTML: "comment", Matching: "gen*"},
	{HTML: "span#stamp"},
	{HTML: "time datetime"},
	{HTML: "meta[name=generated] content"},
}

// fill writes the pieces with values drawn for the places. A text in front keeps a
// generated comment from touching the end of another.
func fill(t *rapid.T, pieces []piece) string {
	var b strings.Builder
	for i, p := range pieces {
		b.WriteString(p.around + p.before)
		if p.values != nil {
			b.WriteString(strings.TrimRight(p.values.Draw(t, fmt.Sprint("value ", i)), "-"))
		}
		b.WriteString(p.after)
	}
	return b.String()
}

func inPlaces(pieces []piece) int {
	n := 0
	for _, p := range pieces {
		if p.values != nil {
			n++
		}
	}
	return n
}

// TestMaskingHTML: two pages that differ in declared places only are the same; if they
// differ in one byte outside, they are not.
func TestMaskingHTML(t *testing.T) {
	s := compiled(t, htmlRules...)
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(htmlPieces(), 1, 12).Draw(t, "pieces")
		a, b := fill(t, pieces), fill(t, pieces)
		same, pa, pb := s.Same("text/html", []byte(a), []byte(b))
		if !same || len(pa) != inPlaces(pieces) || len(pb) != len(pa) {
			t.Fatalf("same %v, places %q and %q", same, values(a, pa), values(b, pb))
		}
		at := rapid.IntRange(0, len(pieces)).Draw(t, "at")
		other := fill(t, slices.Insert(slices.Clone(pieces), at, piece{around: rapid.SampledFrom([]string{"x", "<i>", "<!-- -->", "<!--gen 7-->"}).Draw(t, "more")}))
		if same, _, _ := s.Same("text/html", []byte(a), []byte(other)); same {
			t.Fatalf("the same: %q and %q", a, other)
		}
	})
}

// TestMaskingJSON: the same of JSON, with members at any depth and in any order.
func TestMaskingJSON(t *testing.T) {
	s := compiled(t, policies.Harmless{JSON: "$.items[*].at"}, policies.Harmless{JSON: "$.time", Matching: "2026-*"})
	rapid.Check(t, func(t *rapid.T) {
		leads := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 5).Draw(t, "leads")
		body := func(label string, add int) []byte {
			var items []string
			for i, lead := range leads {
				at := rapid.SampledFrom([]string{`1`, `-2.5e7`, `"x"`, `"\u0022,{}"`, `null`, `true`}).Draw(t, fmt.Sprint(label, i))
				items = append(items, fmt.Sprintf(`{"number":%d, "at" : %s }`, lead+add, at))
			}
			return fmt.Appendf(nil, `{"at":1,"items":[%s],"time":"2026-%d"}`, strings.Join(items, ","), rapid.Int().Draw(t, label))
		}
		a, b, other := body("a", 0), body("b", 0), body("other", 1)
		same, pa, _ := s.Same("application/json", a, b)
		if !same || len(pa) != len(leads)+1 {
			t.Fatalf("same %v, places %q", same, values(string(a), pa))
		}
		if same, _, _ := s.Same("application/json", a, other); same != (len(leads) == 0) {
			t.Fatalf("same %v: %s and %s", same, a, other)
		}
	})
}

// TestMutated: whatever becomes of a page, its places are within it and apart, and
// what stands in them changes nothing around them.
func TestMutated(t *testing.T) {
	s := compiled(t, htmlRules...)
	rapid.Check(t, func(t *rapid.T) {
		body := []byte(fill(t, rapid.SliceOfN(htmlPieces(), 1, 8).Draw(t, "pieces")))
		for range rapid.IntRange(1, 4).Draw(t, "mutations") {
			at := rapid.IntRange(0, len(body)-1).Draw(t, "at")
			switch rapid.IntRange(0, 2).Draw(t, "how") {
			case 0:
				body = slices.Delete(slices.Clone(body), at, at+1)
			case 1:
				body = slices.Insert(slices.Clone(body), at, rapid.SampledFrom([]byte("<>\"'=/!- \x00\xffa")).Draw(t, "byte"))
			case 2:
				body = body[:at]
			}
			if len(body) == 0 {
				return
			}
		}
		holds(t, s, "text/html", body, "gen")
	})
}

// failer is what testing.TB and rapid.T have in common here.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// holds checks what holds of the places of any body: they are within it, in order,
// apart and short, and with another value in them the body is the same. The value
// must match all rules and be right in all of them.
func holds(t failer, s *Set, contentType string, body []byte, value string) {
	t.Helper()
	before := string(body)
	places := s.Places(contentType, body)
	if string(body) != before {
		t.Fatalf("the body was changed")
	}
	end := 0
	var other []byte
	for i, p := range places {
		if p.Start < end || i > 0 && p.Start == places[i-1].Start || p.End < p.Start || p.End > len(body) || p.End-p.Start > maxPlace {
			t.Fatalf("places %v in %d bytes", places, len(body))
		}
		other = append(append(other, body[end:p.Start]...), value...)
		end = p.End
	}
	other = append(other, body[end:]...)
	same, pa, pb := s.Same(contentType, body, other)
	if !same || !slices.Equal(pa, places) || len(pb) != len(places) {
		t.Fatalf("%q and %q are not the same: %v, %v", body, other, pa, pb)
	}
}
