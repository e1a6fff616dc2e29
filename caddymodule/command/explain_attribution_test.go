package command

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/explain"
)

const attributedPolicy = `routes:
  - name: landing
    match: {hosts: [shop.example], paths: [/lp]}
    cache: 5m
    params: {key: [lang]}
    attribution: {params: [ref], deliver: {paths: [/register], as: query}}
`

// TestExplainCommandOfAttribution: in words and in JSON. The origin that is asked does not see
// what is taken, neither with the fill nor with the visitor's own request.
func TestExplainCommandOfAttribution(t *testing.T) {
	file := policyFileOf(t, attributedPolicy)
	var mu sync.Mutex
	var asked []string
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.RequestURI)
		mu.Unlock()
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<input name=ref value='" + r.FormValue("ref") + "'>"))
	}))
	defer origin.Close()
	stdout, stderr, code := explains(t, "", "https://shop.example/lp?ref=ALICE-8f7e6d5c&lang=ja", "-p", file, "--origin", origin.URL)
	if code != 0 || !slices.Equal(asked, []string{"/lp?lang=ja", "/lp?lang=ja"}) {
		t.Errorf("exit %d, %s, the origin was asked for %q", code, stderr, asked)
	}
	for _, want := range []string{"attribution: takes ref=ALICE-8f7e6d5c.", "in the cookie __Host-cacheward for 30d", "stored for 5m"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}

	stdout, stderr, code = explains(t, "", "POST", "http://shop.example/register", "-p", file, "--cookie", "cacheward=x", "--format", "json")
	var answer explain.Answer
	if err := json.Unmarshal([]byte(stdout), &answer); code != 0 || err != nil {
		t.Fatalf("exit %d, %s, %v", code, stderr, err)
	}
	if d := answer.Reports[0].Explanations[0].Delivery; d == nil || d.As != "query" || d.Route != "landing" || !d.HasCookie || !slices.Equal(d.Names, []string{"ref"}) {
		t.Errorf("%+v", d)
	}
}
