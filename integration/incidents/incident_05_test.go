package incidents

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// A streaming site had a new endpoint, to which an old rule of its CDN applied. For 15
// hours viewers of one event were given the account of another one.
func TestZAIKO(t *testing.T) {
	reproduce(t, incident{
		number: 5, who: "ZAIKO", when: "March 2026",
		harm:  "were given another's name, address and telephone number",
		names: []property{isolation, refusalWins, silence, accountability},
		forms: []form{{
			name:  "a rule for the path",
			cache: nginx(`proxy_cache_valid 200 60s;`),
			policy: `
				route viewer {
					path /api/v2/events/*/viewer
					cache 60s
					cookie others strip
				}
				route memoised {
					path /api/v2/events/*/memoised
					cache origin
					cookie others strip
				}
				route event {
					path /api/v2/events/42
					cache 60s
					cookie others strip
				}`,
			scene:   events,
			stopped: []string{"state-in-body", "status"},
			shows:   []property{isolation, silence},
			checks: []check{
				{"an answer with somebody's account in it raises an alarm, whatever its headers say", refusalWins, checkMemoised},
				{"who was given what can be listed", accountability, func(t *testing.T, s *stage) {
					s.checkServed(t, request{host: "live.test", target: "/api/v2/events/42"}, 12)
				}},
			},
		}},
	})
}

func account(who string) string {
	return fmt.Sprintf(`{"name":%q,"email":"%s@mail.example.test","tel":"+81 90 5550 01%02d","history":["event 17"]}`, who, who, len(who))
}

// events is an API whose endpoint for viewers says nothing of caching.
func events() scene {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, body string) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, body)
	}
	mux.HandleFunc("/api/v2/events/42/viewer", func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie("session")
		if err != nil {
			http.Error(w, `{"error":"sign in"}`, http.StatusUnauthorized)
			return
		}
		answer(w, account(c.Value))
	})
	// What the app remembered of its last viewer, as if it were everybody's.
	mux.HandleFunc("/api/v2/events/42/memoised", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		answer(w, account("anna"))
	})
	mux.HandleFunc("/api/v2/events/42", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, `{"title":"New Year live","starts":"2026-03-08"}`)
	})
	return scene{app: mux, visit: func(t *testing.T, s *stage) {
		viewers := []string{"anna", "ben", "carla", "dora", "emil"}
		hurt := 0
		for _, who := range viewers {
			a := s.ask(t, request{host: "live.test", target: "/api/v2/events/42/viewer", cookie: "session=" + who})
			if !strings.Contains(a.body, who+"@") {
				hurt++
			}
		}
		s.count(t, "viewers", hurt, len(viewers))
		if s.site != nil {
			s.ask(t, request{host: "live.test", target: "/api/v2/events/42/memoised"})
		}
	}}
}

// checkMemoised: the log names what was found in the body.
func checkMemoised(t *testing.T, s *stage) {
	edge.Eventually(t, "the alarm", func() bool {
		for _, r := range s.records(t) {
			if r.Route == "memoised" && r.Event == "refuse" && len(r.Findings) > 0 {
				return true
			}
		}
		return false
	})
	for range 3 {
		if a := s.ask(t, request{host: "live.test", target: "/api/v2/events/42/memoised"}); a.hit() {
			t.Error("the answer with an account in it was shared")
		}
	}
}
