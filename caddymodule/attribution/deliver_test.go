package attribution

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestForm(t *testing.T) {
	for _, test := range []struct {
		values []Value
		want   string
	}{
		{nil, ""},
		{values("ref", "A1"), "ref=A1"},
		{values("utm_b", "2", "utm_a", "1 2"), "utm_b=2&utm_a=1+2"},
		{values("a&b", "c=d&e\r\nX: y"), "a%26b=c%3Dd%26e%0D%0AX%3A+y"},
		{values("日", "本"), "%E6%97%A5=%E6%9C%AC"},
	} {
		if got := Form(Touch{Values: test.values}); got != test.want {
			t.Errorf("%v is %q; %q was expected", test.values, got, test.want)
		}
	}
}

// TestFormIsRead: a parser reads the values in it and nothing else.
func TestFormIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		touch := drawTouch(t)
		got := Form(touch)
		checkField(t, got)
		parsed, err := url.ParseQuery(got)
		if err != nil || len(parsed) != len(touch.Values) {
			t.Fatalf("%q is %v, %v", got, parsed, err)
		}
		for _, v := range touch.Values {
			if !reflect.DeepEqual(parsed[v.Name], []string{v.Value}) {
				t.Fatalf("%q is %q; %q was expected", v.Name, parsed[v.Name], v.Value)
			}
		}
	})
}

func TestAddQuery(t *testing.T) {
	touch := Touch{Values: values("ref", "A1", "utm_x", "a b")}
	for _, test := range []struct{ raw, want string }{
		{"", "ref=A1&utm_x=a+b"},
		{"a=%zz&&b", "a=%zz&&b&ref=A1&utm_x=a+b"},
		{"ref=B2", "ref=A1&utm_x=a+b"},
		{"r%65f=B2&a=1&utm_x&ref", "a=1&ref=A1&utm_x=a+b"},
		{"utm_y=1", "utm_y=1&ref=A1&utm_x=a+b"},
	} {
		if got := AddQuery(test.raw, touch); got != test.want {
			t.Errorf("%q is %q; %q was expected", test.raw, got, test.want)
		}
	}
	if got := AddQuery("a&ref=B2", Touch{Referer: "search.example"}); got != "a&ref=B2" {
		t.Errorf("without values it is %q", got)
	}
}

// TestAddQueryReplaces: an app reads the values, once each, and what else there was.
func TestAddQueryReplaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw, touch := drawQuery(t), drawTouch(t)
		touch.Values = append(touch.Values[:0:0], touch.Values...)
		if !touch.has("ref") && rapid.Bool().Draw(t, "ref") {
			touch.Values = append(touch.Values, Value{"ref", "A1"})
		}
		want, _ := url.ParseQuery(raw)
		for _, v := range touch.Values {
			want[v.Name] = []string{v.Value}
		}
		got, _ := url.ParseQuery(AddQuery(raw, touch))
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q with %v is %v; %v was expected", raw, touch.Values, got, want)
		}
	})
}

func TestAddCookies(t *testing.T) {
	for _, test := range []struct {
		name   string
		lines  []string
		values []Value
		want   []string
	}{
		{"none before", nil, values("ref", "A1"), []string{"ref=A1"}},
		{"beside others", []string{"a=1; b=2"}, values("ref", "A1"), []string{"a=1; b=2; ref=A1"}},
		{"in place of the client's", []string{"ref=B2; a=1;ref=C3"}, values("ref", "A1"), []string{"a=1; ref=A1"}},
		{"in place of all of them", []string{"ref=B2", "ref", " ref =B2"}, values("ref", "A1"), []string{"ref=A1"}},
		{"in place of encoded ones", []string{"r%65f=B2"}, values("ref", "A1"), []string{"ref=A1"}},
		{"other letters", []string{"REF=B2"}, values("ref", "A1"), []string{"REF=B2; ref=A1"}},
		{"lines are joined", []string{"a=1", "b=2"}, values("ref", "A1"), []string{"a=1; b=2; ref=A1"}},
		{"other cookies stay", []string{`a="x y" ; b; =c`}, values("ref", "A1"), []string{`a="x y"; b; =c; ref=A1`}},
		{"values are encoded", nil, values("ref", "a b;c=d\"日+%"), []string{"ref=a%20b%3Bc%3Dd%22%E6%97%A5%2B%25"}},
		{"no values", []string{"a=1", "b=2"}, nil, []string{"a=1", "b=2"}},
		{"names that are none", []string{"a=1"}, values("a;b", "1", "a b", "2", "a=b", "3", "a[b]", "4", "日", "5", "$Version", "6"), []string{"a=1"}},
		{"names that browsers vouch for", []string{"__Host-s=1"}, values("__Host-s", "2", "__secure-t", "3"), []string{"__Host-s=1"}},
		{"some of them", nil, values("a;b", "1", "ref", "A1"), []string{"ref=A1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := http.Header{}
			if test.lines != nil {
				h["Cookie"] = test.lines
			}
			AddCookies(h, Touch{Values: test.values})
			if got := h["Cookie"]; !reflect.DeepEqual(got, test.want) {
				t.Errorf("%q; %q was expected", got, test.want)
			}
		})
	}
}

func FuzzAddCookies(f *testing.F) {
	f.Add("a=1; ref=B2", "ref", "A1")
	f.Add(`ref="x;y"; =; ;;`, "utm_x", "a b;c\r\n")
	f.Add("", "__Host-a", "1")
	f.Add("r%65f=%", "a;ref", "\x00\xff日")
	f.Fuzz(func(t *testing.T, line, name, value string) {
		h := http.Header{"Cookie": {line}}
		AddCookies(h, Touch{Values: values("ref", "A1", name, value)})
		got := h["Cookie"]
		if len(got) != 1 {
			t.Fatalf("%d lines", len(got))
		}
		added := 0
		for pair := range strings.SplitSeq(got[0], "; ") {
			if strings.HasPrefix(pair, "ref=") {
				added++
			}
		}
		if added == 0 || added > 1 && name != "ref" {
			t.Fatalf("%q has ref %d times", got, added)
		}
		rest := got[0]
		if i := strings.Index(rest, "ref=A1"); i >= 0 {
			checkField(t, rest[i:])
		}
	})
}
