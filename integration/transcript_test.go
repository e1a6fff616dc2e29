package integration

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what the commands say into the transcripts")

// transcripts runs the command lines in the transcripts of a folder, testdata/<folder>,
// and holds what they say against what is written there. A transcript is text in the
// form of txtar:
//
//	# comments, and anything else before the first command
//	$ cacheward lint policy.yaml
//	what it writes to standard output
//	! what it writes to standard error
//	[exit 1]
//	$ cat policy.yaml
//	-- policy.yaml --
//	a file that is there when the commands run
//
// A line of a command may end with "< FILE", its standard input. Words are separated by
// spaces; in single quotes they may contain some. Variables of the environment stand
// before the command: NO_COLOR=1 cacheward lint. With go test -update the transcripts
// are written anew.
func transcripts(t *testing.T, folder string) {
	files, err := filepath.Glob("testdata/" + folder + "/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no transcripts in testdata/%s (%v)", folder, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			script, rest := splitTxtar(string(data))
			dir := t.TempDir()
			for _, f := range filesOf(t, rest) {
				path := filepath.Join(dir, filepath.FromSlash(f.name))
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(f.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got := replay(t, dir, script)
			if got == script {
				return
			}
			if *update {
				if err := os.WriteFile(file, []byte(got+rest), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Errorf("%s: %s", file, firstDifference(got, script))
		})
	}
}

// firstDifference shows where two scripts part, and the command before.
func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	last := ""
	for i := range max(len(g), len(w)) {
		at := func(lines []string) string {
			if i < len(lines) {
				return lines[i]
			}
			return "(nothing more)"
		}
		if at(g) != at(w) {
			return fmt.Sprintf("line %d, %s\n got %s\nwant %s", i+1, last, at(g), at(w))
		}
		if strings.HasPrefix(at(g), "$ ") {
			last = at(g)
		}
	}
	return "they are equal"
}

var txtarFile = regexp.MustCompile(`(?m)^-- (.+) --\n`)

// splitTxtar parts the commands from the files.
func splitTxtar(text string) (script, rest string) {
	if at := txtarFile.FindStringIndex(text); at != nil {
		return text[:at[0]], text[at[0]:]
	}
	return text, ""
}

type txtFile struct{ name, text string }

func filesOf(t *testing.T, text string) []txtFile {
	t.Helper()
	var out []txtFile
	marks := txtarFile.FindAllStringSubmatchIndex(text, -1)
	for i, m := range marks {
		end := len(text)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		name := text[m[2]:m[3]]
		if !filepath.IsLocal(name) {
			t.Fatalf("file %q", name)
		}
		out = append(out, txtFile{name, text[m[1]:end]})
	}
	return out
}

// replay runs the commands of a script, and returns it with what they said.
func replay(t *testing.T, dir, script string) string {
	t.Helper()
	var out strings.Builder
	begun := false
	for line := range strings.Lines(script) {
		command, isCommand := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "$ ")
		if !isCommand {
			if !begun {
				out.WriteString(line)
			}
			continue
		}
		begun = true
		stdout, stderr, code := perform(t, dir, command)
		fmt.Fprintf(&out, "$ %s\n", command)
		writeLines(&out, "", stdout)
		writeLines(&out, "! ", stderr)
		if code != 0 {
			fmt.Fprintf(&out, "[exit %d]\n", code)
		}
	}
	return out.String()
}

func writeLines(out *strings.Builder, mark, text string) {
	for line := range strings.Lines(text) {
		out.WriteString(strings.TrimRight(mark+strings.TrimSuffix(line, "\n"), " ") + "\n")
	}
}

// perform runs one command line in the folder.
func perform(t *testing.T, dir, line string) (stdout, stderr string, code int) {
	t.Helper()
	line, input, redirected := strings.Cut(line, " < ")
	words := shellWords(line)
	env := append(os.Environ(), "NO_COLOR=", "GITHUB_STEP_SUMMARY=")
	for len(words) > 0 && strings.Contains(words[0], "=") {
		env, words = append(env, words[0]), words[1:]
	}
	if len(words) < 2 {
		t.Fatalf("no command: %q", line)
	}
	if words[0] == "cat" {
		data, err := os.ReadFile(filepath.Join(dir, words[1]))
		if err != nil {
			t.Fatal(err)
		}
		return string(data), "", 0
	}
	if words[0] != "cacheward" {
		t.Fatalf("command %q; cacheward and cat are known", words[0])
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, words[1:]...)
	cmd.Dir, cmd.Env = dir, env
	if redirected {
		data, err := os.ReadFile(filepath.Join(dir, input))
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdin = bytes.NewReader(data)
	}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return neutral(out.String(), dir), neutral(errOut.String(), dir), code
}

var (
	toolVersion  = regexp.MustCompile(`("name": "cacheward",\s*"version": )"[^"]*"`)
	milliseconds = regexp.MustCompile(`time="[0-9.]+"`)
)

// neutral takes out what differs from one machine and build to the next.
func neutral(text, dir string) string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		text = strings.ReplaceAll(text, real, "DIR")
	}
	text = strings.ReplaceAll(text, dir, "DIR")
	text = toolVersion.ReplaceAllString(text, `${1}"VERSION"`)
	return milliseconds.ReplaceAllString(text, `time="TIME"`)
}

// shellWords parts a line at its spaces, those in single quotes excepted.
func shellWords(line string) []string {
	var words []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
			continue
		}
		words = append(words, strings.Fields(part)...)
	}
	return words
}
