package gate

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// rebuilt is own, made of the fill outside of the spans and own's bytes within.
func rebuilt(own, fill []byte, spans []span) []byte {
	var b []byte
	at := 0
	for _, s := range spans {
		b = append(b, fill[at:s.fill]...)
		b = append(b, own[s.own:s.ownEnd]...)
		at = s.fillEnd
	}
	return append(b, fill[at:]...)
}

// checkSpans reports what is wrong with the spans of two texts.
func checkSpans(own, fill []byte, whole bool, spans []span) string {
	if len(spans) > maxSpans+1 {
		return fmt.Sprintf("%d spans", len(spans))
	}
	last := span{}
	for i, s := range spans {
		if s.ownEnd < s.own || s.fillEnd < s.fill || s.ownEnd > len(own) || s.fillEnd > len(fill) {
			return fmt.Sprintf("span %d, %v, is not within %d and %d bytes", i, s, len(own), len(fill))
		}
		if i > 0 && (s.fill <= last.fillEnd || s.own <= last.ownEnd) {
			return fmt.Sprintf("span %d, %v, is not after %v", i, s, last)
		}
		if !bytes.Equal(own[last.ownEnd:s.own], fill[last.fillEnd:s.fill]) {
			return fmt.Sprintf("the texts differ before span %d, %v", i, s)
		}
		if bytes.Equal(own[s.own:s.ownEnd], fill[s.fill:s.fillEnd]) {
			return fmt.Sprintf("they are the same in span %d, %v", i, s)
		}
		last = s
	}
	if got := rebuilt(own, fill, spans); whole && !bytes.Equal(got, own) {
		return fmt.Sprintf("rebuilt: %q", got)
	}
	return ""
}

func TestDiff(t *testing.T) {
	row := func(n int) string { return fmt.Sprintf("<li class=item><a href=/%d>row number %d</a></li>\n", n, n) }
	rows := func(from, to int) (all string) {
		for n := from; n < to; n++ {
			all += row(n)
		}
		return all
	}
	tests := []struct {
		name      string
		own, fill string
		spans     []string // own's → fill's
	}{
		{"equal", rows(0, 9), rows(0, 9), nil},
		{"both empty", "", "", nil},
		{"one empty", "abc", "", []string{"abc→"}},
		{"one token", "lead=1001;", "lead=1002;", []string{"1001→1002"}},
		{"two tokens", "lead=1001;" + rows(0, 9) + "t=abc;", "lead=1002;" + rows(0, 9) + "t=xyz;", []string{"1001→1002", "abc→xyz"}},
		{"two tokens close together", "lead=1001;t=abc;", "lead=1002;t=xyz;", []string{"1001;t=abc→1002;t=xyz"}},
		{"of different length", "a=1;" + rows(0, 9) + "b=abc;" + rows(9, 20), "a=1234;" + rows(0, 9) + "b=;" + rows(9, 20), []string{"1→1234", "abc→"}},
		{"a row more", rows(0, 20), rows(0, 7) + "<li>new</li>\n" + rows(7, 20), []string{"→>new</li>\n<li"}},
		{"a row less, and a token", rows(0, 7) + rows(8, 20) + "x=1", rows(0, 20) + "x=2", []string{"/8→/7>row number 7</a></li>\n<li class=item><a href=/8", "1→2"}},
		{"at the beginning and at the end", "1;" + rows(0, 20) + "1", "2;" + rows(0, 20) + "2", []string{"1→2", "1→2"}},
		{"everything", strings.Repeat("abc ", 50), strings.Repeat("xyz ", 50), []string{strings.Repeat("abc ", 49) + "abc→" + strings.Repeat("xyz ", 49) + "xyz"}},
		{"a long token cut by what it shares", "q=" + strings.Repeat("a", 50) + "1" + strings.Repeat("b", 50) + "1;", "q=" + strings.Repeat("a", 50) + "2" + strings.Repeat("b", 50) + "2;",
			[]string{strings.Repeat("a", 50) + "1" + strings.Repeat("b", 50) + "1→" + strings.Repeat("a", 50) + "2" + strings.Repeat("b", 50) + "2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			own, fill := []byte(tt.own), []byte(tt.fill)
			spans := diff(own, fill, true)
			if why := checkSpans(own, fill, true, spans); why != "" {
				t.Fatal(why)
			}
			var got []string
			for _, s := range spans {
				got = append(got, string(own[s.own:s.ownEnd])+"→"+string(fill[s.fill:s.fillEnd]))
			}
			if !slices.Equal(got, tt.spans) {
				t.Errorf("got %q, want %q", got, tt.spans)
			}
		})
	}
}

