package inquiry

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

var sequence = regexp.MustCompile("\x1b\\[[0-9;]*m")

var update = flag.Bool("update", false, "write the golden files anew")

// question is what all questions have in common, for tests.
type question interface{ Add(*reading.Entry) }

func askAll[Q question](q Q, entries []reading.Entry) Q {
	for i := range entries {
		q.Add(&entries[i])
	}
	return q
}

func newTimeline(t *testing.T, bucket time.Duration) *Timeline {
	t.Helper()
	q, err := NewTimeline(bucket)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func newWhyOf(t *testing.T, url string, limit int) *Why {
	t.Helper()
	q, err := NewWhy(url, limit)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestTexts(t *testing.T) {
	night := morning()
	tokyo := time.FixedZone("JST", 9*3600)
	o := TextOptions{Width: 110, Location: time.UTC, Limit: 20}
	narrow := TextOptions{Width: 80, Location: tokyo, Limit: 3}
	sampled := morning()
	for i := range sampled {
		if sampled[i].Event == "serve" {
			sampled[i].ServesPct = 10
		}
	}
	for _, tt := range []struct {
		name   string
		answer interface {
			Text(io.Writer, TextOptions) error
		}
		options TextOptions
	}{
		{"summary", askAll(NewSummary(), night).Answer(), o},
		{"summary-narrow", askAll(NewSummary(), night).Answer(), narrow},
		{"summary-sampled", askAll(NewSummary(), sampled).Answer(), o},
		{"summary-empty", NewSummary().Answer(), o},
		{"refusals", askAll(NewRefusals(), night).Answer(), o},
		{"refusals-none", NewRefusals().Answer(), o},
		{"bypasses", askAll(NewBypasses(), night).Answer(), o},
		{"bypasses-narrow", askAll(NewBypasses(), night).Answer(), narrow},
		{"divergences", askAll(NewDivergences(), night).Answer(), o},
		{"why", askAll(newWhyOf(t, "/register/lp", 12), between(night, 13*time.Minute, 32*time.Minute)).Answer(), o},
		{"why-params", askAll(newWhyOf(t, "https://hapitas.example/register/lp?page=2", 5), night).Answer(), narrow},
		{"why-nothing", newWhyOf(t, "/nowhere", 0).Answer(), o},
		{"timeline", askAll(newTimeline(t, 0), night).Answer(), o},
		{"timeline-narrow", askAll(newTimeline(t, 2*time.Minute), night).Answer(), narrow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := tt.answer.Text(&b, tt.options); err != nil {
				t.Fatal(err)
			}
			golden(t, tt.name+".txt", b.Bytes())
		})
	}
}

// between are the entries of a part of the night.
func between(entries []reading.Entry, from, to time.Duration) []reading.Entry {
	var part []reading.Entry
	for _, e := range entries {
		if since := e.Time.Sub(sampleStart); since >= from && since < to {
			part = append(part, e)
		}
	}
	return part
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not as it was; got\n%s", name, got)
	}
}

// Colours must change nothing but colours.
func TestColoursLeaveTheTextAlone(t *testing.T) {
	a := askAll(NewSummary(), morning()).Answer()
	var plain, colored bytes.Buffer
	if err := a.Text(&plain, TextOptions{Width: 100}); err != nil {
		t.Fatal(err)
	}
	if err := a.Text(&colored, TextOptions{Width: 100, Style: show.Style{Color: true}}); err != nil {
		t.Fatal(err)
	}
	if stripped := sequence.ReplaceAll(colored.Bytes(), nil); !bytes.Equal(stripped, plain.Bytes()) {
		t.Errorf("with colours it reads\n%s", stripped)
	}
	if plain.Len() == colored.Len() {
		t.Error("there are no colours")
	}
}
