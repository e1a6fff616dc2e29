package soak

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
)

// site is the running binary.
type site struct {
	address, admin string
	dir            string
	process        *os.Process
	client         *http.Client // of the admin endpoint

	steady, fragile string // the origins' addresses

	reloads spans
	deaths  spans // of the fragile origin
}

// variant is what differs between the configurations that are loaded in turn.
type variant struct {
	store string
	ttl   string // of the route changing
}

// usual is the configuration in which figures are compared.
var usual = variant{store: "4MiB", ttl: "20s"}

// variants are what it changes to, and back from.
var variants = []variant{{"4MiB", "10s"}, {"3MiB", "20s"}, {"6MiB", "10s"}}

const siteCaddyfile = `{
	admin %[1]s
	storage file_system %[2]s/storage
	persist_config off
	auto_https off
	log default {
		level ERROR
		exclude http.handlers.cacheward.audit http.handlers.reverse_proxy http.log.error
	}
	log audit {
		include http.handlers.cacheward.audit
		output file %[2]s/audit/audit.log {
			roll_size 4MiB
			roll_keep 2
			roll_uncompressed
		}
		format json
	}
	metrics
	servers {
		protocols h1 h2c
	}
}
http://:%[3]s {
	bind 127.0.0.1
	@coded path /coded/*
	encode @coded zstd gzip
	cacheward {
		identity {
			cookie session
		}
		route page {
			path /page/*
			cache 20s {
				stale_while_revalidate 5s
				stale_if_error 1m
			}
			param strip @analytics
			recheck 1%%
			downstream 5s
		}
		route file {
			path /file/*
			cache origin
			param others strip
			downstream origin
		}
		route coded {
			path /coded/*
			cache origin
			param others strip
			header vary Accept
		}
		route changing {
			path /changing/*
			cache %[4]s
		}
		route slow {
			# Its pages change while they are asked for, now and then twice in a row: what
			# counts up then is a version, and nobody's number.
			on_leak warn
			path /slow/*
			cache 2s
		}
		route fragile {
			path /fragile/*
			cache origin {
				stale_if_error 3s
			}
		}
		route broken {
			path /broken/*
			cache origin
		}
		route landing {
			path /landing/*
			cache 5s
			cookie strip @analytics
			attribution {
				params ref
				carry both
				deliver header /register
				beacon http://%[5]s/landings {
					batch 100
					every 100ms
				}
			}
		}
		route register {
			path /register
			cache never
		}
		route observed {
			path /observed/*
			cache 10s
			mode observe
		}
		route mine {
			path /mine/*
			cache 20s
		}
		route private {
			path /private/*
			cache origin
		}
		route account {
			path /account/*
			cache never
		}
		store memory %[6]s
		limits {
			max_object %[7]d
			fill_memory 16MiB
		}
		audit {
			serves all
			full wait
		}
	}
	@fragile path /fragile/*
	reverse_proxy @fragile %[8]s
	reverse_proxy %[5]s
}
`

func (s *site) caddyfile(v variant) string {
	_, port, _ := strings.Cut(s.address, ":")
	return fmt.Sprintf(siteCaddyfile, s.admin, s.dir, port, v.ttl, s.steady, v.store, maxObject, s.fragile)
}

// startSite runs the binary until the test ends.
func startSite(t *testing.T, steady, fragile string) *site {
	t.Helper()
	addresses := edge.FreeAddresses(t, 2)
	s := &site{
		address: addresses[0], admin: addresses[1], dir: t.TempDir(), steady: steady, fragile: fragile,
		client: &http.Client{Timeout: edge.Patience, Transport: new(http.Transport)},
	}
	config := filepath.Join(s.dir, "Caddyfile")
	if err := os.WriteFile(config, []byte(s.caddyfile(usual)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.process = edge.Start(t, binary, s.dir, addresses, "run", "--config", config, "--adapter", "caddyfile")
	t.Cleanup(s.client.CloseIdleConnections)
	// It listens a moment before the configuration is in force.
	edge.Eventually(t, "a handler in force", func() bool {
		body, err := s.get("/cacheward/status")
		return err == nil && bytes.Contains(body, []byte(`"route":"landing"`))
	})
	return s
}

// reload has the site take the configuration.
func (s *site) reload(v variant) error {
	s.reloads.begin()
	defer s.reloads.end()
	_, err := s.patiently(func() ([]byte, error) { return s.post("/load", "text/caddyfile", []byte(s.caddyfile(v))) })
	// Caddy may answer before the old server has closed its own listener on the port. Who
	// waits there to be accepted is then refused.
	for end := time.Now().Add(edge.Patience); s.listeners() > 1 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
	}
	return err
}

// listeners is how many there are on the site's port, where the system tells.
func (s *site) listeners() (n int) {
	_, port, _ := strings.Cut(s.address, ":")
	number, _ := strconv.Atoi(port)
	text, _ := os.ReadFile("/proc/net/tcp")
	for line := range strings.Lines(string(text)) {
		const listening = "0A"
		fields := strings.Fields(line)
		if len(fields) > 3 && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", number)) && fields[3] == listening {
			n++
		}
	}
	return n
}

// order asks the admin endpoint to do something, and reads its answer into a T.
func order[T any](s *site, path string, question any) (answer T, err error) {
	text, err := json.Marshal(question)
	if err != nil {
		return answer, err
	}
	body, err := s.patiently(func() ([]byte, error) { return s.post(path, "application/json", text) })
	if err != nil {
		return answer, err
	}
	return answer, json.Unmarshal(body, &answer)
}

// get asks the admin endpoint.
func (s *site) get(path string) ([]byte, error) {
	return s.patiently(func() ([]byte, error) {
		r, err := http.NewRequest(http.MethodGet, "http://"+s.admin+path, nil)
		if err != nil {
			return nil, err
		}
		return s.do(r)
	})
}

func (s *site) post(path, contentType string, body []byte) ([]byte, error) {
	r, err := http.NewRequest(http.MethodPost, "http://"+s.admin+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Cache-Control", "must-revalidate") // a configuration is loaded even if it is the same
	return s.do(r)
}

// patiently asks until there is an answer. The endpoint is opened anew with each
// configuration, and the old one closes its connections then, or a moment later.
func (s *site) patiently(ask func() ([]byte, error)) ([]byte, error) {
	for end := time.Now().Add(edge.Patience); ; time.Sleep(10 * time.Millisecond) {
		began := time.Now()
		body, err := ask()
		if err == nil || !closedEarly(err) && !s.reloads.touch(began) || time.Now().After(end) {
			return body, err
		}
	}
}

func (s *site) do(r *http.Request) ([]byte, error) {
	res, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.URL.Path, err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %s", r.URL.Path, res.Status, body)
	}
	return body, nil
}

// spans are the times at which something was going on, one after the other.
type spans struct {
	mu    sync.Mutex
	open  bool
	ended time.Time // the last of them
}

func (s *spans) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = true
}

func (s *spans) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open, s.ended = false, time.Now()
}

// touch says whether it was going on at any moment from then until now.
func (s *spans) touch(from time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open || !s.ended.Before(from)
}
