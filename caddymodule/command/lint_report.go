package command

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"strings"

	"github.com/cacheward/cacheward/policies/lint"
	"github.com/cacheward/cacheward/policies/lint/report"
)

// report writes the findings, to standard output and to the files of --out.
func (o *lintOptions) report(j *judged) error {
	result := report.Result{
		Findings: j.found, Files: make(map[string][]byte), Stale: j.stale, Version: version(), Colour: o.colored(),
	}
	for _, u := range j.units {
		maps.Copy(result.Files, u.Files)
		if len(u.Files) == 0 {
			result.Unreadable = append(result.Unreadable, report.Unreadable{File: u.Name, Message: u.Faults[0].Message})
			continue
		}
		result.Judged = append(result.Judged, u.Name)
	}
	for _, out := range o.outs {
		format, name, _ := strings.Cut(out, "=")
		plain := result
		plain.Colour = false
		var b bytes.Buffer
		if err := report.Write(&b, format, plain); err != nil {
			return err
		}
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("--out %s: %w", out, err)
		}
	}
	return report.Write(o.stdout, o.format, result)
}

func (o *lintOptions) listRules() error {
	return report.List(o.stdout, o.format, o.colored())
}

func (o *lintOptions) explainRule() error {
	rule, ok := lint.Find(o.explain)
	if !ok {
		return fmt.Errorf("there is no rule %q; cacheward lint --list shows all", o.explain)
	}
	return report.Explain(o.stdout, rule, o.format, o.colored())
}

// module is the path of this module, by which its version is told.
const module = "github.com/cacheward/cacheward"

// version is that of cacheward, as the program was built with it.
func version() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	if build.Main.Path == module {
		return build.Main.Version
	}
	for _, dep := range build.Deps {
		if dep.Path == module {
			return dep.Version
		}
	}
	return ""
}
