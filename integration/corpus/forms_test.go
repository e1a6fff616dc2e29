package corpus

import (
	"testing"
)

// The corpus is what it says it is, asked directly: a shareable form is the same for
// visitors who have nothing in common, a per-visitor form is not, and pages have the
// size of real ones.
func TestForms(t *testing.T) {
	o := newOrigin(t)
	address := o.serve(t)
	for _, p := range pages {
		t.Run(p.name(), func(t *testing.T) {
			var got [2][]answer
			for i, form := range []string{shareable, perVisitor} {
				for j := range visitors[:2] {
					a, err := visitors[j].visit(p, address, p.path(ttl, form))
					if err != nil || a.status != 200 {
						t.Fatalf("%s form: %v, status %d: %.200s", form, err, a.status, a.body)
					}
					got[i] = append(got[i], a)
				}
				size := len(got[i][0].body)
				switch {
				case p.stream && size < 5<<20, !p.stream && size > 80<<10, !p.stream && !p.small && size < 10<<10:
					t.Errorf("%s form: %d bytes", form, size)
				}
			}
			same := func(form []answer) bool { return string(form[0].body) == string(form[1].body) }
			if !same(got[0]) {
				t.Error("the shareable form is not the same for all")
			}
			if same(got[1]) {
				t.Error("the per-visitor form is the same for all")
			}
			made := o.book.of(p)
			for i, a := range got[1] {
				if a.has(made) == p.anybodys {
					t.Errorf("the per-visitor form has something of its visitor: %t", !p.anybodys)
				}
				if got[0][i].has(made) {
					t.Error("the shareable form has something of its visitor")
				}
			}
		})
	}
}

// A corpus of which nothing is refused, or a leak that is not seen, would be of no use.
func TestLeaksAreSeen(t *testing.T) {
	a, b := &visitors[0], &visitors[1]
	made := map[string]bool{"of-one-request": true, "of-one-session": false}
	for _, tt := range []struct {
		name  string
		got   []answer
		leaks int
	}{
		{"own values", []answer{{visitor: a, body: []byte(a.source)}, {visitor: b, body: []byte(b.ref)}}, 0},
		{"somebody else's value", []answer{{visitor: a, body: []byte("x " + b.address + " y")}}, 1},
		{"one request's value in two answers", []answer{{visitor: a, body: []byte("of-one-request")}, {visitor: a, body: []byte("of-one-request")}}, 1},
		{"one session's value in two answers", []answer{{visitor: a, body: []byte("of-one-session")}, {visitor: a, body: []byte("of-one-session")}}, 0},
		{"one session's value with two visitors", []answer{{visitor: a, body: []byte("of-one-session")}, {visitor: b, body: []byte("of-one-session")}}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := leaks(tt.got, made); len(got) != tt.leaks {
				t.Errorf("got %q, want %d", got, tt.leaks)
			}
		})
	}
}
