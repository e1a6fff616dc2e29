package attribution

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

// keysDir has the test binary be a process of its own, which opens the keys there and says
// with which of them it signs.
const keysDir = "ATTRIBUTION_TEST_KEYS"

func TestMain(m *testing.M) {
	if dir := os.Getenv(keysDir); dir != "" {
		os.Exit(signer(dir))
	}
	os.Exit(m.Run())
}

func signer(dir string) int {
	keys, err := OpenKeys(context.Background(), &certmagic.FileStorage{Path: dir}, 90*day)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer keys.Close()
	fmt.Printf("%x\n", keys.ring.Load().signing(time.Now()).id)
	return 0
}

// openKeys opens those of the storage at dir, for as long as the test lasts.
func openKeys(t testing.TB, dir string) *Keys {
	t.Helper()
	keys, err := OpenKeys(t.Context(), &certmagic.FileStorage{Path: dir}, 90*day)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keys.Close)
	return keys
}

const day = 24 * time.Hour
