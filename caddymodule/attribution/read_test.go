package attribution

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

func values(pairs ...string) (v []Value) {
	for i := 0; i < len(pairs); i += 2 {
		v = append(v, Value{pairs[i], pairs[i+1]})
	}
	return v
}

func TestReadQuery(t *testing.T) {
	for _, test := range []struct {
		raw     string
		values  []Value
		problem Problem
	}{
		{"", nil, ""},
		{"a=1&b=2", nil, ""},
		{"ref=A1", values("ref", "A1"), ""},
		{"utm_medium=mail&a=1&ref=A1", values("utm_medium", "mail", "ref", "A1"), ""},
		{"ref=A1&ref=B2", values("ref", "A1"), ""},
		{"r%65f=A1&ref=B2", values("ref", "A1"), ""},
		{"ref=", nil, ""},
		{"ref", nil, ""},
		{"ref=&ref=B2", nil, ""}, // the first one counts, and says nothing
		{"ref=&utm_id=7", values("utm_id", "7"), ""},
		{"ref=a+b%20c%2Bd", values("ref", "a b c+d"), ""},
		{"ref=%E6%97%A5%E6%9C%AC", values("ref", "日本"), ""},
		{"ref=日本", values("ref", "日本"), ""},
		{"ref=a;b", values("ref", "a;b"), ""},
		{"ref=a=b", values("ref", "a=b"), ""},
		{"ref=a%26utm_x%3Db", values("ref", "a&utm_x=b"), ""},
		{"ref=%", nil, Malformed},
		{"ref=%zz", nil, Malformed},
		{"utm_%zz=1", nil, Malformed},
		{"utm_%0a=1", nil, Malformed},
		{"ref=a%0d%0aSet-Cookie:%20b", nil, Malformed},
		{"ref=a%00", nil, Malformed},
		{"ref=%7f", nil, Malformed},
		{"ref=%c2%85", nil, Malformed}, // a line break to some
		{"ref=%ff", nil, Malformed},
		{"ref=\xff", nil, Malformed},
		{"ref=a\r\nb", nil, Malformed},
		{"ref=A1&utm_x=%ff", nil, Malformed}, // the whole visit
		{"a=%ff&ref=A1", values("ref", "A1"), ""},
		{"ref=" + strings.Repeat("a", MaxValue), values("ref", strings.Repeat("a", MaxValue)), ""},
		{"ref=" + strings.Repeat("a", MaxValue+1), nil, Bounds},
		{"ref=" + strings.Repeat("%61", MaxValue), values("ref", strings.Repeat("a", MaxValue)), ""},
		{"ref=" + strings.Repeat("%61", MaxValue+1), nil, Bounds},
		{"ref=" + strings.Repeat("a", 1<<20), nil, Bounds},
		{"utm_" + strings.Repeat("a", MaxName-4) + "=1", values("utm_"+strings.Repeat("a", MaxName-4), "1"), ""},
		{"utm_" + strings.Repeat("a", MaxName-3) + "=1", nil, Bounds},
		{many(MaxValues), numbered(MaxValues), ""},
		{many(MaxValues + 1), nil, Bounds},
		{strings.Repeat("ref=A1&", 1000), values("ref", "A1"), ""},
		{Form(Touch{Values: longest(5)}), longest(5), ""},
		{Form(Touch{Values: longest(6)}), nil, Bounds}, // no cookie has room for it
	} {
		touch, problem := Read(test.raw, "", "shop.example", utm, false, unpaid, noon)
		if problem != test.problem || !reflect.DeepEqual(touch.Values, test.values) {
			t.Errorf("%.80q is %v, %q; %v, %q was expected", test.raw, touch.Values, problem, test.values, test.problem)
		}
		if (touch.Landing != "") != (len(test.values) > 0) {
			t.Errorf("%.80q has the landing %q", test.raw, touch.Landing)
		}
	}
}

// many is a query of n parameters.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "&utm_%d=%d", i, i)
	}
	return b.String()[1:]
}

func numbered(n int) (v []Value) {
	for i := range n {
		v = append(v, Value{fmt.Sprintf("utm_%d", i), fmt.Sprint(i)})
	}
	return v
}

// longest are n parameters with values as long as they may be.
func longest(n int) (v []Value) {
	for i := range n {
		v = append(v, Value{fmt.Sprintf("utm_%d", i), strings.Repeat("a", MaxValue)})
	}
	return v
}

