package attacks

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

// How long the generators run, and where they begin: see doc.go.
var (
	attackTime  = flag.Duration("attack.time", 0, "run each generator of attacks for so long, instead of a bounded number of cases")
	attackCases = flag.Int("attack.cases", 0, "run so many cases of each generator (0: as many as fit into a test)")
	attackSeed  = flag.Uint64("attack.seed", 0, "the seed of the first generated attack (0: another one each time)")
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	flag.Parse()
	if text := os.Getenv("ATTACK_TIME"); text != "" && *attackTime == 0 {
		d, err := time.ParseDuration(text)
		if err != nil {
			fmt.Fprintf(os.Stderr, "ATTACK_TIME: want a duration such as 10m: %v\n", err)
			return 2
		}
		*attackTime = d
	}
	if *attackSeed == 0 {
		*attackSeed = uint64(time.Now().UnixNano()) >> 10
	}
	dir, err := os.MkdirTemp("", "cacheward-attacks")
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
