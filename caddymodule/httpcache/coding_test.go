package httpcache

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var allCodings = []string{Zstd, Brotli, Gzip}

func TestNegotiateCoding(t *testing.T) {
	for _, c := range []struct {
		accept []string
		want   string
	}{
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"gzip"}, Gzip},
		{[]string{"gzip, deflate, br, zstd"}, Zstd},
		{[]string{"gzip, deflate", "br"}, Brotli},
		{[]string{"GZIP"}, Gzip},
		{[]string{"x-gzip"}, Gzip},
		{[]string{"*"}, Zstd},
		{[]string{"*;q=0"}, ""},
		{[]string{"zstd;q=0, *"}, Brotli},
		{[]string{"gzip;q=1.0, zstd;q=0.9"}, Gzip},
		{[]string{"gzip;q=0.001"}, Gzip},
		{[]string{"gzip;q=0"}, ""},
		{[]string{"gzip;q=0.000"}, ""},
		{[]string{"gzip ; q=0.5 , br; Q=0.6"}, Brotli},
		{[]string{"identity, gzip;q=0.5"}, ""},
		{[]string{"identity;q=0.5, gzip;q=0.5"}, Gzip},
		{[]string{"identity;q=0, gzip"}, Gzip},
		{[]string{"gzip, gzip;q=0"}, ""},
		{[]string{"gzip;q=2"}, ""},
		{[]string{"gzip;q=1.001"}, ""},
		{[]string{"gzip;q=0.1234"}, ""},
		{[]string{"gzip;q=-1"}, ""},
		{[]string{"gzip;level=9"}, ""},
		{[]string{"gzip;"}, ""},
		{[]string{"gzipped, brotli"}, ""},
		{[]string{",,gzip,,"}, Gzip},
	} {
		if got := NegotiateCoding(c.accept, allCodings); got != c.want {
			t.Errorf("%q: %q; %q was expected", c.accept, got, c.want)
		}
	}
	if got := NegotiateCoding([]string{"gzip, br, zstd"}, []string{Gzip, Zstd}); got != Gzip {
		t.Errorf("gzip is offered first, and %q was chosen", got)
	}
}

// TestNegotiateCodingAllocates: nothing, whatever the client sends.
func TestNegotiateCodingAllocates(t *testing.T) {
	accept := []string{"gzip, deflate;q=0.5, br;q=1.0, zstd, *;q=0.1"}
	if n := testing.AllocsPerRun(100, func() { NegotiateCoding(accept, allCodings) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestNegotiateCodingProperty: what is chosen is what a plain reading of the field allows, and nobody
// is preferred by the order of the client's list.
func TestNegotiateCodingProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"gzip", "br", "zstd", "identity", "deflate"}), 0, 5, rapid.ID).Draw(t, "names")
		weights := map[string]string{}
		var members []string
		for _, name := range names {
			weights[name] = rapid.SampledFrom([]string{"0", "0.1", "0.5", "1"}).Draw(t, "weight")
			members = append(members, name+rapid.SampledFrom([]string{";q=", "; q=", " ; Q="}).Draw(t, "spelling")+weights[name])
		}
		got := NegotiateCoding([]string{strings.Join(members, ",")}, allCodings)
		if got != "" && (weights[got] == "" || weights[got] == "0") {
			t.Fatalf("%q: %s is not acceptable", members, got)
		}
		for _, coding := range allCodings {
			if weights[coding] > weights[got] && got != "" || got == "" && weights[coding] > "0" && weights[coding] >= weights["identity"] {
				t.Fatalf("%q: %q was chosen and not %s", members, got, coding)
			}
		}
		shuffled := rapid.Permutation(members).Draw(t, "order")
		if again := NegotiateCoding(shuffled, allCodings); again != got {
			t.Fatalf("%q: %q; %q: %q", members, got, shuffled, again)
		}
	})
}

