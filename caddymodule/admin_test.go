package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/cacheward/cacheward/caddymodule/explain"
)

// askAdmin asks the admin endpoint, and returns the error as Caddy would answer it.
func askAdmin(t *testing.T, a *adminAPI, r *http.Request) (*httptest.ResponseRecorder, error) {
	t.Helper()
	var err error
	mux := http.NewServeMux()
	for _, route := range a.Routes() {
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) { err = route.Handler.ServeHTTP(w, r) })
	}
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, r)
	return rec, err
}

// ordering is a POST as the commands make it.
func ordering(path, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.RemoteAddr = "192.0.2.7:4711"
	return r
}

// post asks the endpoint to explain.
func post(t *testing.T, body string) (explain.Answer, error) {
	t.Helper()
	var answer explain.Answer
	rec, err := askAdmin(t, newAdminAPI(), ordering("/cacheward/explain", body))
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	return answer, nil
}

const question = `{"requests": [{"url": "http://example.com/page?ref=1"}, {"url": "http://example.com/page?ref=2"}]}`

// TestAdminExplain: the running config answers, also after a reload.
func TestAdminExplain(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	site := func(ref string) string {
		return `cacheward {
			id shop
			route page {
				path /page
				cache 5m
				param ` + ref + ` ref
			}
		}
		reverse_proxy ` + origin
	}
	e := startEdge(t, site("strip"))
	for _, test := range []struct {
		verb   string
		shared bool
	}{{"strip", true}, {"key", false}} {
		if err := e.load(site(test.verb)); err != nil {
			t.Fatal(err)
		}
		e.ok("/page") // from now on the handler knows its place
		answer, err := post(t, question)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Schema != explain.Schema || len(answer.Reports) != 1 || answer.Reports[0].Policy != "handler shop" {
			t.Fatalf("answer %+v", answer)
		}
		report := answer.Reports[0]
		if report.Sharing == nil || report.Sharing.Shared != test.shared || report.Explanations[0].Route.Name != "page" {
			t.Errorf("ref is %s: %+v", test.verb, report.Sharing)
		}
	}
}

// TestAdminExplainTellsTheRealKey: the key of a live explanation is the one in the log.
func TestAdminExplainTellsTheRealKey(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	e := startEdge(t, "cacheward {\nroute page {\npath /page\ncache 5m\n}\n}\nreverse_proxy "+origin)
	e.ok("/page")
	logged := awaitRecord(t, "store", nil).Key
	answer, err := post(t, `{"requests": [{"url": "http://example.com/page"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := answer.Reports[0].Explanations[0].Key.Digest; !strings.HasPrefix(got, logged) || logged == "" {
		t.Errorf("key %s; the log has %s", got, logged)
	}
}

// TestAdminExplainWithoutHandlers: a config without cacheward, or none, has no reports.
func TestAdminExplainWithoutHandlers(t *testing.T) {
	startEdge(t, "respond hello")
	if answer, err := post(t, question); err != nil || answer.Reports == nil || len(answer.Reports) != 0 {
		t.Errorf("%+v, error %v", answer, err)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if answer, err := post(t, question); err != nil || len(answer.Reports) != 0 {
		t.Errorf("nothing runs: %+v, error %v", answer, err)
	}
}

func TestAdminExplainRefuses(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	startEdge(t, "cacheward {\nroute page {\npath /page\ncache 5m\n}\n}\nreverse_proxy "+origin)
	for _, test := range []struct {
		name, body string
		status     int
	}{
		{"no JSON", "hello", http.StatusBadRequest},
		{"a word that it does not know", `{"requests": [], "what": 1}`, http.StatusBadRequest},
		{"no request", `{"requests": []}`, http.StatusBadRequest},
		{"no URL", `{"requests": [{}]}`, http.StatusBadRequest},
		{"something behind it", `{"requests": [{"url": "http://example.com/page"}]} {}`, http.StatusBadRequest},
		{"a request that no server accepts", `{"requests": [{"url": "http://example.com/page?` + strings.Repeat("&", 2<<20) + `"}]}`, http.StatusBadRequest},
		{"too much", `{"requests": [{"url": "` + strings.Repeat("a", maxQuestion) + `"}]}`, http.StatusRequestEntityTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := post(t, test.body)
			if api, ok := errors.AsType[caddy.APIError](err); !ok || api.HTTPStatus != test.status {
				t.Errorf("error %v; status %d was expected", err, test.status)
			}
		})
	}
}
