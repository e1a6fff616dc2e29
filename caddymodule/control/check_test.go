package control_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/control"
)

const key = "0b1e55ed0badcafe"

// checkable is a question.
type checkable interface{ Check() error }

func TestCheckAccepts(t *testing.T) {
	long := strings.Repeat("a", 512)
	for name, q := range map[string]checkable{
		"a URL":                        control.Purge{URL: "https://example.com/page?ref=A1"},
		"a URL with a port":            control.Purge{URL: "http://127.0.0.1:8080/"},
		"a URL without a path":         control.Purge{URL: "https://example.com"},
		"a URL in capitals":            control.Purge{URL: "HTTPS://Example.COM/Page"},
		"a URL with escapes":           control.Purge{URL: "https://xn--r8jz45g.example/%E6%97%A5?q=%E6%9C%AC"},
		"an IPv6 host":                 control.Purge{URL: "http://[::1]:8080/a"},
		"the key of a record":          control.Purge{Key: key},
		"a whole key":                  control.Purge{Key: strings.Repeat(key, 4)},
		"a key in capitals":            control.Purge{Key: strings.ToUpper(key)},
		"a route":                      control.Purge{Route: "landing-2_b"},
		"a tag":                        control.Purge{Tag: "product/17"},
		"a tag with a blank":           control.Purge{Tag: "all products"},
		"a tag in another script":      control.Purge{Tag: "商品"},
		"a prefix":                     control.Purge{Prefix: "example.com/a/"},
		"a prefix with a scheme":       control.Purge{Prefix: "https://example.com/a"},
		"a prefix that is a host":      control.Purge{Prefix: "example.com:8080"},
		"a prefix that cuts a segment": control.Purge{Prefix: "example.com/a*"},
		"a prefix of a whole host":     control.Purge{Prefix: "example.com/*"},
		"everything":                   control.Purge{All: true, Soft: true, By: "ops@host", Why: "新しい版"},
		"the longest reason":           control.Purge{All: true, Why: long},
		"a trip of everything":         control.Trip{Why: "other visitors' names"},
		"a trip of a route":            control.Trip{Route: "landing", Why: long, By: strings.Repeat("b", 128)},
		"a reset":                      control.Reset{Why: "fixed"},
		"a reset of a route":           control.Reset{Route: "landing", Why: "fixed", Keep: true},
		"a reset of every trip":        control.Reset{All: true, Why: "fixed"},
		"all objects":                  control.Objects{},
		"some objects":                 control.Objects{Route: "a", Prefix: "a.example/", Key: key, Limit: 10_000},
	} {
		if err := q.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		q    checkable
		says string
	}{
		{"nothing", control.Purge{}, "one of url, key, route, tag, prefix and all was expected"},
		{"nothing but soft", control.Purge{Soft: true, Why: "x"}, "nothing says what to purge"},
		{"two selections", control.Purge{Key: key, Tag: "a"}, "key and tag exclude each other"},
		{"everything and one", control.Purge{Route: "a", All: true}, "route and all exclude each other"},
		{"a path", control.Purge{URL: "/page"}, "an absolute URL was expected"},
		{"a host", control.Purge{URL: "example.com/page"}, "an absolute URL was expected"},
		{"a scheme", control.Purge{URL: "ftp://example.com/"}, `the scheme is "ftp"`},
		{"no host", control.Purge{URL: "https:///page"}, "it has no host"},
		{"a port alone", control.Purge{URL: "https://:443/page"}, "it has no host"},
		{"a port that is none", control.Purge{URL: "https://a:b/"}, "invalid port"},
		{"a broken escape", control.Purge{URL: "https://a/%zz"}, "invalid URL escape"},
		{"a password", control.Purge{URL: "https://u:p@a.example/"}, "leave it off"},
		{"a fragment", control.Purge{URL: "https://a.example/#x"}, "leave it off"},
		{"a blank", control.Purge{URL: "https://a.example/a b"}, "percent-encoded"},
		{"a URL as people read it", control.Purge{URL: "https://a.example/日本"}, "'日' is sent percent-encoded"},
		{"a line break", control.Purge{URL: "https://a.example/\r\nX: y"}, `'\r' is sent percent-encoded`},
		{"a long URL", control.Purge{URL: "https://a.example/" + strings.Repeat("a", 17<<10)}, "at most 16384 were expected"},
		{"a short key", control.Purge{Key: key[:14]}, "it has 14 digits; 16"},
		{"an odd key", control.Purge{Key: key + "0"}, "it has 17 digits"},
		{"a long key", control.Purge{Key: strings.Repeat(key, 4) + "00"}, "it has 66 digits"},
		{"a key that is none", control.Purge{Key: "0x1e55ed0badcafe"}, "hexadecimal digits were expected"},
		{"a route in capitals", control.Purge{Route: "Landing"}, "'L' is in no name of a route"},
		{"a long route", control.Purge{Route: strings.Repeat("a", 65)}, "at most 64"},
		{"two tags", control.Purge{Tag: "a, b"}, "one tag was expected"},
		{"a tag with blanks around it", control.Purge{Tag: " a"}, "one tag was expected"},
		{"a tag with a control character", control.Purge{Tag: "a\x1b[2J"}, "is in no tag"},
		{"a long tag", control.Purge{Tag: strings.Repeat("a", 1025)}, "at most 1024"},
		{"a prefix that is a path", control.Purge{Prefix: "/shop/"}, "begins with a host"},
		{"a prefix of any host", control.Purge{Prefix: "*"}, "it has no host"},
		{"a prefix of hosts", control.Purge{Prefix: "*.example.com/"}, "a * only stands at the end"},
		{"a prefix that cuts a host", control.Purge{Prefix: "example.com*"}, "in the path and not in the host"},
		{"a prefix of a scheme", control.Purge{Prefix: "gopher://a/"}, `the scheme is "gopher"`},
		{"a long reason", control.Purge{All: true, Why: strings.Repeat("a", 513)}, "at most 512 were expected"},
		{"a reason of two lines", control.Purge{All: true, Why: "a\nb"}, "no character that can be seen"},
		{"a reason that turns the writing", control.Purge{All: true, Why: "a\u202eb"}, "no character that can be seen"},
		{"a reason that is no text", control.Purge{All: true, Why: "\xff"}, "UTF-8 was expected"},
		{"a long name", control.Purge{All: true, By: strings.Repeat("a", 129)}, "by \"aaa"},
		{"a trip without a reason", control.Trip{Route: "a"}, "a reason was expected"},
		{"a trip with a blank reason", control.Trip{Why: "\u3000 "}, "a reason was expected"},
		{"a reset without a reason", control.Reset{All: true}, "a reason was expected"},
		{"a reset of one and all", control.Reset{Route: "a", All: true, Why: "x"}, "exclude each other"},
		{"a limit below zero", control.Objects{Limit: -1}, "1 to 10000 was expected"},
		{"a limit above all", control.Objects{Limit: 10_001}, "1 to 10000 was expected"},
		{"objects of a key that is none", control.Objects{Key: "x"}, "hexadecimal"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.q.Check()
			if _, ok := errors.AsType[control.Mistake](err); !ok || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("error %v; %q was expected", err, test.says)
			}
			checkLine(t, err)
		})
	}
}

