package attacks

import (
	"slices"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/integration/cdn"
)

// The rules of an operator who wants a page kept whatever its head says, and one fill at
// a time.
const (
	carelessNginx = `
			proxy_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Expires;
			proxy_cache_valid any 5m;
			proxy_cache_lock on;
`
	carelessVarnish = `
sub vcl_recv { return (hash); }
sub vcl_backend_response { unset beresp.http.Vary; set beresp.ttl = 5m; return (deliver); }
`
)

// The crowd's table can fail: in front of caches that do as they are told, nearly
// everybody is given what was made for the first.
func TestConcurrentVisitorsOfCarelessCaches(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) string{
		"nginx": func(t *testing.T) string {
			return cdn.StartNginx(t, cdn.NginxConfig{Origin: startSlowOrigin(t), Rules: carelessNginx}).Address
		},
		"varnish": func(t *testing.T) string {
			return cdn.StartVarnish(t, startSlowOrigin(t), carelessVarnish).Address
		},
	} {
		t.Run(name, func(t *testing.T) {
			versions := []string{overH1}
			table := headTable(newClient(start(t)), []string{"/page/%d"}, versions)
			printTable(t, []string{name}, versions, table)
			for i, row := range headRows {
				if table[i][0].bodies == 0 {
					t.Errorf("%s: no wrong body, so the test shows nothing", row.name)
				}
				if _, sets := row.fields[setsCookie]; sets && table[i][0].cookies == 0 {
					t.Errorf("%s: no wrong cookie, so the test shows nothing", row.name)
				}
			}
		})
	}
}

// The tables can fail, too: in front of a careless cache everything is found to leak
// that has the state of one visitor in it.
func TestTablesFindLeaks(t *testing.T) {
	origin := startScripted(t)
	nginx := cdn.StartNginx(t, cdn.NginxConfig{Origin: origin.address, Rules: carelessNginx})
	w := &ward{origin: origin, client: newClient(nginx.Address), paths: make(map[string]int)}
	for _, s := range slices.Concat(stateInHead, refusals, expired) {
		if s.interim != nil || strings.Contains(strings.Join(s.fields, ""), "\n") {
			continue // nginx does not understand these at all
		}
		t.Run(s.name, func(t *testing.T) {
			path := w.path(t, onOrigin)
			s.fields = append([]string{permitted, htmlType}, s.fields...)
			s.body = "<h1>§</h1>"
			origin.answer(path, always(s))
			answers := make([]*answered, 4)
			for i := range answers {
				v := visitor(i, path)
				v.over = overH1
				answers[i] = w.client.ask(v)
			}
			if len(shared(answers)) == 0 {
				t.Errorf("no leak was found:\n  %s\n  %s", answers[0], answers[1])
			}
			if head := strings.Join(s.fields, ","); len(kept(answers)) == 0 && !(strings.Contains(head, "private") && strings.Contains(head, "no-store")) {
				t.Error("it was not found to permit anything")
			}
		})
	}
}
