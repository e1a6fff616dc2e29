package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
	"github.com/cacheward/cacheward/caddymodule/probe"
	"github.com/cacheward/cacheward/policies"
)

// What cacheward probe --help says.
const (
	ProbeUsage = "<urls...> [--policy <file>] [--edge <address>] [--param|--cookie|--header <name> …] [--fresh <param>] [--quick] " +
		"[--format text|json|junit] [--out <format>=<file>]"
	ProbeShort = "Finds out from outside whether caches give one visitor's page to another"
	ProbeLong  = `
Asks for public URLs as several visitors who differ in one input at a time, one after the
other and at once, and looks in each answer for what belongs to another of them. It says of
each URL and input whether visitors are isolated, share an answer that may be shared, or
whether there is a leak, with the evidence; and what the caches in front do.

	$ cacheward probe https://hapitas.example/register/lp?ref=A1
	$ cacheward probe https://hapitas.example/register/lp --policy policies.yaml
	$ cacheward probe https://hapitas.example/ --secret-file probe.secret --edge 10.0.0.7:443
	$ cacheward probe https://shop.example/ --cookie cart --header X-Device --param size
	$ cacheward probe https://hapitas.example/ --quick --out junit=probe.xml --out json=probe.json

It works with any site. Where a Cacheward that knows the same secret stands behind the
caches, each request is signed and each answer has a sealed receipt, which proves a leak
even where the page shows nothing. The secret is in the environment variable
CACHEWARD_PROBE_SECRET or in the file of --secret-file.

Visitors differ in the parameters of the URL, a cookie, Referer, User-Agent, Accept-Language
and From; with --policy (YAML, JSON or a Caddyfile), in what it names for the URL; and in
what is named by --param, --cookie and --header. With a parameter of which any value will do
(--fresh, or the first that the policy keys), pages can be asked for that no cache has had.

A probe is some 130 requests for a URL, 20 a second; with --quick some 20, which find leaks
but do not tell the inputs apart. They are real requests: what the app records of visits, it
records of these, too; and what a cache should not have stored, others may be given.

Exit status: 0 if there is no leak, 1 if there is, 2 if that could not be found out of all
that was asked (the verdict is unknown).
`
)

// probing is what was asked for on the command line.
type probing struct {
	controller
	options                         probe.Options
	params, cookies, headers, sends []string
	policy, fresh, secretFile       string
	resolve, outs                   []string
	policies                        *probedPolicies
}

// probeFormats are the formats of --format and --out.
var probeFormats = []string{"text", "json", "junit"}

// secretVariable is where the secret is.
const secretVariable = "CACHEWARD_PROBE_SECRET"

