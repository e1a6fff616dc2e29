package integration

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/zeebo/blake3"

	"github.com/cacheward/cacheward/integration/edge"
)

const observedPolicy = `
	identity {
		cookie session
	}
	route landing {
		path /lp
		cache 5m
		param strip ref
		param others bypass
		cookie strip who
		downstream 60s
	}
	route mine {
		path /mine
		cache 5m
		param strip ref
		cookie strip who
	}
	route written {
		path /written
		cache 5m
		cookie strip who
	}
	route files {
		path /files/*
		cache origin
		cookie others strip
	}
	route refuses {
		path /refuses
		cache 5m
		param deny debug
		cookie strip who
	}
	audit {
		full wait
	}
`

// observedRequest is one request of those that are made of every proxy.
type observedRequest struct{ method, path, cookie string }

func observedRequests() []observedRequest {
	var all []observedRequest
	for i := range 60 {
		cookie := fmt.Sprintf("who=%d", i)
		all = append(all,
			observedRequest{"GET", fmt.Sprintf("/lp?ref=R%d", i), cookie},
			observedRequest{"GET", fmt.Sprintf("/mine?ref=R%d", i), cookie},
			observedRequest{"GET", fmt.Sprintf("/files/%d.css", i%3), cookie},
			observedRequest{"GET", "/refuses", cookie},
			observedRequest{"GET", "/written", cookie},
		)
		switch i % 10 {
		case 1:
			all = append(all, observedRequest{"GET", "/lp?preview=1", cookie})
		case 3:
			all = append(all, observedRequest{"GET", "/lp", "session=mine"})
		case 5:
			all = append(all, observedRequest{"POST", "/written", cookie})
		case 7:
			all = append(all, observedRequest{"HEAD", "/lp", cookie})
		}
	}
	return all
}

// observedOrigin answers each request in a way of its own, and always the same.
func observedOrigin(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("X-App", "sample")
	switch {
	case r.URL.Path == "/mine":
		sum := blake3.Sum256([]byte(r.Header.Get("Cookie")))
		fmt.Fprintf(w, `<!doctype html><title>Mine</title><input type="hidden" name="lead" value="%x">`, sum[:12])
	case strings.HasPrefix(r.URL.Path, "/files/"):
		w.Header().Set("Content-Type", "text/css")
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("ETag", `"1"`)
		_, _ = io.WriteString(w, "body { color: black }")
	case r.URL.Path == "/refuses":
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1"})
		_, _ = io.WriteString(w, "<!doctype html><title>A cookie</title>")
	default:
		_, _ = io.WriteString(w, "<!doctype html><title>Landing</title>"+r.Method)
	}
}

// plainCaddyfile is the proxy without Cacheward.
const plainCaddyfile = `{
	admin off
	auto_https off
	persist_config off
	servers {
		trusted_proxies static 127.0.0.1/8
	}
}
http://:%s {
	bind 127.0.0.1
	reverse_proxy %s
}
`

// TestObserveEndToEnd: who only observes changes no response, stores nothing, and says
// in the log what enforcing would come to.
func TestObserveEndToEnd(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(observedOrigin))
	t.Cleanup(origin.Close)
	at := origin.Listener.Addr().String()
	dir := t.TempDir()
	plain := edge.FreeAddresses(t, 1)
	_, port, _ := strings.Cut(plain[0], ":")
	write(t, dir+"/Caddyfile", fmt.Sprintf(plainCaddyfile, port, at))
	edge.Start(t, binary, dir, plain, "run", "--config", dir+"/Caddyfile", "--adapter", "caddyfile")
	observing := startProxy(t, proxySetup{origin: at, policy: "\tmode observe" + observedPolicy})
	enforcing := startProxy(t, proxySetup{origin: at, policy: observedPolicy})

	requests := observedRequests()
	want := observedAnswers(t, plain[0], requests)
	for i, got := range observedAnswers(t, observing.site, requests) {
		if got != want[i] {
			t.Errorf("%v: with mode observe\n%s\nwithout Cacheward\n%s", requests[i], got, want[i])
		}
	}
	observedAnswers(t, enforcing.site, requests)
	status, code := observing.status(t)
	if code != 0 || len(status.Stores) != 1 || status.Stores[0].Objects != 0 || status.Stores[0].Bytes != 0 {
		t.Errorf("while observing, something is stored: %+v", status.Stores)
	}
	if status, _ := enforcing.status(t); status.Stores[0].Objects == 0 {
		t.Error("while enforcing, nothing is stored")
	}

	summary := func(p *proxy) summaryAnswer {
		p.settled(t)
		stdout, _ := p.audit(t, "summary", "--format", "json", p.log)
		return decode[summaryAnswer](t, stdout)
	}
	foretold, came := summary(observing), summary(enforcing)
	for name, keys := range map[string]int64{"landing": 1, "mine": 1, "files": 3, "refuses": 1} {
		would, is := foretold.route(name), came.route(name)
		if would.Requests != is.Requests || would.WouldBe.Requests != is.Requests || would.Served != 0 {
			t.Errorf("%s: %d requests were observed, %d enforced, %d foretold", name, would.Requests, is.Requests, would.WouldBe.Requests)
		}
		if would.WouldBe.HitShare != is.HitShare {
			t.Errorf("%s: a hit share of %.3f was foretold, %.3f came", name, would.WouldBe.HitShare, is.HitShare)
		}
		// Why the first request for a key was not shared, the record of the fill says.
		refused, foretold := counts(is.Passed), counts(would.WouldBe.Reasons)
		for reason, n := range foretold {
			if n < refused[reason] || n > refused[reason]+keys {
				t.Errorf("%s: %s was foretold %d times, it came %d times", name, reason, n, refused[reason])
			}
		}
		for reason := range refused {
			if foretold[reason] == 0 {
				t.Errorf("%s: %s came and was not foretold", name, reason)
			}
		}
		// The test is of something: what was to be shared was, and the rest refused.
		if share := is.HitShare; (name == "landing" || name == "files") != (share > 0.5) {
			t.Errorf("%s: the hit share is %.3f", name, share)
		}
	}
	// What is stored goes when somebody writes there, which a forecast does not know of:
	// it may be wrong by one request for each that was written.
	would, is := foretold.route("written"), came.route("written")
	if foretold, came := counts(would.WouldBe.Outcomes)["hit"], is.Served; foretold < came || foretold > came+6 {
		t.Errorf("written: %d hits were foretold, %d came", foretold, came)
	}
}

func counts(list []namedCount) map[string]int64 {
	all := make(map[string]int64)
	for _, c := range list {
		all[c.Name] = c.Count
	}
	return all
}

// observedAnswers makes the requests, one after the other, and returns the answers as
// text. What a proxy did is settled before the next request for the same.
func observedAnswers(t *testing.T, address string, requests []observedRequest) []string {
	t.Helper()
	client := &http.Client{Timeout: edge.Patience, Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	var answers []string
	for _, r := range requests {
		req, err := http.NewRequestWithContext(t.Context(), r.method, "http://"+address+r.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "shop.example"
		req.Header.Set("Cookie", r.cookie)
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintln(res.Proto, res.Status, res.ContentLength, res.TransferEncoding)
		delete(res.Header, "Date")
		for _, name := range slices.Sorted(maps.Keys(res.Header)) {
			text += fmt.Sprintf("%s: %q\n", name, res.Header[name])
		}
		answers = append(answers, text+string(body))
	}
	return answers
}
