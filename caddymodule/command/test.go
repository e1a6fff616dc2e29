package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/cacheward/cacheward/caddymodule/policytest"
	"github.com/cacheward/cacheward/policies"
	"github.com/cacheward/cacheward/policies/lint"
)

// What help says of the test command.
const (
	TestUsage = "[<paths...>] [--format text|json|junit] [--out <format>=<file>] [--coverage] [--run <regexp>] [--policy <file>] [--init <policy> [<file>|-]]"
	TestShort = "Runs tests of policies"
	TestLong  = `
Runs the tests in files whose names end with .cachetest.yaml: requests, perhaps
responses, and what a policy has to make of them. They are judged by the very engine
of the proxy; nothing is sent to anybody. The format is documented in
policies/TESTS.md.

A path is a test file, or a folder that is searched for such files; without one it is
the working folder. Folders whose names begin with a dot, vendor and node_modules are
left out.

	$ cacheward test
	$ cacheward test policies/ --coverage
	$ cacheward test --run 'referral' -v landing.cachetest.yaml
	$ cacheward test --format text --out junit=report.xml
	$ cacheward test --init landing.yaml

--init writes a first test file for a policy or a Caddyfile, beside it unless another
file, or - for standard output, is given: one request for each route and one for each
input that it declares, with what the policy makes of them today. It overwrites
nothing.

Exit status: 0 if all tests passed, 1 if some did not, 2 if something could not be run,
or there was nothing to run.
`
)

// testOptions are the flags of the test command.
type testOptions struct {
	format, run, policy, init, color, site string
	outs                                   []string
	coverage, verbose                      bool
}

// WireTest adds the flags of the test command, and what it does. Exit makes the command
// end with a status.
func WireTest(exit func(cmd *cobra.Command, code int) error) func(*cobra.Command) {
	return func(cmd *cobra.Command) {
		var o testOptions
		flags := cmd.Flags()
		flags.StringVar(&o.format, "format", "text", strings.Join(policytest.Formats(), ", "))
		flags.StringArrayVar(&o.outs, "out", nil, "write a format to a file besides: junit=report.xml; may be repeated")
		flags.BoolVar(&o.coverage, "coverage", false, "tell which routes and declared inputs no test reaches")
		flags.StringVar(&o.run, "run", "", "run only tests whose names match the regular expression")
		flags.StringVar(&o.policy, "policy", "", "hold this policy to the tests, not those that the files name")
		flags.StringVar(&o.init, "init", "", "write a first test file for this policy or Caddyfile")
		flags.StringVar(&o.site, "site", "", "with --init: a host of the site that is meant, where a Caddyfile has several")
		flags.StringVar(&o.color, "color", "auto", "auto, always or never")
		flags.BoolVarP(&o.verbose, "verbose", "v", false, "name the tests that passed as well")
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		usage := func(err error) error {
			fmt.Fprintf(cmd.ErrOrStderr(), "cacheward test: %v; see cacheward test --help\n", err)
			return exit(cmd, 2)
		}
		cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			code, err := o.execute(args, cmd.OutOrStdout(), cmd.ErrOrStderr())
			if err != nil {
				return usage(err)
			}
			return exit(cmd, code)
		}
	}
}

// execute runs the command. An error is one of its use.
func (o *testOptions) execute(args []string, stdout, stderr io.Writer) (int, error) {
	var only *regexp.Regexp
	var err error
	if o.run != "" {
		if only, err = regexp.Compile(o.run); err != nil {
			return 0, fmt.Errorf("--run %q is no regular expression: %w", o.run, err)
		}
	}
	switch {
	case !slices.Contains(policytest.Formats(), o.format):
		return 0, fmt.Errorf("--format %q; %s", o.format, policies.Suggest(o.format, policytest.Formats()))
	case !slices.Contains([]string{"auto", "always", "never"}, o.color):
		return 0, fmt.Errorf("--color %q; auto, always or never was expected", o.color)
	case o.init == "" && o.site != "":
		return 0, errors.New("--site needs --init; test files have a key of their own for it")
	case o.init != "" && o.policy != "":
		return 0, errors.New("--init and --policy exclude each other")
	case o.init != "":
		return o.start(args, stdout, stderr)
	}
	files, err := testFiles(args)
	if err != nil {
		return 0, err
	}
	runner := &policytest.Runner{Load: loadPolicy, Policy: o.policy, Only: only, Coverage: o.coverage}
	results := make([]policytest.FileResult, 0, len(files))
	for _, file := range files {
		results = append(results, runner.RunFile(file))
	}
	result := policytest.Collect(results)
	if o.coverage {
		result.Coverage = runner.Covered()
	}
	if len(files) == 0 {
		fmt.Fprintf(stderr, "cacheward test: no file was found whose name ends with %s; cacheward test --init POLICY writes one\n", policytest.Suffix)
	}
	for _, out := range o.outs {
		if err := writeOut(out, &result); err != nil {
			return 0, err
		}
	}
	if err := policytest.Write(stdout, o.format, &result, policytest.Options{Color: o.colored(stdout), Verbose: o.verbose}); err != nil {
		fmt.Fprintf(stderr, "cacheward test: %v\n", err)
		return 2, nil
	}
	return result.Exit(), nil
}

