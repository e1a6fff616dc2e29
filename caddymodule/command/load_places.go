package command

import (
	"net"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/cacheward/cacheward/policies"
	"github.com/cacheward/cacheward/policies/lint"
)

// caddyPlaces finds where in a Caddyfile the handlers are written that the adapter made
// of it. The adapted JSON does not say: a handler belongs to the line in its site that
// begins with one of its directives and has its values. Where nothing fits it is the
// site's own line.
type caddyPlaces struct {
	file  string
	sites []siteBlock
	// scopes are the numbers of the scopes, by those of the cacheward directives.
	scopes            map[int]int
	count, namedCount int
	current           *siteBlock
}

// readAddresses finds the hosts and ports of a site's keys. A key without a host means
// any: then there are no hosts.
func (s *siteBlock) readAddresses() {
	every := false
	for _, key := range s.keys {
		address, err := httpcaddyfile.ParseAddress(strings.TrimSuffix(key, ","))
		if err != nil {
			continue
		}
		if address.Host == "" {
			every = true
		} else {
			s.hosts = append(s.hosts, address.Host)
		}
		switch {
		case address.Port != "":
			s.ports = append(s.ports, address.Port)
		case address.Scheme == "http":
			s.ports = append(s.ports, "80")
		default:
			s.ports = append(s.ports, "443")
		}
	}
	if every {
		s.hosts = nil
	}
}

func (c *caddyPlaces) site(listen, hosts []string, _ *value) {
	best, bestScore := (*siteBlock)(nil), 0
	for i := range c.sites {
		s := &c.sites[i]
		if len(s.keys) == 0 || s.named != "" {
			continue
		}
		score := 0
		if len(s.hosts) == 0 != (len(hosts) == 0) {
			continue
		}
		for _, host := range hosts {
			if slices.Contains(s.hosts, host) {
				score += 2
			}
		}
		if len(hosts) > 0 && score == 0 {
			continue
		}
		for _, address := range listen {
			_, port, err := net.SplitHostPort(address)
			if err == nil && slices.Contains(s.ports, port) {
				score++
			}
		}
		if best == nil || score > bestScore {
			best, bestScore = s, score
		}
	}
	c.current = best
}

// directives are the words of a Caddyfile that become a handler. Others are called as
// their handler is.
var directives = map[string][]string{
	"reverse_proxy":   {"reverse_proxy", "php_fastcgi"},
	"forward_auth":    {"forward_auth"},
	"headers":         {"header", "request_header"},
	"authentication":  {"basic_auth", "basicauth", "authentication"},
	"rewrite":         {"rewrite", "uri", "handle_path", "try_files", "method", "php_fastcgi"},
	"static_response": {"respond", "redir", "abort", "php_fastcgi"},
}

func (c *caddyPlaces) handler(_ *value, h lint.Handler) policies.Position {
	words := directives[h.Module]
	if words == nil {
		words = []string{h.Module}
	}
	if c.current != nil {
		if l := c.current.lineOf(words, h); l != nil {
			return l.pos()
		}
	}
	for i := range c.sites { // behind an invoke
		if c.sites[i].named != "" {
			if l := c.sites[i].lineOf(words, h); l != nil {
				return l.pos()
			}
		}
	}
	if c.current != nil {
		return c.current.pos
	}
	return policies.Position{File: c.file}
}

// candidates are the lines of a site that begin with one word, in their order.
type candidates struct {
	lines []*line
	// free is the number of the first that no handler was found for.
	free int
}

// maxCandidates bounds how many lines are looked at for one handler, so that the work
// does not grow with the square of a site's length.
const maxCandidates = 500

// lineOf finds the line of a handler: of those that nobody has yet the first with its
// values, or else the first. Nil if no line of the site begins with one of the words.
func (s *siteBlock) lineOf(words []string, h lint.Handler) *line {
	if s.byWord == nil {
		s.byWord = make(map[string]*candidates)
		walk(s.lines, func(l *line) {
			of := s.byWord[l.name()]
			if of == nil {
				of = new(candidates)
				s.byWord[l.name()] = of
			}
			if !l.words[0].Quoted {
				of.lines = append(of.lines, l)
			}
		})
	}
	var free, last *line
	for _, word := range words {
		of := s.byWord[word]
		if of == nil || len(of.lines) == 0 {
			continue
		}
		for of.free < len(of.lines) && of.lines[of.free].taken {
			of.free++
		}
		for _, l := range of.lines[of.free:min(of.free+maxCandidates, len(of.lines))] {
			if l.taken {
				continue
			}
			if says(l, h) {
				l.taken = true
				return l
			}
			if free == nil {
				free = l
			}
		}
		if last == nil {
			last = of.lines[len(of.lines)-1]
		}
	}
	if free == nil {
		return last // one line may become several handlers
	}
	free.taken = true
	return free
}

// says whether the line has the values of the handler.
func says(l *line, h lint.Handler) bool {
	var words []string
	for _, t := range l.args() {
		words = append(words, t.Text)
	}
	for _, sub := range l.block {
		for _, t := range sub.words {
			words = append(words, t.Text)
		}
	}
	has := func(fits func(word string) bool) bool { return slices.ContainsFunc(words, fits) }
	switch h.Module {
	case "reverse_proxy", "forward_auth":
		first, _, _ := strings.Cut(h.Detail, ", ")
		host := strings.TrimSuffix(strings.TrimSuffix(first, ":80"), ":443")
		return has(func(w string) bool { return first != "" && strings.Contains(w, host) })
	case "headers":
		for _, change := range h.Changes {
			if change.Request != (l.name() == "request_header") {
				return false
			}
			if has(func(w string) bool { return strings.EqualFold(strings.TrimLeft(w, "+-?>"), change.Field) }) {
				return true
			}
		}
	case "rewrite":
		return has(func(w string) bool { return h.Detail != "" && strings.Contains(h.Detail, w) })
	}
	return false
}

func (c *caddyPlaces) admin(*value) policies.Position {
	for i := range c.sites {
		if len(c.sites[i].keys) > 0 {
			continue
		}
		for _, l := range c.sites[i].lines {
			if l.name() == "admin" {
				return l.pos()
			}
		}
	}
	return policies.Position{File: c.file}
}
