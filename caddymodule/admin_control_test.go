package caddymodule

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/caddyserver/caddy/v2"
	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/control"
)

// playedAPI is an endpoint whose orders are written down instead of carried out.
func playedAPI(err error) (a *adminAPI, orders *[]any) {
	orders = new([]any)
	return &adminAPI{
		running: func() ([]*Handler, error) { return nil, nil },
		purge: func(_ []*Handler, q control.Purge) (control.Purged, error) {
			*orders = append(*orders, q)
			return control.Purged{Schema: control.Schema, Problems: []string{"one object is left"}}, err
		},
		trip: func(_ []*Handler, q control.Trip) (control.Switched, error) {
			*orders = append(*orders, q)
			return control.Switched{Schema: control.Schema}, err
		},
		reset: func(_ []*Handler, q control.Reset) (control.Switched, error) {
			*orders = append(*orders, q)
			return control.Switched{Schema: control.Schema}, err
		},
		status: func([]*Handler) control.Status { return control.Status{Schema: control.Schema, Version: "v1"} },
		objects: func(_ []*Handler, q control.Objects) (control.ObjectList, error) {
			*orders = append(*orders, q)
			return control.ObjectList{Schema: control.Schema}, err
		},
		object: func(_ []*Handler, id string, body bool) (control.Object, bool, error) {
			*orders = append(*orders, fmt.Sprint(id, " ", body))
			return control.Object{ID: id}, id == storedID, err
		},
	}, orders
}

const (
	storedID = "01890a5d-ac96-774b-bcce-b302099a8057"
	otherID  = "01890a5d-ac96-774b-bcce-b302099a8058"
)

// TestAdminOrders: what is asked comes to those who do it, with where it came from.
func TestAdminOrders(t *testing.T) {
	const via = "192.0.2.7"
	for _, test := range []struct {
		path, body string
		want       any
	}{
		{"/cacheward/purge", `{"url": "https://a.example/?b=1", "soft": true, "by": "ops@host", "why": "new"}`, control.Purge{URL: "https://a.example/?b=1", Soft: true, By: "ops@host via " + via, Why: "new"}},
		{"/cacheward/purge", `{"all": true}`, control.Purge{All: true, By: "somebody via " + via}},
		{"/cacheward/trip", `{"route": "a", "why": "wrong", "by": "ops via 127.0.0.1"}`, control.Trip{Route: "a", Why: "wrong", By: "ops via 127.0.0.1 via " + via}},
		{"/cacheward/reset", `{"all": true, "keep": true, "why": "right"}`, control.Reset{All: true, Keep: true, Why: "right", By: "somebody via " + via}},
	} {
		a, orders := playedAPI(nil)
		rec, err := askAdmin(t, a, ordering(test.path, test.body))
		if err != nil || rec.Code != http.StatusOK || len(*orders) != 1 || (*orders)[0] != test.want {
			t.Errorf("%s: %d, error %v, orders %+v", test.body, rec.Code, err, *orders)
		}
		if !json.Valid(rec.Body.Bytes()) || rec.Header().Get("Content-Type") != "application/json" || rec.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%v %s", rec.Header(), rec.Body)
		}
	}
}

// TestAdminTellsProblems: what was done in part is answered with 200 and what is left.
func TestAdminTellsProblems(t *testing.T) {
	a, _ := playedAPI(nil)
	rec, err := askAdmin(t, a, ordering("/cacheward/purge", `{"all": true}`))
	var answer control.Purged
	if err != nil || rec.Code != http.StatusOK || json.Unmarshal(rec.Body.Bytes(), &answer) != nil || len(answer.Problems) != 1 {
		t.Errorf("%d, error %v: %s", rec.Code, err, rec.Body)
	}
}

