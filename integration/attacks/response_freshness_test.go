package attacks

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// lifetimeCases are heads that say for how long, in all the ways in which it has been
// said. None may be kept for longer than most, in seconds; nought is not at all.
var lifetimeCases = []struct {
	most   int
	fields []string
}{
	{60, []string{"Cache-Control: max-age=60"}},
	{60, []string{"Cache-Control: max-age=60, s-maxage=3600", "Cache-Control: s-maxage=60"}},
	{60, []string{`Cache-Control: max-age="60"`}},
	{60, []string{"Cache-Control: Max-Age=60"}},
	{60, []string{"Cache-Control: max-age=60, max-age=3600"}},
	{60, []string{"Cache-Control: max-age=3600", "Cache-Control: max-age=60"}},
	{0, []string{"Cache-Control: max-age=60, max-age=0"}},
	{60, []string{"Cache-Control: max-age = 60"}},
	{60, []string{"Cache-Control: max-age=60.5"}},
	{0, []string{"Cache-Control: max-age=-1"}},
	{0, []string{"Cache-Control: max-age=60, s-maxage=-1"}},
	{60, []string{"Cache-Control: max-age=+60"}},
	{60, []string{"Cache-Control: max-age=60s"}},
	{0, []string{"Cache-Control: max-age="}},
	{0, []string{"Cache-Control: max-age"}},
	{60, []string{"Cache-Control: max-age=0x3c"}},
	{60, []string{"Cache-Control: max-age=60; private=nothing"}},
	{60, []string{"Cache-Control: max-age=60, max-age=99999999999999999999"}},
	{0, []string{"Cache-Control: max-age=3600, s-maxage=soon"}},
	{0, []string{"Cache-Control: max-age=3600, s-maxage="}},
	{0, []string{`Cache-Control: max-age=3600, foo="private`}},
	{0, []string{`Cache-Control: foo="a, no-store", max-age=3600`}},
	{0, []string{`Cache-Control: max-age=3600, foo=\"no-store`}},
	{0, []string{"Cache-Control: max-age=3600;no-store"}},
	{0, []string{"Cache-Control: max-age=3600\tno-store"}},
	{0, []string{"Cache-Control: no_store=1, max-age=0, max-age=3600"}},
	{0, []string{"Cache-Control: max-age=3600, ,,,,no-store,,"}},
	{0, []string{"Cache-Control: max-age=3600,NO-STORE"}},
	{0, []string{"Cache-Control: s-maxage=0, max-age=3600, public"}},
	{0, []string{"Expires: 0"}},
	{0, []string{"Expires: -1"}},
	{0, []string{"Expires: "}},
	{0, []string{"Expires: soon"}},
	{0, []string{"Expires: " + future, "Expires: 0"}},
	{0, []string{"Expires: 0", "Expires: " + future}},
	{0, []string{"Expires: Thu, 01 Jan 70 00:00:00 GMT"}},
	{60, []string{"Cache-Control: max-age=60", "Expires: " + future}},
	{0, []string{"Cache-Control: max-age=0", "Expires: " + future}},
	{0, []string{"Cache-Control: max-age=3600", "Age: 3600"}},
	{60, []string{"Cache-Control: max-age=3600", "Age: 3540"}},
	{0, []string{"Cache-Control: max-age=3600", "Age: 99999999999999999999"}},
	{0, []string{"Pragma: no-cache", "Expires: " + future}},
	{0, []string{"Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT"}},
}

// Nothing is kept for longer than the strictest reading of its head allows.
func testLifetimes(t *testing.T, w *ward) {
	for _, c := range lifetimeCases {
		s := script{fields: append([]string{htmlType}, c.fields...), body: "<h1>One page</h1>"}
		w.each(t, strings.Join(c.fields, " | "), always(s), []string{onOrigin}, func(t *testing.T, path string) {
			answers := w.ask(path)
			report(t, denied(answers, http.StatusOK))
			if c.most == 0 {
				report(t, refused(answers))
			}
			for _, a := range answers {
				if a.lifetime() > time.Duration(c.most)*time.Second {
					t.Errorf("%s: kept for %s, and at most %d seconds are right: %s", leak, a.lifetime(), c.most, a)
				}
			}
		})
	}
}

