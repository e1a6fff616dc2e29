package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/cacheward/cacheward/caddymodule/explain"
	"github.com/cacheward/cacheward/policies/lint"
)

// What cacheward explain --help says.
const (
	ExplainUsage = "[<method>] <url> [<url2>] [-H 'Name: value' …] [--cookie 'name=value' …] [--policy <file> | --config <file> | --live [--address <admin>]] " +
		"[--origin <url> | --response <file>] [--profile <name>|all] [--format text|json]"
	ExplainShort = "Says what would happen to a request, step by step, and why"
	ExplainLong  = `
Says what Cacheward would do with a request: which route governs it and why none of the
earlier ones, what becomes of each of its inputs and the line of the policy that says
so, the key, the canonical request that the origin would be sent, how a response is
admitted and what caches further on are told. With two URLs, whether one object serves
both, and if not, which input tells them apart.

	$ cacheward explain 'https://hapitas.example/register/lp?ref=A1&gclid=x'
	$ cacheward explain 'https://hapitas.example/register/lp?ref=A1' 'https://hapitas.example/register/lp?ref=B2'
	$ cacheward explain https://hapitas.example/ -H 'Accept-Language: ja' --cookie session=x --policy policies.yaml
	$ curl -si https://hapitas.example/ | cacheward explain https://hapitas.example/ --response -
	$ cacheward explain https://hapitas.example/ --origin http://127.0.0.1:3000
	$ cacheward explain https://hapitas.example/ --live

Without --policy, --config and --live the policies are looked for as cacheward lint does.
Of a Caddyfile, each cacheward directive in a site for the host of the URL answers; what
stands before the directive (matchers, rewrites) is not looked at.

On a route with attribution it says what is taken off the request and would be carried
with the visitor, and of a path that a route delivers to, what the app would be told.
Whether a cookie of the edge's own is genuine, it does not judge.

	$ cacheward explain 'https://hapitas.example/register/lp?ref=A1&utm_medium=cpc' -H 'Referer: https://blog.example/'

With --response, the response in the file (as curl -i prints it; - is standard input) is
judged as the answer to the canonical request. With --origin, that origin is asked: it
is sent the canonical request and, on a corroborated route, the request itself, as the
proxy would; a request that is not for the cache is not sent at all. Nothing is stored.

With --profile, what CDNs of that profile would be told, or with all, what each kind
would: of an answer that nobody may store, and of the object that is shared.

	$ cacheward explain https://hapitas.example/ --origin http://127.0.0.1:3000 --profile all

With --live, the running proxy answers by the policies that it has loaded, through
Caddy's admin endpoint. Keys are then its own.

Exit status: 0 if it could be explained, whatever the verdict is; 2 if not.
`
)

// explainer is what was asked for on the command line.
type explainer struct {
	headers, cookies []string
	client           string
	policy, config   string
	live             bool
	address          string
	origin, response string
	profiles         []string
	format, color    string
	stdin            io.Reader
	stdout, stderr   io.Writer
	terminal         bool
	units            []*lint.Unit // what was read
}

// WireExplain makes a command of the verb explain. Exit ends it with a code.
func WireExplain(exit func(cmd *cobra.Command, code int) error) func(*cobra.Command) {
	return func(cmd *cobra.Command) { wireExplain(cmd, exit) }
}