// Rows that moved do not make everything after them one difference.
func TestDiffMovedRows(t *testing.T) {
	var own, fill []byte
	for n := range 200 {
		own = fmt.Appendf(own, "<p>this is the paragraph with the number %d, of two hundred</p>\n", n)
		fill = fmt.Appendf(fill, "<p>this is the paragraph with the number %d, of two hundred</p>\n", (n+20)%200)
	}
	spans := diff(own, fill, true)
	if why := checkSpans(own, fill, true, spans); why != "" {
		t.Fatal(why)
	}
	differ := 0
	for _, s := range spans {
		differ += s.ownEnd - s.own + s.fillEnd - s.fill
	}
	if differ > len(own)/4 {
		t.Errorf("%d bytes of %d differ in %v", differ, len(own), spans)
	}
}

func TestDiffTooManySpans(t *testing.T) {
	var own, fill []byte
	for n := range 1000 {
		own = fmt.Appendf(own, "<p>this is the paragraph with the number %d</p><a href=/%x>\n", n, 7*n+1)
		fill = fmt.Appendf(fill, "<p>this is the paragraph with the number %d</p><a href=/%x>\n", n, 5*n+2)
	}
	spans := diff(own, fill, true)
	if why := checkSpans(own, fill, true, spans); why != "" || len(spans) != maxSpans+1 {
		t.Errorf("%d spans; %s", len(spans), why)
	}
	got := Compare(answer(string(own)), answer(string(fill)), Context{})
	if got == nil || got.Total != maxSpans+1 || len(got.Spans) != maxListed {
		t.Errorf("got %+v", got)
	}
}

// Kept beginnings of longer texts: the end of what is kept is no difference.
func TestDiffBeginnings(t *testing.T) {
	common := strings.Repeat("some text that both have. ", 4)
	tests := []struct {
		name      string
		own, fill string
		want      []span
	}{
		{"one is the beginning of the other", common, common + "more", nil},
		{"a token, and then the beginning", "a=1;" + common, "a=22;" + common + "more", []span{{2, 3, 2, 4}}},
		{"two tokens", "a=1;" + common + "b=1;", "a=2;" + common + "b=2;more", []span{{2, 3, 2, 3}, {len(common) + 6, len(common) + 7, len(common) + 6, len(common) + 7}}},
		{"nothing after a token alike", "a=1;" + strings.Repeat("x ", 50), "a=2;" + strings.Repeat("y ", 50), []span{{2, 3, 2, 3}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := diff([]byte(tt.own), []byte(tt.fill), false)
			if why := checkSpans([]byte(tt.own), []byte(tt.fill), false, got); why != "" || !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v; %s", got, tt.want, why)
			}
		})
	}
}

var piece = rapid.OneOf(
	rapid.StringMatching(`[a-z0-9]{1,6}`),
	rapid.SampledFrom([]string{" ", "<p>", "=", `"`, "0123456789abcdef0123456789abcdef", strings.Repeat("-", 40), "<li>the same row again and again, and again</li>"}),
)

// edited draws a text and another one that is made from it by some changes.
func edited(t *rapid.T) (own, fill []byte) {
	pieces := rapid.SliceOfN(piece, 0, 60).Draw(t, "pieces")
	other := slices.Clone(pieces)
	for range rapid.IntRange(0, 6).Draw(t, "changes") {
		at := rapid.IntRange(0, len(other)).Draw(t, "at")
		switch rapid.IntRange(0, 3).Draw(t, "change") {
		case 0:
			other = slices.Insert(other, at, piece.Draw(t, "inserted"))
		case 1:
			other = slices.Delete(other, at, min(len(other), at+rapid.IntRange(1, 5).Draw(t, "deleted")))
		case 2:
			if at < len(other) {
				other[at] = piece.Draw(t, "replaced")
			}
		case 3:
			other = slices.Concat(other[at:], other[:at])
		}
	}
	return []byte(strings.Join(pieces, "")), []byte(strings.Join(other, ""))
}

func TestDiffProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		own, fill := edited(t)
		spans := diff(own, fill, true)
		if why := checkSpans(own, fill, true, spans); why != "" {
			t.Fatal(why)
		}
		if (spans == nil) != bytes.Equal(own, fill) {
			t.Fatalf("%d spans", len(spans))
		}
		beginnings := diff(own, fill, false)
		if why := checkSpans(own, fill, false, beginnings); why != "" {
			t.Fatal(why)
		}
		begins := bytes.HasPrefix(own, fill) || bytes.HasPrefix(fill, own)
		if (beginnings == nil) != begins {
			t.Fatalf("%d spans of beginnings", len(beginnings))
		}
	})
}

