package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The lines of README.md between which the table of the last whole run stands.
const (
	readmeBegin = "<!-- bench: go run ./integration/bench, then --readme -->"
	readmeEnd   = "<!-- /bench -->"
)

// writeReadme puts the table of the run in dir into the file.
func writeReadme(dir, file string) error {
	r, err := readReport(filepath.Join(dir, "bench.json"))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), readmeBegin+"\n")
	if !ok {
		return fmt.Errorf("%s has no line %q", file, readmeBegin)
	}
	_, after, ok := strings.Cut(rest, readmeEnd)
	if !ok {
		return fmt.Errorf("%s has no line %q after %q", file, readmeEnd, readmeBegin)
	}
	return os.WriteFile(file, []byte(before+readmeBegin+"\n"+r.markdown()+readmeEnd+after), 0o644)
}

func readReport(file string) (*report, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &r, nil
}