func wireExplain(cmd *cobra.Command, exit func(cmd *cobra.Command, code int) error) {
	var x explainer
	flags := cmd.Flags()
	flags.StringArrayVarP(&x.headers, "header", "H", nil, "a header field of the request, as with curl; again for more")
	flags.StringArrayVarP(&x.cookies, "cookie", "b", nil, "a cookie of the request, name=value; again for more")
	flags.StringVar(&x.client, "client", "", "the visitor's IP address")
	flags.StringVarP(&x.policy, "policy", "p", "", "a policy in YAML or JSON; - is standard input")
	flags.StringVarP(&x.config, "config", "c", "", "a Caddyfile, or Caddy's JSON")
	flags.BoolVar(&x.live, "live", false, "ask the running proxy")
	flags.StringVar(&x.address, "address", "", "with --live: the admin endpoint (default that of --config, or localhost:2019)")
	flags.StringVar(&x.origin, "origin", "", "ask this origin, and judge its answers: http://127.0.0.1:3000")
	flags.StringVar(&x.response, "response", "", "judge the response in this file; - is standard input")
	flags.StringSliceVar(&x.profiles, "profile", nil, "say what a CDN of this profile (cloudflare, fastly …) would be told; all: what each would; again for more")
	flags.StringVar(&x.format, "format", "text", "text or json")
	flags.StringVar(&x.color, "color", "auto", "auto, always or never")
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	usage := func(err error) error {
		fmt.Fprintf(cmd.ErrOrStderr(), "cacheward explain: %v; see cacheward explain --help\n", err)
		return exit(cmd, 2)
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		x.stdin, x.stdout, x.stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
		x.terminal = isatty.IsTerminal(os.Stdout.Fd()) && os.Getenv("NO_COLOR") == ""
		question, err := x.question(args)
		if err == nil {
			err = x.check()
		}
		if err != nil {
			return usage(err)
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if err := x.run(ctx, question); err != nil {
			fmt.Fprintln(x.stderr, "cacheward explain:", err)
			return exit(cmd, 2)
		}
		return nil
	}
}

// check refuses flags that contradict each other.
func (x *explainer) check() error {
	switch {
	case x.format != "text" && x.format != "json":
		return fmt.Errorf("--format %q; text or json was expected", x.format)
	case !slices.Contains([]string{"auto", "always", "never"}, x.color):
		return fmt.Errorf("--color %q; auto, always or never was expected", x.color)
	case x.policy != "" && x.config != "":
		return errors.New("--policy and --config exclude each other")
	case x.live && x.policy != "":
		return errors.New("--live and --policy exclude each other: the running proxy has its own")
	case !x.live && x.address != "":
		return errors.New("--address needs --live")
	case x.origin != "" && x.response != "":
		return errors.New("--origin and --response exclude each other")
	case x.policy == "-" && x.response == "-":
		return errors.New("--policy and --response cannot both be read from standard input")
	}
	if err := explain.CheckProfiles(x.profiles); err != nil {
		return fmt.Errorf("--profile %w", err)
	}
	return nil
}

// methodWord is an argument that is a method and not a URL.
var methodWord = regexp.MustCompile(`^(?:[A-Z]+|get|head|post|put|patch|delete|options)$`)

// question reads the arguments and the flags that describe the request.
func (x *explainer) question(args []string) (explain.Question, error) {
	q := explain.Question{Profiles: x.profiles}
	method := http.MethodGet
	if len(args) > 1 && methodWord.MatchString(args[0]) {
		method, args = strings.ToUpper(args[0]), args[1:]
	}
	switch {
	case len(args) == 0:
		return q, errors.New("a URL was expected")
	case len(args) > 2:
		return q, fmt.Errorf("unexpected argument %q: one or two URLs were expected", args[2])
	}
	header := make(http.Header)
	for _, field := range x.headers {
		name, value, ok := strings.Cut(field, ":")
		if name = strings.TrimSpace(name); !ok || name == "" || strings.ContainsAny(name, " \t") {
			return q, fmt.Errorf("--header %q; 'Name: value' was expected", field)
		}
		if strings.ContainsAny(field, "\r\n") {
			return q, fmt.Errorf("--header %q has a line break", field)
		}
		header.Add(name, strings.TrimSpace(value))
	}
	for _, cookie := range x.cookies {
		if !strings.Contains(cookie, "=") {
			return q, fmt.Errorf("--cookie %q; name=value was expected", cookie)
		}
	}
	if len(x.cookies) > 0 {
		header.Add("Cookie", strings.Join(x.cookies, "; "))
	}
	for _, url := range args {
		q.Requests = append(q.Requests, explain.Request{Method: method, URL: url, Header: header, Address: x.client})
	}
	return q, nil
}

// run answers the question and writes the answer.
func (x *explainer) run(ctx context.Context, q explain.Question) error {
	if x.response != "" {
		response, notes, err := x.readResponse()
		if err != nil {
			return err
		}
		for _, note := range notes {
			fmt.Fprintln(x.stderr, "cacheward explain:", note)
		}
		q.Response = response
	}
	ask := x.ask
	if x.live {
		ask = x.askRunning
	}
	answer, err := ask(ctx, q)
	if err != nil {
		return err
	}
	if x.origin != "" {
		if answer, err = x.askOrigin(ctx, q, answer, ask); err != nil {
			return err
		}
	}
	return x.write(answer)
}

func (x *explainer) write(answer *explain.Answer) error {
	if x.format == "json" {
		encoder := json.NewEncoder(x.stdout)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(answer)
	}
	color := x.color == "always" || x.color == "auto" && x.terminal
	for i, report := range answer.Reports {
		if len(answer.Reports) > 1 {
			if i > 0 {
				fmt.Fprintln(x.stdout)
			}
			fmt.Fprintf(x.stdout, "By %s:\n\n", report.Policy)
		}
		if err := report.WriteText(x.stdout, color); err != nil {
			return err
		}
	}
	return nil
}