func TestReadReferer(t *testing.T) {
	long := "https://search.example/" + strings.Repeat("a", MaxReferer)
	for _, test := range []struct {
		referer, host string
		full          bool
		want          string
		problem       Problem
	}{
		{"", "shop.example", false, "", ""},
		{"https://search.example/find?q=shoes", "shop.example", false, "search.example", ""},
		{"https://search.example/find?q=shoes#top", "shop.example", true, "https://search.example/find", ""},
		{"https://search.example", "shop.example", true, "https://search.example/", ""},
		{"https://SEARCH.example:8443/A", "shop.example", true, "https://search.example:8443/A", ""},
		{"https://SEARCH.example:8443/A", "shop.example", false, "search.example", ""},
		{"https://u:p@search.example/a", "shop.example", true, "https://search.example/a", ""},
		{"https://search.example./a", "shop.example", false, "search.example", ""},
		{"http://192.0.2.1/a", "shop.example", false, "192.0.2.1", ""},
		{"http://[2001:db8::1]:8080/a", "shop.example", false, "[2001:db8::1]", ""},
		{"android-app://com.example.mail/", "shop.example", false, "com.example.mail", ""},
		{"https://search.example/日本", "shop.example", true, "https://search.example/%E6%97%A5%E6%9C%AC", ""},
		{"https://shop.example.evil.example/", "shop.example", false, "shop.example.evil.example", ""},
		{"https://www.shop.example/", "shop.example", false, "www.shop.example", ""},
		{long, "shop.example", true, "search.example", ""},
		{long, "shop.example", false, "search.example", ""},
		{"https://" + strings.Repeat("a", MaxReferer+1) + "/", "shop.example", false, "", Bounds},
		// Of the site itself.
		{"https://shop.example/", "shop.example", true, "", ""},
		{"https://SHOP.example/a?b", "shop.example", false, "", ""},
		{"https://shop.example:8443/", "shop.example", false, "", ""},
		{"https://shop.example./", "shop.example:8443", false, "", ""},
		{"http://[::1]:8080/", "[::1]:9090", false, "", ""},
		{"https://search.example@shop.example/", "shop.example", false, "", ""},
		{"https://shop.example\\@search.example/", "shop.example", false, "", ""},
		// None at all.
		{"about:blank", "shop.example", false, "", ""},
		{"data:text/html,x", "shop.example", false, "", ""},
		{"/a", "shop.example", false, "", ""},
		{"//search.example/", "shop.example", false, "", ""},
		{"search.example", "shop.example", false, "", ""},
		{"ftp://search.example/", "shop.example", false, "", ""},
		{"javascript://search.example/%0aalert(1)", "shop.example", false, "", ""},
		{"https:search.example", "shop.example", false, "", ""},
		{"https://", "shop.example", false, "", ""},
		{"https://:443/", "shop.example", false, "", ""},
		{"https://a b/", "shop.example", false, "", ""},
		{"https://日本.example/", "shop.example", false, "", ""},
		{"https://search.example/%zz", "shop.example", false, "", ""},
		{"https://search.example/\r\nX: y", "shop.example", true, "", Malformed},
		{"https://search.example/\x00", "shop.example", true, "", Malformed},
		{"https://search.example/\xff", "shop.example", true, "", Malformed},
	} {
		touch, problem := Read("", test.referer, test.host, utm, test.full, unpaid, noon)
		if touch.Referer != test.want || problem != test.problem {
			t.Errorf("%.60q at %s is %q, %q; %q, %q was expected", test.referer, test.host, touch.Referer, problem, test.want, test.problem)
		}
		if (touch.Landing != "") != (test.want != "") {
			t.Errorf("%.60q has the landing %q", test.referer, touch.Landing)
		}
	}
}

func TestReadWhole(t *testing.T) {
	paid := func(name, value string) bool { return name == "gclid" || name == "utm_medium" && value == "cpc" }
	takes := func(name string) bool { return utm(name) || name == "gclid" }
	at := time.Date(2026, 3, 1, 21, 0, 0, 999, time.FixedZone("", 9*3600))
	touch, problem := Read("ref=A1&utm_medium=c%70c", "https://search.example/", "shop.example", takes, false, paid, at)
	if problem != "" || !touch.Paid || !touch.At.Equal(noon) || touch.At.Location() != time.UTC || touch.Referer != "search.example" {
		t.Errorf("%+v, %q", touch, problem)
	}
	if touch, _ := Read("ref=A1&gclid=", "", "shop.example", takes, false, paid, at); touch.Paid {
		t.Error("an empty value paid for it")
	}
	if touch, problem := Read("ref=%ff", "https://search.example/", "shop.example", takes, false, paid, at); problem != Malformed || !reflect.DeepEqual(touch, Touch{}) {
		t.Errorf("half a visit: %+v, %q", touch, problem)
	}
	other, _ := Read("ref=A1", "", "shop.example", takes, false, paid, at)
	if other.Landing == touch.Landing || len(other.Landing) != 22 {
		t.Errorf("landings %q, %q", touch.Landing, other.Landing)
	}
}

// FuzzRead: whatever a request says, what is read of it can be carried and delivered.
func FuzzRead(f *testing.F) {
	keys := openKeys(f, f.TempDir())
	codec := NewCodec(keys)
	f.Add("ref=A1&utm_source=x", "https://search.example/a?b#c", "shop.example", true)
	f.Add("ref=%0d%0a", "", "", false)
	f.Add("ref=%ff&&=", "https://shop.example:8443/", "[::1]:80", false)
	f.Add(Form(Touch{Values: longest(5)}), "android-app://com.example/", "shop.example.", true)
	f.Add(many(17), "https://u:p@[::1]:80/%2e%zz", "x", true)
	f.Fuzz(func(t *testing.T, raw, referer, host string, full bool) {
		touch, problem := Read(raw, referer, host, utm, full, unpaid, noon)
		if problem != "" || touch.Landing == "" {
			if !reflect.DeepEqual(touch, Touch{}) {
				t.Fatalf("%+v beside %q", touch, problem)
			}
			return
		}
		for _, encrypt := range []bool{false, true} {
			text, err := codec.Seal(touch, host, noon.Add(time.Hour), encrypt)
			if err != nil {
				t.Fatalf("%+v cannot be sealed: %v", touch, err)
			}
			if got, _, problem := codec.Open(text, host, noon); problem != "" || !sameTouch(got, touch) {
				t.Fatalf("%+v came back as %+v, %q", touch, got, problem)
			}
		}
		checkField(t, Form(touch))
		checkField(t, touch.Referer)
		h := http.Header{}
		AddCookies(h, touch)
		checkField(t, h.Get("Cookie"))
		if again, problem := Read(AddQuery(raw, touch), "", host, utm, full, unpaid, noon); problem != "" || !reflect.DeepEqual(again.Values, touch.Values) {
			t.Fatalf("%v put back is %v, %q", touch.Values, again.Values, problem)
		}
	})
}

// checkField: a field's value can be nothing but that.
func checkField(t interface{ Fatalf(string, ...any) }, value string) {
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
		t.Fatalf("%q in a field", value)
	}
}
