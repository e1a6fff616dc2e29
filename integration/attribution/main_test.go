package attribution

import (
	"fmt"
	"os"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// binary is the cacheward binary under test, built once.
var binary string

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == appVerb {
		os.Exit(serveApp(os.Args[2], os.Args[3]))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "cacheward-attribution")
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
