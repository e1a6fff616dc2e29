package gate

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/policies"
)

func answer(body string, pairs ...string) Answer {
	return Answer{Status: 200, Header: header(pairs...), Body: record(nil, ample, []byte(body))}
}

// Where the page differs, for the founding incident's carriers and others.
func TestCompareBodies(t *testing.T) {
	page := func(inner string) string {
		return "<!doctype html><html><head><title>Join</title></head><body>" + inner + "</body></html>\n"
	}
	tests := []struct {
		name      string
		own, fill string
		differing string // the fill's span
		ownLength int64
		shape     string
		near      string
	}{
		{"hidden input", `<input type="hidden" name="lead" value="1001">`, `<input type="hidden" name="lead" value="1002">`, "1002", 4, "decimal-4", "input lead"},
		{"name after the value", `<input value=31a9 name=lead>`, `<input value=31c9 name=lead>`, "31c9", 4, "hex-4", "input lead"},
		{"name only in one", `<input value="31a9" name="a">`, `<input value="31c9" name="b">`, `31c9" name="b`, 13, "mixed-13", ""},
		{"csrf meta", `<meta name="csrf-token" content="n0Zq8vTTmYk3aaaa">`, `<meta name="csrf-token" content="pQ9ZxvTTmYk3aaaa">`, "pQ9ZxvTTmYk3aaaa", 16, "base64url-16", "meta csrf-token"},
		{"link", `<a class="x" href="/register?lead=1001&amp;b=1">go</a>`, `<a class="x" href="/register?lead=77&amp;b=1">go</a>`, "77", 4, "decimal-2", "a href"},
		{"form action", `<form method="post" action="?t=a1b2c3d4">`, `<form method="post" action="?t=00b2c3d4">`, "00b2c3d4", 8, "hex-8", "form action"},
		{"script variable", `<script>var a = 1; var lead = "1001";</script>`, `<script>var a = 1; var lead = "1002";</script>`, "1002", 4, "decimal-4", "lead"},
		{"script member", `<script>window.__STATE__={"user":{"id": 5}, b: 1}</script>`, `<script>window.__STATE__={"user":{"id": 6}, b: 1}</script>`, "6", 1, "decimal-1", "id"},
		{"escaped json", `<script>push("{\"lead\":\"1001\"}")</script>`, `<script>push("{\"lead\":\"1002\"}")</script>`, "1002", 4, "decimal-4", "lead"},
		{"json key", `{"a":"x","user_id":"17","b":[1]}`, `{"a":"x","user_id":"18","b":[1]}`, "18", 2, "decimal-2", "user_id"},
		{"key with an at sign", `{"a@example.com":"17"}`, `{"a@example.com":"18"}`, "18", 2, "decimal-2", "body"},
		{"greeting", `<p id="hi">Hello, Anna!</p>`, `<p id="hi">Hello, Bob!</p>`, "Bob", 4, "text-3", "p hi"},
		{"nobody greeted", `<p>Hello Anna!</p>`, `<p>Hello !</p>`, "", 4, "empty", "p"},
		{"comment", `<!-- made by web7 -->`, `<!-- made by web8 -->`, "web8", 4, "mixed-4", "comment"},
		{"uuid", `<b>6d3e1c3a-2f0b-4a51-9d5e-0a1b2c3d4e5f</b>`, `<b>6d3e1c3a-2f0b-4a51-9d5e-0a1b2c3d4e50</b>`, "6d3e1c3a-2f0b-4a51-9d5e-0a1b2c3d4e50", 36, "uuid", "b"},
		{"jwt", `<b>eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2ln</b>`, `<b>eyJhbGciOiJub25lIn0.eyJzdWIiOiIyIn0.c2ln</b>`, "eyJhbGciOiJub25lIn0.eyJzdWIiOiIyIn0.c2ln", 40, "jwt", "b"},
		{"email", `<b>mail anna@shop.example now</b>`, `<b>mail bob@shop.example now</b>`, "bob@shop.example", 17, "email", "b"},
		{"ip", `<b>192.0.2.1</b>`, `<b>192.0.2.17</b>`, "192.0.2.17", 9, "ip", "b"},
		{"ip version 6", `<b>from 2001:db8::1 today</b>`, `<b>from 2001:db8::2 today</b>`, "2001:db8::2", 11, "ip", "b"},
		{"http date", `<b>Mon, 01 Mar 2027 12:00:00 GMT</b>`, `<b>Mon, 01 Mar 2027 12:00:09 GMT</b>`, "Mon, 01 Mar 2027 12:00:09 GMT", 29, "timestamp", "b"},
		{"rfc 3339", `<b>2027-03-01T12:00:00Z</b>`, `<b>2027-03-01T12:00:09Z</b>`, "2027-03-01T12:00:09Z", 20, "timestamp", "b"},
		{"seconds", `<b>1803902400</b>`, `<b>1803902409</b>`, "1803902409", 10, "timestamp", "b"},
		{"milliseconds", `<b>1803902400000</b>`, `<b>1803902409000</b>`, "1803902409000", 13, "timestamp", "b"},
		{"base64", `<b>q8/Zx+TTmYk3aa0=</b>`, `<b>q8/Zx+TTmYk3ab0=</b>`, "q8/Zx+TTmYk3ab0=", 16, "base64-16", "b"},
		{"cut within base64's end", `<b>q8/Zx+TTmYk3aaA=</b>`, `<b>q8/Zx+TTmYk3aaAA</b>`, "q8/Zx+TTmYk3aaAA", 16, "base64-16", "b"},
		{"several places", `<i>a1</i>` + strings.Repeat("<br>", 20) + `<i>a1</i>`, `<i>a2</i>` + strings.Repeat("<br>", 20) + `<i>a2</i>`, "a2", 2, "mixed-2", "i"},
		{"not a token", `<b title='x'>`, `<b title="x">`, `"x"`, 3, "text-3", "b title"},
		{"a byte of its own", `<b>!</b>`, `<b>?</b>`, "?", 1, "mixed-1", "b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			own, fill := page(tt.own), page(tt.fill)
			got := Compare(answer(own), answer(fill), Context{})
			if got == nil {
				t.Fatal("no divergence")
			}
			if got.Part != PartBody || got.Offset < 0 || got.Field != "" {
				t.Fatalf("got %+v", got)
			}
			if s := fill[got.Offset : got.Offset+got.Length]; s != tt.differing {
				t.Errorf("span %q, want %q", s, tt.differing)
			}
			if got.OwnLength != tt.ownLength || got.Shape != tt.shape || got.Near != tt.near {
				t.Errorf("got own length %d, %q near %q, want %d, %q near %q", got.OwnLength, got.Shape, got.Near, tt.ownLength, tt.shape, tt.near)
			}
		})
	}
}

