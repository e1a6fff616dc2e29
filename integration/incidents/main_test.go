package incidents

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

var update = flag.Bool("update", false, "write what is seen into the table in README.md")

// binary is the cacheward binary under test, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "cacheward-incidents")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer os.RemoveAll(dir)
	if flag.Lookup("test.fuzz").Value.String() != "" {
		return m.Run() // fuzz targets need no binary, and each of their processes comes by here
	}
	if binary, err = edge.Build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return m.Run()
}
