package caddymodule

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestOtherMethodsPass: they reach the origin with their bodies although a GET of
// the same URL is stored.
func TestOtherMethodsPass(t *testing.T) {
	e := start(t, corroboratedPage, newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			page(w, "the page")
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Seen", r.Method+" "+strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}))
	e.stored("/")
	body := strings.Repeat("0123456789", 100_000)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "QUERY"} {
		for name, sent := range map[string]io.Reader{
			"with a length": strings.NewReader(body), "chunked": struct{ io.Reader }{strings.NewReader(body)},
		} {
			r, err := http.NewRequest(method, "http://"+e.addr+"/", sent)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = "example.com"
			a := e.send(r)
			if a.body != body || a.header.Get("Seen") != method+" 1000000" {
				t.Errorf("%s %s: the body did not arrive: %s, %v", method, name, a.header.Get("Seen"), a.err)
			}
			if status := a.header.Get("Cache-Status"); !strings.HasPrefix(status, "Cacheward; fwd=method") {
				t.Errorf("%s: %s", method, status)
			}
		}
	}
}

// TestUpgrade: a connection that is taken over speaks both ways through us.
func TestUpgrade(t *testing.T) {
	e := start(t, corroboratedPage, newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "echo" {
			page(w, "the page")
			return
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.Copy(c, rw)
	}))
	e.stored("/")
	c, err := net.Dial("tcp", e.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", res, err)
	}
	for _, word := range []string{"hello\n", "again\n"} {
		_, _ = io.WriteString(c, word)
		if got, err := in.ReadString('\n'); err != nil || got != word {
			t.Fatalf("%q came back as %q: %v", word, got, err)
		}
	}
}

// TestStreamsFlush: events reach the visitor while the stream is open, whether
// the request announced that it wants a stream or not.
func TestStreamsFlush(t *testing.T) {
	for _, c := range []struct{ name, accept string }{
		{"asked for", "text/event-stream"}, {"not asked for", "*/*"},
	} {
		for _, admission := range admissions {
			t.Run(c.name+" "+admission.name, func(t *testing.T) {
				next := make(chan struct{})
				e := start(t, admission.site, newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "text/event-stream")
					w.Header().Set("Cache-Control", "max-age=60")
					for i := range 3 {
						fmt.Fprintf(w, "data: %d\n\n", i)
						_ = http.NewResponseController(w).Flush()
						if canonical(r) {
							<-r.Context().Done() // an endless stream, until nobody wants it
							return
						}
						select {
						case <-next:
						case <-r.Context().Done():
							return
						}
					}
				}))
				r, err := e.request("GET", "/events", "Accept", c.accept)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				res, err := e.client.Do(r.WithContext(ctx))
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				in := bufio.NewReader(res.Body)
				for i := range 3 {
					line, err := in.ReadString('\n')
					if want := fmt.Sprintf("data: %d\n", i); line != want {
						t.Fatalf("%q came, want %q: %v", line, want, err)
					}
					_, _ = in.ReadString('\n')
					next <- struct{}{} // the origin goes on only now
				}
				if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
					t.Errorf("%q, %v", rest, err)
				}
				nothingStored(t)
			})
		}
	}
}

// early sends a request and collects the 1xx responses before its answer.
func (e *edge) early(target string) (early []textproto.MIMEHeader, a answer, trailer http.Header) {
	e.t.Helper()
	r, err := e.request("GET", target)
	if err != nil {
		e.t.Fatal(err)
	}
	trace := &httptrace.ClientTrace{Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
		early = append(early, h)
		return nil
	}}
	res, err := e.client.Do(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	if err != nil {
		e.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return early, answer{res.StatusCode, res.Header, string(body), err}, res.Trailer
}

// TestEarlyHints: a 103 reaches the visitor, its fields are not the answer's, and
// the page behind it is stored without them.
func TestEarlyHints(t *testing.T) {
	e := start(t, corroboratedPage, newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</site.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		page(w, "the page")
	}))
	early, a, _ := e.early("/")
	if len(early) != 1 || early[0].Get("Link") != "</site.css>; rel=preload" {
		t.Errorf("early hints: %v", early)
	}
	if a.body != "the page" || a.header.Get("Link") != "" {
		t.Errorf("%q with Link %q", a.body, a.header.Get("Link"))
	}
	e.awaitObject(1)
	if a := e.ok("/"); !a.hit() || a.header.Get("Link") != "" {
		t.Errorf("%s with Link %q", a.header.Get("Cache-Status"), a.header.Get("Link"))
	}
}

