package attacks

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// chosenBy are the request fields on which the origin's pages depend.
var chosenBy = []string{"Accept", "Accept-Language", "X-Plan", "X-Region"}

var choices = map[string][]string{
	"Accept":          {"", "text/html", "application/json", "text/html,*/*;q=0.1"},
	"Accept-Language": {"", "en", "en-US", "ja", "ja,en;q=0.5", "en;q=0.5,ja"},
	"X-Plan":          {"", "gold", "Gold", "gold, silver", "plan-9f3a77c2b1"},
	"X-Region":        {"", "eu", "us", "€"},
}

// page is what the origin makes of a request: it shows what the names chose.
func page(h http.Header, names []string) string {
	var b strings.Builder
	b.WriteString("<h1>page")
	for _, name := range names {
		value := strings.Join(h[http.CanonicalHeaderKey(name)], ",")
		if value == "*/*" {
			value = "" // which is the same (RFC 9110 §12.5.1)
		}
		fmt.Fprintf(&b, " | %s=%s", name, value)
	}
	b.WriteString("</h1>")
	return b.String()
}

// chooser is a request with some of the choices.
type chooser struct{ header http.Header }

func (c chooser) visit(n int, path string) call {
	v := visitor(n, path)
	for _, name := range chosenBy {
		if value := c.header.Get(name); value != "" {
			v.fields = append(v.fields, name+": "+value)
		}
	}
	return v
}

func draw(r *rapid.T) chooser {
	c := chooser{header: make(http.Header)}
	for _, name := range chosenBy {
		if value := rapid.SampledFrom(choices[name]).Draw(r, name); value != "" {
			c.header.Set(name, value)
		}
	}
	return c
}

// varyLines are the lines of Vary by which an origin may name them.
func varyLines(r *rapid.T, names []string) (lines []string) {
	var rest []string
	for _, name := range rapid.Permutation(names).Draw(r, "order") {
		switch rapid.IntRange(0, 2).Draw(r, "case") {
		case 1:
			name = strings.ToLower(name)
		case 2:
			name = strings.ToUpper(name)
		}
		rest = append(rest, rapid.SampledFrom([]string{"", " ", "\t", ",", " , "}).Draw(r, "before")+name)
		if rapid.IntRange(0, 2).Draw(r, "split") == 0 {
			lines = append(lines, rapid.SampledFrom([]string{"Vary:", "vary: ", "VARY:\t"}).Draw(r, "field")+strings.Join(rest, ","))
			rest = nil
		}
	}
	odd := rapid.SampledFrom([]string{"", "", "", "*", "a b", "Accept;q=1", "Accept-Encoding", "Host", "é", `"Accept"`, "X-Never"}).Draw(r, "odd")
	if odd != "" {
		rest = append(rest, odd)
	}
	if rest != nil {
		lines = append(lines, "Vary: "+strings.Join(rest, ", "))
	}
	return lines
}

// Everybody gets the page that their own request chooses, however the origin names what
// it chooses by.
func testVariants(t *testing.T, w *ward) {
	hits := 0
	w.generated(t, func(r *rapid.T, w *ward) {
		names := rapid.SliceOfNDistinct(rapid.SampledFrom(chosenBy), 1, 4, rapid.ID).Draw(r, "names")
		slices.Sort(names)
		lines := varyLines(r, names)
		path := w.path(t, onPlain)
		w.origin.answer(path, func(q asked) script {
			return script{fields: append([]string{permitted, htmlType}, lines...), body: page(q.header, names)}
		})
		choosers := rapid.SliceOfN(rapid.Custom(draw), 2, 5).Draw(r, "visitors")
		for n := range 3 * len(choosers) {
			c := choosers[n%len(choosers)]
			a := w.client.ask(c.visit(n, path))
			if a.broken != nil || a.status != http.StatusOK {
				r.Fatalf("%s: %s", denial, a)
			}
			if want := page(c.header, names); a.content() != want && !sameChoice(a.content(), want) {
				r.Fatalf("%s: %q varies by %q: want %s: %s", leak, lines, names, want, a)
			}
			if a.hit() {
				hits++
			}
		}
	})
	if hits == 0 {
		t.Errorf("%s: no variant was ever served from the store", denial)
	}
}

// sameChoice says whether two pages differ in nothing but the blanks and the letter case
// of Accept and Accept-Language, which mean nothing (RFC 9110 §12.5).
func sameChoice(a, b string) bool {
	plain := func(s string) string { return strings.ReplaceAll(s, " ", "") }
	return plain(a) == plain(b)
}

// Where the origin names more for one answer than for another, what is stored for the
// one is not given to those who would be told apart by the other.
func testVaryDiffersByAnswer(t *testing.T, w *ward) {
	with := func(q asked) script {
		s := script{fields: []string{permitted, htmlType, "Vary: Accept-Language"}, body: page(q.header, []string{"Accept-Language"})}
		if q.header.Get("Accept-Language") == "ja" {
			s.fields = append(s.fields, "Vary: X-Plan")
			s.body = page(q.header, []string{"Accept-Language", "X-Plan"})
		}
		return s
	}
	w.each(t, "more names for some", with, []string{onPlain}, func(t *testing.T, path string) {
		for n := range 24 {
			c := chooser{header: http.Header{"Accept-Language": {[]string{"en", "ja"}[n%2]}, "X-Plan": {[]string{"gold", "tin", "none"}[n%3]}}}
			names := []string{"Accept-Language"}
			if n%2 == 1 {
				names = append(names, "X-Plan")
			}
			if a := w.client.ask(c.visit(n, path)); a.content() != page(c.header, names) {
				t.Errorf("%s: want %s: %s", leak, page(c.header, names), a)
			}
		}
	})
}

// A flood of variants takes nobody else's page away, and gives nobody a wrong one.
func testVaryFlood(t *testing.T, w *ward) {
	with := func(q asked) script {
		return script{fields: []string{permitted, htmlType, "Vary: X-Plan"}, body: page(q.header, []string{"X-Plan"})}
	}
	w.each(t, "values", with, []string{onPlain}, func(t *testing.T, path string) {
		var group sync.WaitGroup
		for g := range 4 {
			group.Go(func() {
				for n := range 25 {
					c := chooser{header: http.Header{"X-Plan": {fmt.Sprintf("flood-%d-%d", g, n)}}}
					if a := w.client.ask(c.visit(n, path)); a.broken != nil || a.content() != page(c.header, []string{"X-Plan"}) {
						t.Errorf("%s: %s", poison, a)
					}
					plain := chooser{header: http.Header{"X-Plan": {"gold"}}}
					if a := w.client.ask(plain.visit(n, path)); a.broken != nil || a.content() != page(plain.header, []string{"X-Plan"}) {
						t.Errorf("%s: %s", poison, a)
					}
				}
			})
		}
		group.Wait()
	})
	many := make([]string, 0, 300)
	for n := range cap(many) {
		many = append(many, fmt.Sprintf("X-Input-%d", n))
	}
	w.refusedOn(t, script{name: "names", fields: []string{permitted, htmlType, "Vary: " + strings.Join(many, ", ")}, body: "<p>§</p>"}, onOrigin, onPlain)
}
