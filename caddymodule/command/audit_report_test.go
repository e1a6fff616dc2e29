package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAuditReport(t *testing.T) {
	log, dir := file(t, "audit.log", incident()), t.TempDir()
	page := filepath.Join(dir, "report.html")
	if err := os.WriteFile(page, []byte("what was there"), 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.html")
	if err := os.Symlink(page, link); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string
		writes         bool
	}{
		{"no file named", []string{log}, 2, "", "--html is missing", false},
		{"folder", []string{"--html", folder, log}, 2, "", "is a folder", false},
		{"no such folder", []string{"--html", filepath.Join(dir, "none", "x.html"), log}, 2, "", "no such file or directory", false},
		{"no such log", []string{"--html", page, log + "x"}, 2, "", "audit.logx", false},
		{"bad filter", []string{"--html", page, "--where", "status >", log}, 2, "", "--where", false},
		{"another format", []string{"--html", page, "--format", "json", log}, 2, "", "--format json", false},
		{"nothing matches", []string{"--html", page, "--route", "none", log}, 1, "", "nothing matches", false},
		{"standard output", []string{"--html", "-", "--title", "The <incident>", log}, 0, "<h1>The &lt;incident&gt;</h1>", "", false},
		{"file", []string{"--html", page, log}, 0, page + ": ", "", true},
		{"link", []string{"--html", link, log}, 0, link + ": ", "", true},
		{"nowhere", []string{"--html", os.DevNull, log}, 0, os.DevNull + ": ", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			stdout, stderr, code := audits(t, nil, append([]string{"report", "--tz", "UTC"}, test.args...)...)
			if code != test.code || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) || test.stdout == "" && stdout != "" {
				t.Fatalf("exit %d, %q, %q", code, stdout, stderr)
			}
			if lines := strings.Count(stderr, "\n"); test.code == 2 && lines != 1 {
				t.Errorf("%d lines of errors: %q", lines, stderr)
			}
			after, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			if changed := string(after) != string(before); test.writes {
				if !strings.HasSuffix(string(after), "</html>\n") {
					t.Errorf("the file has %.40q", after)
				}
				if info, err := os.Stat(page); err != nil || info.Mode().Perm() != 0o640 {
					t.Errorf("the file's permissions were changed: %v %v", info.Mode(), err)
				}
				if err := os.WriteFile(page, []byte("what was there"), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if changed {
				t.Error("the file was changed")
			}
			if names, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(names) > 0 {
				t.Errorf("left behind: %v %v", names, err)
			}
			if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
				t.Errorf("the link is one no more: %v", err)
			}
		})
	}
}

// TestAuditReportAsked: the page says what was asked for, and counts nothing else.
func TestAuditReportAsked(t *testing.T) {
	log := file(t, "audit.log", incident()+"torn {\n")
	stdout, stderr, code := audits(t, nil, "report", "--html", "-", "--tz", "UTC", "--where", `event == "serve"`, "--limit", "1", log)
	if code != 0 || !strings.Contains(stderr, "not JSON") {
		t.Fatalf("exit %d, %q", code, stderr)
	}
	for _, want := range []string{"where event == &#34;serve&#34;", "1 place of the log could not be read", "not JSON", filepath.Base(log) + "</code>", "</html>"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
