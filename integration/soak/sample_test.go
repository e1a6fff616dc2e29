package soak

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sample is what the site says of itself at one moment.
type sample struct {
	at       time.Duration // since the beginning
	drained  bool          // nobody asks for anything
	asked    int64         // requests so far
	figures  map[string]float64
	liveHeap float64 // after a collection; drained only
}

// column is one figure of a sample.
type column struct {
	name   string
	metric string // of the process, summed up over its labels
}

// columns are the figures that are sampled.
var columns = []column{
	{"goroutines", "go_goroutines"},
	{"fds", "process_open_fds"},
	{"rss", "process_resident_memory_bytes"},
	{"heap", "go_memstats_heap_alloc_bytes"},
	{"cpu_s", "process_cpu_seconds_total"},
	{"store_bytes", "caddy_cacheward_store_bytes"},
	{"store_limit", "caddy_cacheward_store_limit_bytes"},
	{"store_objects", "caddy_cacheward_store_objects"},
	{"evictions", "caddy_cacheward_store_evictions_total"},
	{"expirations", "caddy_cacheward_store_expirations_total"},
	{"fills", "caddy_cacheward_fills_in_flight"},
	{"waiters", "caddy_cacheward_waiters"},
	{"fill_memory", "caddy_cacheward_fill_memory_bytes"},
	{"fill_memory_limit", "caddy_cacheward_fill_memory_limit_bytes"},
	{"refusals", "caddy_cacheward_remembered_refusals"},
	{"tripped", "caddy_cacheward_tripped"},
	{"faults", "caddy_cacheward_faults_total"},
	{"audit_queue", "caddy_cacheward_audit_queue"},
	{"audit_written", `caddy_cacheward_audit_records_total{result="written"}`},
	{"audit_dropped", `caddy_cacheward_audit_records_total{result="dropped"}`},
	{"fills_total", "caddy_cacheward_fills_total"},
	{"trips", "caddy_cacheward_trips_total"},
	{"purges", "caddy_cacheward_purges_total"},
	{"beacons_waiting", "caddy_cacheward_beacons_waiting"},
	{"beacons_sent", "caddy_cacheward_beacons_sent_total"},
	{"beacons_lost", "caddy_cacheward_beacons_lost_total"},
}

// scrape reads the figures.
func (s *site) scrape() (map[string]float64, error) {
	text, err := s.get("/metrics")
	if err != nil {
		return nil, err
	}
	return parseMetrics(text)
}

// parseMetrics reads Prometheus' text format. A name without labels is the sum over all
// of them.
func parseMetrics(text []byte) (map[string]float64, error) {
	figures := make(map[string]float64)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		i := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || i < 0 {
			continue
		}
		v, err := strconv.ParseFloat(line[i+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("metric %q: %w", line, err)
		}
		name, labels, _ := strings.Cut(line[:i], "{")
		figures[name] += v
		if labels != "" {
			figures[line[:i]] = v
		}
	}
	return figures, lines.Err()
}

// of is the figure of the column of that name.
func (s sample) of(name string) float64 {
	for _, c := range columns {
		if c.name == name {
			return s.figures[c.metric]
		}
	}
	panic("no column " + name)
}

// besideStore is the live heap without what is stored.
func (s sample) besideStore() float64 { return s.liveHeap - s.of("store_bytes") }

// writeSeries writes samples as CSV, with seconds and bytes as units.
func writeSeries(file string, samples []sample) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	w := csv.NewWriter(f)
	names := []string{"second", "drained", "requests", "live_heap"}
	for _, c := range columns {
		names = append(names, c.name)
	}
	_ = w.Write(names) // Error says of all lines
	for _, s := range samples {
		_ = w.Write(s.cells())
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	return f.Close()
}

func (s sample) cells() []string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	cells := []string{fmt.Sprintf("%.2f", s.at.Seconds()), strconv.FormatBool(s.drained), strconv.FormatInt(s.asked, 10), number(s.liveHeap)}
	for _, c := range columns {
		cells = append(cells, number(s.figures[c.metric]))
	}
	return cells
}

func TestParseMetrics(t *testing.T) {
	got, err := parseMetrics([]byte("# HELP a b\na{x=\"1 2\"} 3\na{x=\"4\"} 1.5e+06\nb 7\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{"a": 1500003, `a{x="1 2"}`: 3, "b": 7} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if _, err := parseMetrics([]byte("a b\n")); err == nil {
		t.Error("a word was taken for a number")
	}
}