// TestAdminRefusesOrders: with a status that says whose fault it is, and nothing is done.
func TestAdminRefusesOrders(t *testing.T) {
	const purges = "/cacheward/purge"
	for _, test := range []struct {
		name, path, kind, body string
		status                 int
	}{
		{"a form of another site", purges, "application/x-www-form-urlencoded", `{"all": true}`, 415},
		{"text of another site", purges, "text/plain;charset=UTF-8", `{"all": true}`, 415},
		{"no content type", purges, "", `{"all": true}`, 415},
		{"a content type that is none", purges, "application/json; =", `{"all": true}`, 415},
		{"two content types", purges, "text/plain, application/json", `{"all": true}`, 415},
		{"nothing", purges, "application/json", "", 400},
		{"no JSON", purges, "application/json", "all", 400},
		{"null", purges, "application/json", "null", 400},
		{"an unknown member", purges, "application/json", `{"all": true, "really": true}`, 400},
		{"something behind it", purges, "application/json", `{"all": true}{}`, 400},
		{"two selections", purges, "application/json", `{"all": true, "tag": "a"}`, 400},
		{"too much", purges, "application/json", `{"all": true, "why": "` + strings.Repeat("a", maxOrder) + `"}`, 413},
		{"too much behind it", purges, "application/json", `{"all": true}` + strings.Repeat(" ", maxOrder), 413},
		{"a trip without a reason", "/cacheward/trip", "application/json", `{}`, 400},
		{"a reset without a reason", "/cacheward/reset", "application/json", `{"route": "a"}`, 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, orders := playedAPI(nil)
			r := ordering(test.path, test.body)
			r.Header.Set("Content-Type", test.kind)
			_, err := askAdmin(t, a, r)
			if api, ok := errors.AsType[caddy.APIError](err); !ok || api.HTTPStatus != test.status || len(*orders) != 0 {
				t.Errorf("error %v; status %d was expected; orders %v", err, test.status, *orders)
			}
		})
	}
	a, orders := playedAPI(nil)
	r := ordering(purges, `{"all": true}`)
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	if _, err := askAdmin(t, a, r); err != nil || len(*orders) != 1 {
		t.Errorf("with a charset: error %v", err)
	}
}

// TestAdminMethods: an order is never a GET, which a link can make.
func TestAdminMethods(t *testing.T) {
	for path, allow := range map[string]string{
		"/cacheward/purge": "POST", "/cacheward/trip": "POST", "/cacheward/reset": "POST", "/cacheward/explain": "POST",
		"/cacheward/status": "GET, HEAD", "/cacheward/objects": "GET, HEAD", "/cacheward/objects/" + storedID: "GET, HEAD",
	} {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PURGE", "OPTIONS"} {
			if strings.Contains(allow, method) {
				continue
			}
			a, orders := playedAPI(nil)
			r := ordering(path, `{"all": true, "why": "x"}`)
			r.Method = method
			rec, err := askAdmin(t, a, r)
			if err != nil || rec.Code != http.StatusMethodNotAllowed || rec.Header().Get("Allow") != allow || len(*orders) != 0 {
				t.Errorf("%s %s: %d, Allow %q, error %v", method, path, rec.Code, rec.Header().Get("Allow"), err)
			}
		}
	}
}

// TestAdminErrors: of those who do it.
func TestAdminErrors(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
	}{
		{control.Mistake("x"), 400}, {fmt.Errorf("x: %w", control.Mistake("y")), 400}, {control.NotFound("x"), 404}, {errors.New("x"), 500},
	} {
		a, _ := playedAPI(test.err)
		for _, r := range []*http.Request{
			ordering("/cacheward/purge", `{"all": true}`), ordering("/cacheward/trip", `{"why": "x"}`), ordering("/cacheward/reset", `{"why": "x"}`),
			httptest.NewRequest("GET", "/cacheward/objects", nil), httptest.NewRequest("GET", "/cacheward/objects/"+storedID, nil),
		} {
			rec, err := askAdmin(t, a, r)
			if api, ok := errors.AsType[caddy.APIError](err); !ok || api.HTTPStatus != test.status || rec.Body.Len() != 0 {
				t.Errorf("%s, %v: error %v, %s", r.URL, test.err, err, rec.Body)
			}
		}
	}
	a, orders := playedAPI(nil)
	a.running = func() ([]*Handler, error) { return nil, errors.New("no app") }
	for _, r := range []*http.Request{
		ordering("/cacheward/purge", `{"all": true}`), ordering("/cacheward/explain", `{}`), httptest.NewRequest("GET", "/cacheward/status", nil),
		httptest.NewRequest("GET", "/cacheward/objects", nil), httptest.NewRequest("GET", "/cacheward/objects/"+storedID, nil),
	} {
		if _, err := askAdmin(t, a, r); err == nil || len(*orders) != 0 {
			t.Errorf("%s without an app: error %v", r.URL, err)
		}
	}
}