func FuzzNegotiateCoding(f *testing.F) {
	for _, seed := range []string{"gzip, deflate, br, zstd", "*;q=0", "identity;q=0,x-gzip;q=0.5", "gzip;q=", ";;q=1,,", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		got := NegotiateCoding([]string{line}, allCodings)
		if got == "" {
			return
		}
		if !slices.Contains(allCodings, got) {
			t.Fatalf("%q was not offered", got)
		}
		// Nobody is given a coding that they have not named, but by a star.
		lower := strings.ToLower(line)
		if !strings.Contains(lower, got) && !strings.Contains(lower, "*") {
			t.Fatalf("%q: %s", line, got)
		}
		// Two lines are one (RFC 9110 §5.3).
		if first, second, ok := strings.Cut(line, ","); ok && NegotiateCoding([]string{first, second}, allCodings) != got {
			t.Fatalf("%q in two lines is another field", line)
		}
	})
}

func TestCodedTag(t *testing.T) {
	for _, c := range []struct{ tag, want string }{
		{`"abc"`, `"abc-gzip"`},
		{`""`, `"-gzip"`},
		{`W/"abc"`, `W/"abc"`},
		{``, ``},
		{`"`, `"`},
		{`abc`, `abc`},
	} {
		if got := CodedTag(c.tag, Gzip); got != c.want {
			t.Errorf("%s: %s; %s was expected", c.tag, got, c.want)
		}
	}
}

func TestEvaluateCoded(t *testing.T) {
	const get = http.MethodGet
	for _, c := range []struct {
		name, etag, condition, value string
		outcome                      Precondition
		tag                          string
	}{
		{"the coded tag", `"a"`, "If-None-Match", `"a-gzip"`, NotModified, `"a-gzip"`},
		{"the plain tag", `"a"`, "If-None-Match", `"a"`, NotModified, `"a"`},
		{"both", `"a"`, "If-None-Match", `"a", "a-gzip"`, NotModified, `"a-gzip"`},
		{"another coding's", `"a"`, "If-None-Match", `"a-br"`, Proceed, `"a"`},
		{"weak", `W/"a"`, "If-None-Match", `W/"a"`, NotModified, `W/"a"`},
		{"any", `"a"`, "If-None-Match", `*`, NotModified, `"a-gzip"`},
		{"must be the coded one", `"a"`, "If-Match", `"a-gzip"`, Proceed, `"a-gzip"`},
		{"must be the plain one", `"a"`, "If-Match", `"a"`, Proceed, `"a"`},
		{"must be another", `"a"`, "If-Match", `"b"`, PreconditionFailed, `"a-gzip"`},
		{"no tag", "", "If-None-Match", `"a-gzip"`, Proceed, ""},
		{"no condition", `"a"`, "Accept", "text/html", Proceed, `"a"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			stored := http.Header{}
			if c.etag != "" {
				stored.Set("Etag", c.etag)
			}
			before := stored.Clone()
			outcome, tag := EvaluateCoded(get, http.Header{c.condition: {c.value}}, stored, Gzip)
			if outcome != c.outcome || tag != c.tag {
				t.Errorf("%v %s; %v %s was expected", outcome, tag, c.outcome, c.tag)
			}
			if stored.Get("Etag") != before.Get("Etag") {
				t.Errorf("the stored response has %v", stored)
			}
		})
	}
}

func TestCompressible(t *testing.T) {
	for kind, want := range map[string]bool{
		"text/html; charset=utf-8": true, "TEXT/CSS": true, "application/json": true, "image/svg+xml": true,
		"text/event-stream": false, "image/png": false, "": false, "font/woff2": false, "application/jsonx": false,
	} {
		if Compressible(kind) != want {
			t.Errorf("%q: %v", kind, !want)
		}
	}
}

func BenchmarkStepNegotiateCoding(b *testing.B) {
	accept := []string{"gzip, deflate, br, zstd"}
	b.ReportAllocs()
	for b.Loop() {
		NegotiateCoding(accept, allCodings)
	}
}
