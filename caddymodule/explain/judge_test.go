package explain

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	s := newSite(t, sitePolicy)
	for _, test := range []struct {
		name, path string
		fields     []string // of the request
		response   Response
		reasons    []string
		lifetime   int64
		by         string
		hit        []string // fields of the hit that must be there
	}{
		{"a duration", "/register/lp", nil, Response{Status: 200}, nil, 300, byPolicy,
			[]string{"Cache-Control: public, max-age=0, must-revalidate", "Cdn-Cache-Control: max-age=60", "Vary: Accept-Language", "Age: 0"}},
		{"Set-Cookie (attacks 1.1)", "/register/lp", nil, Response{Status: 200, Header: header("set-cookie", "a=b")}, []string{"set-cookie"}, 0, "", nil},
		{"a status that is not declared", "/register/lp", nil, Response{Status: 404}, []string{"status"}, 0, "", nil},
		{"an error of the origin", "/register/lp", nil, Response{Status: 503}, []string{"origin-error", "status"}, 0, "", nil},
		{"the origin says nothing (RFC 9111 §3)", "/static/a", nil, Response{Status: 200}, []string{"not-explicit"}, 0, "", nil},
		{"the origin says for how long, and that it is old", "/static/a", nil,
			Response{Status: 200, Header: header("Cache-Control", "public, max-age=60", "Age", "20")}, nil, 40, byOrigin, []string{"Cache-Control: private, no-store", "Age: 20"}},
		{"older than that", "/static/a", nil, Response{Status: 200, Header: header("Cache-Control", "public, max-age=60", "Age", "70")}, []string{"not-fresh"}, 0, "", nil},
		{"a forwarded value in a field", "/static/a", []string{"X-Trace", "4bf92f3577b34da6"},
			Response{Status: 200, Header: header("Cache-Control", "max-age=60", "X-Seen", "4bf92f3577b34da6")}, []string{"reflects-input"}, 0, "", nil},
		{"a forwarded value in the body", "/static/a", []string{"X-Trace", "4bf92f3577b34da6"},
			Response{Status: 200, Header: header("Cache-Control", "max-age=60", "Content-Type", "text/html"), Body: []byte("<i id=t>4bf92f3577b34da6</i>")}, []string{"reflects-input"}, 0, "", nil},
		{"a token in the body", "/once", nil,
			Response{Status: 200, Header: header("Content-Type", "text/html"), Body: []byte(`<input type="hidden" name="csrf_token" value="a8f5f167f44f4964e6c998dee827110c">`)}, []string{"state-in-body"}, 0, "", nil},
		{"a coding that is none", "/once", nil, Response{Status: 200, Header: header("Content-Encoding", "gzip"), Body: []byte("plain")}, []string{"encoding-unreadable"}, 0, "", nil},
		{"a part of it is missing (RFC 9112 §8)", "/once", nil, Response{Status: 200, Header: header("Content-Length", "9"), Body: []byte("hello")}, []string{"truncated"}, 0, "", nil},
		{"too large", "/once", nil, Response{Status: 200, Body: make([]byte, defaultMaxObject+1)}, []string{"too-large"}, 0, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := s.ask("http://hapitas.example"+test.path, test.fields...)
			test.response.Received = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			e.Judge(test.response)
			j := e.Response
			if !slices.Equal(j.Codes(), test.reasons) || j.Stored != (test.reasons == nil) || j.Lifetime != test.lifetime || j.LifetimeBy != test.by {
				t.Errorf("stored %t, %v, %d s by %s; want %v, %d s by %s", j.Stored, j.Codes(), j.Lifetime, j.LifetimeBy, test.reasons, test.lifetime, test.by)
			}
			for _, want := range test.hit {
				if !slices.ContainsFunc(j.Hit, func(f Field) bool { return f.Name+": "+f.Value == want }) {
					t.Errorf("the hit has %v; %q was expected", j.Hit, want)
				}
			}
			if text := textOf(t, e); strings.Contains(text, "a8f5f167f44f4964e6c998dee827110c") {
				t.Error("the text has a value of the page in it")
			}
		})
	}
}

