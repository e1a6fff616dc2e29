package explain

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

// FuzzExplain: whatever is asked and answered, there is an explanation or an error, it
// can be written, and two equal requests share if they are for the cache.
func FuzzExplain(f *testing.F) {
	policy, err := policies.ParseYAML("policy.yaml", []byte(sitePolicy))
	if err != nil {
		f.Fatal(err)
	}
	compiled, err := policies.Compile(policy, "fuzz")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("http://hapitas.example/register/lp?ref=1", "_ga=1", "ja", 200, "max-age=60", []byte("<p>"))
	f.Add("https://hapitas.example/static/%2e%2e/a;b?x=1&&y", "a", "*;q=0", 404, "private", []byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, url, cookie, language string, status int, control string, body []byte) {
		r := Request{URL: url, Header: http.Header{"Cookie": {cookie}, "Accept-Language": {language}}}
		e, err := Explain(policy, compiled, r)
		if err != nil {
			return
		}
		e.Judge(Response{Status: status, Header: http.Header{"Cache-Control": {control}, "Content-Type": {"text/html"}}, Body: body})
		if err := e.Corroborate(Response{Status: status, Header: http.Header{"Content-Type": {"text/html"}}, Body: body}); err != nil {
			t.Fatal(err)
		}
		if _, err := json.Marshal(e); err != nil {
			t.Fatal(err)
		}
		if err := e.WriteText(io.Discard, true); err != nil {
			t.Fatal(err)
		}
		if s := Compare(e, e); s.Shared != (e.Key != nil) {
			t.Errorf("%+v", s)
		}
		if e.Response.Stored && e.Verdict.Action != ActionCache {
			t.Error("the answer to a request that is not for the cache is stored")
		}
	})
}

// FuzzExplainAttribution: what is taken is not there any more behind the proxy, and whatever
// is asked, it can be written.
func FuzzExplainAttribution(f *testing.F) {
	policy, err := policies.ParseYAML("policy.yaml", []byte(attributedPolicy))
	if err != nil {
		f.Fatal(err)
	}
	compiled, err := policies.Compile(policy, "fuzz")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("ref=1&lang=ja&utm_medium=cpc", "agreed=marketing", "https://blog.example/x?y", "")
	f.Add("%72ef=a;b&&ref&ref=", "agreed=%zz; agreed=marketing; __Host-cacheward=x", "android-app://a/", "prefetch")
	f.Fuzz(func(t *testing.T, query, cookie, referer, purpose string) {
		const page = "https://hapitas.example/register/lp?"
		header := http.Header{"Cookie": {cookie}, "Referer": {referer}, "Sec-Purpose": {purpose}}
		e, err := Explain(policy, compiled, Request{URL: page + query, Header: header})
		if err != nil || e.Attribution == nil {
			return // another URL, or none
		}
		a := e.Attribution
		if a.Landing && (len(a.Taken) == 0 && a.Referer == "" || a.LeftOut != "") || a.Sentence == "" {
			t.Errorf("%+v", a)
		}
		again, err := Explain(policy, compiled, Request{URL: a.URL})
		if err != nil || len(again.Attribution.Taken) > 0 || again.Attribution.LeftOut != "" || again.Attribution.URL != a.URL {
			t.Errorf("behind the proxy, %s is %s: %+v, %v", query, a.URL, again.Attribution, err)
		}
		if err := e.WriteText(io.Discard, true); err != nil {
			t.Fatal(err)
		}
		if _, err := json.Marshal(e); err != nil {
			t.Fatal(err)
		}
	})
}
