package gate

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

// needleValues are the values that are looked for.
func needleValues(n *Needles) []string {
	var values []string
	if n != nil {
		for _, one := range slices.Concat(n.short, n.long) {
			if one.coding == CodingPlain {
				values = append(values, one.value)
			}
		}
	}
	slices.Sort(values)
	return values
}

func TestNeedleValues(t *testing.T) {
	for _, tt := range []struct {
		name         string
		in           policies.Input
		any, telling []string
	}{
		{"a short value", cookieInput("a", "1"), []string{"1"}, nil},
		{"percent-encoded cookie", cookieInput("c", "k9%2Fq7+%e7%99%bb31"),
			[]string{"k9%2Fq7+%e7%99%bb31", "k9/q7+登31"}, []string{"k9%2Fq7+%e7%99%bb31", "k9/q7+登31"}},
		{"cookie with a stray %", cookieInput("c", "k9%zzq7x31"), []string{"k9%zzq7x31"}, []string{"k9%zzq7x31"}},
		{"parameters are decoded already", paramInput("c", "k9%2Fq7x31"), []string{"k9%2Fq7x31"}, []string{"k9%2Fq7x31"}},
		{"Bearer (RFC 6750)", headerInput("Authorization", "Bearer  k9q7x31z5"), []string{"k9q7x31z5"}, []string{"k9q7x31z5"}},
		{"no scheme", headerInput("Authorization", "k9q7x31z5"), []string{"k9q7x31z5"}, []string{"k9q7x31z5"}},
		{"Basic (RFC 7617)", headerInput("Authorization", "basic YW5uYTc6cDpxOTk="), // anna7:p:q99
			[]string{"YW5uYTc6cDpxOTk=", "anna7", "p:q99"}, []string{"YW5uYTc6cDpxOTk=", "anna7", "p:q99"}},
		{"Basic that is none", headerInput("Authorization", "Basic k9q7*x31z5"), []string{"k9q7*x31z5"}, []string{"k9q7*x31z5"}},
		{"Referer", headerInput("Referer", "https://a.example/p?q=k9q7x31z5%26&n=1#f"),
			[]string{"/p?q=k9q7x31z5%26&n=1#f", "1", "https://a.example/p?q=k9q7x31z5%26&n=1#f", "k9q7x31z5&"},
			[]string{"https://a.example/p?q=k9q7x31z5%26&n=1#f", "k9q7x31z5&"}},
		{"Referer of the same host", headerInput("Referer", "/products/k9q7x31z5?page=2"), []string{"/products/k9q7x31z5?page=2", "2"}, nil},
		{"Referer without a path", headerInput("Referer", "https://a1.example5"), []string{"https://a1.example5"}, []string{"https://a1.example5"}},
		{"X-Forwarded-For", headerInput("X-Forwarded-For", "192.0.2.7, 2001:db8::1,[2001:db8::2]:80, 192.0.2.8:4711,unknown"),
			[]string{"192.0.2.7", "192.0.2.8", "2001:db8::1", "2001:db8::2", "unknown"},
			[]string{"192.0.2.7", "192.0.2.8", "2001:db8::1", "2001:db8::2"}},
		{"X-Real-IP", headerInput("X-Real-Ip", "192.0.2.7"), []string{"192.0.2.7"}, []string{"192.0.2.7"}},
		{"Forwarded (RFC 7239 §4)", headerInput("Forwarded", `For="[2001:db8:cafe::17]:4711";proto=http;host=a7.b8.example9, for=192.0.2.60`),
			[]string{"192.0.2.60", "2001:db8:cafe::17", "a7.b8.example9", "http"}, []string{"192.0.2.60", "2001:db8:cafe::17"}},
		{"address", addressInput("192.0.2.7"), []string{"192.0.2.7"}, []string{"192.0.2.7"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for rule, want := range map[Strength][]string{Any: tt.any, Telling: tt.telling} {
				if got := needleValues(NewNeedles([]policies.Input{tt.in}, rule)); !slices.Equal(got, want) {
					t.Errorf("strength %d: got %q, want %q", rule, got, want)
				}
			}
		})
	}
}

func TestLongValues(t *testing.T) {
	value := strings.Repeat("k9q7", maxValue/4-1) + "zz登" // the last character is cut in two
	n := NewNeedles([]policies.Input{cookieInput("c", value+"more")}, Telling)
	if got, want := needleValues(n), []string{value[:maxValue-2]}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if found := n.InBody([]byte("<p>" + value)); len(found) != 1 {
		t.Error("the beginning of a long value is not found")
	}
}