// The place is found deep in a page, and its markup is looked for near it only.
func TestCompareFarDown(t *testing.T) {
	far := strings.Repeat("<p>row</p>\n", 20_000)
	got := Compare(answer(far+`<input name="lead" value="1001">`+far), answer(far+`<input name="lead" value="1002">`+far), Context{})
	want := Span{
		Part: PartBody, Offset: int64(len(far) + len(`<input name="lead" value="`)), Length: 4, OwnLength: 4,
		Shape: "decimal-4", Entropy: EntropyLow, Near: "input lead", Class: policies.ClassCounter,
	}
	if got == nil || len(got.Spans) != 1 || got.Spans[0] != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got = Compare(answer("<p>"), answer("<p>"+far), Context{}); got == nil || got.Offset != 3 || got.Shape != "mixed-220000" {
		t.Errorf("got %+v, want 220000 mixed bytes at 3", got)
	}
}

func TestCompareKeptPrefixes(t *testing.T) {
	part := Limits{Keep: 40, Decoded: 1 << 20}
	long := strings.Repeat("x ", 100)
	rec := func(body string, l Limits) Answer { return Answer{Status: 200, Body: record(nil, l, []byte(body))} }
	unreadable := Answer{Status: 200}
	tests := []struct {
		name      string
		own, fill Answer
		offset    int64 // -2: identical
		length    int64
	}{
		{"same", rec("a"+long, part), rec("a"+long, part), -2, 0},
		{"same, one kept in whole", rec("a"+long, ample), rec("a"+long, part), -2, 0},
		{"within what is kept", rec("abc 11 "+long, part), rec("abc 22 "+long+"!", part), 4, 2},
		{"within what is kept, no token", rec("abc ! "+long, part), rec("abc ? "+long, part), 4, 1},
		{"beyond what is kept", rec(long+"1", part), rec(long+"2", part), -1, 0},
		{"one ends there", rec(long[:40], part), rec(long, part), -1, 0},
		{"one unreadable", rec("a", ample), unreadable, -1, 0},
		{"both unreadable", unreadable, unreadable, -1, 0},
		{"one empty", rec("", ample), rec("abc", ample), 0, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Compare(tt.own, tt.fill, Context{})
			if tt.offset == -2 {
				if got != nil {
					t.Errorf("got %+v, want nothing", got)
				}
				return
			}
			if got == nil || got.Part != PartBody || got.Offset != tt.offset || got.Length != tt.length {
				t.Errorf("got %+v, want offset %d, length %d", got, tt.offset, tt.length)
			}
		})
	}
}

