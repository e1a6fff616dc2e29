package reading

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/audit/reading/readingtest"
)

// generated is a log of n records.
func generated(n int, seed uint64) []byte {
	var log bytes.Buffer
	_ = readingtest.Generate(&log, n, seed)
	return log.Bytes()
}

// write makes a file in a directory of its own, or in dir.
func write(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(content []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(content)
	_ = w.Close()
	return out.Bytes()
}

func zstdOf(content []byte) []byte {
	w, _ := zstd.NewWriter(nil)
	return w.EncodeAll(content, nil)
}

// scanned are the raw lines of the records that a scan of the stream finds, sorted.
func scanned(t rapid.TB, log []byte, o ScanOptions) ([]string, Stats) {
	t.Helper()
	source, err := Open([]string{"-"}, bytes.NewReader(log), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var lines []string
	stats, err := source.Scan(context.Background(), o, func(int) func(*Entry) {
		return func(e *Entry) {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, string(e.Raw))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines, stats
}

const whole = `{"level":"info","ts":1764000000.5,"msg":"cacheward","schema":1,"event":"serve","route":"landing"}`

func TestLinesThatAreNoRecords(t *testing.T) {
	long := `{"ts":1,"msg":"cacheward","event":"serve","detail":"` + strings.Repeat("x", MaxLine) + `"}`
	for _, tt := range []struct {
		name, line string
		kind       Kind
		records    int64
	}{
		{"record", whole, none, 1},
		{"with spaces", ` { "ts" : 1764000000 , "msg" : "cachew\u0061rd" , "event" : "serve" } ` + "\r", none, 1},
		{"empty", "", none, 0},
		{"of spaces", " \t\r", none, 0},
		{"half", whole[:40], NotJSON, 0},
		{"a record behind a torn one", whole[:40] + whole, NotJSON, 1},
		{"torn after a torn one", whole[:40] + whole[:60], NotJSON, 0},
		{"another's line behind a torn one", whole[:40] + `{"level":"info","ts":1,"msg":"handled request"}`, NotJSON, 0},
		{"zeros", strings.Repeat("\x00", 100), NotJSON, 0},
		{"with more after it", whole + "}", NotJSON, 0},
		{"foreign", `{"level":"info","ts":1764000000.5,"msg":"handled request","status":200,"error":{}}`, Foreign, 0},
		{"no message", `{"event":"serve","ts":1}`, Foreign, 0},
		{"no event", `{"msg":"cacheward","ts":1}`, Foreign, 0},
		{"message in a member", `{"request":{"msg":"cacheward","event":"serve","ts":1}}`, Foreign, 0},
		{"no object", `["cacheward"]`, Foreign, 0},
		{"null", `null`, Foreign, 0},
		{"wrong type", strings.Replace(whole, `"landing"`, `7`, 1), Mistyped, 0},
		{"fraction for a whole number", strings.Replace(whole, `"schema":1`, `"schema":1.5`, 1), Mistyped, 0},
		{"no time", `{"msg":"cacheward","event":"serve"}`, Mistyped, 0},
		{"time of nothing", strings.Replace(whole, `1764000000.5`, `"yesterday"`, 1), Mistyped, 0},
		{"newer", strings.Replace(whole, `"schema":1`, `"schema":2,"more":{}`, 1), Newer, 1},
		{"too long", long, TooLong, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := whole + "\n" + tt.line + "\n" + whole + "\n"
			_, stats := scanned(t, []byte(log), ScanOptions{Workers: 1})
			if stats.Records != 2+tt.records || stats.Lines != 3 || stats.Bytes != int64(len(log)) {
				t.Errorf("%d records in %d lines of %d bytes", stats.Records, stats.Lines, stats.Bytes)
			}
			for _, k := range AllKinds() {
				want := []Position{{Kind: k, File: "-", Line: 2, Offset: int64(len(whole)) + 1}}
				if k != tt.kind {
					want = nil
				}
				if got := stats.Positions(k); !slices.Equal(got, want) || stats.Skipped(k) != int64(len(want)) {
					t.Errorf("%v: %d at %v, want %v", k, stats.Skipped(k), got, want)
				}
			}
		})
	}
}

func TestLastLine(t *testing.T) {
	for _, tt := range []struct {
		name, last string
		records    int64
		torn       int64
	}{
		{"whole but for its end", whole, 2, 0},
		{"torn", whole[:len(whole)-1], 1, 1},
		{"torn in a name", `{"lev`, 1, 1},
		{"empty", "", 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, stats := scanned(t, []byte(whole+"\n"+tt.last), ScanOptions{})
			if stats.Records != tt.records || stats.Skipped(Torn) != tt.torn || stats.Damaged() != tt.torn {
				t.Errorf("%+v", stats)
			}
		})
	}
}

func TestCompressed(t *testing.T) {
	log := generated(1000, 1)
	half := bytes.IndexByte(log[len(log)/2:], '\n') + len(log)/2 + 1
	first, second := log[:half], log[half:]
	for _, tt := range []struct {
		name    string
		content []byte
	}{
		{"plain", log},
		{"gzip", gzipped(log)},
		{"gzip members", slices.Concat(gzipped(first), gzipped(second))},
		{"zstd", zstdOf(log)},
		{"zstd frames", slices.Concat(zstdOf(first), []byte("\x53\x2a\x4d\x18\x03\x00\x00\x00abc"), zstdOf(second))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The name does not tell.
			source, err := Open([]string{write(t, t.TempDir(), "audit.log", tt.content)}, nil, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = source.Close() }()
			done := int64(0)
			stats, err := source.Scan(t.Context(), ScanOptions{Progress: func(d, total int64) {
				if done = d; total != int64(len(tt.content)) {
					t.Errorf("%d bytes in all, want %d", total, len(tt.content))
				}
			}}, func(int) func(*Entry) { return func(*Entry) {} })
			if err != nil || stats.Records != 1000 || stats.Bytes != int64(len(log)) || stats.Damaged() != 0 {
				t.Errorf("%+v, %v", stats, err)
			}
			if done != int64(len(tt.content)) {
				t.Errorf("%d bytes read, want %d", done, len(tt.content))
			}
			if first := source.Files()[0].First; !first.Equal(stats.First) {
				t.Errorf("first record at %s, want %s", first, stats.First)
			}
		})
	}
}

// TestCompressedAndCutOff: what could be read is read, wherever the file ends.
func TestCompressedAndCutOff(t *testing.T) {
	log := generated(60, 1)
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	for name, content := range map[string][]byte{"gzip": gzipped(log), "zstd": zstdOf(log)} {
		t.Run(name, func(t *testing.T) {
			slices.Sort(lines)
			for size := 4; size < len(content); size += 1 + len(content)/40 {
				got, stats := scanned(t, content[:size], ScanOptions{})
				for _, line := range got {
					if _, found := slices.BinarySearch(lines, line); !found {
						t.Fatalf("was never written: %s", line)
					}
				}
				if stats.Skipped(CutOff) != 1 || stats.Damaged() != 1 || len(stats.Positions(CutOff)) != 1 {
					t.Fatalf("%+v", stats)
				}
				if at := stats.Positions(CutOff)[0]; at.Line != stats.Records+1 || at.Offset != stats.Bytes {
					t.Fatalf("cut off at %+v after %d records in %d bytes", at, stats.Records, stats.Bytes)
				}
			}
		})
	}
}

// TestBlocksDoNotMatter: however a log is cut and among however many workers it is
// shared, the records and what is said of the rest are those of one line after another.
func TestBlocksDoNotMatter(t *testing.T) {
	odd := []string{"", "{", whole[:30], "[]", `{"msg":"other"}`, strings.Repeat("y", 700), strings.Replace(whole, `"schema":1`, `"schema":9`, 1)}
	rapid.Check(t, func(t *rapid.T) {
		lines := strings.Split(strings.TrimSpace(string(generated(rapid.IntRange(0, 8).Draw(t, "records"), 1))), "\n")
		for range rapid.IntRange(0, 12).Draw(t, "odd lines") {
			i := rapid.IntRange(0, len(lines)).Draw(t, "place")
			lines = slices.Insert(lines, i, rapid.SampledFrom(odd).Draw(t, "odd"))
		}
		log := strings.Join(lines, "\n") + rapid.SampledFrom([]string{"", "\n", "\n{", "\n\n"}).Draw(t, "end")
		want, wantStats := scanned(t, []byte(log), ScanOptions{Workers: 1, maxLine: 650})
		got, stats := scanned(t, []byte(log), ScanOptions{
			Workers: rapid.IntRange(1, 4).Draw(t, "workers"), maxLine: 650,
			blockSize: rapid.SampledFrom([]int{1, 2, 7, 100, 640, 651, 800, 5000}).Draw(t, "block"),
		})
		if !slices.Equal(got, want) {
			t.Fatalf("got %d records, want %d", len(got), len(want))
		}
		if !reflect.DeepEqual(stats, wantStats) {
			t.Fatalf("got  %+v\nwant %+v", stats, wantStats)
		}
	})
}

// TestDamageStaysInItsLine: what happens to one line takes nothing from the others.
func TestDamageStaysInItsLine(t *testing.T) {
	log := strings.TrimSpace(string(generated(40, 3)))
	lines := strings.Split(log, "\n")
	rapid.Check(t, func(t *rapid.T) {
		damaged := slices.Clone(lines)
		i := rapid.IntRange(0, len(lines)-1).Draw(t, "line")
		b := []byte(lines[i])
		for range rapid.IntRange(1, 5).Draw(t, "bytes") {
			c := rapid.Byte().Filter(func(c byte) bool { return c != '\n' }).Draw(t, "byte")
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = c
		}
		damaged[i] = string(b[:rapid.IntRange(0, len(b)).Draw(t, "cut at")])
		got, stats := scanned(t, []byte(strings.Join(damaged, "\n")+"\n"), ScanOptions{blockSize: 1000})
		want := slices.Delete(slices.Clone(lines), i, i+1)
		got = slices.DeleteFunc(got, func(s string) bool { return s == strings.TrimSpace(damaged[i]) })
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatal("another line changed")
		}
		if stats.Lines != int64(len(lines)) || stats.Records < int64(len(want)) {
			t.Fatalf("%+v", stats)
		}
	})
}