// Values made for one answer are in the spans, wherever they stand.
func TestDiffFindsEachPlantedValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[A-Za-z0-9]{6,40}`)
		var own, fill []byte
		type planted struct{ own, fill int }
		var values []planted
		for range rapid.IntRange(1, 6).Draw(t, "values") {
			before, _ := pageAround(t)
			own, fill = append(own, before...), append(fill, before...)
			values = append(values, planted{len(own), len(fill)})
			a := value.Draw(t, "own")
			b := value.Filter(func(s string) bool { return s[0] != a[0] && s[len(s)-1] != a[len(a)-1] }).Draw(t, "fill")
			own, fill = append(own, a+")"...), append(fill, b+")"...)
		}
		spans := diff(own, fill, true)
		if why := checkSpans(own, fill, true, spans); why != "" {
			t.Fatal(why)
		}
		for _, v := range values {
			if !slices.ContainsFunc(spans, func(s span) bool {
				return s.own <= v.own && v.own < s.ownEnd || s.fill <= v.fill && v.fill < s.fillEnd
			}) {
				t.Fatalf("%v is in none of %v", v, spans)
			}
		}
	})
}

// hostile are pairs of texts of about n bytes that are hard on a diff.
var hostile = map[string]func(n int) (own, fill []byte){
	"zeros": func(n int) (own, fill []byte) { return make([]byte, n), append([]byte{1}, make([]byte, n/2)...) },
	"noise": func(n int) (own, fill []byte) { return noise(1, n), noise(2, n) },
	"rows and no rows": func(n int) (own, fill []byte) {
		return bytes.Repeat([]byte("<tr><td>1</td></tr>\n"), n/20), append([]byte("x"), bytes.Repeat([]byte("<tr><td>1</td></tr>\r"), n/20)...)
	},
	"shuffled": func(n int) (own, fill []byte) {
		own = noise(3, n)
		parts := slices.Collect(slices.Chunk(slices.Clone(own), 64))
		rand.New(rand.NewPCG(4, 4)).Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		return own, bytes.Join(parts, nil)
	},
	"one block over and over": func(n int) (own, fill []byte) {
		own = noise(5, n)
		return own, append([]byte("!"), bytes.Repeat(own[64:96], n/32)...)
	},
	"a change in each line": func(n int) (own, fill []byte) {
		for i := 0; len(own) < n; i++ {
			own = fmt.Appendf(own, "this is a line with the number %d and this in it: %d\n", i, 3*i)
			fill = fmt.Appendf(fill, "this is a line with the number %d and this in it: %d\n", i, 5*i+1)
		}
		return own, fill
	},
	"one long token": func(n int) (own, fill []byte) {
		return bytes.Repeat([]byte("a"), n), append([]byte("b"), bytes.Repeat([]byte("a"), n-n/8)...)
	},
}

func noise(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, seed))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// The work grows no faster than the texts do.
func TestDiffIsLinear(t *testing.T) {
	for name, texts := range hostile {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1 << 12, 1 << 16, 1 << 19} {
				own, fill := texts(n)
				d := differ{own: own, fill: fill, whole: true}
				d.run()
				if most := 8*(len(own)+len(fill)) + 4096; d.work > most {
					t.Errorf("%d bytes looked at for %d and %d bytes", d.work, len(own), len(fill))
				}
				if why := checkSpans(own, fill, true, widened(d.spans, own, fill)); why != "" {
					t.Error(why)
				}
			}
		})
	}
}

func TestAscending(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var places []place
		for i, at := range rapid.SliceOfN(rapid.IntRange(0, 30), 0, 12).Draw(t, "places") {
			places = append(places, place{own: i, fill: at})
		}
		got := ascending(places)
		for i := range got {
			if !slices.Contains(places, got[i]) || i > 0 && (got[i].own <= got[i-1].own || got[i].fill <= got[i-1].fill) {
				t.Fatalf("got %v", got)
			}
		}
		longest := make([]int, len(places)) // that ends at each
		for i := range places {
			for j := range i {
				if places[j].fill < places[i].fill {
					longest[i] = max(longest[i], longest[j])
				}
			}
			longest[i]++
		}
		if len(places) > 0 && len(got) != slices.Max(longest) {
			t.Fatalf("got %d of %v, want %d", len(got), places, slices.Max(longest))
		}
	})
}

func FuzzDiff(f *testing.F) {
	f.Add([]byte(""), []byte("a"), true)
	f.Add([]byte("lead=1001; "+strings.Repeat("text ", 20)+"t=1"), []byte("lead=2; "+strings.Repeat("text ", 20)+"t=22"), true)
	f.Add([]byte("lead=1001; "+strings.Repeat("text ", 20)), []byte("lead=2; "+strings.Repeat("text ", 30)), false)
	for _, texts := range hostile {
		own, fill := texts(300)
		f.Add(own, fill, true)
	}
	f.Fuzz(func(t *testing.T, own, fill []byte, whole bool) {
		spans := diff(own, fill, whole)
		if why := checkSpans(own, fill, whole, spans); why != "" {
			t.Fatal(why)
		}
		same := bytes.Equal(own, fill)
		if !whole {
			same = bytes.HasPrefix(own, fill) || bytes.HasPrefix(fill, own)
		}
		if (spans == nil) != same {
			t.Fatalf("%v", spans)
		}
		other := diff(fill, own, whole)
		if why := checkSpans(fill, own, whole, other); why != "" {
			t.Fatal(why)
		}
	})
}