// A request full of values does not push out the strongest.
func TestNeedlesAreBounded(t *testing.T) {
	inputs := []policies.Input{cookieInput("first", "k9q7x3z5")}
	for i := range 300 {
		inputs = append(inputs, paramInput(fmt.Sprint("p", i), fmt.Sprintf("&%05d<a>&%d", i, i)))
	}
	inputs = append(inputs, cookieInput("last", strings.Repeat("k9Q7x31z5", 5)))
	n := NewNeedles(inputs, Any)
	if got := len(n.short) + len(n.long); got != maxNeedles {
		t.Errorf("%d needles, want %d", got, maxNeedles)
	}
	if got := needleValues(n); len(got) != maxNeedles {
		t.Errorf("%d of them are in no base64", len(got))
	}
	checkReflections(t, n.InBody([]byte("1 "+strings.Repeat("k9Q7x31z5", 5))), "cookie last plain 2")
	for _, char := range []string{"&", "登", "é", "😀", "\xff", "/"} {
		large := NewNeedles([]policies.Input{paramInput("p", strings.Repeat(char, 200))}, Any)
		for _, one := range slices.Concat(large.short, large.long) {
			if len(one.literal) > 8*maxValue {
				t.Errorf("%q is looked for in %d bytes", char, len(one.literal))
			}
		}
	}
}

// The worst bodies: each place looks like the beginning of a value.
func BenchmarkNeedlesHostile(b *testing.B) {
	for name, tt := range map[string]struct{ value, page string }{
		"letters":  {strings.Repeat("a", 60) + "&", "a"},
		"escapes":  {strings.Repeat("&", 40) + "k9q7x31z5" + strings.Repeat("&", 40) + "x", strings.Repeat("&amp;", 40) + "k9q7x31z5"},
		"ordinary": {agent, "AppleWebKit "},
	} {
		b.Run(name, func(b *testing.B) {
			n := NewNeedles([]policies.Input{cookieInput("c", tt.value)}, Any)
			page := []byte(strings.Repeat(tt.page, 64<<10/len(tt.page)))
			b.SetBytes(int64(len(page)))
			for b.Loop() {
				if got := n.InBody(page); got != nil {
					b.Fatal(got)
				}
			}
		})
	}
}

func BenchmarkNeedles(b *testing.B) {
	n := NewNeedles(typicalInputs, Telling)
	b.Run("new", func(b *testing.B) {
		b.ReportMetric(float64(len(n.short)+len(n.long)), "needles")
		b.ReportAllocs()
		for b.Loop() {
			NewNeedles(typicalInputs, Telling)
		}
	})
	for name, needles := range map[string]*Needles{
		"typical": n,
		"forward": NewNeedles([]policies.Input{headerInput("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")}, Any),
		"vary":    NewNeedles([]policies.Input{headerInput("User-Agent", agent)}, Telling),
	} {
		b.Run(name+"/body", func(b *testing.B) {
			b.SetBytes(int64(len(page64)))
			b.ReportAllocs()
			for b.Loop() {
				if got := needles.InBody(page64); got != nil {
					b.Fatal(got)
				}
			}
		})
		b.Run(name+"/header", func(b *testing.B) {
			h := header(
				"Cache-Control", "public, max-age=300", "Content-Type", "text/html; charset=utf-8", "Content-Length", "65536",
				"Date", "Mon, 01 Mar 2027 12:00:00 GMT", "Etag", `"5f-1"`, "Server", "app", "Vary", "Accept-Encoding", "X-Frame-Options", "DENY",
			)
			b.ReportAllocs()
			for b.Loop() {
				if got := needles.InHeader(h); got != nil {
					b.Fatal(got)
				}
			}
		})
	}
}

const agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"

// typicalInputs are of a request with 12 headers, 6 cookies and 4 parameters.
var typicalInputs = []policies.Input{
	addressInput("203.0.113.77"),
	headerInput("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"),
	headerInput("Accept-Language", "ja,en-US;q=0.9,en;q=0.8"),
	headerInput("Dnt", "1"),
	headerInput("Priority", "u=0, i"),
	headerInput("Referer", "https://blog.example/entry/2024?from=rss&id=5f2d9c0b71"),
	headerInput("Sec-Ch-Ua", `"Chromium";v="124", "Not-A.Brand";v="99"`),
	headerInput("Sec-Fetch-Dest", "document"),
	headerInput("Sec-Fetch-Mode", "navigate"),
	headerInput("Upgrade-Insecure-Requests", "1"),
	headerInput("User-Agent", agent),
	headerInput("X-Forwarded-For", "203.0.113.77, 198.51.100.4"),
	headerInput("X-Forwarded-Proto", "https"),
	cookieInput("session", "s%3AqKd8Zk1vXw2mT0yB.9fVbqkq3jG8hYp"),
	cookieInput("_ga", "GA1.1.1234567890.1700000000"),
	cookieInput("_fbp", "fb.1.1700000000000.987654321"),
	cookieInput("lang", "ja"),
	cookieInput("theme", "dark"),
	cookieInput("lead", "a81f00c4d2"),
	paramInput("utm_source", "newsletter"),
	paramInput("utm_campaign", "summer-sale"),
	paramInput("gclid", "EAIaIQobChMI0ZjC7uK3hgMVw5JoCR0abA"),
	paramInput("page", "2"),
}

// The benchmarks would measure nothing if there were nothing to find.
func TestTypicalInputsAreFound(t *testing.T) {
	n := NewNeedles(typicalInputs, Telling)
	checkReflections(t, n.InBody(append(slices.Clone(page64), "a81f00c4d2"...)), "cookie lead plain 65536 in li")
	checkReflections(t, n.InHeader(http.Header{"Link": {"</?g=EAIaIQobChMI0ZjC7uK3hgMVw5JoCR0abA>"}}), "param gclid plain Link5")
}
