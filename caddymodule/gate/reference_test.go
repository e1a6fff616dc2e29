package gate

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/httpcache"
)

var update = flag.Bool("update", false, "write the parts of policies/REFERENCE.md that this package knows anew")

// TestReferenceTellsWhatIsLookedFor holds the policy reference against the rules of
// Strength and the fields that are not compared.
func TestReferenceTellsWhatIsLookedFor(t *testing.T) {
	const path = "../../policies/REFERENCE.md"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for name, body := range map[string]string{"strength": strengthTable(), "per-request": perRequestList()} {
		begin, end := "<!-- begin generated: "+name+" -->\n", "<!-- end generated: "+name+" -->"
		before, rest, ok1 := strings.Cut(text, begin)
		have, after, ok2 := strings.Cut(rest, end)
		if !ok1 || !ok2 {
			t.Fatalf("%s has no markers for %s", path, name)
		}
		if have != body && !*update {
			t.Errorf("%s: the part %q is out of date (go test -update writes it anew)", path, name)
		}
		text = before + begin + body + end + after
	}
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func strengthTable() string {
	var b strings.Builder
	b.WriteString("| value | any | telling |\n| --- | --- | --- |\n")
	for _, rule := range StrengthRules() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", rule[0], rule[1], rule[2])
	}
	return b.String()
}

func perRequestList() string {
	names := httpcache.PerRequestNames()
	slices.Sort(names)
	return "`" + strings.Join(names, "`, `") + "`.\n"
}
