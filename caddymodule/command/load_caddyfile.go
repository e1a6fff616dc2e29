package command

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cacheward/cacheward/policies"
	"github.com/cacheward/cacheward/policies/lint"
)

// caddyfile reads a Caddyfile: the policies of its cacheward blocks from its words, with
// their places, and everything around them from what Caddy's own adapter makes of it.
func (l *loader) caddyfile(u *lint.Unit, name string, data []byte) {
	if !l.scanImports(name, data) {
		return
	}
	shown := policies.Position{File: u.Name}
	if abs, err := filepath.Abs(name); err == nil {
		name = abs // Caddy remembers the working folder of its beginning
	}
	var blocks []caddyfile.ServerBlock
	err := bounded(func() (err error) {
		blocks, err = caddyfile.Parse(name, data)
		return err
	})
	if err != nil {
		l.adapterFault(err, shown)
		return
	}
	adapt := adapting(name, data) // meanwhile
	sites := l.sites(u.Name, blocks)
	index := &caddyPlaces{file: u.Name, sites: sites, scopes: make(map[int]int)}
	// The adapter stops at the first mistake in a policy; here all of them are told.
	for i := range index.sites {
		l.siteScopes(u, &index.sites[i], index)
	}
	adapted, err := adapt()
	if len(l.faults) > 0 {
		return
	}
	if err != nil {
		l.adapterFault(err, shown)
		return
	}
	root, err := parseJSONTree(u.Name, adapted)
	if err != nil {
		l.failed(err, shown)
		return
	}
	reader := siteReader{places: index, scopeOf: func(v *value, _ []string) int {
		instance := 0
		if n := v.get("instance"); n != nil {
			instance, _ = strconv.Atoi(n.text)
		}
		if scope, ok := index.scopes[instance]; ok {
			return scope
		}
		return -1
	}}
	u.Site = reader.read(root)
	for _, site := range sites {
		if site.named == "" {
			continue
		}
		route := lint.NamedRoute{Name: site.named, Pos: site.pos}
		for _, d := range site.lines {
			if strings.HasPrefix(d.name(), "@") {
				continue // a matcher
			}
			route.Directives = append(route.Directives, lint.Directive{Name: d.name(), Pos: d.pos()})
		}
		route.Kept = kept(root, site.named)
		u.Site.Named = append(u.Site.Named, route)
	}
}

// adapting begins to make JSON of a Caddyfile. The function that it returns waits for it.
func adapting(name string, data []byte) func() ([]byte, error) {
	var adapted []byte
	done := make(chan error, 1)
	go func() {
		done <- bounded(func() (err error) {
			adapter := caddyconfig.GetAdapter("caddyfile")
			if adapter == nil {
				return errors.New("this program cannot read Caddyfiles")
			}
			adapted, _, err = adapter.Adapt(data, map[string]any{"filename": name})
			return err
		})
	}()
	return func() ([]byte, error) {
		err := <-done
		if err != nil {
			return nil, err // what is adapted after its time is nobody's
		}
		return adapted, nil
	}
}

// kept is the only handler of a named route; empty if it has several, or is a block
// with more in it.
func kept(root *value, name string) string {
	for _, server := range root.get("apps", "http", "servers").object() {
		if handle := server.value.get("named_routes", name, "handle").list(); len(handle) == 1 {
			if module := handle[0].get("handler").str(); module != "subroute" {
				return module
			}
		}
	}
	return ""
}

// siteBlock is a site of a Caddyfile, its global options, or a named route.
type siteBlock struct {
	pos   policies.Position
	keys  []string
	named string
	lines []*line
	// tokens are those that the lines count.
	tokens []policies.Token

	hosts, ports []string
	byWord       map[string]*candidates
}

