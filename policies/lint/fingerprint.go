package lint

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// places are positions within messages: they change with every line that is added above.
var places = regexp.MustCompile(`(?:\bat )?[^\s"]+:\d+:\d+|(?:\bat )?[^\s"]*caddyfile:\d+|\bline \d+\b`)

// Fingerprints are what findings are known by from run to run, each a string of 32
// hexadecimal digits: rule, file, route and message, whatever the lines are. Findings
// that are equal in all of these are told apart by how many there were before, so that
// no two fingerprints are equal.
func Fingerprints(found []Finding) []string {
	out, seen := make([]string, len(found)), make(map[string]int)
	for i, f := range found {
		message := strings.ToLower(f.Message)
		if strings.Contains(message, ":") || strings.Contains(message, "line ") {
			message = places.ReplaceAllString(message, "")
		}
		message = strings.Join(strings.Fields(message), " ")
		id := strings.Join([]string{f.Rule, filepath.ToSlash(filepath.Clean(f.Pos.File)), f.Route, message}, "\x00")
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", id, seen[id]))
		seen[id]++
		out[i] = hex.EncodeToString(sum[:16])
	}
	return out
}
