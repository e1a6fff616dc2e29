package command

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cacheward/cacheward/policies"
)

// The bounds of what imports may bring in, all together.
const (
	maxImportFiles  = 2000
	maxImportTokens = 2_000_000
)

// importScan looks at what a Caddyfile imports before Caddy does, which reads files of
// any length and unfolds snippets without a bound. It also keeps the files' contents,
// for places.
type importScan struct {
	l        *loader
	files    map[string]*importSource // by absolute path
	snippets map[string]*importSource
	over     bool // too much has been found
}

// importSource is a file or a snippet: its own words, and what it imports.
type importSource struct {
	tokens  int
	imports []importLine
	// unfolded is the number of words with all imports; -1 while it is being found.
	unfolded int
}

type importLine struct {
	pattern string
	file    string // in which it stands
	pos     policies.Position
}

// scanImports says whether Caddy may read the file.
func (l *loader) scanImports(name string, data []byte) bool {
	s := &importScan{l: l, files: make(map[string]*importSource), snippets: make(map[string]*importSource)}
	faults := len(l.faults)
	s.measure(s.read(name, data))
	return len(l.faults) == faults
}

// read takes the words of a file apart.
func (s *importScan) read(name string, data []byte) *importSource {
	file := new(importSource)
	abs, err := filepath.Abs(name)
	if err != nil {
		abs = name
	}
	s.files[abs] = file
	shown := s.l.display(name)
	s.l.files[shown] = data
	tokens, err := caddyfile.Tokenize(expandEnv(data), abs)
	if err != nil {
		return file // Caddy will say it better
	}
	into, depth := file, 0
	for i, t := range tokens {
		begins := i == 0 || t.Line > tokens[i-1].Line
		switch {
		case t.Quoted():
		case t.Text == "{":
			depth++
		case t.Text == "}":
			if depth--; depth <= 0 {
				into = file
			}
		case depth == 0 && begins && len(t.Text) > 2 && t.Text[0] == '(' && t.Text[len(t.Text)-1] == ')':
			into = new(importSource)
			s.snippets[t.Text[1:len(t.Text)-1]] = into
		case begins && t.Text == "import" && i+1 < len(tokens) && tokens[i+1].Line == t.Line:
			pos := policies.Position{File: shown, Line: t.Line, Column: s.l.column(shown, t.Line, t.Text, true)}
			into.imports = append(into.imports, importLine{pattern: tokens[i+1].Text, file: abs, pos: pos})
		}
		into.tokens++
	}
	return file
}

// measure is how many words it is with all that it imports.
func (s *importScan) measure(source *importSource) int {
	if source.unfolded != 0 {
		return source.unfolded
	}
	source.unfolded = -1
	total := source.tokens
	for _, imported := range source.imports {
		if s.over {
			break
		}
		for _, target := range s.targets(imported) {
			n := s.measure(target)
			if n < 0 {
				s.l.fault(imported.pos, fmt.Sprintf("import %s imports itself, in the end", imported.pattern), "take one of the imports out")
				continue
			}
			if total += n; total > maxImportTokens {
				s.l.fault(imported.pos, fmt.Sprintf("import %s unfolds to more than %d words", imported.pattern, maxImportTokens), "import less")
				s.over, source.unfolded = true, 1
				return 1
			}
		}
	}
	source.unfolded = max(1, total)
	return source.unfolded
}

// targets are the snippet or the files that an import names. A file that is not there
// is left for Caddy to tell.
func (s *importScan) targets(imported importLine) []*importSource {
	if snippet := s.snippets[imported.pattern]; snippet != nil {
		return []*importSource{snippet}
	}
	pattern := imported.pattern
	if strings.Contains(pattern, "{") {
		return nil // from an argument of a snippet
	}
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(filepath.Dir(imported.file), pattern)
	}
	if strings.Count(pattern, "*") > 1 || strings.Count(pattern, "?") > 1 || strings.Contains(pattern, "[") {
		return nil // Caddy refuses these
	}
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil
	}
	if len(names) == 0 && !strings.ContainsAny(pattern, "*?") {
		s.l.fault(imported.pos, fmt.Sprintf("import %s: there is no such file, and no snippet of that name", imported.pattern),
			"paths are relative to the file in which the import stands")
	}
	var out []*importSource
	for _, name := range names {
		if strings.HasPrefix(filepath.Base(name), ".") && strings.HasPrefix(filepath.Base(pattern), "*") {
			continue
		}
		if known := s.files[name]; known != nil {
			out = append(out, known)
			continue
		}
		if len(s.files) >= maxImportFiles {
			s.l.fault(imported.pos, fmt.Sprintf("more than %d files are imported", maxImportFiles), "import less")
			return out
		}
		data, err := readBounded(name)
		if err != nil {
			s.l.fault(imported.pos, fmt.Sprintf("import %s: %v", s.l.display(name), err), "")
			continue
		}
		out = append(out, s.read(name, data))
	}
	return out
}

var envWord = regexp.MustCompile(`\{\$([^}:\s]+)(?::([^}]*))?\}`)

// expandEnv replaces {$NAME} and {$NAME:default}, as Caddy does before anything else.
func expandEnv(data []byte) []byte {
	return envWord.ReplaceAllFunc(data, func(word []byte) []byte {
		parts := envWord.FindSubmatch(word)
		if v, ok := os.LookupEnv(string(parts[1])); ok {
			return []byte(v)
		}
		return parts[2]
	})
}
