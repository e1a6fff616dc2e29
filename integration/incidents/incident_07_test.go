package incidents

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// The app of a payment service asks one path for everybody's own purchases. A change of
// its gateway's configuration had the answers kept.
func TestKlarna(t *testing.T) {
	// The query is not in the key: in this API it is nothing but a token.
	gateway := nginx(`proxy_cache_valid 200 60s; proxy_cache_key $scheme$http_host$uri;`)
	reproduce(t, incident{
		number: 7, who: "Klarna", when: "May 2021",
		harm:  "were given another's purchases",
		names: []property{isolation, silence},
		forms: []form{
			{
				name: "a rule", cache: gateway,
				policy: `
					route api {
						path /api/**
						cache 60s
						param others strip
						cookie others strip
						downstream 60s
					}`,
				scene:   purchases,
				stopped: []string{"authorization", "identity", "status"},
				shows:   []property{isolation},
			},
			{
				name: "the app's own word", cache: gateway,
				policy: `
					route api {
						path /api/**
						cache origin
						param others strip
						cookie others strip
						downstream 60s
					}
					route permitted {
						path /permitted/*
						cache origin
						authorization rfc9111 "the app says public only of what is the same for all"
					}`,
				scene:   purchases,
				stopped: []string{"authorization", "identity", "not-explicit", "status"},
				shows:   []property{silence},
				checks: []check{
					{"with Authorization only the app's express word opens the store", silence, checkAuthorized},
				},
			},
		},
	})
}

// credentials are the ways in which an app tells its users apart, by the name that it
// has in the path.
var credentials = map[string]func(r *request, token string){
	"authorization": func(r *request, token string) { r.header.Set("Authorization", "Bearer "+token) },
	"proxy":         func(r *request, token string) { r.header.Set("Proxy-Authorization", "Bearer "+token) },
	"api-key":       func(r *request, token string) { r.header.Set("X-Api-Key", token) },
	"certificate":   func(r *request, token string) { r.header.Set("X-Forwarded-Client-Cert", `Subject="CN=`+token+`"`) },
	"cookie":        func(r *request, token string) { r.cookie = "session=" + token },
	"query":         func(r *request, token string) { r.target += "?token=" + url.QueryEscape(token) },
}

// tokens are those of two users.
var tokens = []string{"tok-anna-5c21", "tok-ben-77f0"}

// purchases is an API with one path for all users. Whoever brings no token gets 401.
func purchases() scene {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/{says}/{by}/me/purchases", func(w http.ResponseWriter, r *http.Request) {
		sent := fmt.Sprint(r.Header, r.URL.RawQuery)
		w.Header().Set("Content-Type", "application/json")
		if r.PathValue("says") == "public" {
			w.Header().Set("Cache-Control", "public, max-age=60")
		}
		for _, token := range tokens {
			if strings.Contains(sent, token) {
				fmt.Fprintf(w, `{"purchases":["lamp %s"]}`, strings.TrimPrefix(token, "tok-"))
				return
			}
		}
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":"sign in"}`)
	})
	mux.HandleFunc("/permitted/{says}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", r.PathValue("says"))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"rates":[1,2,3]}`)
	})
	return scene{app: mux, visit: func(t *testing.T, s *stage) {
		for _, says := range []string{"nothing", "public"} {
			for by, carry := range credentials {
				hurt := 0
				for _, token := range tokens {
					r := request{target: "/api/" + says + "/" + by + "/me/purchases", header: http.Header{}}
					carry(&r, token)
					a := s.ask(t, r)
					own := "lamp " + strings.TrimPrefix(token, "tok-")
					switch {
					case by == "proxy" && s.site != nil && a.status == http.StatusUnauthorized:
						// It is for the next proxy, and goes no further than that.
					case !strings.Contains(a.body, own):
						hurt++
					}
				}
				s.count(t, says+" by "+by, hurt, len(tokens))
			}
		}
	}}
}

// checkAuthorized: even where the operator permits it, an answer to a request with
// Authorization is shared only if the app has said public or s-maxage.
func checkAuthorized(t *testing.T, s *stage) {
	for says, shared := range map[string]bool{
		"max-age=60": false, "public, max-age=60": true, "s-maxage=60": true, "no-store": false,
	} {
		var last answer
		ask := func() bool {
			last = s.ask(t, request{target: "/permitted/" + url.PathEscape(says), header: http.Header{"Authorization": {"Bearer " + tokens[0]}}})
			return last.hit()
		}
		if shared {
			edge.Eventually(t, says+" out of the store", ask)
			continue
		}
		for range 3 {
			if ask() {
				t.Errorf("%s: an answer to a request with Authorization was shared", says)
			}
		}
	}
}