// sound are heads that can be read in one way only, and what that is: for how many
// seconds they permit anything.
var sound = []struct {
	list []string
	most int
}{
	{[]string{"max-age=60"}, 60},
	{[]string{"public", "max-age=60"}, 60},
	{[]string{"max-age=3600", "s-maxage=60"}, 60},
	{[]string{"max-age=0"}, 0},
	{[]string{"private", "max-age=3600"}, 0},
	{[]string{"no-store"}, 0},
	{[]string{"max-age=3600", "no-store"}, 0},
	{[]string{"no-cache", "max-age=3600"}, 0},
	{[]string{"public", "max-age=3600", "s-maxage=0"}, 0},
	{[]string{`no-cache="Set-Cookie"`, "max-age=3600"}, 0},
	{[]string{`private="Set-Cookie, X-Lead"`, "s-maxage=3600"}, 0},
	{[]string{"must-understand", "no-store", "max-age=60"}, 60},
}

// junk is what gets between directives, and says nothing.
var junk = []string{
	"", " ", "\t", ",", " , ", ",,", "x", "x=1", `x="y"`, `x="a, b"`, `x="`, `"`, "=", "=1", ";", "; x", "x=;", `\`, `"\"`,
	"immutable", "public", "max-age=86400", "stale-while-revalidate=86400", "proxy-revalidate", "\x0b", "é", "x y", "@", "()", "max-age", "public=1",
}

// damaged are the lines of Cache-Control that a draw makes of a list: letter case,
// order, blanks, what separates, what is between, and how many lines there are. Every
// directive of the list is still there.
func damaged(r *rapid.T, list []string) []string {
	list = rapid.Permutation(list).Draw(r, "order")
	var lines []string
	line := ""
	for _, directive := range list {
		if rapid.Bool().Draw(r, "upper") {
			directive = strings.ToUpper(directive)
		}
		for range rapid.IntRange(0, 2).Draw(r, "junk") {
			line += rapid.SampledFrom(junk).Draw(r, "piece") + rapid.SampledFrom([]string{",", ", ", " ,\t"}).Draw(r, "separator")
		}
		line += directive + rapid.SampledFrom([]string{",", ", ", " , ", "\t,", ";", " "}).Draw(r, "end")
		if rapid.IntRange(0, 3).Draw(r, "split") == 0 {
			lines = append(lines, "Cache-Control: "+line)
			line = ""
		}
	}
	lines = append(lines, "Cache-Control: "+line+rapid.SampledFrom(junk).Draw(r, "last"))
	return lines
}

// Damage never makes a response more shareable than it was.
func testDamagedDirectives(t *testing.T, w *ward) {
	kept := 0
	w.generated(t, func(r *rapid.T, w *ward) {
		c := rapid.SampledFrom(sound).Draw(r, "head")
		fields := append(damaged(r, c.list), htmlType)
		if rapid.Bool().Draw(r, "expires") {
			fields = append(fields, "Expires: "+future)
		}
		path := w.path(t, rapid.SampledFrom([]string{onOrigin, onTrusted}).Draw(r, "route"))
		w.origin.answer(path, always(script{fields: fields, body: "<h1>One page</h1>"}))
		for n := range 3 {
			a := w.client.ask(visitor(n, path))
			if a.status >= 500 && strings.ContainsAny(strings.Join(fields, ""), "\x0b") {
				return // reverse_proxy may refuse it as a whole
			}
			if a.broken != nil || a.status != http.StatusOK {
				r.Fatalf("%s: %s", denial, a)
			}
			if a.hit() {
				kept++
			}
			most := time.Duration(c.most) * time.Second
			if strings.HasPrefix(path, "/"+onTrusted) && c.most > 0 {
				most = time.Hour // the operator's
			}
			if a.lifetime() > most || a.hit() && most == 0 {
				r.Fatalf("%s: %q was kept for %s, and at most %s are right: %s", leak, fields, a.lifetime(), most, a)
			}
		}
	})
	if kept == 0 {
		t.Errorf("%s: nothing was kept at all", denial)
	}
}

// Whatever bytes a head has, the answer is given to whom it was made for, and refused
// or kept by what can be read.
func FuzzDirectives(f *testing.F) {
	for _, c := range lifetimeCases {
		f.Add(strings.Join(c.fields, "\n"))
	}
	w := startWard(f)
	f.Fuzz(func(t *testing.T, head string) {
		var fields []string
		for line := range strings.SplitSeq(head, "\n") {
			name, value, _ := strings.Cut(line, ":")
			if name != "" && !strings.ContainsAny(line, "\r\x00") && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") == "" &&
				!strings.EqualFold(name, "Content-Length") && !strings.EqualFold(name, "Transfer-Encoding") {
				fields = append(fields, name+":"+value)
			}
		}
		path := w.path(t, onOrigin)
		w.origin.answer(path, always(script{fields: append(fields, "Cache-Control: private"), body: "<h1>§</h1>"}))
		var answers []*answered
		for n := range 3 {
			answers = append(answers, w.client.ask(visitor(n, path)))
		}
		for _, finding := range refused(answers) {
			t.Error(finding)
		}
	})
}
