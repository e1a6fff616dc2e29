package attribution

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// attack is a way to have the app, or other visitors, believe what is not so.
type attack struct {
	name string
	do   func(a *attacker)
	// reasons are the words of which the record of one of the requests has to have one.
	// None: nothing is asked of the records.
	reasons []string
	// only says on which sites. Nil: on all but the one that asks for consent.
	only func(s site) bool
}

// on says whether the attack is one on the site.
func (k attack) on(s site) bool {
	if k.only == nil {
		return s.model != consent
	}
	return k.only(s)
}

// TestAttacks: nothing that attackers send is attributed to anybody, or shown to
// others, and the records say what became of it.
func TestAttacks(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			newStage(t, scheme).attack(t)
		})
	}
}

// trial is an attack that was made.
type trial struct {
	*attacker
	attack
	found string
}

func (s *stage) attack(t *testing.T) {
	var trials []*trial
	for _, k := range attacks() {
		for _, w := range s.wires() {
			for _, to := range attackedSites {
				if !k.on(to) {
					continue
				}
				a := s.attacker(t, w, to)
				k.do(a)
				found := a.attributed()
				if found == "" {
					found = a.stored()
				}
				trials = append(trials, &trial{a, k, found})
			}
		}
	}
	s.checkRecords(t, trials)
	for _, fault := range rowsOf(t, s.file, rowFault) {
		t.Errorf("the app: %s", fault.Text)
	}
	failed, kept := 0, 0
	var table strings.Builder
	for _, x := range trials {
		if x.kept {
			kept++
		}
		verdict := "nothing came of it"
		if x.found != "" {
			failed++
			verdict = x.found
			t.Errorf("%s, %s, %s: %s\n  %s", x.attack.name, x.wire, x.site.host(), x.found, strings.Join(x.log, "\n  "))
		}
		fmt.Fprintf(&table, "%-40s %-15s %-26s %s\n", x.attack.name, x.wire, x.site.host(), verdict)
	}
	if failed > 0 {
		t.Logf("%d of %d attacks:\n%s", failed, len(trials), table.String())
	}
	if kept < len(trials)/2 {
		t.Errorf("only %d of %d pages were stored, so that little could be", kept, len(trials))
	}
	t.Logf("%d attacks by %s, %d pages stored", len(trials), s.scheme, kept)
}

// record is one of the audit log, as far as these tests look at it.
type record struct {
	URL         string `json:"url"`
	Attribution struct {
		LeftOut  string `json:"left_out"`
		Dropped  string `json:"dropped"`
		Withheld string `json:"withheld"`
	} `json:"attribution"`
}

// checkRecords waits until the records of every attack say what they have to.
func (s *stage) checkRecords(t *testing.T, trials []*trial) {
	t.Helper()
	said := map[string][]string{} // by attacker
	complete := func() bool {
		clear(said)
		for _, r := range edge.Records[record](t, s.edge) {
			path, _, _ := strings.Cut(r.URL, "?")
			by := path[strings.LastIndexByte(path, '/')+1:]
			said[by] = append(said[by], r.Attribution.LeftOut, r.Attribution.Dropped, r.Attribution.Withheld)
		}
		return !slices.ContainsFunc(trials, func(x *trial) bool { return !x.explained(said) })
	}
	if persist(complete) {
		return
	}
	for _, x := range trials {
		if x.found == "" && !x.explained(said) {
			x.found = fmt.Sprintf("the records say %q, want one of %q", said[x.attacker.name], x.reasons)
		}
	}
}

// explained says whether the records have a reason that fits.
func (x *trial) explained(said map[string][]string) bool {
	return len(x.reasons) == 0 || slices.ContainsFunc(x.reasons, func(r string) bool { return slices.Contains(said[x.attacker.name], r) })
}
