package fleet

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store/redis/redistest"
	"github.com/cacheward/cacheward/integration/edge"
)

var fleetSkew = flag.Bool("fleet.skew", os.Getenv("CI_REQUIRED") != "", "run TestSkew, which builds the binary with a clock that can be set (minutes, where nothing of it is cached)")

// skewEnv is for how many seconds the wall clock of a binary of buildSkewed is ahead.
const skewEnv = "CACHEWARD_TEST_SKEW"

const skewSource = `package time

import "syscall"

var skew = readSkew()

func readSkew() (seconds int64) {
	text, _ := syscall.Getenv("` + skewEnv + `")
	sign := int64(1)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '-':
			sign = -1
		case '0' <= c && c <= '9':
			seconds = 10*seconds + int64(c-'0')
		}
	}
	return sign * seconds
}
`

// buildSkewed builds the binary with a time.Now that can be ahead or behind. Go programs
// ask the kernel themselves, so that nothing can be put in between, and a namespace does not
// have a wall clock of its own.
func buildSkewed(t testing.TB) string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	source, err := os.ReadFile(filepath.Join(folder, "time.go"))
	if err != nil {
		t.Fatal(err)
	}
	const asks = "\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(source), asks) != 1 {
		t.Fatalf("time.Now of this Go is another: %q is not there once", asks)
	}
	dir := t.TempDir()
	replace := map[string]string{}
	for name, text := range map[string]string{
		"time.go": strings.Replace(string(source), asks, asks+"\tsec += skew\n", 1),
		"skew.go": skewSource,
	} {
		replace[filepath.Join(folder, name)] = filepath.Join(dir, name)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay, path := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "cacheward")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-overlay", overlay, "-o", path, "github.com/cacheward/cacheward/cmd/cacheward")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the binary: %v\n%s", err, out)
	}
	return path
}

// TestSkew: edges whose wall clocks are five minutes apart from each other and from that of
// Redis judge as others do: nothing is served that was purged or that is too old, and what
// one has admitted the others have.
func TestSkew(t *testing.T) {
	if !*fleetSkew {
		t.Skip("without -fleet.skew: the unit tests of caddymodule/fleet and caddymodule/store have clocks that are apart")
	}
	path := buildSkewed(t)
	redis := redistest.Start(t)
	o := newOrigin(t)
	lease := *fleetLease
	s := setup{redis: redis.Addr, lease: lease, binary: path}
	var nodes []*node
	for i, skew := range []string{"0", "300", "-300"} {
		t.Setenv(skewEnv, skew)
		nodes = append(nodes, startNode(t, i, s, o.address()))
	}
	together(t, nodes)
	c := &checker{journal: newJournal(lease), origin: o, postsTravel: true}
	checkClocks(t, nodes)

	// A page that is fresh for seconds is as fresh on each of them.
	for i, n := range nodes {
		path := pagePath(brief, 0, i)
		admit(t, c, n, path)
		asked := o.askedFor(path)
		for _, other := range nodes {
			a := ask(t, c, other, path)
			page, _ := parseContent(a.body)
			age, err := strconv.Atoi(a.header.Get("Age"))
			if made := o.madeAt(path, page.version); a.hit() && (err != nil || float64(age) > a.received.Sub(made).Seconds()+1.5) {
				t.Errorf("%s: %s has age %q, and was made %s ago", other.name(), path, a.header.Get("Age"), a.received.Sub(made))
			}
		}
		t.Logf("%s: asked %d times for %s, and %d times more by the others", n.name(), asked, path, o.askedFor(path)-asked)
	}

	stop := crowd(nodes, 3, c, *fleetSeed)
	op := newOperator(nodes, c, *fleetSeed)
	for start := time.Now(); time.Since(start) < *fleetDuration/3; {
		op.step()
	}
	stop()
	c.report(t)
	var hits uint64
	for _, n := range nodes {
		hits += sharedOf(t, n).Hits
	}
	if hits == 0 {
		t.Error("no edge has fetched anything from Redis: this says nothing")
	}
	t.Logf("%d answers, %d hits, %d fetched from Redis\n  %s", c.answers.Load(), c.hits.Load(), hits, op.figures)
}

// checkClocks fails the test unless the clocks are apart.
func checkClocks(t *testing.T, nodes []*node) {
	t.Helper()
	for i, want := range []time.Duration{0, 5 * time.Minute, -5 * time.Minute} {
		s, err := nodes[i].status()
		if err != nil {
			t.Fatal(err)
		}
		if is := time.Until(s.Loaded); (is - want).Abs() > edge.Patience {
			t.Fatalf("%s: its clock is %s ahead, and should be %s", nodes[i].name(), is, want)
		}
	}
}
