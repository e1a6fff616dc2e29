package conformance

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

var (
	update = flag.Bool("update", false, "accept the results, and write the scorecard into README.md")
	onlyID = flag.String("id", "", "run only the test with this `id`, and print its exchange")
)

// binary is the cacheward binary under test, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "cacheward-conformance")
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