// TestTrailers: they reach the visitor; a response that has them is not stored.
func TestTrailers(t *testing.T) {
	for _, name := range []string{"announced", "unannounced"} {
		for _, admission := range admissions {
			t.Run(name+" "+admission.name, func(t *testing.T) {
				e := start(t, admission.site, newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
					if name == "announced" {
						w.Header().Set("Trailer", "X-Sum")
					}
					page(w, "the page")
					_ = http.NewResponseController(w).Flush()
					if name == "announced" {
						w.Header().Set("X-Sum", "42")
					} else {
						w.Header().Set(http.TrailerPrefix+"X-Sum", "42")
					}
				}))
				_, a, trailer := e.early("/")
				if a.body != "the page" {
					t.Errorf("%q, %v", a.body, a.err)
				}
				// With admission once an unannounced one comes too late to be judged
				// first; it is left out.
				if late := name == "unannounced" && admission.name == "once"; !late && trailer.Get("X-Sum") != "42" {
					t.Errorf("trailer: %v", trailer)
				}
				if name == "announced" {
					awaitRecord(t, "refuse", nil)
					nothingStored(t)
					return
				}
				settled(t)
				if a := e.ok("/"); a.header.Get("X-Sum") != "" {
					t.Errorf("the trailer is in the head of a %s", a.header.Get("Cache-Status"))
				}
			})
		}
	}
}

// TestSetCookieAnywhere: a cookie in the head, in a 1xx response or in a trailer
// keeps the page out of the store, whatever else the origin says.
func TestSetCookieAnywhere(t *testing.T) {
	const cookie = "session=abc"
	origins := map[string]http.HandlerFunc{
		"head": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", cookie)
			page(w, "the page")
		},
		"103": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", cookie)
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Set-Cookie")
			page(w, "the page")
		},
		"announced trailer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "Set-Cookie")
			page(w, "the page")
			_ = http.NewResponseController(w).Flush()
			w.Header().Set("Set-Cookie", cookie)
		},
		"unannounced trailer": func(w http.ResponseWriter, _ *http.Request) {
			page(w, "the page")
			_ = http.NewResponseController(w).Flush()
			w.Header().Set(http.TrailerPrefix+"Set-Cookie", cookie)
		},
	}
	for name, origin := range origins {
		for _, admission := range admissions {
			t.Run(name+" "+admission.name, func(t *testing.T) {
				e := start(t, admission.site, newOrigin(t, origin))
				a, refusal := e.refused("/")
				if a.body != "the page" {
					t.Errorf("the visitor got %q", a.body)
				}
				if name == "head" && a.header.Get("Set-Cookie") != cookie {
					t.Errorf("the visitor's own cookie is gone: %v", a.header)
				}
				if name != "announced trailer" && fmt.Sprint(refusal.Reasons[0]) != "set-cookie" {
					t.Errorf("refused for %v", refusal.Reasons)
				}
				nothingStored(t)
			})
		}
	}
}

// TestStripSetCookie: nobody gets the cookie, and the page is stored without it.
func TestStripSetCookie(t *testing.T) {
	var n atomic.Int64
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", fmt.Sprintf("balancer=%d", n.Add(1)))
		page(w, "the page")
	})
	e := startEdge(t, `cacheward {
		route page {
			path /*
			cache 5m
			cookie others bypass
			set_cookie strip "the balancer's cookie, which nobody needs here"
		}
	}
	reverse_proxy `+origin)
	if a := e.ok("/"); a.header.Get("Set-Cookie") != "" {
		t.Errorf("the first visitor has the cookie")
	}
	e.awaitObject(1)
	if a := e.ok("/"); !a.hit() || a.header.Get("Set-Cookie") != "" {
		t.Errorf("%s with %q", a.header.Get("Cache-Status"), a.header.Get("Set-Cookie"))
	}
	if a := e.ok("/", "Cookie", "cart=1"); a.header.Get("Set-Cookie") == "" {
		t.Error("a bypass lost its cookie")
	}
}

// TestForwardedHeaderThatComesBack: a value that reaches the origin without being
// keyed must not be in what is stored.
func TestForwardedHeaderThatComesBack(t *testing.T) {
	for name, reflect := range map[string]func(w http.ResponseWriter, trace string){
		"in the body": func(w http.ResponseWriter, trace string) { page(w, "<!-- "+trace+" -->") },
		"in a field": func(w http.ResponseWriter, trace string) {
			w.Header().Set("Content-Language", "en-"+trace)
			page(w, "the page")
		},
		"nowhere": func(w http.ResponseWriter, _ string) { page(w, "the page") },
	} {
		for _, cache := range []string{"cache 5m", "cache origin"} {
			t.Run(name+" "+cache, func(t *testing.T) {
				e := startEdge(t, `cacheward {
					route page {
						path /*
						`+cache+`
						header forward Traceparent "traces end at the app"
					}
				}
				reverse_proxy `+newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
					reflect(w, r.Header.Get("Traceparent"))
				}))
				const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
				if name == "nowhere" {
					e.stored("/", "Traceparent", trace)
					return
				}
				if _, refusal := e.refused("/", "Traceparent", trace); refusal.Reasons[0] != "reflects-input" {
					t.Errorf("refused for %v", refusal.Reasons)
				}
				nothingStored(t)
			})
		}
	}
}
