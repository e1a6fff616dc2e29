package attacks

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// sitePolicy has a route for each way in which a policy can speak of the inputs of a
// request. Every page of every origin permits all caches to keep it, so whatever is not
// shared is not shared for what these rules and the edge's own make of the request.
const sitePolicy = `
	identity {
		cookie session
		header X-Member
	}
	route ttl {
		path /ttl/*
		cache 5m {
			status 404 10s
		}
		param key ref id lang
		param strip @analytics
		cookie key theme
		cookie strip @analytics
		header key Accept-Language ja en
	}
	route once {
		path /once/*
		cache 5m
		admission once "the pages are the same for everybody"
		param key ref id
		param others strip
		cookie others strip
	}
	route bypass {
		path /bypass/*
		cache 5m
		admission once "the pages are the same for everybody"
		param key ref id
		param strip @analytics
		header others bypass
	}
	route strict {
		path /strict/*
		cache 5m
		ambiguous deny
		admission once "the pages are the same for everybody"
		param key ref
		param strip @analytics
		param deny debug
		cookie strip @analytics
		cookie deny fehost
		header deny X-Debug
	}
	route origin {
		path /origin/*
		cache origin
	}
	route vary {
		path /vary/*
		cache origin
		header others vary
	}`

// routes are those of sitePolicy, and a path that none of them has.
var routes = []string{"ttl", "once", "bypass", "strict", "origin", "vary", "nowhere"}

// stage is what is attacked: something that caches in front of one origin for each
// personality, told apart by host.
type stage struct {
	// address is where visitors ask.
	address string
	// origins are by personality. proxied are the fields that a request has gained by the
	// time when it reaches one of them.
	origins map[string]*origin
	proxied func(host string) []field
}

// host is the personality's.
func host(p *personality) string { return p.name + ".example" }

// startOrigins runs an origin of each personality.
func startOrigins(t testing.TB) map[string]*origin {
	origins := make(map[string]*origin)
	for _, p := range personalities {
		origins[p.name] = startOrigin(t, p.answer)
	}
	return origins
}

// startEdge runs the real binary in front of all personalities.
func startEdge(t testing.TB) *stage {
	t.Helper()
	origins := startOrigins(t)
	var choose strings.Builder
	for _, p := range personalities[1:] {
		fmt.Fprintf(&choose, "\t@%s host %s\n\treverse_proxy @%s %s\n", p.name, host(p), p.name, origins[p.name].address)
	}
	site := edge.StartSite(t, binary, edge.SiteConfig{
		Origin: origins[personalities[0].name].address,
		Before: choose.String(),
		Policy: sitePolicy,
	})
	return &stage{address: site.Address, origins: origins, proxied: func(host string) []field {
		return []field{{"X-Forwarded-For", "127.0.0.1"}, {"X-Forwarded-Proto", "http"}, {"X-Forwarded-Host", host}}
	}}
}

// right is what the personality itself answers to the request: as it came, through
// nothing but a proxy.
func (s *stage) right(p *personality, r *request) answer {
	plain := r.clone()
	plain.h2 = false
	for _, f := range s.proxied(r.get("Host")) {
		plain.set(f.name, f.value)
	}
	return ask(s.origins[p.name].direct, plain)
}

var cases atomic.Uint32

// newCase is a name that occurs in the requests of one case only.
func newCase() string { return fmt.Sprintf("n%08xz", cases.Add(1)) }
