package markers

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

// types are the media types of the pages in testdata, by their file names.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".json": "application/json",
	".js":   "text/javascript",
	".xml":  "application/xml",
	".txt":  "text/plain; charset=utf-8",
}

// readPage reads a page of testdata. A name with .http has its header in the file.
func readPage(t testing.TB, path string) Page {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ext := filepath.Ext(path)
	if ext == ".http" {
		r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data)), nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return Page{r.Header, body}
	}
	if types[ext] == "" {
		t.Fatalf("%s: the file name does not tell a media type", path)
	}
	return Page{http.Header{"Content-Type": {types[ext]}}, data}
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// ids are the markers' detectors, each once.
func ids(markers []Marker) []string {
	var out []string
	for _, m := range markers {
		if !slices.Contains(out, m.ID) {
			out = append(out, m.ID)
		}
	}
	return out
}

// Each detector finds its state in all its state pages, and no other detector finds
// anything there; nothing is found in its plain pages. Turned off, it finds nothing,
// and no other takes its place.
func TestDetectorPages(t *testing.T) {
	for _, d := range policies.Detectors() {
		t.Run(d.ID, func(t *testing.T) {
			states, plains := glob(t, d.ID+"/state-*"), glob(t, d.ID+"/plain-*")
			if len(states) == 0 || len(plains) == 0 {
				t.Fatalf("%d state pages and %d plain ones: at least one of each is wanted", len(states), len(plains))
			}
			for _, path := range states {
				page := readPage(t, path)
				found, whole := Detect(page, nil)
				if got := ids(found); !slices.Equal(got, []string{d.ID}) || !whole {
					t.Errorf("%s: found %q, whole %v", path, got, whole)
				}
				checkMarkers(t, page, found)
				if found, _ := Detect(page, func(id string) bool { return id == d.ID }); len(found) > 0 {
					t.Errorf("%s, turned off: found %q", path, ids(found))
				}
			}
			for _, path := range plains {
				if found, whole := Detect(readPage(t, path), nil); len(found) > 0 || !whole {
					t.Errorf("%s: found %+v, whole %v", path, found, whole)
				}
			}
		})
	}
}

// Every directory of pages is a detector's, and every file in it is one or the other.
func TestPagesBelongToDetectors(t *testing.T) {
	known := append(policies.DetectorIDs(), "ordinary", "fuzz", "rapid")
	for _, path := range glob(t, "*/*") {
		dir, file := filepath.Split(path)
		id := filepath.Base(dir)
		if !slices.Contains(known, id) {
			t.Errorf("%s: there is no detector %q", path, id)
		}
		if slices.Contains(policies.DetectorIDs(), id) && !strings.HasPrefix(file, "state-") && !strings.HasPrefix(file, "plain-") {
			t.Errorf("%s: neither state nor plain", path)
		}
	}
}

// checkMarkers holds what is true of all markers.
func checkMarkers(t testing.TB, page Page, found []Marker) {
	t.Helper()
	type name struct{ id, near string }
	seen := make(map[name]bool)
	last := int64(-1)
	if len(found) > maxMarkers {
		t.Errorf("%d markers", len(found))
	}
	for _, m := range found {
		if m.Offset < 0 || m.Length <= 0 || m.Offset+m.Length > int64(len(page.Body)) {
			t.Errorf("%s: %d bytes at %d of %d", m.ID, m.Length, m.Offset, len(page.Body))
		}
		if m.Offset < last {
			t.Errorf("%s: at %d, after one at %d", m.ID, m.Offset, last)
		}
		last = m.Offset
		if m.Near != "" && !identifier.MatchString(m.Near) {
			t.Errorf("%s: near %q", m.ID, m.Near)
		}
		if seen[name{m.ID, m.Near}] {
			t.Errorf("%s near %s is reported twice", m.ID, m.Near)
		}
		seen[name{m.ID, m.Near}] = true
		if !slices.Contains(policies.DetectorIDs(), m.ID) {
			t.Errorf("%q is no detector", m.ID)
		}
	}
}

// Nothing is found in ordinary pages. The count is of all pages that have nothing of
// a visitor in them, those that resemble a detector's included.
func TestFalseAlarms(t *testing.T) {
	paths := append(glob(t, "ordinary/*"), glob(t, "*/plain-*")...)
	alarms := 0
	for _, path := range paths {
		page := readPage(t, path)
		if found, whole := Detect(page, nil); len(found) > 0 || !whole {
			alarms++
			t.Errorf("%s: found %+v, whole %v", path, found, whole)
		}
	}
	t.Logf("%d false alarms on %d pages", alarms, len(paths))
}