func TestFirstPositionsAreKept(t *testing.T) {
	log := strings.Repeat("{\n", 500)
	_, stats := scanned(t, []byte(log), ScanOptions{Workers: 4, blockSize: 8})
	if stats.Skipped(NotJSON) != 500 || len(stats.Positions(NotJSON)) != MaxPositions {
		t.Fatalf("%+v", stats)
	}
	for i, p := range stats.Positions(NotJSON) {
		if p.Line != int64(i)+1 || p.Offset != 2*int64(i) {
			t.Errorf("position %d is %+v", i, p)
		}
	}
	if got := stats.Positions(NotJSON)[1].String(); got != "-:2: not JSON" {
		t.Error(got)
	}
}

// TestEntriesAreGoodForEver: nothing in a kept entry refers to the block that it came from.
func TestEntriesAreGoodForEver(t *testing.T) {
	log := generated(2000, 5)
	var kept []Entry
	source, _ := Open([]string{"-"}, bytes.NewReader(log), Options{})
	_, err := source.Scan(t.Context(), ScanOptions{Workers: 1, blockSize: 4096}, func(int) func(*Entry) {
		return func(e *Entry) { kept = append(kept, *e) }
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, raw := range bytes.Split(bytes.TrimSpace(log), newline) {
		var l line
		if l.decode(raw, unmarshal) != none {
			t.Fatalf("%s", raw)
		}
		kept[i].Raw, l.Raw = nil, nil
		if !reflect.DeepEqual(kept[i], l.Entry) {
			t.Fatalf("%s\nwas kept as %+v", raw, kept[i])
		}
	}
}

func TestBrief(t *testing.T) {
	raw := `{"ts":1764000000,"msg":"cacheward","event":"diverge","route":"landing","host":"h","url":"u","mode":"enforce",` +
		`"reasons":["divergent"],"divergence":{"class":"token"},"findings":[{"kind":"marker"}],"detail":"d"}` + "\n"
	for _, tt := range []struct {
		fields    Fields
		url, host string
	}{{0, "", ""}, {FieldURL, "u", ""}, {FieldHost, "", "h"}, {FieldURL | FieldHost, "u", "h"}} {
		filter, err := CompileFilter(`detail == "d" && divergence.class == "token"`)
		if err != nil {
			t.Fatal(err)
		}
		source, _ := Open([]string{"-"}, strings.NewReader(raw), Options{})
		_, err = source.Scan(t.Context(), ScanOptions{Workers: 1, Brief: true, Fields: tt.fields, Filter: filter}, func(int) func(*Entry) {
			return func(e *Entry) {
				if e.URL != tt.url || e.Host != tt.host || e.Route != "landing" || e.Reasons[0] != "divergent" {
					t.Errorf("%v: %+v", tt.fields, e)
				}
				if e.Divergence != nil || e.Findings != nil || e.Detail != "" || e.Mode != "" {
					t.Errorf("not left out: %+v", e)
				}
			}
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestScanEndsWithContext: also if the stream says nothing and does not end.
func TestScanEndsWithContext(t *testing.T) {
	silent, w := io.Pipe()
	defer func() { _ = w.Close() }()
	source, err := Open([]string{"-"}, silent, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = source.Scan(ctx, ScanOptions{}, func(int) func(*Entry) { return func(*Entry) {} })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestScanFails(t *testing.T) {
	failing := io.MultiReader(strings.NewReader(whole+"\n"), failure{})
	source, _ := Open([]string{"-"}, failing, Options{})
	_, err := source.Scan(t.Context(), ScanOptions{}, func(int) func(*Entry) { return func(*Entry) {} })
	if err == nil || err.Error() != "-: the disk is gone" {
		t.Error(err)
	}
}

type failure struct{}

func (failure) Read([]byte) (int, error) { return 0, fmt.Errorf("the disk is gone") }
