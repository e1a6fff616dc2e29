package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// startTelling is an edge with these routes in front of an app that says what it was told.
func startTelling(t *testing.T, routes string) (*edge, chan *http.Request) {
	t.Helper()
	told := make(chan *http.Request, 100)
	app := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if strings.HasPrefix(r.URL.Path, "/register") {
			told <- r
		}
		fmt.Fprint(w, "a page")
	})
	return startEdge(t, fmt.Sprintf("cacheward {\n%s\n}\nreverse_proxy %s", routes, app)), told
}

// next is the next request that the app was told with.
func next(t *testing.T, told chan *http.Request) *http.Request {
	t.Helper()
	select {
	case r := <-told:
		return r
	case <-time.After(patience):
		t.Fatal("the app was told nothing")
		return nil
	}
}

// cookieOf is what a landing has the visitor carry.
func cookieOf(t *testing.T, a answer) string {
	t.Helper()
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	if a.err != nil || cookie == "" {
		t.Fatalf("nothing is carried: %+v", a)
	}
	return cookie
}

// TestNoLinkChoosesASession: what one route carries and delivers as a header comes to the app
// with another route's delivery as no cookie by which visitors are known, and as none that no
// route hands over as one.
func TestNoLinkChoosesASession(t *testing.T) {
	e, told := startTelling(t, `
		identity {
			cookie session
		}
		route landing {
			path /lp
			cache 5m
			attribution {
				params ref session csrf
				deliver header /x
			}
		}
		route other {
			path /other
			cache 5m
			attribution {
				params ref
				deliver form-cookie /register
			}
		}`)
	cookie := cookieOf(t, e.get("/lp?session=mallory&ref=A&csrf=c", "User-Agent", browser))
	e.do(http.MethodPost, "/register", "Cookie", cookie+"; session=alice; csrf=own")
	if got := next(t, told).Header.Get("Cookie"); got != "session=alice; csrf=own; ref=A" {
		t.Errorf("the app got the cookies %q", got)
	}
	cookie = cookieOf(t, e.get("/lp?session=mallory", "User-Agent", browser))
	e.do(http.MethodPost, "/register", "Cookie", cookie+"; session=alice")
	if got := next(t, told).Header.Get("Cookie"); got != "session=alice" {
		t.Errorf("the app got the cookies %q", got)
	}
}

// TestObservedRoutesTellNoForgeries: no visitor can send the fields that the app believes, on
// whatever request.
func TestObservedRoutesTellNoForgeries(t *testing.T) {
	e, told := startTelling(t, `
		route register {
			path /register
			mode observe
			cache 5m
		}
		route landing {
			path /lp
			cache 5m
			attribution {
				params ref
				deliver header /join
			}
		}`)
	e.do(http.MethodPost, "/register", "Cacheward-Attribution", "ref=mallory", "Other", "1")
	if r := next(t, told); r.Header["Cacheward-Attribution"] != nil || r.Header.Get("Other") != "1" {
		t.Errorf("the app was told %v", r.Header)
	}
}

// TestAttributionOfAnAddress: with a port and without it is one host, which no other one is.
func TestAttributionOfAnAddress(t *testing.T) {
	e, told := startTelling(t, `
		route landing {
			path /lp
			cache 5m
			attribution {
				params ref
				referer external
				deliver header /register
			}
		}`)
	cookie := cookieOf(t, e.get("/lp?ref=A", "User-Agent", browser, "Host", "[2001:db8::1]:8080"))
	for host, want := range map[string]string{
		"[2001:db8::1]:8080": "ref=A", "[2001:db8::1]": "ref=A", "[2001:db8::2]:8080": "", "[2001:db8::2]": "",
	} {
		e.do(http.MethodPost, "/register", "Cookie", cookie, "Host", host)
		if got := next(t, told).Header.Get("Cacheward-Attribution"); got != want {
			t.Errorf("%s: the app was told %q, want %q", host, got, want)
		}
	}
	a := e.get("/lp", "User-Agent", browser, "Host", "[2001:db8::1]:8080", "Referer", "http://[2001:db8::1]:8080/")
	if got := a.header.Get("Set-Cookie"); got != "" {
		t.Errorf("a visit from the site itself is carried: %s", got)
	}
}

// TestQueryDeliveredHasNothingElseThatIsTaken: what the governing route takes stays taken,
// also if another one's parameters are put back.
func TestQueryDeliveredHasNothingElseThatIsTaken(t *testing.T) {
	e, told := startTelling(t, `
		route landing {
			path /lp
			cache 5m
			attribution {
				params ref
				deliver query /register
			}
		}
		route register {
			path /register
			cache 5m
			attribution {
				params source
			}
		}`)
	cookie := cookieOf(t, e.get("/lp?ref=A", "User-Agent", browser))
	e.get("/register?source=S&x=1", "User-Agent", browser, "Cookie", cookie)
	if got := next(t, told).URL.RawQuery; got != "x=1&ref=A" {
		t.Errorf("the app was asked for %q", got)
	}
}

// TestRefererIsNoQuery: a visitor of whom nothing can be told in this way is told of in none,
// and their pages stay shared.
func TestRefererIsNoQuery(t *testing.T) {
	for _, as := range []string{"query", "form-cookie"} {
		e, _ := startTelling(t, `
		route landing {
			path /lp /register
			cache 5m
			attribution {
				params ref
				referer external
				deliver `+as+` /register
			}
		}`)
		cookie := cookieOf(t, e.get("/lp", "User-Agent", browser, "Referer", "http://other.example/"))
		for range 4 {
			e.get("/register", "User-Agent", browser, "Cookie", cookie)
		}
		if a := e.get("/register", "User-Agent", browser, "Cookie", cookie); !a.hit() {
			t.Errorf("%s: %s", as, a.header.Get("Cache-Status"))
		}
	}
}

// TestLandingOnAFailingApp: it is recorded why nobody carries the visit, if the error's page is
// made by others.
func TestLandingOnAFailingApp(t *testing.T) {
	e := startEdge(t, `cacheward {
		route landing {
			path /lp
			cache 5m
			attribution {
				params ref
				deliver header /register
			}
		}
	}
	error 502`)
	if a := e.get("/lp?ref=A", "User-Agent", browser); a.status != http.StatusBadGateway || a.header.Get("Set-Cookie") != "" {
		t.Fatalf("%+v", a)
	}
	all := records("")
	for _, r := range all {
		if strings.Contains(r.URL, "/lp") && r.Attribution.LeftOut == "status" {
			return
		}
	}
	t.Errorf("%+v", all)
}

// TestDeniedIsNotDelivered: what is refused at the edge the app is not told of.
func TestDeniedIsNotDelivered(t *testing.T) {
	e, told := startTelling(t, `
		route landing {
			path /lp
			cache 5m
			attribution {
				params ref
				deliver header /register
			}
		}
		route register {
			path /register
			cache 5m
			param deny evil
		}`)
	cookie := cookieOf(t, e.get("/lp?ref=A", "User-Agent", browser))
	if a := e.get("/register?evil=1", "User-Agent", browser, "Cookie", cookie); a.status != http.StatusBadRequest || len(told) > 0 {
		t.Fatalf("%+v", a)
	}
	for _, r := range records("deny") {
		if r.Attribution.Delivered != "" {
			t.Errorf("%+v", r)
		}
	}
}