func (o *testOptions) colored(w io.Writer) bool {
	if o.color != "auto" {
		return o.color == "always"
	}
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd()) && os.Getenv("NO_COLOR") == ""
}

// writeOut writes one format=file of --out.
func writeOut(out string, result *policytest.Result) error {
	format, name, ok := strings.Cut(out, "=")
	if !ok || name == "" || !slices.Contains(policytest.Formats(), format) {
		return fmt.Errorf("--out %q; a format and a file were expected, such as junit=report.xml", out)
	}
	var b bytes.Buffer
	if err := policytest.Write(&b, format, result, policytest.Options{Verbose: true}); err != nil {
		return err
	}
	if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("--out %s: %w", out, err)
	}
	return nil
}

// start writes a first test file.
func (o *testOptions) start(args []string, stdout, stderr io.Writer) (int, error) {
	target := strings.TrimSuffix(o.init, filepath.Ext(o.init)) + policytest.Suffix
	switch {
	case len(args) > 1:
		return 0, errors.New("--init writes one file, and several are named")
	case len(args) == 1:
		target = args[0]
	}
	fail := func(err error) (int, error) {
		fmt.Fprintf(stderr, "cacheward test: %v\n", err)
		return 2, nil
	}
	policy, err := loadPolicy(o.init, o.site)
	if err != nil {
		return fail(err)
	}
	text, err := policytest.Init(nameFrom(target, o.init), o.site, policy)
	if err != nil {
		return fail(err)
	}
	if target == "-" {
		if _, err := stdout.Write(text); err != nil {
			return fail(err)
		}
		return 0, nil
	}
	f, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fail(err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fail(err)
	}
	fmt.Fprintf(stdout, "%s written; read it, and take away the marks \"check me\" of what is as you want it\n", target)
	return 0, nil
}

// nameFrom is how a file names another: relative to itself.
func nameFrom(file, other string) string {
	from, err := filepath.Abs(filepath.Dir(file))
	if err != nil || file == "-" {
		return filepath.ToSlash(other)
	}
	to, err := filepath.Abs(other)
	if err != nil {
		return filepath.ToSlash(other)
	}
	rel, err := filepath.Rel(from, to)
	if err != nil {
		return filepath.ToSlash(to)
	}
	return filepath.ToSlash(rel)
}

// testFiles are the test files that the paths stand for.
func testFiles(paths []string) ([]string, error) {
	if len(paths) == 0 {
		paths = []string{"."}
	}
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		err = filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
			base := entry.Name()
			switch {
			case err != nil:
				return err
			case entry.IsDir() && name != path && (strings.HasPrefix(base, ".") || base == "vendor" || base == "node_modules"):
				return fs.SkipDir
			case !entry.IsDir() && strings.HasSuffix(base, policytest.Suffix):
				files = append(files, name)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// loadPolicy reads the policy of a test file: of a policy file the policy itself, of a
// Caddy configuration that of the site.
func loadPolicy(path, site string) (*policies.Policy, error) {
	u := load(path)
	if len(u.Faults) > 0 {
		return nil, u.Faults
	}
	if u.Site == nil && site != "" {
		return nil, errors.New("a site is for Caddyfiles, and this is a policy by itself")
	}
	scopes := u.Scopes
	if site != "" {
		scopes = nil
		for _, s := range u.Scopes {
			if slices.ContainsFunc(s.Hosts, func(host string) bool { return sameSite(host, site) }) {
				scopes = append(scopes, s)
			}
		}
	}
	switch len(scopes) {
	case 0:
		return nil, fmt.Errorf("%s has no cacheward for that site; it has %s", u.Name, sites(u.Scopes))
	case 1:
		return scopes[0].Policy, nil
	}
	return nil, fmt.Errorf("%s has several policies (%s): say in site: which host's is meant", u.Name, sites(scopes))
}

func sameSite(host, site string) bool {
	host, site = strings.ToLower(host), strings.ToLower(site)
	if rest, ok := strings.CutPrefix(host, "*."); ok {
		_, parent, _ := strings.Cut(site, ".")
		return host == site || parent == rest
	}
	return host == site
}

func sites(scopes []lint.Scope) string {
	var out []string
	for _, s := range scopes {
		where := "any host"
		if len(s.Hosts) > 0 {
			where = strings.Join(s.Hosts, " ")
		}
		out = append(out, where)
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}
