package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// traffic is what wrk asks for.
type traffic struct {
	address string
	paths   []string // asked for in turn, from the start again after the last
	headers []string // "Name: value"
	query   string   // of each request; "%d" in it is a number that no other request has
	// distinct makes each request's path one that no other request has.
	distinct bool
	conns    int // 0: 16
}

// outcome is what became of a load.
type outcome struct {
	requests int64
	errors   int64 // of connections, time-outs, and answers that were not 2xx or 3xx
	bytes    int64
	elapsed  time.Duration
	p50, p99 time.Duration
}

// The parts of a script for wrk. It makes requests beforehand where it can, so that Lua
// costs little.
const (
	scriptDone = `
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests,
    e.connect + e.read + e.write + e.status + e.timeout, summary.bytes, summary.duration,
    latency:percentile(50), latency:percentile(99)))
end
`
	scriptFixed = `
local reqs, n, at = {}, 0, 0
function init(args)
  for line in io.lines(args[1]) do
    n = n + 1
    reqs[n] = wrk.format("GET", line)
  end
end
function request()
  at = at % n + 1
  return reqs[at]
end
`
	// Only the path changes: what follows it is made once.
	scriptDistinct = `
local paths, n, at, rest = {}, 0, 0, ""
local function split(query)
  local a, b = string.find(query, "%d", 1, true)
  if a then return string.sub(query, 1, a - 1), string.sub(query, b + 1), true end
  return query, "", false
end
local before, after, counted, unique, seed
function init(args)
  for line in io.lines(args[1]) do n = n + 1; paths[n] = line end
  seed, unique = args[2], args[3] == "path"
  before, after, counted = split(args[4] or "")
  local whole = wrk.format("GET", "/")
  rest = string.sub(whole, string.find(whole, " HTTP/1.1", 1, true), -1)
end
function request()
  at = at + 1
  local path = paths[(at - 1) % n + 1]
  if unique then path = path .. seed .. "-" .. at end
  if counted then path = path .. before .. seed .. at .. after else path = path .. before end
  return "GET " .. path .. rest
end
`
)

// wrk loads a server for a while from the load's core. Each run has a number of its own in
// what is to be distinct.
func (b *bench) wrk(t traffic, d time.Duration) (outcome, error) {
	b.runs++
	dir := filepath.Join(b.dir, "wrk")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return outcome{}, err
	}
	script := scriptFixed
	if t.distinct || t.query != "" {
		script = scriptDistinct
	}
	scriptFile, pathFile := filepath.Join(dir, "load.lua"), filepath.Join(dir, "paths")
	if err := os.WriteFile(scriptFile, []byte(script+scriptDone), 0o600); err != nil {
		return outcome{}, err
	}
	if err := os.WriteFile(pathFile, []byte(strings.Join(t.paths, "\n")+"\n"), 0o600); err != nil {
		return outcome{}, err
	}
	conns := t.conns
	if conns == 0 {
		conns = 16
	}
	argv := []string{"taskset", "-c", loadCore, "wrk", "-t1", "-c" + strconv.Itoa(conns), "-d" + strconv.Itoa(int(d.Seconds())) + "s", "--timeout", "30s", "-s", scriptFile}
	for _, h := range t.headers {
		argv = append(argv, "-H", h)
	}
	distinct := "-"
	if t.distinct {
		distinct = "path"
	}
	argv = append(argv, "http://"+t.address, pathFile, fmt.Sprintf("r%d", b.runs), distinct, t.query)
	out, err := command(b.ctx, argv...)
	if err != nil {
		return outcome{}, err
	}
	return readResult(string(out))
}

// readResult reads the line that the script ends with.
func readResult(out string) (outcome, error) {
	_, line, ok := strings.Cut(out, "RESULT ")
	if !ok {
		return outcome{}, fmt.Errorf("wrk gave no result:\n%s", out)
	}
	var o outcome
	var elapsed, p50, p99 int64
	if _, err := fmt.Sscan(line, &o.requests, &o.errors, &o.bytes, &elapsed, &p50, &p99); err != nil {
		return outcome{}, fmt.Errorf("wrk's result %q: %w", line, err)
	}
	if o.requests == 0 {
		return outcome{}, fmt.Errorf("wrk had no answer:\n%s", out)
	}
	o.elapsed, o.p50, o.p99 = time.Duration(elapsed)*time.Microsecond, time.Duration(p50)*time.Microsecond, time.Duration(p99)*time.Microsecond
	return o, nil
}
