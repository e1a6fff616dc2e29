package plot

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// parsed returns the texts of the elements of that name, and fails if the document is not
// well-formed or needs something else.
func parsed(t interface{ Fatalf(string, ...any) }, svg []byte, name string) (texts []string) {
	d := xml.NewDecoder(bytes.NewReader(svg))
	depth := []string{}
	for {
		token, err := d.Token()
		if err == io.EOF {
			return texts
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		switch token := token.(type) {
		case xml.StartElement:
			depth = append(depth, token.Name.Local)
			if token.Name.Local == name {
				texts = append(texts, "")
			}
			for _, a := range token.Attr {
				if strings.Contains(a.Name.Local, "href") || strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Fatalf("attribute %s=%q", a.Name.Local, a.Value)
				}
			}
		case xml.EndElement:
			depth = depth[:len(depth)-1]
		case xml.CharData:
			if len(depth) > 0 && depth[len(depth)-1] == name {
				texts[len(texts)-1] += string(token)
			}
		}
	}
}

func TestTextIsEscaped(t *testing.T) {
	const text = `</text><script>a&b"'`
	l := Line{
		Title: text, Subtitle: text, X: Axis{Label: text}, Y: Axis{Label: text, Unit: text},
		Series: []Series{{Name: text, Points: []Point{{X: 1, Y: 2}}}}, Bars: []Bar{{1, text}},
	}
	svg, err := l.SVG()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(parsed(t, svg, "text"), "\n"); strings.Count(got, text) != 7 {
		t.Errorf("texts:\n%s", got)
	}
	if got := parsed(t, svg, "script"); got != nil {
		t.Errorf("a script: %v", got)
	}
	if got := parsed(t, svg, "title"); len(got) != 1 || got[0] != text {
		t.Errorf("title %q", got)
	}
}

func TestTheWords(t *testing.T) {
	svg, err := samples["line"].SVG()
	if err != nil {
		t.Fatal(err)
	}
	const want = `CPU a request, of the server's process, 1 KiB pages; medians of 5 rounds of 3 s with their spread, load and server on a core each
Vertically: CPU a request (µs). Horizontally: routes of the policy, logarithmic.
Cacheward: 29.1 at 10 (28.2 to 30.6); 29.3 at 100 (28.9 to 31); 29.2 at 1,000 (28.7 to 29.9); 30.1 at 10,000 (29.4 to 31.8).
Caddy's respond: 27.9 at 10 (27.1 to 29); 28.1 at 100 (27.5 to 28.6); 28 at 1,000 (27.8 to 28.9); 28.2 at 10,000 (27.7 to 29.1).
bar: 1.10 × respond: a line at 30.8.`
	if got := parsed(t, svg, "desc"); len(got) != 1 || got[0] != want {
		t.Errorf("described as\n%s", strings.Join(got, "\n"))
	}
	svg, err = samples["grid"].SVG()
	if err != nil {
		t.Fatal(err)
	}
	if got := parsed(t, svg, "desc"); len(got) != 1 || !strings.Contains(got[0], "\nbody. Vertically: CPU a request (µs). Horizontally: size of the body, logarithmic.") || !strings.Contains(got[0], "480 at 1 MiB") {
		t.Errorf("described as\n%s", strings.Join(got, "\n"))
	}
}

func TestWhatCannotBeDrawn(t *testing.T) {
	points := func(p ...Point) []Series { return []Series{{Name: "s", Points: p}} }
	logX, logY := Line{X: Axis{Log: true}}, Line{Y: Axis{Log: true}}
	with := func(l Line, s []Series, bars ...Bar) Line {
		l.Series, l.Bars = s, bars
		return l
	}
	for name, l := range map[string]Line{
		"no series":         {},
		"nine series":       {Series: append(points(Point{X: 1, Y: 1}), make([]Series, 8)...)},
		"no points":         with(Line{}, points()),
		"too large":         with(Line{}, points(Point{X: 1, Y: -1e101})),
		"NaN":               with(Line{}, points(Point{X: 1, Y: math.NaN()})),
		"infinite":          with(Line{}, points(Point{X: math.Inf(1), Y: 1})),
		"falling":           with(Line{}, points(Point{X: 2, Y: 1}, Point{X: 1, Y: 1})),
		"zero, log x":       with(logX, points(Point{X: 0, Y: 1})),
		"zero, log y":       with(logY, points(Point{X: 1, Y: 0})),
		"spread, log y":     with(logY, points(Point{X: 1, Y: 1, Min: 0, Max: 2})),
		"outside of spread": with(Line{}, points(Point{X: 1, Y: 3, Min: 1, Max: 2})),
		"bar, log y":        with(logY, points(Point{X: 1, Y: 1}), Bar{Y: -1}),
		"infinite bar":      with(Line{}, points(Point{X: 1, Y: 1}), Bar{Y: math.Inf(-1)}),
	} {
		if svg, err := l.SVG(); err == nil || svg != nil {
			t.Errorf("%s: drawn, %v", name, err)
		}
		if svg, err := (Grid{Charts: []Line{l}}).SVG(); err == nil || svg != nil {
			t.Errorf("%s: drawn on a sheet, %v", name, err)
		}
	}
	if _, err := (Grid{}).SVG(); err == nil {
		t.Error("an empty sheet is drawn")
	}
}

// Whatever the values and texts, the document is well-formed, has no number that is none,
// and is the same again.
func TestAnyChart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := Grid{Title: rapid.String().Draw(t, "sheet"), Columns: rapid.IntRange(-1, 4).Draw(t, "columns")}
		for range rapid.IntRange(1, 3).Draw(t, "charts") {
			g.Charts = append(g.Charts, anyLine(t))
		}
		svg, err := g.SVG()
		if err != nil {
			t.Fatal(err)
		}
		again, _ := g.SVG()
		if !bytes.Equal(svg, again) {
			t.Fatal("not the same again")
		}
		parsed(t, svg, "text")
	})
}

func anyLine(t *rapid.T) Line {
	axis := func(name string) Axis {
		return Axis{rapid.String().Draw(t, name), rapid.String().Draw(t, name), rapid.Bool().Draw(t, name), rapid.Bool().Draw(t, name)}
	}
	l := Line{Title: rapid.String().Draw(t, "title"), Subtitle: rapid.String().Draw(t, "subtitle"), X: axis("x"), Y: axis("y")}
	value := func(a Axis, name string) float64 {
		v := rapid.OneOf(rapid.Float64Range(-largest, largest), rapid.Float64Range(-1e6, 1e6), rapid.Float64Range(-2, 2), rapid.Just(0.0)).Draw(t, name)
		if a.Log {
			v = math.Max(math.Abs(v), least)
		}
		return v
	}
	for range rapid.IntRange(1, 4).Draw(t, "series") {
		s := Series{Name: rapid.String().Draw(t, "name"), Muted: rapid.Bool().Draw(t, "muted")}
		for range rapid.IntRange(1, 5).Draw(t, "points") {
			p := Point{X: value(l.X, "x"), Y: value(l.Y, "y")}
			if rapid.Bool().Draw(t, "spread") {
				other := value(l.Y, "other")
				p.Min, p.Max = math.Min(p.Y, other), math.Max(p.Y, other)
			}
			if n := len(s.Points); n == 0 || p.X > s.Points[n-1].X {
				s.Points = append(s.Points, p)
			}
		}
		l.Series = append(l.Series, s)
	}
	for range rapid.IntRange(0, 2).Draw(t, "bars") {
		l.Bars = append(l.Bars, Bar{value(l.Y, "bar"), rapid.String().Draw(t, "label")})
	}
	return l
}