func TestAdminQuestions(t *testing.T) {
	for _, test := range []struct {
		uri    string
		status int
		order  any
	}{
		{"/cacheward/status", 200, nil},
		{"/cacheward/objects", 200, control.Objects{}},
		{"/cacheward/objects?route=a&prefix=a.example%2Fb&key=0b1e55ed0badcafe&limit=7", 200, control.Objects{Route: "a", Prefix: "a.example/b", Key: "0b1e55ed0badcafe", Limit: 7}},
		{"/cacheward/objects/" + storedID, 200, storedID + " false"},
		{"/cacheward/objects/" + storedID + "?body=1", 200, storedID + " true"},
		{"/cacheward/objects/" + storedID + "?body=false", 200, storedID + " false"},
		{"/cacheward/objects/" + otherID, 404, otherID + " false"},
		{"/cacheward/status?verbose=1", 400, nil},
		{"/cacheward/status?%zz", 400, nil},
		{"/cacheward/objects?rout=a", 400, nil},
		{"/cacheward/objects?route=a&route=b", 400, nil},
		{"/cacheward/objects?limit=x", 400, nil},
		{"/cacheward/objects?limit=-1", 400, nil},
		{"/cacheward/objects?prefix=%2Fa", 400, nil},
		{"/cacheward/objects/x", 400, nil},
		{"/cacheward/objects/" + strings.ToUpper(storedID), 400, nil},
		{"/cacheward/objects/" + storedID + "?body=please", 400, nil},
	} {
		a, orders := playedAPI(nil)
		rec, err := askAdmin(t, a, httptest.NewRequest("GET", test.uri, nil))
		status := rec.Code
		if api, ok := errors.AsType[caddy.APIError](err); ok {
			status = api.HTTPStatus
		}
		if status != test.status || test.order == nil && len(*orders) > 0 || test.order != nil && !slices.Contains(*orders, test.order) {
			t.Errorf("%s: %d, error %v, orders %+v", test.uri, status, err, *orders)
		}
	}
	a, _ := playedAPI(nil)
	if rec, err := askAdmin(t, a, httptest.NewRequest("GET", "/cacheward/objects", nil)); err != nil || !strings.Contains(rec.Body.String(), `"objects":[]`) {
		t.Errorf("an empty list is no list: %s", rec.Body)
	}
}

func TestAsker(t *testing.T) {
	r := httptest.NewRequest("POST", "/", nil)
	r.RemoteAddr = "[2001:db8::1]:4711"
	if got := asker("ops", r); got != "ops via 2001:db8::1" {
		t.Error(got)
	}
	for _, address := range []string{"", "@"} {
		r.RemoteAddr = address
		if got := asker("", r); got != "somebody via a Unix socket" {
			t.Errorf("%q: %s", address, got)
		}
	}
	r.RemoteAddr = "192.0.2.7:4711"
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Subject: pkix.Name{CommonName: "on-call", Organization: []string{"Ops"}}}}}
	if got := asker("ops", r); got != `ops via 192.0.2.7 with the certificate of "CN=on-call,O=Ops"` {
		t.Error(got)
	}
}

