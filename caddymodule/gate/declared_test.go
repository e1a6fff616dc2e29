package gate

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/gate/harmless"
	"github.com/cacheward/cacheward/policies"
)

func declare(t testing.TB, places ...policies.Harmless) *harmless.Set {
	t.Helper()
	set, err := harmless.Compile(places)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestDeclaredHarmless(t *testing.T) {
	set := declare(t,
		policies.Harmless{HTML: "comment", Matching: "generated *"},
		policies.Harmless{HTML: "span#stamp"},
		policies.Harmless{Header: "X-Render", Matching: "*"},
	)
	page := func(comment, stamp, lead string) string {
		return "<p><!--generated " + comment + "--><span id=stamp>" + stamp + "</span></p>\n<b>" + lead + "</b>\n"
	}
	html := []string{"Content-Type", "text/html"}
	with := func(pairs ...string) []string { return append(html[:2:2], pairs...) }
	inputs := []policies.Input{cookie("name", "Anna"), param("n", "12"), param("q", "a b/c")}
	tests := []struct {
		name      string
		own, fill Answer
		class     policies.Class // "" for the same
		declared  bool
		input     string
		offset    int64
		total     int
	}{
		{"the places alone", answer(page("12:00", "5", "x"), html...), answer(page("12:01:30", "17", "x"), html...), "", false, "", 0, 0},
		{"and what follows the body", answer(page("12:00", "5", "x"), with("Etag", `"1"`, "Last-Modified", "a")...), answer(page("12:01", "5", "x"), with("Etag", `"2"`)...), "", false, "", 0, 0},
		{"what follows the body alone", answer(page("12:00", "5", "x"), with("Etag", `"1"`)...), answer(page("12:00", "5", "x"), with("Etag", `"2"`)...), policies.ClassCounter, false, "", 1, 1},
		{"a field", answer("x", with("X-Render", "5 ms")...), answer("x", with("X-Render", "9 ms")...), "", false, "", 0, 0},
		{"a field in one only", answer("x", with("X-Render", "5 ms")...), answer("x", html...), policies.ClassContent, false, "", 0, 1},
		{"another field", answer("x", with("X-A", "5")...), answer("x", with("X-A", "6")...), policies.ClassCounter, false, "", 0, 1},
		{"another place", answer(page("12:00", "5", "1001"), html...), answer(page("12:01:30", "17", "1002"), html...), policies.ClassCounter, false, "", int64(strings.Index(page("12:01:30", "17", "1002"), "1002")), 1},
		{"a place in one only", answer(page("12:00", "5", "x"), html...), answer("<p>x</p>", html...), policies.ClassContent, false, "", 3, 1},
		{"another type", answer(page("12:00", "5", "x"), "Content-Type", "text/plain"), answer(page("12:01", "5", "x"), "Content-Type", "text/plain"), policies.ClassClock, false, "", 17, 1},
		{"a place that does not match", answer(strings.Replace(page("12:00", "5", "x"), "gen", "deg", 1), html...), answer(strings.Replace(page("12:01", "5", "x"), "gen", "deg", 1), html...), policies.ClassClock, false, "", 17, 1},

		{"a place with an input", answer(page("12:00 for Anna", "5", "x"), html...), answer(page("12:00 for you", "5", "x"), html...), policies.ClassReflected, true, "cookie name", 7, 1},
		{"URL-encoded, in full", answer(page("12:00 for %41%6e%6E%61", "5", "x"), html...), answer(page("12:00 for you", "5", "x"), html...), policies.ClassReflected, true, "cookie name", 7, 1},
		{"with a blank", answer(page("12:00 for a+b%2fc", "5", "x"), html...), answer(page("12:00 for you", "5", "x"), html...), policies.ClassReflected, true, "param q", 7, 1},
		{"a place with an input in both", answer(page("12:00 for Anna", "5", "x"), html...), answer(page("12:01 for Anna", "5", "x"), html...), "", false, "", 0, 0},
		{"a place with a short input", answer(page("12:00", "5", "x"), html...), answer(page("13:00", "5", "x"), html...), "", false, "", 0, 0},
		{"a place with a stand-in", answer(page("at 203.0.113.9", "5", "x"), html...), answer(page("at 192.0.2.1", "5", "x"), html...), policies.ClassReflected, true, "address", 7, 1},
		{"a field with an input", answer("x", with("X-Render", "for Anna")...), answer("x", with("X-Render", "for you")...), policies.ClassReflected, true, "cookie name", 0, 1},
		{"a place with an input, and another place", answer(page("12:00 for Anna", "5", "1001"), html...), answer(page("12:00", "5", "1002"), html...), policies.ClassReflected, true, "cookie name", 7, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Compare(tt.own, tt.fill, Context{Inputs: inputs, StandIns: testStandIns, Harmless: set})
			if tt.class == "" {
				if got != nil {
					t.Errorf("got %+v, want nothing", got)
				}
				return
			}
			if got == nil {
				t.Fatal("no divergence")
			}
			if why := wellFormed(got); why != "" {
				t.Error(why)
			}
			if got.Class != tt.class || got.Declared != tt.declared || got.Input != tt.input || got.Offset != tt.offset || got.Total != tt.total {
				t.Errorf("got %+v, want %s", got, tt.class)
			}
		})
	}
}

// Where a body was not kept to its end, nothing can be left out of it.
func TestDeclaredNeedsWholeBodies(t *testing.T) {
	set := declare(t, policies.Harmless{HTML: "comment", Matching: "*1*"})
	part := Limits{Keep: 40, Decoded: 1 << 20}
	take := func(text string, l Limits) Answer {
		return Answer{Status: 200, Header: header("Content-Type", "text/html"), Body: record(nil, l, []byte(text+strings.Repeat("x ", 50)))}
	}
	for _, l := range []Limits{ample, part} {
		got := Compare(take("<!--11-->", ample), take("<!--12-->", l), Context{Harmless: set})
		if (got == nil) != (l.Keep == ample.Keep) {
			t.Errorf("with %d bytes kept: got %+v", l.Keep, got)
		}
	}
}

func TestExcerpt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "body")
		var places []harmless.Place
		var kept []byte
		var from []int // where each kept byte was
		for at := 0; at < len(body); {
			skip, size := rapid.IntRange(0, 4).Draw(t, "skip"), rapid.IntRange(0, 4).Draw(t, "size")
			start := min(len(body), at+skip)
			end := min(len(body), start+size)
			for ; at < start; at++ {
				kept, from = append(kept, body[at]), append(from, at)
			}
			places = append(places, harmless.Place{Start: start, End: end})
			at = end
			if skip+size == 0 {
				break
			}
		}
		for at := len(kept); len(places) > 0 && places[len(places)-1].End+at-len(kept) < len(body); at++ {
			from = append(from, places[len(places)-1].End+at-len(kept))
		}
		for _, at := range from[len(kept):] {
			kept = append(kept, body[at])
		}
		e := without(body, places)
		if len(places) == 0 {
			kept = body
		}
		if !bytes.Equal(e.text, kept) {
			t.Fatalf("got %q, want %q", e.text, kept)
		}
		for i := range from {
			for j := i + 1; j <= len(from); j++ {
				offset, length := e.original(i, j)
				if int(offset) != from[i] || int(offset+length) != from[j-1]+1 {
					t.Fatalf("%d to %d is %d to %d, want %d to %d", i, j, offset, offset+length, from[i], from[j-1]+1)
				}
			}
			if offset, length := e.original(i, i); length != 0 || int(offset) > from[i] {
				t.Fatalf("nothing at %d is %d bytes at %d", i, length, offset)
			}
		}
	})
}