// fataler is a test, or a property's.
type fataler interface{ Fatalf(string, ...any) }

// checkLine: an error is one line that any terminal can be shown.
func checkLine(t fataler, err error) {
	text := err.Error()
	if len(text) > 1000 || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Fatalf("no line of text: %.2000q", text)
	}
}

// TestCheckNeedsExactlyOneSelection: of any set of members.
func TestCheckNeedsExactlyOneSelection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q control.Purge
		n := 0
		for _, set := range []func(){
			func() { q.URL = "https://a.example/" }, func() { q.Key = key }, func() { q.Route = "a" },
			func() { q.Tag = "a" }, func() { q.Prefix = "a.example" }, func() { q.All = true },
		} {
			if rapid.Bool().Draw(t, "given") {
				set()
				n++
			}
		}
		if err := q.Check(); (err == nil) != (n == 1) {
			t.Fatalf("%d selections: %v", n, err)
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add("https://example.com/page", "0b1e55ed0badcafe", "why", 1)
	f.Add("example.com/a*", "landing", "\u202e", -1)
	f.Add("http://[::1%25eth0]/\x00", "a, b", "\xff", 1<<30)
	f.Add("http://%zz\xff", "*", "", 0)
	f.Fuzz(func(t *testing.T, a, b, why string, limit int) {
		for _, q := range []checkable{
			control.Purge{URL: a, By: b, Why: why}, control.Purge{Key: a}, control.Purge{Route: a}, control.Purge{Tag: a},
			control.Purge{Prefix: a}, control.Purge{URL: a, Prefix: b},
			control.Trip{Route: a, Why: why, By: b}, control.Reset{Route: a, Why: why, By: b},
			control.Objects{Route: a, Prefix: b, Key: why, Limit: limit}, control.Objects{Prefix: a, Limit: limit},
		} {
			err := q.Check()
			if err == nil {
				continue
			}
			if _, ok := errors.AsType[control.Mistake](err); !ok {
				t.Errorf("%+v: %T", q, err)
			}
			checkLine(t, err)
		}
	})
}