func (l *loader) sites(name string, blocks []caddyfile.ServerBlock) []siteBlock {
	var out []siteBlock
	for _, b := range blocks {
		s := siteBlock{pos: policies.Position{File: name}}
		for i, key := range b.Keys {
			if i == 0 {
				file := l.display(key.File)
				word := strings.TrimSuffix(key.Text, ",")
				if b.IsNamedRoute {
					word = "&(" + word + ")"
				}
				s.pos = policies.Position{File: file, Line: key.Line, Column: l.column(file, key.Line, word, true)}
			}
			s.keys = append(s.keys, key.Text)
		}
		if b.IsNamedRoute && len(s.keys) == 1 {
			s.named = s.keys[0]
		} else {
			s.readAddresses()
		}
		for _, segment := range b.Segments {
			s.tokens = append(s.tokens, l.tokens(segment)...)
		}
		s.lines, _ = linesOf(s.tokens, 0, 0)
		if s.named != "" && len(s.lines) == 1 {
			s.lines = s.lines[0].block // Caddy makes one line of a named route, with its name as the word
		}
		out = append(out, s)
	}
	return out
}

// policyWords may begin a line of the policy in a cacheward block.
var policyWords = []string{"version", "mode", "default", "ambiguous", "identity", "downstream", "on_leak", "route"}

// siteScopes reads the policies of a site's cacheward blocks, in the order in which the
// adapter numbers them; those of named routes are counted apart, below zero.
func (l *loader) siteScopes(u *lint.Unit, site *siteBlock, index *caddyPlaces) {
	if len(site.keys) == 0 {
		return // global options
	}
	walk(site.lines, func(at *line) {
		if at.name() != "cacheward" || at.words[0].Quoted {
			return
		}
		number := 0
		if site.named != "" {
			index.namedCount--
			number = index.namedCount
		} else {
			index.count++
			number = index.count
		}
		faults := len(l.faults)
		var inline []policies.Token
		var file *policies.Policy
		for _, sub := range at.block {
			switch {
			case slices.Contains(policyWords, sub.name()):
				inline = append(inline, site.tokens[sub.from:sub.to]...)
			case sub.name() == "policy" && len(sub.args()) == 1:
				file = l.policyAt(l.policyPath(sub.args()[0]), positionOf(sub.args()[0]))
			}
		}
		policy := new(policies.Policy)
		if len(inline) > 0 {
			parsed, err := policies.ParseTokens(inline)
			if err != nil {
				l.failed(err, at.pos())
				return
			}
			policy = parsed
		}
		if len(l.faults) == faults {
			index.scopes[number] = l.scope(u, policy, file, at.pos(), site.hosts)
		}
	})
}

// policyPath resolves a file's name against the folder of the Caddyfile that names it.
func (l *loader) policyPath(name policies.Token) string {
	if filepath.IsAbs(name.Text) {
		return name.Text
	}
	return filepath.Join(filepath.Dir(filepath.FromSlash(name.File)), name.Text)
}

// The bounds of what Caddy's parser and adapter may take: they have none of their own.
const (
	adaptTime   = 60 * time.Second
	adaptMemory = 1 << 30
)

// bounded runs fn and gives up on it if it takes too long or too much memory. It is
// left running then, for nothing can stop it; the command ends soon after.
func bounded(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("reading the configuration failed: %v", r)
			}
		}()
		done <- fn()
	}()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	late := time.After(adaptTime)
	before := heap() // other files may have been read
	for {
		select {
		case err := <-done:
			return err
		case <-late:
			return fmt.Errorf("reading the configuration takes longer than %s", adaptTime)
		case <-tick.C:
			if heap() <= before+adaptMemory {
				continue
			}
			if runtime.GC(); heap() > before+adaptMemory { // what is garbage does not count
				return fmt.Errorf("reading the configuration takes more than %d MiB of memory", adaptMemory>>20)
			}
		}
	}
}

// heap is how much memory is in use, in bytes, garbage included.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

var (
	atTheEnd   = regexp.MustCompile(`(?s)^(.*?), at ([^,\n]+):(\d+)( import chain.*)?$`)
	atTheStart = regexp.MustCompile(`(?s)^([^:\n]+):(\d+)(?::(\d+))?(?:: | - )(?:Error during parsing: )?(.*)$`)
)

// adapterFault finds the place in an error of Caddy's.
func (l *loader) adapterFault(err error, otherwise policies.Position) {
	text := err.Error()
	if m := atTheEnd.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[3])
		l.fault(policies.Position{File: l.display(m[2]), Line: n}, m[1], "")
		return
	}
	if m := atTheStart.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[2])
		column, _ := strconv.Atoi(m[3])
		l.fault(policies.Position{File: l.display(m[1]), Line: n, Column: column}, m[4], "")
		return
	}
	l.failed(err, otherwise)
}