func TestMarkersAndReflections(t *testing.T) {
	s := newSite(t, sitePolicy)
	e := s.ask("http://hapitas.example/once")
	e.Judge(Response{Status: 200, Header: header("Content-Type", "text/html"), Body: []byte(`<input type="hidden" name="csrf_token" value="a8f5f167f44f4964e6c998dee827110c">`)})
	if m := e.Response.Markers; len(m) != 1 || m[0].ID != "csrf-field" || m[0].Near != "csrf_token" || m[0].Finds == "" {
		t.Errorf("markers: %+v", m)
	}
	e = s.ask("http://hapitas.example/static/a", "X-Trace", "4bf92f3577b34da6")
	e.Judge(Response{Status: 200, Header: header("Cache-Control", "max-age=60", "Content-Type", "text/html"), Body: []byte("<i id=t>4bf92f3577b34da6</i>")})
	if r := e.Response.Reflections; len(r) != 1 || r[0].Input != "header X-Trace" || r[0].Field != "" || r[0].Coding != "plain" {
		t.Errorf("reflections: %+v", r)
	}
}

func TestCorroborate(t *testing.T) {
	s := newSite(t, sitePolicy)
	page := func(text string) Response {
		return Response{Status: 200, Header: header("Content-Type", "text/html"), Body: []byte("<p>" + text + "</p>")}
	}
	for _, test := range []struct {
		name, own string
		reasons   []string
		class     string
	}{
		{"equal", "hello", nil, ""},
		{"the referrer is in the page", "ALICE-8f7e6d5c", []string{"divergent", "reflects-input"}, "reflected-input"},
		{"something else is", "good evening", []string{"divergent"}, "content"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := s.ask("http://hapitas.example/register/lp?ref=ALICE-8f7e6d5c")
			e.Judge(page("hello"))
			if err := e.Corroborate(page(test.own)); err != nil {
				t.Fatal(err)
			}
			j := e.Response
			if !j.Compared || !slices.Equal(j.Codes(), test.reasons) || j.Stored != (test.reasons == nil) {
				t.Errorf("compared %t, stored %t, %v", j.Compared, j.Stored, j.Codes())
			}
			if d := j.Divergence; (d == nil) != (test.class == "") || d != nil && (d.Class != test.class || d.Sentence == "") {
				t.Errorf("divergence %+v; %q was expected", d, test.class)
			}
		})
	}
	for _, test := range []struct {
		fields []string
		status int
	}{{[]string{"Range", "bytes=0-3"}, 206}, {[]string{"If-None-Match", `"a"`}, 304}, {nil, 429}} {
		e := s.ask("http://hapitas.example/register/lp", test.fields...)
		e.Judge(page("hello"))
		if err := e.Corroborate(Response{Status: test.status}); err != nil || e.Response.Compared || !e.Response.Stored || len(e.Response.Notes) == 0 {
			t.Errorf("%v, %d: what cannot be compared was: %+v", test.fields, test.status, e.Response)
		}
	}
	e := s.ask("http://hapitas.example/once")
	e.Judge(page("hello"))
	if err := e.Corroborate(page("something else")); err != nil || e.Response.Compared {
		t.Error("two answers were compared on a route that admits once")
	}
}

// TestMaxObject: the limit is that of the handler that is asked.
func TestMaxObject(t *testing.T) {
	s := newSite(t, sitePolicy)
	e, err := Explain(s.policy, s.compiled, Request{URL: "http://hapitas.example/once", MaxObject: 4})
	if err != nil {
		t.Fatal(err)
	}
	if e.Judge(Response{Status: 200, Body: []byte("hello")}); !slices.Equal(e.Response.Codes(), []string{"too-large"}) {
		t.Errorf("%v", e.Response.Codes())
	}
}
