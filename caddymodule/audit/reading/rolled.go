package reading

import (
	"path/filepath"
	"regexp"
	"strings"
)

// rolledStamp is what Caddy's log writer puts between a log's name and its extension
// when it rolls the file: the date and time, and, in newer versions, why. The form of
// the time can be configured, so only the date is insisted on.
var rolledStamp = regexp.MustCompile(`-\d{4}[-_.]?\d{2}[-_.]?\d{2}[0-9TZ_.:+-]*(-[a-z0-9_]+)?$`)

// compressedName reports whether the name is that of a compressed file.
func compressedName(name string) bool {
	return strings.HasSuffix(name, ".gz") || strings.HasSuffix(name, ".zst")
}

// logOf is the name of the log that the file was rolled from, or the file's own.
func logOf(name string) string {
	plain := strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	extension := filepath.Ext(plain)
	stem := strings.TrimSuffix(plain, extension)
	if stamp := rolledStamp.FindString(stem); stamp != "" && len(stamp) < len(stem) {
		return strings.TrimSuffix(stem, stamp) + extension
	}
	return plain
}

// rolledName reports whether the name is that of a rolled file, compressed or not.
func rolledName(name string) bool {
	return logOf(name) != strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
}

// rolledFrom reports whether the file was rolled from the log. Both are base names.
func rolledFrom(file, log string) bool { return rolledName(file) && logOf(file) == log }

// logName reports whether a file in a directory looks like a log. Compression writes
// to a temporary file first.
func logName(name string) bool {
	return (strings.Contains(name, ".log") || strings.Contains(name, ".json")) && !strings.HasSuffix(name, ".tmp")
}