// TestAskerIsBounded: whatever a certificate says, and on one line.
func TestAskerIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := httptest.NewRequest("POST", "/", nil)
		r.RemoteAddr = "192.0.2.7:4711"
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Subject: pkix.Name{CommonName: rapid.String().Draw(t, "name") + strings.Repeat("\x00", 999)}}}}
		got := asker(strings.Repeat("a", control.MaxBy), r)
		if len(got) > 4096 || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%q", got)
		}
		if at := strings.Index(got, " via 192.0.2.7 with"); at != control.MaxBy {
			t.Fatalf("the address is at %d: %q", at, got)
		}
	})
}

func FuzzAdminOrders(f *testing.F) {
	f.Add("application/json", []byte(`{"all": true}`), "limit=1")
	f.Add("application/json", []byte(`{"route": "a", "why": "\u0000"}`), "prefix=a.example*")
	f.Add("a/b;c", []byte("\xff"), "%zz;&=")
	f.Fuzz(func(t *testing.T, kind string, body []byte, query string) {
		for _, path := range []string{"/cacheward/purge", "/cacheward/trip", "/cacheward/reset", "/cacheward/objects", "/cacheward/status"} {
			a, orders := playedAPI(nil)
			r := ordering(path, string(body))
			r.Header.Set("Content-Type", kind)
			r.URL.RawQuery = query
			if path == "/cacheward/objects" || path == "/cacheward/status" {
				r.Method = http.MethodGet
			}
			rec, err := askAdmin(t, a, r)
			if err == nil && rec.Code == http.StatusOK {
				continue
			}
			if api, ok := errors.AsType[caddy.APIError](err); !ok || api.HTTPStatus < 400 || api.HTTPStatus > 499 || len(*orders) != 0 {
				t.Errorf("%s: %d, error %v, orders %v", path, rec.Code, err, *orders)
			}
		}
	})
}

// TestAdminOnARunningProxy: the orders reach the handlers of the config in force.
func TestAdminOnARunningProxy(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) })
	e := startEdge(t, "cacheward {\nroute page {\npath /page\ncache 5m\n}\n}\nreverse_proxy "+origin)
	e.ok("/page")
	id := awaitRecord(t, "store", nil).Object
	ask := func(r *http.Request, answer any) {
		t.Helper()
		rec, err := askAdmin(t, newAdminAPI(), r)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(rec.Body.Bytes(), answer); err != nil {
			t.Fatal(err)
		}
	}
	var one control.Object
	ask(httptest.NewRequest("GET", "/cacheward/objects/"+id+"?body=1", nil), &one)
	if one.ID != id || string(one.Body) != "hello" || one.Route != "page" {
		t.Errorf("object %+v", one)
	}
	var moved control.Switched
	ask(ordering("/cacheward/trip", `{"route": "page", "why": "wrong", "by": "ops"}`), &moved)
	var state control.Status
	ask(httptest.NewRequest("GET", "/cacheward/status", nil), &state)
	if len(state.Tripped) != 1 || state.Tripped[0].Route != "page" || state.Tripped[0].By != "ops via 192.0.2.7" {
		t.Errorf("status %+v", state)
	}
	ask(ordering("/cacheward/reset", `{"route": "page", "why": "false alarm", "keep": true}`), &moved)
	var dropped control.Purged
	ask(ordering("/cacheward/purge", `{"route": "page"}`), &dropped)
	var list control.ObjectList
	ask(httptest.NewRequest("GET", "/cacheward/objects?route=page", nil), &list)
	if len(moved.Tripped) != 0 || dropped.Removed != 1 || !dropped.Verified || list.Total != 0 {
		t.Errorf("reset %+v, purged %+v, objects %+v", moved, dropped, list)
	}
	if _, err := askAdmin(t, newAdminAPI(), ordering("/cacheward/purge", `{"route": "pages"}`)); err == nil || !strings.Contains(err.Error(), `no running handler has a route "pages"`) {
		t.Errorf("error %v", err)
	}
}
