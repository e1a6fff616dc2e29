package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func toolScenarios() []scenario {
	return []scenario{
		{"lint", "cacheward lint of 10,000 routes", lint},
		{"audit", "cacheward audit summary", auditSummary},
	}
}

// tool runs the binary as a command, on all the cores there are, and returns how long
// it took. A command that has findings has done its work.
func (b *bench) tool(args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(b.ctx, "taskset", append([]string{"-c", bothCores, b.binary}, args...)...)
	var said tail
	cmd.Stdout, cmd.Stderr = &said, &said
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != exitMissed) {
		return 0, fmt.Errorf("cacheward %s: %w\n%s", strings.Join(args, " "), err, said.String())
	}
	return took, nil
}

// lint measures whole runs of the command.
func lint(b *bench, name string) error {
	file := filepath.Join(b.dir, "Caddyfile.lint")
	if err := os.WriteFile(file, []byte("http://:8080 {\n"+string(b.wards(routesPolicy(10_000)))+"\n}\n"), 0o600); err != nil {
		return err
	}
	var seconds []float64
	for range b.rounds {
		took, err := b.tool("lint", file)
		if err != nil {
			return err
		}
		seconds = append(seconds, took.Seconds())
	}
	b.report(result{Name: name, What: "cacheward lint of 10,000 routes, the whole command", Unit: "s", Value: spreadOf(seconds), Bar: 1})
	return nil
}

// auditSummary measures the command on a log of so many records, which an edge has written
// some thousands of.
func auditSummary(b *bench, name string) error {
	records := 10_000_000
	if b.quick {
		records = 1_000_000
	}
	log, written, err := b.sampleLog()
	if err != nil {
		return err
	}
	big := filepath.Join(b.dir, "big.log")
	size, err := repeat(log, big, (records+written-1)/written)
	if err != nil {
		return err
	}
	defer os.Remove(big)
	var rates []float64
	var seconds []float64
	for range max(2, b.rounds/2) {
		took, err := b.tool("audit", "summary", big)
		if err != nil {
			return err
		}
		rates = append(rates, float64(size)/took.Seconds()/1e6)
		seconds = append(seconds, took.Seconds())
	}
	b.report(result{
		Name: name, What: fmt.Sprintf("cacheward audit summary of %s records", thousands(float64(records))), Unit: "MB/s", Value: spreadOf(rates), Bar: 500, AtLeast: true,
		Detail: fmt.Sprintf("%.1f GB in %.1f s, on two cores", float64(size)/1e9, spreadOf(seconds).Median),
	})
	return nil
}

// sampleLog has an edge write an audit log of hits, passes and fills, as visitors make
// them, and returns its path and the number of records.
func (b *bench) sampleLog() (path string, records int, err error) {
	path = filepath.Join(b.dir, "sample.log")
	e, err := b.startEdge("cacheward", nil, fmt.Sprintf(auditOptions, path), b.wards(shopPolicy+"audit {\n\tserves all\n}"))
	if err != nil {
		return "", 0, err
	}
	t := traffic{paths: zipf(pagePaths(1<<10, 2000), 1<<14), headers: browserFields(), query: "?utm_source=mail&utm_campaign=c%d&ref=A17", address: e.addresses[0]}
	if _, err := b.wrk(t, time.Second); err != nil {
		return "", 0, err
	}
	t.headers = []string{"Cookie: session=0af7651916cd43dd8448eb211c80319c"}
	if _, err := b.wrk(t, time.Second); err != nil {
		return "", 0, err
	}
	e.stop() // so that the log is whole
	text, err := os.ReadFile(path)
	if err != nil {
		return "", 0, err
	}
	return path, strings.Count(string(text), "\n"), nil
}

// repeat writes a file so many times into another and returns its size.
func repeat(from, to string, times int) (int64, error) {
	text, err := os.ReadFile(from)
	if err != nil {
		return 0, err
	}
	out, err := os.Create(to)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	for range times {
		if _, err := out.Write(text); err != nil {
			return 0, err
		}
	}
	size, err := out.Seek(0, io.SeekCurrent)
	return size, errors.Join(err, out.Close())
}
