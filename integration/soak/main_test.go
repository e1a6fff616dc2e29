package soak

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
)

// binary is the cacheward binary under test, built once.
var binary string

// See doc.go.
var (
	soakDuration = flag.Duration("soak.duration", 16*time.Second, "for how long there is load, the warm-up included")
	soakSeed     = flag.Uint64("soak.seed", 0, "the seed of the plan (0: another one each time)")
	soakVisitors = flag.Int("soak.visitors", 48, "how many visitors ask at a time")
	soakSeries   = flag.String("soak.series", "", "write what was sampled each second to this file, as CSV")
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	flag.Parse()
	if *soakSeed == 0 {
		*soakSeed = uint64(time.Now().UnixNano()) >> 10
	}
	dir, err := os.MkdirTemp("", "cacheward-soak")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer os.RemoveAll(dir)
	if binary, err = edge.Build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return m.Run()
}