// WireProbe adds the flags of the probe command, and what it does. Exit makes the command
// end with a status.
func WireProbe(exit func(cmd *cobra.Command, code int) error) func(*cobra.Command) {
	return func(cmd *cobra.Command) {
		p := &probing{controller: controller{verb: "probe"}}
		flags := cmd.Flags()
		flags.StringVarP(&p.policy, "policy", "p", "", "a policy in YAML or JSON, or a Caddyfile: probe the inputs that it names for the URL")
		flags.StringArrayVar(&p.params, "param", nil, "visitors differ in this parameter, too; again for more")
		flags.StringArrayVar(&p.cookies, "cookie", nil, "and in this cookie")
		flags.StringArrayVar(&p.headers, "header", nil, "and in this header")
		flags.StringVar(&p.fresh, "fresh", "", "a parameter of which any value will do (default: the first that the policy keys)")
		flags.StringArrayVarP(&p.sends, "send", "H", nil, "a field that all requests have, 'Name: value'; again for more")
		flags.StringVar(&p.options.Edge, "edge", "", "ask this edge (host:port) itself as well, to tell whether it leaks or a cache in front")
		flags.StringVar(&p.secretFile, "secret-file", "", "a file with the secret that the edge has (default: the variable "+secretVariable+")")
		flags.IntVar(&p.options.Visitors, "visitors", 4, "how many ask at once, 2 to 16")
		flags.BoolVar(&p.options.Quick, "quick", false, "few requests: find leaks, without telling the inputs apart")
		flags.IntVar(&p.options.MaxRequests, "max-requests", 0, "at most so many requests (default 300 for each URL)")
		flags.Float64Var(&p.options.Rate, "rate", 20, "requests a second")
		flags.DurationVar(&p.options.Timeout, "timeout", 10*time.Second, "for one request and its answer")
		flags.BoolVar(&p.options.Insecure, "insecure", false, "accept any certificate")
		flags.BoolVar(&p.options.HTTP1, "http1.1", false, "no HTTP/2")
		flags.StringArrayVar(&p.resolve, "resolve", nil, "connect to an address in place of a host: host:port:address; again for more")
		flags.StringVar(&p.format, "format", "text", "text, json or junit")
		flags.StringArrayVar(&p.outs, "out", nil, "write a format to a file besides: junit=probe.xml; may be repeated")
		flags.StringVar(&p.color, "color", "auto", "auto, always or never")
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		usage := func(err error) error {
			fmt.Fprintf(cmd.ErrOrStderr(), "cacheward probe: %s; see cacheward probe --help\n", show.Safe(err.Error()))
			return exit(cmd, 2)
		}
		cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			p.stdout, p.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			if err := p.check(args); err != nil {
				return usage(err)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			code, err := p.run(ctx)
			if err != nil {
				fmt.Fprintf(p.stderr, "cacheward probe: %s\n", show.Safe(err.Error()))
			}
			return exit(cmd, code)
		}
	}
}

// check reads the flags, and refuses those that make no sense.
func (p *probing) check(args []string) error {
	p.options.URLs = args
	switch {
	case len(args) == 0:
		return errors.New("a URL was expected")
	case !slices.Contains(probeFormats, p.format):
		return fmt.Errorf("--format %q; %s", p.format, policies.Suggest(p.format, probeFormats))
	case !slices.Contains([]string{"auto", "always", "never"}, p.color):
		return fmt.Errorf("--color %q; auto, always or never was expected", p.color)
	case p.options.Rate <= 0 || p.options.Timeout <= 0:
		return errors.New("--rate and --timeout must be above 0")
	}
	for _, out := range p.outs {
		if format, name, ok := strings.Cut(out, "="); !ok || name == "" || !slices.Contains(probeFormats, format) {
			return fmt.Errorf("--out %q; a format and a file were expected, such as junit=probe.xml", out)
		} else if err := writable(name); err != nil {
			return fmt.Errorf("--out %s: %w", out, err)
		}
	}
	if p.options.Edge != "" {
		if _, _, err := net.SplitHostPort(p.options.Edge); err != nil {
			return fmt.Errorf("--edge %q; an address such as 10.0.0.7:443 was expected", p.options.Edge)
		}
	}
	for _, text := range p.resolve {
		from, to, err := resolved(text)
		if err != nil {
			return err
		}
		if p.options.Resolve == nil {
			p.options.Resolve = make(map[string]string)
		}
		p.options.Resolve[from] = to
	}
	header, err := readFields("--send", p.sends)
	if err != nil {
		return err
	}
	p.options.Header = header
	for kind, names := range map[probe.Kind][]string{probe.KindParam: p.params, probe.KindCookie: p.cookies, probe.KindHeader: p.headers} {
		for _, name := range names {
			p.options.Inputs = append(p.options.Inputs, probe.Input{Kind: kind, Name: name})
		}
	}
	if err := p.options.Check(); err != nil {
		return err
	}
	if p.options.Secret, err = p.secret(); err != nil {
		return err
	}
	if p.policy != "" {
		p.policies, err = loadProbed(p.policy)
	}
	return err
}

