package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

// baselineVersion is that of the file's form and of how fingerprints are made.
const baselineVersion = 1

// KnownFindings is a baseline: what was found when lint came to an old repository, and
// does not count until somebody touches it.
type KnownFindings struct {
	Version  int            `json:"version"`
	Findings []KnownFinding `json:"findings"`
}

// KnownFinding is one of them. The fingerprint decides; the rest is for people who read
// the file.
type KnownFinding struct {
	Fingerprint string `json:"fingerprint"`
	Rule        string `json:"rule"`
	File        string `json:"file"`
	Route       string `json:"route,omitempty"`
	Message     string `json:"message"`
}

// WriteBaseline writes a baseline, in JSON, of all findings that count. What cannot be
// read and comments that suppress wrongly (CW001 to CW005) are in no baseline.
func WriteBaseline(w io.Writer, found []Finding) error {
	b := KnownFindings{Version: baselineVersion, Findings: []KnownFinding{}}
	for i, print := range Fingerprints(found) {
		f := found[i]
		if general(f.Rule) || f.Suppressed != nil && f.Suppressed.Kind == Inline {
			continue
		}
		b.Findings = append(b.Findings, KnownFinding{print, f.Rule, filepath.ToSlash(f.Pos.File), f.Route, f.Message})
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(b); err != nil {
		return err
	}
	_, err := w.Write(out.Bytes())
	return err
}

// ReadBaseline reads what WriteBaseline wrote.
func ReadBaseline(data []byte) (*KnownFindings, error) {
	if len(data) > MaxInput {
		return nil, fmt.Errorf("the baseline is longer than %d MiB", MaxInput>>20)
	}
	var b KnownFindings
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b); err != nil {
		return nil, fmt.Errorf("the baseline cannot be read: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the baseline cannot be read: something stands behind it")
	}
	if b.Version != baselineVersion {
		return nil, fmt.Errorf("the baseline has version %d, and %d is known; write it anew", b.Version, baselineVersion)
	}
	return &b, nil
}

// ApplyBaseline marks the findings that the baseline knows, and returns what it knows
// and nobody finds any more: that may be taken out of it. The findings are those of all
// files of the run at once, in the same order as for WriteBaseline; findings that a
// comment suppresses stay as they are.
func ApplyBaseline(b *KnownFindings, found []Finding) (marked []Finding, stale []KnownFinding) {
	marked = append([]Finding(nil), found...)
	known := make(map[string]bool, len(b.Findings))
	for _, k := range b.Findings {
		known[k.Fingerprint] = true
	}
	met := make(map[string]bool, len(known))
	for i, print := range Fingerprints(found) {
		if !known[print] || general(found[i].Rule) {
			continue
		}
		met[print] = true
		if marked[i].Suppressed == nil {
			marked[i].Suppressed = &Suppression{Kind: Baseline, Reason: "known since the baseline was written"}
		}
	}
	for _, k := range b.Findings {
		if !met[k.Fingerprint] {
			stale = append(stale, k)
		}
	}
	return marked, stale
}
