package explain

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCompare(t *testing.T) {
	s := newSite(t, sitePolicy)
	const page = "http://hapitas.example/register/lp"
	for _, test := range []struct {
		name         string
		a, b         string
		aHead, bHead []string
		shared       bool
		apart, lost  string
	}{
		{"the incident: another referrer", page + "?ref=A1", page + "?ref=B2", nil, nil, true, "", "param ref"},
		{"equal", page, page, nil, nil, true, "", ""},
		{"a keyed parameter", page + "?lang=ja", page + "?lang=en&ref=x", nil, nil, false, "param lang", ""},
		{"there or not", page + "?lang=", page, nil, nil, false, "param lang", ""},
		{"with = or without", page + "?lang", page + "?lang=", nil, nil, false, "param lang", ""},
		{"another language", page, page, []string{"Accept-Language", "ja"}, []string{"Accept-Language", "en"}, false, "header Accept-Language", ""},
		{"two spellings of a language", page, page, []string{"Accept-Language", "ja-JP"}, []string{"Accept-Language", "ja"}, true, "", "header Accept-Language"},
		{"two pages", "http://hapitas.example/static/a", "http://hapitas.example/static/b", nil, nil, false, "path", ""},
		{"another scheme", page, strings.Replace(page, "http", "https", 1), nil, nil, false, "scheme", ""},
		{"two routes", page, "http://hapitas.example/once", nil, nil, false, "path, route", ""},
		{"order", "http://hapitas.example/static/a?x=1&y=2", "http://hapitas.example/static/a?y=2&x=1", nil, nil, false, "query order", ""},
		{"an empty query", page, page + "?", nil, nil, false, "query ?", ""},
		{"a person", page, page, nil, []string{"Cookie", "session=1"}, false, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Compare(s.ask(test.a, test.aHead...), s.ask(test.b, test.bHead...))
			if got.Shared != test.shared || names(got.Apart) != test.apart || names(got.Lost) != test.lost || got.Why == "" {
				t.Errorf("%+v", got)
			}
			var text bytes.Buffer
			if err := got.WriteText(&text, false); err != nil || !strings.Contains(text.String(), got.Why) {
				t.Errorf("text %q, error %v", &text, err)
			}
		})
	}
}

// TestDifferenceIsVisible: the values that are told are not the same.
func TestDifferenceIsVisible(t *testing.T) {
	s := newSite(t, sitePolicy)
	for _, test := range [][2]string{{"a", "a="}, {"a=1&a=2", "a=1&a=3"}, {"a=1", "a=2"}} {
		got := Compare(s.ask("http://hapitas.example/static/a?"+test[0]), s.ask("http://hapitas.example/static/a?"+test[1]))
		if len(got.Apart) != 1 || got.Apart[0].First == got.Apart[0].Second || strings.Contains(got.Apart[0].First, ", =") {
			t.Errorf("%v: %+v", test, got.Apart)
		}
	}
}

// TestCompareObserved: what is not in force is not told as if it were.
func TestCompareObserved(t *testing.T) {
	s := newSite(t, "routes: [{name: a, match: {paths: [/a]}, cache: 5m, mode: observe}]")
	a := s.ask("http://hapitas.example/a")
	if a.Judge(Response{Status: 200}); a.Response.First != nil || !strings.Contains(Compare(a, a).Why, "only observes") {
		t.Errorf("%+v, %+v", a.Response, Compare(a, a))
	}
}

func names(all []Difference) string {
	words := make([]string, len(all))
	for i, d := range all {
		words[i] = d.String()
	}
	return strings.Join(words, ", ")
}

// TestCompareVary: RFC 9111 §4.1. The response's Vary has the last word, if it is known.
func TestCompareVary(t *testing.T) {
	s := newSite(t, sitePolicy)
	for _, test := range []struct {
		vary           string
		judged, shared bool
	}{{"", false, true}, {"Accept-Encoding", true, true}, {"accept-language", true, false}} {
		a := s.ask("http://hapitas.example/static/a", "Accept-Language", "ja")
		b := s.ask("http://hapitas.example/static/a", "Accept-Language", "en")
		if test.judged {
			a.Judge(Response{Status: 200, Header: header("Cache-Control", "max-age=60", "Vary", test.vary)})
		}
		if got := Compare(a, b); got.Shared != test.shared || !got.SameKey || names(got.Unless) != "header Accept-Language" {
			t.Errorf("Vary %q: %+v", test.vary, got)
		}
	}
}

// TestCompareIsTheKey: two requests share exactly if their keys are equal, and if they
// do not something is named that tells them apart.
func TestCompareIsTheKey(t *testing.T) {
	s := newSite(t, sitePolicy)
	rapid.Check(t, func(r *rapid.T) {
		draw := func(label string) *Explanation {
			url := "http://" + rapid.SampledFrom([]string{"hapitas.example", "hapitas.example:80"}).Draw(r, label+" host") +
				rapid.SampledFrom([]string{"/register/lp", "/static/a", "/static/%41", "/once"}).Draw(r, label+" path") +
				rapid.SampledFrom([]string{"", "?"}).Draw(r, label+" ?")
			if strings.HasSuffix(url, "?") {
				url += strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"ref=1", "ref=2", "lang=ja", "lang", "lang=", "x=1", "x=2"}), 0, 3).Draw(r, label+" query"), "&")
			}
			e, err := Explain(s.policy, s.compiled, Request{URL: url, Header: header("Accept-Language", rapid.SampledFrom([]string{"ja", "en", "fr"}).Draw(r, label+" language"))})
			if err != nil {
				r.Fatal(err)
			}
			return e
		}
		a, b := draw("first"), draw("second")
		got := Compare(a, b)
		same := a.Key != nil && b.Key != nil && a.Key.Digest == b.Key.Digest
		if got.SameKey != same || got.Shared != same {
			r.Fatalf("same key %t: %+v", same, got)
		}
		if !same && a.Key != nil && b.Key != nil && len(got.Apart) == 0 {
			r.Fatal("nothing tells them apart, and they are apart")
		}
	})
}
