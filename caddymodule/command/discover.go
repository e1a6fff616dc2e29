package command

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// found is a file to judge.
type found struct {
	name string
	// named says that somebody asked for this very file.
	named bool
}

// discoveryHelp tells people what find does.
const discoveryHelp = `A path is a Caddyfile, a policy in YAML or JSON, Caddy's own JSON (it has "apps"),
a folder, or - for standard input. In a folder, and in those below it, these are read:

	Caddyfile, Caddyfile.*, *.Caddyfile
	cacheward.yaml, .cacheward.yaml, policy.yaml, *.cacheward.yaml (or .yml, .json)
	in a folder called policies: each *.yaml and *.yml with a line that begins "routes:"

but not what is in hidden folders, node_modules, vendor and testdata. What a Caddyfile
names (import, policy) is read with it. Without a path, the first folder that has
such a file counts, from the working folder upwards to the root of the repository:
the files of these names in it, and in its folder policies.`

// find returns the files that paths stand for, each once, in their order; folders are
// looked through.
func find(paths []string) ([]found, error) {
	var out []found
	add := func(f found) {
		for i := range out {
			if filepath.Clean(out[i].name) == filepath.Clean(f.name) {
				out[i].named = out[i].named || f.named
				return
			}
		}
		out = append(out, f)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if path == "-" || err != nil || !info.IsDir() {
			add(found{name: path, named: true}) // if it cannot be read, its loader says so
			continue
		}
		names, err := inFolder(path)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			add(found{name: name})
		}
	}
	return out, nil
}

// maxFound bounds how many files a folder may hold that are read.
const maxFound = 10_000

func inFolder(root string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("looking through %s: %w", path, cause(err))
		}
		base := d.Name()
		if d.IsDir() {
			if path != root && (strings.HasPrefix(base, ".") || base == "node_modules" || base == "vendor" || base == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if regular(path, d) && ours(path) {
			if len(out) >= maxFound {
				return fmt.Errorf("there are more than %d files in %s", maxFound, root)
			}
			out = append(out, path)
		}
		return nil
	})
	return out, err
}

// regular says whether an entry is a file, or a link to one: where a configuration is
// mounted (a ConfigMap, say), all its files are links. Links to folders are not followed.
func regular(path string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.Type().IsRegular()
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// ours says whether a file that nobody named is one to judge.
func ours(path string) bool {
	base := filepath.Base(path)
	ext := filepath.Ext(base)
	if base == "Caddyfile" || strings.HasPrefix(base, "Caddyfile.") || ext == ".Caddyfile" {
		return true
	}
	if !slices.Contains([]string{".yaml", ".yml", ".json"}, ext) {
		return false
	}
	stem := strings.TrimSuffix(base, ext)
	if stem == "cacheward" || stem == "policy" || strings.HasSuffix(stem, ".cacheward") {
		return true
	}
	if filepath.Base(filepath.Dir(path)) != "policies" || ext == ".json" {
		return false
	}
	data, err := readBounded(path)
	return err == nil && looksLikePolicy(data)
}

// looksLikePolicy says whether a text has routes as a policy in YAML has them.
func looksLikePolicy(data []byte) bool {
	return bytes.HasPrefix(data, []byte("routes:")) || bytes.Contains(data, []byte("\nroutes:"))
}

// discover finds what to judge when nobody says.
func discover() ([]found, error) {
	dir := workingDir()
	for {
		names, err := beside(dir)
		if err != nil {
			return nil, err
		}
		if len(names) > 0 {
			out := make([]found, len(names))
			for i := range names {
				out[i] = found{name: names[i]}
			}
			return out, nil
		}
		parent := filepath.Dir(dir)
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil || parent == dir {
			return nil, nil
		}
		dir = parent
	}
}

// beside are the files in a folder, and in its folder policies.
func beside(dir string) ([]string, error) {
	var out []string
	for _, folder := range []string{dir, filepath.Join(dir, "policies")} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			if folder != dir {
				continue
			}
			return nil, fmt.Errorf("looking through %s: %w", folder, cause(err))
		}
		for _, e := range entries {
			if path := filepath.Join(folder, e.Name()); regular(path, e) && ours(path) {
				out = append(out, path)
			}
		}
	}
	return out, nil
}
