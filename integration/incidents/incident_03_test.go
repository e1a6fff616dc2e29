package incidents

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A town's booking system stood behind a CDN with its ready-made rules. They kept
// everything for a second at least, what the app refused to have kept as well.
func TestShimanto(t *testing.T) {
	reproduce(t, incident{
		number: 3, who: "Shimanto", when: "January 2023",
		harm:  "were shown the bookings of whoever had asked a moment before",
		names: []property{isolation, refusalWins, silence},
		forms: []form{
			{
				name: "a floor of a second",
				cache: overriding(varnish(`
					sub vcl_recv { return (hash); }
					sub vcl_backend_response {
						if (beresp.ttl < 1s) { set beresp.ttl = 1s; }
						return (deliver);
					}`)),
				policy: bookingPolicy("1s"), scene: bookings,
				stopped: []string{"divergent", "no-store", "private", "reflects-input"},
				shows:   []property{isolation, refusalWins, silence},
				checks: []check{
					{"a lifetime of zero is no rule", refusalWins, checkNoLifetime},
				},
			},
			{
				name: "a tenth of a second",
				cache: overriding(varnish(`
					sub vcl_recv { return (hash); }
					sub vcl_backend_response { set beresp.ttl = 100ms; return (deliver); }`)),
				policy: bookingPolicy("100ms"), scene: bookings,
				stopped: []string{"divergent", "no-store", "private", "reflects-input"},
				shows:   []property{refusalWins},
			},
		},
	})
}

func bookingPolicy(ttl string) string {
	return fmt.Sprintf(`
		route bookings {
			path /*
			cache %s
			cookie others strip
			downstream %[1]s
		}`, ttl)
}

// bookings is an app that shows whose bookings they are. What it says of caching is in
// the path: it is not known what it said in 2023.
func bookings() scene {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if strings.HasPrefix(r.URL.Path, "/refused/") {
			w.Header().Set("Cache-Control", "private, no-store")
		}
		session := "nobody"
		if c, err := r.Cookie("session"); err == nil {
			session = c.Value
		}
		fmt.Fprintf(w, "<h1>Bookings of %s</h1>", session)
	})
	return scene{app: app, visit: func(t *testing.T, s *stage) {
		for _, says := range []string{"refused", "silent"} {
			hurt := 0
			for try := range s.tries() {
				target := fmt.Sprintf("/%s/%d/mypage", says, try)
				s.ask(t, request{target: target, cookie: "session=anna"})
				if a := s.ask(t, request{target: target, cookie: "session=ben"}); !strings.Contains(a.body, "of ben<") {
					hurt++
					break
				}
			}
			s.count(t, says, hurt, 1)
		}
	}}
}

// checkNoLifetime: a lifetime of zero, which some caches take for a rule, is none.
func checkNoLifetime(t *testing.T, _ *stage) {
	config := filepath.Join(t.TempDir(), "Caddyfile")
	text := "http://127.0.0.1:0 {\n\tcacheward {\n" + bookingPolicy("0s") + "\n\t}\n}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(binary, "validate", "--adapter", "caddyfile", "--config", config).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "0s") {
		t.Errorf("a lifetime of 0s was accepted, or not named in what was said:\n%s", out)
	}
}
