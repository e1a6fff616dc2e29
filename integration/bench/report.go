package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// result is one row of the table.
type result struct {
	Name    string  `json:"name"`    // of the scenario: what --only selects
	What    string  `json:"what"`    // in words
	Against string  `json:"against"` // what it was held against
	Unit    string  `json:"unit"`
	Value   spread  `json:"value"`
	Bar     float64 `json:"bar,omitempty"` // 0: reported, not judged
	AtLeast bool    `json:"at_least,omitempty"`
	Detail  string  `json:"detail"`
	Err     string  `json:"error,omitempty"`
}

// met says whether the bar is, where there is one.
func (r *result) met() bool {
	switch {
	case r.Err != "":
		return false
	case r.Bar == 0:
		return true
	case r.AtLeast:
		return r.Value.Median >= r.Bar
	}
	return r.Value.Median <= r.Bar
}

// report is the whole run.
type report struct {
	Date     string            `json:"date"`
	Machine  string            `json:"machine"`
	Versions map[string]string `json:"versions"`
	Quick    bool              `json:"quick,omitempty"`
	Rounds   int               `json:"rounds"`
	Seconds  float64           `json:"seconds_a_round"`
	Results  []result          `json:"results"`
}

// complete adds what a run of the same day, on the same machine and with rounds of the same
// length, has measured of the other scenarios. A file that is not there has nothing.
func (r *report) complete(file string) {
	last, err := readReport(file)
	if err != nil || last.Date != r.Date || last.Machine != r.Machine || last.Quick != r.Quick || last.Rounds != r.Rounds || last.Seconds != r.Seconds {
		return
	}
	measured := make(map[string]bool)
	for _, result := range r.Results {
		measured[result.Name] = true
	}
	var all []result
	for _, result := range last.Results {
		if !measured[result.Name] {
			all = append(all, result)
		}
	}
	r.Results = append(all, r.Results...)
}

// report takes a result and shows it at once: a run takes minutes.
func (b *bench) report(r result) {
	b.results = append(b.results, r)
	mark := "      "
	switch {
	case r.Err != "":
		mark = "failed"
	case r.Bar > 0 && r.met():
		mark = "met   "
	case r.Bar > 0:
		mark = "MISSED"
	}
	fmt.Fprintf(b.out, "%s  %-18s %-34s %s  %s\n", mark, r.Name, r.Against, r.figure(), r.Detail)
	if r.Err != "" {
		fmt.Fprintf(b.out, "        %s\n", r.Err)
	}
}

func (r *result) figure() string {
	if r.Err != "" {
		return "–"
	}
	s := number(r.Value.Median) + " " + r.Unit
	if r.Value.Min != r.Value.Max {
		s += fmt.Sprintf(" (%s–%s)", number(r.Value.Min), number(r.Value.Max))
	}
	return s
}

func (r *result) bar() string {
	switch {
	case r.Bar == 0:
		return ""
	case r.AtLeast:
		return "≥ " + number(r.Bar)
	}
	return "≤ " + number(r.Bar)
}

// number has as many digits as its size gives sense to.
func number(f float64) string {
	switch {
	case f >= 1000:
		return thousands(f)
	case f >= 100:
		return strconv.FormatFloat(f, 'f', 0, 64)
	case f >= 10:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}

func thousands(f float64) string {
	s := strconv.FormatFloat(f, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// markdown is the table for people.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s: %s. ", r.Date, r.Machine)
	fmt.Fprintf(&b, "Medians of %d rounds of %g s, with the spread of the rounds; CPU a request, of the server's processes.\n\n", r.Rounds, r.Seconds)
	b.WriteString("| what | against | result | bar | |\n| --- | --- | --- | --- | --- |\n")
	for i := range r.Results {
		row := &r.Results[i]
		verdict := ""
		switch {
		case row.Err != "":
			verdict = "failed: " + firstLine(row.Err)
		case row.Bar > 0 && !row.met():
			verdict = "**missed**"
		}
		detail := row.Detail
		if verdict != "" && detail != "" {
			detail = verdict + "; " + detail
		} else {
			detail = verdict + detail
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", row.What, row.Against, row.figure(), row.bar(), detail)
	}
	return b.String()
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// write leaves the run as bench.md and bench.json in dir.
func (r *report) write(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "bench.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "bench.md"), []byte(r.markdown()), 0o644)
}

// describe says what machine this is.
func describe() string {
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	memory := ""
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib int64
		if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kib); err == nil {
			memory = fmt.Sprintf(", %d GiB", (kib+1<<19)>>20)
		}
	}
	return fmt.Sprintf("%s, %s cores%s, %s/%s", model, os.Getenv(pinnedVar), memory, runtime.GOOS, runtime.GOARCH)
}

// today is the date of a report.
func today() string { return time.Now().UTC().Format(time.DateOnly) }

// finish prints how it went and says whether every bar was met.
func (b *bench) finish(w io.Writer) bool {
	missed, failed := 0, 0
	for i := range b.results {
		switch r := &b.results[i]; {
		case r.Err != "":
			failed++
		case !r.met():
			missed++
		}
	}
	fmt.Fprintf(w, "\n%d results, %d bars missed, %d failed\n", len(b.results), missed, failed)
	return missed+failed == 0
}
