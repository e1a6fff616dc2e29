package incidents

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	readme      = "../../README.md"
	tableBegins = "<!-- incidents -->\n"
	tableEnds   = "<!-- /incidents -->\n"
	tableHead   = "| incident | without Cacheward | with it | what stopped it |\n| --- | --- | --- | --- |\n"
	incidents   = 18
)

// readmeLock is held while the README is read and written: incidents run in parallel.
var readmeLock sync.Mutex

// sight is what was seen of an incident.
type sight struct {
	incident
	stages []*stage
}

func (s *sight) add(st *stage) { s.stages = append(s.stages, st) }

// row is the incident's line of the table.
func (s *sight) row() string {
	hurt, of := map[position]int{}, map[position]int{}
	var overridden int
	var stopped []string
	for _, st := range s.stages {
		if st.position == behind && !st.curable() {
			overridden++
			continue
		}
		hurt[st.position] += st.hurt
		of[st.position] += st.of
		for _, code := range st.stopped {
			if st.position == instead && !slices.Contains(stopped, code) {
				stopped = append(stopped, code)
			}
		}
	}
	slices.Sort(stopped)
	failed := fmt.Sprintf("%s of %s %s", number(hurt[without]), number(of[without]), s.harm)
	kept := fmt.Sprintf("%d of %s", hurt[instead]+hurt[behind], number(of[instead]+of[behind]))
	switch overridden {
	case 0:
		kept += ", behind the cache and in its place"
	case len(s.forms):
		kept += ", in its place; behind it, which overrides headers, all left as `private, no-store`: for the tripwire"
	default:
		kept += ", behind the cache and in its place; where it overrides headers, all left as `private, no-store`: for the tripwire"
	}
	return fmt.Sprintf("| %d. %s, %s | %s | %s | `%s` |\n", s.number, s.who, s.when, failed, kept, strings.Join(stopped, "`, `"))
}

// number writes thousands apart.
func number(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

// checkRow holds the incident's line against the one in the README, or writes it.
func (s *sight) checkRow(t *testing.T) {
	t.Helper()
	readmeLock.Lock()
	defer readmeLock.Unlock()
	got := s.row()
	t.Log(got)
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	tab, err := readTable(text)
	switch {
	case err != nil && !*update:
		return // TestTable says it, once for all
	case err != nil:
		t.Fatal(err)
	case *update:
		tab.rows[s.number] = got
		if err := os.WriteFile(readme, tab.bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	case tab.rows[s.number] != got:
		t.Errorf("README.md says\n%s\nand this was seen:\n%s\ngo test ./integration/incidents -update accepts it", tab.rows[s.number], got)
	}
}

// table is the README, with the lines of the incidents apart.
type table struct {
	before, after []byte
	rows          map[int]string // by number
}

func readTable(text []byte) (*table, error) {
	before, rest, found := bytes.Cut(text, []byte(tableBegins))
	inside, after, closed := bytes.Cut(rest, []byte(tableEnds))
	if !found || !closed {
		return nil, fmt.Errorf("README.md has no line %q followed by a line %q, between which the table of incidents is to stand",
			strings.TrimSpace(tableBegins), strings.TrimSpace(tableEnds))
	}
	tab := &table{before: before, after: after, rows: map[int]string{}}
	for line := range strings.Lines(string(inside)) {
		var n int
		if _, err := fmt.Sscanf(line, "| %d. ", &n); err == nil {
			tab.rows[n] = line
		}
	}
	return tab, nil
}

func (tab *table) bytes() []byte {
	var b bytes.Buffer
	b.Write(tab.before)
	b.WriteString(tableBegins + tableHead)
	for n := range incidents {
		b.WriteString(tab.rows[n+1])
	}
	b.WriteString(tableEnds)
	b.Write(tab.after)
	return b.Bytes()
}

// The table in the README has all incidents, and nothing else. Whether what it says of
// one is true, the incident's own test sees.
func TestTable(t *testing.T) {
	readmeLock.Lock()
	defer readmeLock.Unlock()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	tab, err := readTable(text)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		return // the tests of the incidents write their lines later
	}
	for n := range incidents {
		if tab.rows[n+1] == "" {
			t.Errorf("README.md has no line of incident %d: go test ./integration/incidents -update writes it", n+1)
		}
	}
	if !bytes.Equal(text, tab.bytes()) {
		t.Error("README.md has another table than go test ./integration/incidents -update writes")
	}
}

func FuzzReadTable(f *testing.F) {
	f.Add([]byte("# It\n" + tableBegins + tableHead + "| 1. A, 2017 | all | none | `private` |\n" + tableEnds + "more\n"))
	f.Add([]byte(tableBegins + tableEnds))
	f.Add([]byte(tableEnds + tableBegins))
	f.Add([]byte(tableBegins + "| 18. a |\n| 19. b |\n| -1. c |\n|" + tableEnds))
	f.Fuzz(func(t *testing.T, text []byte) {
		tab, err := readTable(text)
		if err != nil {
			return
		}
		again, err := readTable(tab.bytes())
		if err != nil {
			t.Fatalf("%v in what was written: %q", err, tab.bytes())
		}
		if !bytes.Equal(again.bytes(), tab.bytes()) {
			t.Errorf("%q\nwas written, and then\n%q", tab.bytes(), again.bytes())
		}
	})
}
