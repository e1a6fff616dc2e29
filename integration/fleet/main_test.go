package fleet

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
)

// See doc.go.
var (
	fleetDuration = flag.Duration("fleet.duration", 20*time.Second, "for how long there is load in TestFleet")
	fleetLease    = flag.Duration("fleet.lease", time.Second, "the lease in TestFleet")
	fleetBinary   = flag.String("fleet.binary", "", "the binary to run (empty: it is built)")
	fleetSeed     = flag.Uint64("fleet.seed", 0, "the seed of the plan (0: another one each time)")
)

// built is the cacheward binary under test, built once, where a test needs it.
var built struct {
	once sync.Once
	dir  string
	path string
	err  error
}

func binary(t testing.TB) string {
	t.Helper()
	if *fleetBinary != "" {
		return *fleetBinary
	}
	built.once.Do(func() { built.path, built.err = edge.Build(built.dir) })
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	flag.Parse()
	if *fleetSeed == 0 {
		*fleetSeed = uint64(time.Now().UnixNano()) >> 10
	}
	dir, err := os.MkdirTemp("", "cacheward-fleet")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer os.RemoveAll(dir)
	built.dir = dir
	return m.Run()
}