// resolved reads host:port:address, as curl has it. The address may have a port.
func resolved(text string) (from, to string, err error) {
	wrong := fmt.Errorf("--resolve %q; host:port:address was expected, such as example.com:443:10.0.0.7", text)
	host, rest, ok := strings.Cut(text, ":")
	port, address, ok2 := strings.Cut(rest, ":")
	if _, err := strconv.ParseUint(port, 10, 16); !ok || !ok2 || err != nil || host == "" || address == "" {
		return "", "", wrong
	}
	if ip := net.ParseIP(strings.Trim(address, "[]")); ip != nil {
		address = net.JoinHostPort(ip.String(), port)
	} else if _, _, err := net.SplitHostPort(address); err != nil {
		return "", "", wrong
	}
	return net.JoinHostPort(strings.ToLower(host), port), address, nil
}

// secret is that of the file or of the environment; nil if there is none.
func (p *probing) secret() (*probe.Secret, error) {
	text := os.Getenv(secretVariable)
	if p.secretFile != "" {
		data, err := readBounded(p.secretFile)
		if err != nil {
			return nil, fmt.Errorf("--secret-file %s: %w", p.secretFile, err)
		}
		text = string(data)
	}
	if text = strings.TrimSpace(text); text == "" && p.secretFile == "" {
		return nil, nil
	}
	return probe.NewSecret(text)
}

// run probes and tells what was found out. The status is for the process, whether there is
// an error or not.
func (p *probing) run(ctx context.Context) (int, error) {
	bar := &progress{now: time.Now, started: time.Now()}
	if p.onTerminal(p.stderr) {
		bar.w = p.stderr
	}
	p.options.Progress = bar.requests
	p.options.Declared = p.declared
	report, err := probe.Run(ctx, p.options)
	bar.end()
	if errors.Is(err, probe.ErrRequests) {
		if !p.options.Quick {
			err = fmt.Errorf("%w; --quick needs fewer", err)
		}
		return 2, fmt.Errorf("--max-requests %d; %w", p.options.MaxRequests, err)
	}
	if report == nil {
		return 2, err
	}
	if ctx.Err() != nil {
		err = errors.New("interrupted: this is what was found out until then")
	}
	if wrong := p.tellProbe(report); wrong != nil {
		return 2, wrong
	}
	switch {
	case report.Verdict == probe.Leak:
		return 1, err
	case err == nil && report.Verdict != probe.Unknown:
		return 0, nil
	case err == nil:
		err = notFoundOut(report)
	}
	if next := nextStep(report); next != "" {
		err = fmt.Errorf("%w; %s", err, next)
	}
	return 2, err
}

// notFoundOut says of what there is no verdict.
func notFoundOut(report *probe.Report) error {
	var of []string
	for _, u := range report.URLs {
		unknown := 0
		for _, in := range u.Inputs {
			if in.Verdict == probe.Unknown {
				unknown++
			}
		}
		switch {
		case unknown == len(u.Inputs):
			of = append(of, u.URL)
		case u.Verdict == probe.Unknown:
			of = append(of, fmt.Sprintf("%s (%d of %d comparisons)", u.URL, unknown, len(u.Inputs)))
		}
	}
	if len(of) == len(report.URLs) && !slices.ContainsFunc(of, func(text string) bool { return strings.HasSuffix(text, ")") }) {
		return errors.New("nothing could be found out")
	}
	return fmt.Errorf("it could not be found out whether there is a leak: %s; the report says why", strings.Join(of, ", "))
}

// requests says how many have been sent.
func (p *progress) requests(done, planned int) {
	if p.w == nil || p.now().Sub(p.started) < progressAfter {
		return
	}
	p.shown = true
	share := float64(done) / float64(planned)
	fmt.Fprintf(p.w, "\r\x1b[K%s %s, %d of %d requests", show.Bar(share, 30), show.PercentOf(share), done, planned)
}
