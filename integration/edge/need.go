package edge

import (
	"os"
	"os/exec"
	"testing"
)

// RequiredEnv, set to 1, makes what is skipped because a program is missing fail.
const RequiredEnv = "CI_REQUIRED"

// Need returns the path of a program that a Debian package has. Without it the test is
// skipped, and says so.
func Need(t testing.TB, program, debian string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	switch {
	case err == nil:
		return path
	case os.Getenv(RequiredEnv) == "1":
		t.Fatalf("this test needs %s, and %s=1: %v", program, RequiredEnv, err)
	}
	t.Skipf("this test needs %s (Debian: apt-get install %s): %v", program, debian, err)
	return ""
}
