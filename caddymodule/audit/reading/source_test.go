package reading

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/audit/reading/readingtest"
)

// at is a log of one record at the second.
func at(second string) []byte {
	return []byte(strings.Replace(whole, "1764000000.5", second, 1) + "\n")
}

func TestOpen(t *testing.T) {
	for _, tt := range []struct {
		name     string
		files    map[string]string // by name: the second of the record
		patterns []string
		options  Options
		want     []string
	}{
		{"rolled files come first", map[string]string{
			"audit.log": "50", "audit-2026-11-23T05-00-00.000.log": "20", "audit-2026-11-23T06-00-00.000-size.log.gz": "30",
			"audit-2026-11-23T06-00-00.000-size_1.log.zst": "40", "audit-20261122-time.log": "10",
			"audit.log.1": "1", "audit-eu.log": "2", "other.log": "3", "audit-2026-11-23T06-00-00.000.log.gz.tmp": "4", "audit-2.log": "5",
		}, []string{"audit.log"}, Options{}, []string{
			"audit-20261122-time.log", "audit-2026-11-23T05-00-00.000.log", "audit-2026-11-23T06-00-00.000-size.log.gz",
			"audit-2026-11-23T06-00-00.000-size_1.log.zst", "audit.log",
		}},
		{"rolled files are left out", map[string]string{"audit.log": "2", "audit-2026-11-23T05-00-00.000.log": "1"},
			[]string{"audit.log"}, Options{NoRolled: true}, []string{"audit.log"}},
		{"only rolled ones are there yet", map[string]string{"audit-2026-11-23T05-00-00.000.log": "1"},
			[]string{"audit.log"}, Options{}, []string{"audit-2026-11-23T05-00-00.000.log"}},
		{"a rolled file alone", map[string]string{"audit.log": "2", "audit-2026-11-23T05-00-00.000.log": "1"},
			[]string{"audit-2026-11-23T05-00-00.000.log"}, Options{}, []string{"audit-2026-11-23T05-00-00.000.log"}},
		{"being compressed", map[string]string{
			"audit.log": "2", "audit-2026-11-23T05-00-00.000.log": "1", "audit-2026-11-23T05-00-00.000.log.gz": "1",
		}, []string{"audit.log"}, Options{}, []string{"audit-2026-11-23T05-00-00.000.log", "audit.log"}},
		{"rolled and compressed while it was looked for", map[string]string{"audit.log": "1", "audit-2026-11-23T05-00-00.000.log.gz": "1"},
			[]string{"audit.log"}, Options{}, []string{"audit.log"}},
		{"two logs with the same record", map[string]string{"audit.log": "1", "all.log": "1"},
			[]string{"audit.log", "all.log"}, Options{}, []string{"audit.log", "all.log"}},
		{"directory", map[string]string{"a.log": "3", "b.json.gz": "1", "c.txt": "2", "d.log.zst": "2"},
			[]string{"."}, Options{}, []string{"b.json.gz", "d.log.zst", "a.log"}},
		{"glob", map[string]string{"a.log": "2", "b.log": "1", "b-2026-11-23T05-00-00.000.log.gz": "0", "c.json": "3"},
			[]string{"*.log"}, Options{}, []string{"b.log", "a.log"}},
		{"named twice", map[string]string{"a.log": "2", "b.log": "1"},
			[]string{"a.log", "./a.log", "*.log", ".", "link"}, Options{}, []string{"b.log", "a.log"}},
		{"standard input comes last", map[string]string{"a.log": "2"}, []string{"-", "a.log", "-"}, Options{}, []string{"a.log", "-"}},
		{"a file whose name is a pattern", map[string]string{"a[1].log": "2"}, []string{"a[1].log"}, Options{}, []string{"a[1].log"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			for name, second := range tt.files {
				content := at(second)
				switch {
				case strings.HasSuffix(name, ".gz"):
					content = gzipped(content)
				case strings.HasSuffix(name, ".zst"):
					content = zstdOf(content)
				}
				write(t, dir, name, content)
			}
			if slices.Contains(tt.patterns, "link") {
				if err := os.Symlink("a.log", "link"); err != nil {
					t.Skip(err)
				}
			}
			source, err := Open(tt.patterns, strings.NewReader(""), tt.options)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = source.Close() }()
			var got []string
			for _, f := range source.Files() {
				got = append(got, filepath.Base(f.Name))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %v\nwant %v", got, tt.want)
			}
		})
	}
}

func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Mkdir("empty", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "a.log", at("1"))
	_, err := Open([]string{"missing.log", "a.log", "empty", "*.json", "[", "-"}, nil, Options{})
	want := `missing.log: no such file
empty: no logs in this directory: no file with .log or .json in its name
*.json: no file matches this pattern
[: malformed pattern
-: there is no standard input to read`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// TestRolledWhileItIsRead: what was opened is read, whatever its name is by then.
func TestRolledWhileItIsRead(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "audit.log", at("1"))
	source, err := Open([]string{path}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = source.Close() }()
	if err := os.Remove(path); err != nil {
		t.Skip(err)
	}
	for range 2 { // and it can be read again
		stats, err := source.Scan(t.Context(), ScanOptions{}, func(int) func(*Entry) { return func(*Entry) {} })
		if err != nil || stats.Records != 1 {
			t.Errorf("%+v, %v", stats, err)
		}
	}
}

func TestGenerateIsSound(t *testing.T) {
	log := generated(5000, 7)
	_, stats := scanned(t, log, ScanOptions{Workers: 1})
	if stats.Records != 5000 || stats.Damaged() != 0 || stats.First.Before(readingtest.Start) {
		t.Errorf("%+v", stats)
	}
	if string(log) != string(generated(5000, 7)) {
		t.Error("the same seed gave another log")
	}
}
