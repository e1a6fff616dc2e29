package command

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestTestFiles holds which files a folder stands for, and that each is run once.
func TestTestFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{
		"b.cachetest.yaml", "a/a.cachetest.yaml", "a/policy.yaml", "testdata/c.cachetest.yaml",
		".hidden/x.cachetest.yaml", "vendor/x.cachetest.yaml", "a/node_modules/x.cachetest.yaml",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ paths, want []string }{
		{nil, []string{"a/a.cachetest.yaml", "b.cachetest.yaml", "testdata/c.cachetest.yaml"}},
		{[]string{"a", "a/a.cachetest.yaml"}, []string{"a/a.cachetest.yaml"}},
		{[]string{".hidden"}, []string{".hidden/x.cachetest.yaml"}},
		{[]string{"a/policy.yaml"}, []string{"a/policy.yaml"}}, // asked for by name
	} {
		got, err := testFiles(tt.paths)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			got[i] = filepath.ToSlash(got[i])
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, want %q", tt.paths, got, tt.want)
		}
	}
	if _, err := testFiles([]string{"none"}); err == nil {
		t.Error("a path that is not there was run")
	}
}

// TestSameSite holds how a site is told by one of its hosts.
func TestSameSite(t *testing.T) {
	for _, tt := range []struct {
		host, site string
		want       bool
	}{
		{"a.example", "A.example", true},
		{"*.a.example", "b.a.example", true},
		{"*.a.example", "*.a.example", true},
		{"*.a.example", "a.example", false},
		{"*.a.example", "c.b.a.example", false}, // Caddy's * is one label
		{"a.example", "b.example", false},
	} {
		if got := sameSite(tt.host, tt.site); got != tt.want {
			t.Errorf("%s, %s: %t", tt.host, tt.site, got)
		}
	}
}
