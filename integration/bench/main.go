package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What the command ends with.
const (
	exitFine   = 0
	exitMissed = 1 // a bar was missed
	exitBroken = 2 // it could not run
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if address := os.Getenv(originVar); address != "" {
		if err := serveOrigin(ctx, address); err != nil {
			fmt.Fprintln(os.Stderr, "bench: the origin:", err)
			os.Exit(exitBroken)
		}
		return
	}
	code, err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	os.Exit(code)
}

// bench is one run of the command.
type bench struct {
	ctx    context.Context
	out    io.Writer
	dir    string // of everything that the run leaves behind, removed at its end
	binary string

	quick  bool
	rounds int
	spell  time.Duration // how long a round loads one contender; whole seconds

	versions map[string]string // of the programs that are installed
	origin   *origin
	running  []*process
	dirs     []string
	started  int
	runs     int
	results  []result
}

// warmUp is how long a contender is loaded before it counts.
func (b *bench) warmUp() time.Duration { return time.Second }

func run(ctx context.Context, args []string, out io.Writer) (code int, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(out)
	var (
		quick   = flags.Bool("quick", false, "fewer and shorter rounds: under three minutes, and rougher")
		only    = flags.String("only", "", "only the scenarios whose names match this regular `expression`")
		list    = flags.Bool("list", false, "the names of the scenarios, and no more")
		rounds  = flags.Int("rounds", 0, "rounds of each comparison (5; 2 with --quick)")
		seconds = flags.Int("seconds", 0, "how long a round loads each contender (3; 1 with --quick)")
		binary  = flags.String("binary", "", "measure this binary rather than one built now")
		to      = flags.String("out", "integration/bench/results", "where bench.md, bench.json and the plots go")
		plots   = flags.Bool("plots", false, "measure how the cost grows, and draw it")
		pgo     = flags.Bool("pgo", false, "profile the binary under the bench's loads into cmd/cacheward/default.pgo")
		readme  = flags.Bool("readme", false, "put the table of the last run into README.md, and measure nothing")
	)
	flags.Usage = func() {
		fmt.Fprint(out, "What Cacheward costs, measured with the real binary.\n\n\tgo run ./integration/bench --quick\n\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return exitBroken, err
	}
	if flags.NArg() > 0 {
		return exitBroken, fmt.Errorf("%q: no arguments were expected; --help lists the flags", flags.Args())
	}
	chosen, err := choose(*only)
	if err != nil {
		return exitBroken, err
	}
	if *list {
		for _, s := range chosen {
			fmt.Fprintf(out, "%-14s %s\n", s.name, s.what)
		}
		return exitFine, nil
	}
	if *readme {
		return outcomeOf(writeReadme(*to, "README.md"))
	}
	if os.Getenv(pinnedVar) == "" {
		return exitBroken, pin(args)
	}
	b := &bench{ctx: ctx, out: out, quick: *quick, rounds: 5, spell: 3 * time.Second, binary: *binary}
	if b.quick {
		b.rounds, b.spell = 2, time.Second
	}
	if *rounds > 0 {
		b.rounds = *rounds
	}
	if *seconds > 0 {
		b.spell = time.Duration(*seconds) * time.Second
	}
	if err := b.prepare(); err != nil {
		b.close()
		return exitBroken, err
	}
	defer b.close()
	switch {
	case *pgo:
		return outcomeOf(b.profile(filepath.Join("cmd", "cacheward", "default.pgo")))
	case *plots:
		return outcomeOf(b.plot(*to))
	}
	for _, s := range chosen {
		b.scenario(s)
		if ctx.Err() != nil {
			return exitBroken, ctx.Err()
		}
	}
	fine := b.finish(out)
	r := report{Date: today(), Machine: describe(), Versions: b.versions, Quick: b.quick, Rounds: b.rounds, Seconds: b.spell.Seconds(), Results: b.results}
	if *only != "" {
		r.complete(filepath.Join(*to, "bench.json"))
	}
	if err := r.write(*to); err != nil {
		return exitBroken, err
	}
	fmt.Fprintf(out, "written to %s\n", filepath.Join(*to, "bench.md"))
	if !fine {
		return exitMissed, nil
	}
	return exitFine, nil
}

// pinnedVar says in the environment that the program runs on the load's core, and of how
// many.
const pinnedVar = "CACHEWARD_BENCH_PINNED"

// pin starts the program again, on the load's core: its own clients are a load, too. It
// returns only if that fails.
func pin(args []string) error {
	if runtime.NumCPU() < 2 {
		return fmt.Errorf("%d core; two are needed, one for what is measured and one for the load", runtime.NumCPU())
	}
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		return errors.New("taskset is not installed; on Debian: apt-get install util-linux")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(taskset, append([]string{"taskset", "-c", loadCore, self}, args...), append(os.Environ(), pinnedVar+"="+strconv.Itoa(runtime.NumCPU())))
}

func outcomeOf(err error) (int, error) {
	if err != nil {
		return exitBroken, err
	}
	return exitFine, nil
}

// choose finds the scenarios of a run.
func choose(only string) ([]scenario, error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return nil, fmt.Errorf("--only: %w", err)
	}
	var chosen []scenario
	for _, s := range allScenarios() {
		if pattern.MatchString(s.name) {
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("--only %q matches no scenario; --list names them", only)
	}
	return chosen, nil
}

// scenario is one of the things that are measured.
type scenario struct {
	name string
	what string
	run  func(b *bench, name string) error
}

// allScenarios are all there are, in the order in which they run.
func allScenarios() []scenario {
	return slices.Concat(hitScenarios(), originScenarios(), herdScenarios(), sharedScenarios(), memoryScenarios(), lifeScenarios(), encodedScenarios(), toolScenarios())
}

// scenario runs one, and ends what it has started.
func (b *bench) scenario(s scenario) {
	kept := len(b.running)
	if err := s.run(b, s.name); err != nil {
		b.report(result{Name: s.name, What: s.what, Err: err.Error()})
	}
	for _, p := range b.running[kept:] {
		p.stop()
	}
	b.running = b.running[:kept]
}

// prepare looks for what is needed, builds the binary and starts the origin.
func (b *bench) prepare() error {
	if _, err := exec.LookPath("wrk"); err != nil {
		return errors.New("wrk is not installed; on Debian: apt-get install wrk")
	}
	var err error
	if b.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	b.dirs = append(b.dirs, b.dir)
	b.findPeers()
	if b.binary == "" {
		b.binary = filepath.Join(b.dir, "cacheward")
		fmt.Fprintln(b.out, "building the binary")
		if _, err := command(b.ctx, "taskset", "-c", bothCores, "go", "build", "-o", b.binary, "./cmd/cacheward"); err != nil {
			return err
		}
	}
	if b.binary, err = filepath.Abs(b.binary); err != nil {
		return err
	}
	return b.startOrigin()
}

// close ends all that the run has started.
func (b *bench) close() {
	for _, p := range b.running {
		p.stop()
	}
	for _, dir := range b.dirs {
		os.RemoveAll(dir)
	}
}

// findPeers asks the other caches that are installed for their versions.
func (b *bench) findPeers() {
	b.versions = map[string]string{"go": runtime.Version()}
	for _, p := range []struct {
		program, name string
		args          []string
		version       *regexp.Regexp
	}{
		{"nginx", "nginx", []string{"-v"}, regexp.MustCompile(`nginx/(\S+)`)},
		{"varnishd", "Varnish", []string{"-V"}, regexp.MustCompile(`varnish-(\d+\.\d+\.\d+)`)},
		{"traffic_server", "Traffic Server", []string{"--version"}, regexp.MustCompile(`(\d+\.\d+\.\d+)`)},
	} {
		out, err := exec.CommandContext(b.ctx, p.program, p.args...).CombinedOutput()
		if found := p.version.FindSubmatch(out); err == nil && found != nil {
			b.versions[p.program] = p.name + " " + string(found[1])
		} else if !errors.Is(err, exec.ErrNotFound) {
			fmt.Fprintf(b.out, "%s is left out: %v %s\n", p.program, err, strings.TrimSpace(string(out)))
		}
	}
}
