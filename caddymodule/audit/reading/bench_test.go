package reading

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/cacheward/cacheward/caddymodule/audit/reading/readingtest"
)

const benchRecords = 200_000

// benchLog is a log of benchRecords, compressed or not.
func benchLog(b *testing.B, compressed bool) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "audit.log")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := io.WriteCloser(file)
	if compressed {
		w = gzip.NewWriter(file)
	}
	if err := readingtest.Generate(w, benchRecords, 1); err != nil {
		b.Fatal(err)
	}
	if compressed {
		_ = w.Close()
	}
	_ = file.Close()
	return path
}

func BenchmarkScan(b *testing.B) {
	filter, err := CompileFilter(`event == "serve" && route == "landing"`)
	if err != nil {
		b.Fatal(err)
	}
	expression, err := CompileFilter(`event == "serve" && age_s > 60 && url.contains("/lp/summer")`)
	if err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct {
		name       string
		compressed bool
		options    ScanOptions
	}{
		{"brief", false, ScanOptions{Brief: true}},
		{"brief/one", false, ScanOptions{Brief: true, Workers: 1}},
		{"full", false, ScanOptions{}},
		{"simple", false, ScanOptions{Filter: filter}},
		{"where", false, ScanOptions{Filter: expression}},
		{"gzip", true, ScanOptions{Brief: true}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			source, err := Open([]string{benchLog(b, bb.compressed)}, nil, Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = source.Close() }()
			var stats Stats
			b.ReportAllocs()
			for b.Loop() {
				stats, err = source.Scan(b.Context(), bb.options, func(int) func(*Entry) {
					n := 0
					return func(*Entry) { n++ }
				})
				if err != nil || stats.Records != benchRecords {
					b.Fatal(stats, err)
				}
			}
			b.SetBytes(stats.Bytes)
			b.ReportMetric(float64(benchRecords)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkDecode compares what decodes lines.
func BenchmarkDecode(b *testing.B) {
	var log bytes.Buffer
	if err := readingtest.Generate(&log, 2000, 1); err != nil {
		b.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(log.Bytes()), newline)
	for name, unmarshal := range map[string]func([]byte, any) error{
		"built-in":      unmarshal,
		"encoding-json": func(data []byte, v any) error { return json.Unmarshal(data, v) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var l line
			i := 0
			for b.Loop() {
				b.SetBytes(int64(log.Len() / len(lines)))
				if l.decode(lines[i%len(lines)], unmarshal) != none {
					b.Fatal(string(lines[i%len(lines)]))
				}
				i++
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