// Bytes in a coding that nobody here knows are compared as they are, and are the same
// only in the same coding.
func TestCompareOpaqueBodies(t *testing.T) {
	opaque := func(coding, text string) Answer {
		l := ample
		l.Opaque = true
		return Answer{Status: 200, Header: header("Content-Encoding", coding), Body: record([]string{coding}, l, []byte(text))}
	}
	tests := []struct {
		name      string
		own, fill Answer
		same      bool
	}{
		{"same", opaque("x-a", "abc"), opaque("x-a", "abc"), true},
		{"other bytes", opaque("x-a", "abc"), opaque("x-a", "abd"), false},
		{"another coding", opaque("x-a", "abc"), opaque("x-b", "abc"), false},
		{"no coding", opaque("x-a", "abc"), answer("abc"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Compare(tt.own, tt.fill, Context{})
			if (got == nil) != tt.same || got != nil && (got.Part != PartBody || got.Offset != -1) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestCompareHeads(t *testing.T) {
	date, later := "Mon, 01 Mar 2027 12:00:00 GMT", "Mon, 01 Mar 2027 12:05:00 GMT"
	tests := []struct {
		name      string
		own, fill []string
		field     string // "" for identical
		shape     string
	}{
		{"nothing", nil, nil, "", ""},
		{"transfer and time", []string{"Date", date, "Age", "1", "Via", "a", "Content-Length", "5", "Transfer-Encoding", "chunked", "Content-Encoding", "gzip", "Set-Cookie", "a=b"}, []string{"Date", later, "Content-Length", "9"}, "", ""},
		{"made for each request", []string{"X-Request-Id", "1", "Server-Timing", "a;dur=1"}, []string{"X-Request-Id", "2"}, "", ""},
		{"names in another case", []string{"x-a", "1"}, []string{"X-A", "1"}, "", ""},
		{"another value", []string{"X-Lead", "1001"}, []string{"X-Lead", "1002"}, "X-Lead", "decimal-4"},
		{"only in the fill", nil, []string{"X-Lead", "1002"}, "X-Lead", "decimal-4"},
		{"only in one's own", []string{"X-Lead", "1002"}, nil, "X-Lead", "empty"},
		{"another line", []string{"Link", "<a>"}, []string{"Link", "<a>", "Link", "<b>"}, "Link", ""},
		{"nonce", []string{"Content-Security-Policy", "script-src 'nonce-q8Zx1TTmYk3aa0'"}, []string{"Content-Security-Policy", "script-src 'nonce-AAZx1TTmYk3aa0'"}, "Content-Security-Policy", "base64url-20"},
		{"vary with accept-encoding", []string{"Vary", "Accept-Encoding, X-A"}, []string{"Vary", "x-a"}, "", ""},
		{"vary", []string{"Vary", "Accept-Encoding, X-A"}, []string{"Vary", "Accept-Encoding"}, "Vary", ""},
		{"etag weakened by nginx", []string{"Etag", `W/"5f-1"`, "Content-Encoding", "gzip"}, []string{"Etag", `"5f-1"`}, "", ""},
		{"etag with apache's suffix", []string{"Etag", `"5f-1-gzip"`, "Content-Encoding", "gzip"}, []string{"Etag", `"5f-1"`}, "", ""},
		{"etag with jetty's suffix", []string{"Etag", `W/"5f-1--gzip"`, "Content-Encoding", "gzip"}, []string{"Etag", `W/"5f-1"`}, "", ""},
		{"etag with another suffix", []string{"Etag", `"5f-1-br"`, "Content-Encoding", "gzip"}, []string{"Etag", `"5f-1"`}, "Etag", ""},
		{"etag with a suffix, same coding", []string{"Etag", `"5f-1-gzip"`}, []string{"Etag", `"5f-1"`}, "Etag", ""},
		{"etag", []string{"Etag", `"5f-1"`, "Content-Encoding", "gzip"}, []string{"Etag", `"5f-2"`}, "Etag", ""},
		{"etag only in one", []string{"Content-Encoding", "gzip"}, []string{"Etag", `"5f-2"`}, "Etag", ""},
		{"last-modified", []string{"Last-Modified", date}, []string{"Last-Modified", later}, "Last-Modified", "timestamp"},
		{"same lifetime", []string{"Date", date, "Expires", later}, []string{"Date", later, "Expires", "Mon, 01 Mar 2027 12:10:01 GMT"}, "", ""},
		{"another lifetime", []string{"Date", date, "Expires", later}, []string{"Date", date, "Expires", "Mon, 01 Mar 2027 12:05:03 GMT"}, "Expires", "timestamp"},
		{"expires without date", []string{"Expires", date}, []string{"Expires", later}, "Expires", "timestamp"},
		{"ranges taken away", []string{"Content-Encoding", "gzip"}, []string{"Accept-Ranges", "bytes"}, "", ""},
		{"ranges", nil, []string{"Accept-Ranges", "bytes"}, "Accept-Ranges", ""},
		{"ranges of another kind", []string{"Content-Encoding", "gzip"}, []string{"Accept-Ranges", "tok3n"}, "Accept-Ranges", ""},
		{"first by name, validators last", []string{"Etag", `"1"`, "X-A", "1"}, []string{"Etag", `"2"`, "X-A", "2"}, "X-A", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Compare(answer("x", tt.own...), answer("x", tt.fill...), Context{})
			switch {
			case tt.field == "" && got != nil:
				t.Errorf("got %+v, want nothing", got)
			case tt.field == "":
			case got == nil:
				t.Errorf("got nothing, want %s", tt.field)
			case got.Part != PartHeader || got.Field != tt.field || tt.shape != "" && got.Shape != tt.shape:
				t.Errorf("got %+v, want %s with %q", got, tt.field, tt.shape)
			}
		})
	}
}

func TestCompareOrder(t *testing.T) {
	t.Run("status first", func(t *testing.T) {
		a, b := answer("a", "X-A", "1"), answer("b", "X-A", "2")
		b.Status = 404
		if got := Compare(a, b, Context{}); got == nil || got.Part != PartStatus || got.Class != policies.ClassPersonal || got.Total != 1 || len(got.Spans) != 1 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("header before body", func(t *testing.T) {
		if got := Compare(answer("a", "X-A", "1"), answer("b", "X-A", "2"), Context{}); got == nil || got.Field != "X-A" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("body before its validator", func(t *testing.T) {
		if got := Compare(answer("a", "Etag", "1"), answer("b", "Etag", "2"), Context{}); got == nil || got.Part != PartBody {
			t.Errorf("got %+v", got)
		}
	})
}

func TestFieldNameThatMayBeAValue(t *testing.T) {
	got := Compare(answer("a"), answer("a", "X-6d3e1c3a", "1"), Context{})
	if got == nil || got.Part != PartHeader || got.Field != "" {
		t.Errorf("got %+v, want a header without its name", got)
	}
	got = Compare(answer("a", "X-6d3e1c3a", "2"), answer("a", "X-6d3e1c3a", "1"), Context{})
	if got == nil || got.Field != "X-6d3e1c3a" {
		t.Errorf("got %+v, want the name that both have", got)
	}
}

func TestDivergenceJSON(t *testing.T) {
	for _, tt := range []struct {
		d    *Divergence
		want string
	}{
		{
			Compare(Answer{Status: 200}, Answer{Status: 404}, Context{}),
			`{"part":"status","offset":0,"length":0,"own_length":0,"class":"personalised",` +
				`"spans":[{"part":"status","offset":0,"length":0,"own_length":0,"class":"personalised"}],"spans_total":1}`,
		},
		{
			Compare(answer("x", "X-Ref", "for A77"), answer("x", "X-Ref", "for "), Context{Inputs: []policies.Input{{Kind: policies.InputCookie, Name: "ref", Value: "A77"}}}),
			`{"part":"header","field":"X-Ref","offset":4,"length":0,"own_length":3,"shape":"empty","entropy":"low","near":"header X-Ref","class":"reflected-input","input":"cookie ref",` +
				`"spans":[{"part":"header","field":"X-Ref","offset":4,"length":0,"own_length":3,"shape":"empty","entropy":"low","near":"header X-Ref","class":"reflected-input","input":"cookie ref"}],"spans_total":1}`,
		},
	} {
		got, err := json.Marshal(tt.d)
		if err != nil || string(got) != tt.want {
			t.Errorf("Marshal = %s, %v, want %s", got, err, tt.want)
		}
	}
}

// An answer is identical to itself, whatever coding each copy came in.
func TestCompareThroughCodings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 1, 500).Draw(t, "body")
		take := func(label string) Answer {
			codings := rapid.SampledFrom(codingSets).Draw(t, label)
			field := fieldOf(codings)
			return Answer{
				Status: 200,
				Header: http.Header{"Content-Encoding": field, "X-A": {"1"}},
				Body:   record(field, ample, encode(silent{}, body, codings...)),
			}
		}
		if d := Compare(take("own"), take("fill"), Context{}); d != nil {
			t.Fatalf("got %+v, want nothing", d)
		}
	})
}

var (
	word      = rapid.StringMatching(`[A-Za-z0-9]{1,12}`)
	delimiter = rapid.SampledFrom([]string{" ", "\n", `"`, "<", ">", "=", "&", "; ", ", ", "<p>", `<a href="`, `" name="x">`, "{", "}", "<script>", "</script>", "<!--"})
)

// pageAround draws the text before and after a token.
func pageAround(t *rapid.T) (before, after string) {
	text := func(label string) string {
		var b strings.Builder
		for range rapid.IntRange(0, 30).Draw(t, label) {
			b.WriteString(word.Draw(t, "word"))
			b.WriteString(delimiter.Draw(t, "delimiter"))
		}
		return b.String()
	}
	before, after = text("before"), text("after")
	return before + " (", ") " + after
}

func TestCompareFindsTheToken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := pageAround(t)
		own := word.Draw(t, "own")
		fill := word.Filter(func(s string) bool { return s != own }).Draw(t, "fill")
		got := Compare(answer(before+own+after), answer(before+fill+after), Context{})
		if got == nil {
			t.Fatal("no divergence")
		}
		if got.Offset != int64(len(before)) || got.Length != int64(len(fill)) || got.OwnLength != int64(len(own)) {
			t.Fatalf("got %+v, want offset %d, length %d, own length %d", got, len(before), len(fill), len(own))
		}
	})
}

// Any change of the body at all is a divergence, at or before its place.
func TestCompareMissesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "body")
		at := rapid.IntRange(0, len(body)-1).Draw(t, "at")
		changed := bytes.Clone(body)
		changed[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		got := Compare(answer(string(body)), answer(string(changed)), Context{})
		if got == nil || got.Offset > int64(at) || got.Offset+got.Length <= int64(at) {
			t.Fatalf("got %+v, want the span to have byte %d in it", got, at)
		}
	})
}