func TestDecodeRefuses(t *testing.T) {
	for _, test := range []struct{ name, text, says string }{
		{"nothing", "", "it is empty"},
		{"no JSON", "purge all", "invalid character"},
		{"a member that there is not", `{"all": true, "what": 1}`, `unknown field "what"`},
		{"a member that is misspelled", `{"rout": "landing"}`, `unknown field "rout"`},
		{"another type", `{"all": "yes"}`, "cannot unmarshal"},
		{"a list", `[{"all": true}]`, "cannot unmarshal"},
		{"something behind it", `{"all": true} {}`, "something follows it"},
		{"a member twice", `{"route": "a", "all": false, "route": "b"}`, `"route" is there twice`},
		{"a member twice, in capitals", `{"route": "a", "Route": "b"}`, `"Route" is there twice`},
		{"a text behind it", `{"all": true} x`, "something follows it"},
		{"half of it", `{"all": tr`, "unexpected EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var q control.Purge
			if err := control.Decode(strings.NewReader(test.text), &q); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v; %q was expected", err, test.says)
			}
		})
	}
}

// TestDecodeRefusesUnknownMembers: of every question, whatever the member is called.
func TestDecodeRefusesUnknownMembers(t *testing.T) {
	questions := []any{new(control.Purge), new(control.Trip), new(control.Reset), new(control.Objects)}
	rapid.Check(t, func(t *rapid.T) {
		q := rapid.SampledFrom(questions).Draw(t, "question")
		name := rapid.String().Draw(t, "name")
		for _, f := range reflect.VisibleFields(reflect.TypeOf(q).Elem()) {
			if known, _, _ := strings.Cut(f.Tag.Get("json"), ","); strings.EqualFold(known, name) {
				t.Skip("there is such a member")
			}
		}
		text, err := json.Marshal(map[string]any{name: rapid.SampledFrom([]any{nil, 1, "", true}).Draw(t, "value")})
		if err != nil {
			t.Fatal(err)
		}
		if err := control.Decode(bytes.NewReader(text), q); err == nil || !strings.Contains(err.Error(), "unknown field") {
			t.Fatalf("%s: error %v", text, err)
		}
	})
}

// TestDecodeReadsWhatIsWritten: the commands write what the endpoint reads.
func TestDecodeReadsWhatIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom(nil, unicode.L, unicode.P, unicode.Cc))
		want := control.Purge{URL: text.Draw(t, "url"), Tag: text.Draw(t, "tag"), All: rapid.Bool().Draw(t, "all"), Why: text.Draw(t, "why")}
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got control.Purge
		if err := control.Decode(bytes.NewReader(data), &got); err != nil || got != want {
			t.Fatalf("%s: %+v, error %v", data, got, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"url": "https://example.com/", "soft": true}`))
	f.Add([]byte(`{"route": null, "all": true}{}`))
	f.Add([]byte("\xff{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var q control.Purge
		if err := control.Decode(bytes.NewReader(data), &q); err != nil {
			return
		}
		if !json.Valid(data) {
			t.Error("no JSON was read")
		}
		_ = q.Check()
	})
}
