package command_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/command"
	"github.com/cacheward/cacheward/policies/lint"
)

// inFolder writes files into a new folder and makes it the working one. A file with the
// name of a folder and a slash at its end is that folder.
func inFolder(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

// handlersOf are all handlers of the chains, once each, as module@file:line:column.
func handlersOf(u *lint.Unit) []string {
	var out []string
	for _, server := range u.Site.Servers {
		for _, chain := range server.Chains {
			for _, h := range chain.Handlers {
				if s := h.Module + "@" + h.Pos.String(); !slices.Contains(out, s) {
					out = append(out, s)
				}
			}
		}
	}
	return out
}

// TestPlacesThroughImports: what stands in snippets and imported files is told where it
// was written, also where it is imported twice, and so are the policies.
func TestPlacesThroughImports(t *testing.T) {
	inFolder(t, map[string]string{
		"Caddyfile": `(front) {
	encode
	cacheward {
		import routes.conf
		route {args[0]} {
			path /{args[0]}
			cache 5m
		}
	}
}
a.example {
	import front one
	reverse_proxy localhost:1
}
b.example {
	import front two
	handle /x/* {
		reverse_proxy localhost:2
	}
	handle {
		reverse_proxy localhost:3
	}
}
c.example {
	cacheward {
		policy sub/policy.yaml
	}
	reverse_proxy localhost:4
}
`,
		"routes.conf":     "route shared {\n\tpath /shared\n\tcache never\n}\n",
		"sub/policy.yaml": "routes:\n  - name: file\n    match: {paths: [/f]}\n    cache: 1m\n",
	})
	u := command.Load("Caddyfile")
	if len(u.Faults) > 0 {
		t.Fatal(u.Faults)
	}
	want := []string{
		"encode@Caddyfile:2:2", "cacheward@Caddyfile:3:2", "reverse_proxy@Caddyfile:13:2",
		"reverse_proxy@Caddyfile:18:3", "reverse_proxy@Caddyfile:21:3",
		"cacheward@Caddyfile:25:2", "reverse_proxy@Caddyfile:28:2",
	}
	if got := handlersOf(u); !slices.Equal(got, want) {
		t.Errorf("handlers %v\nwant %v", got, want)
	}
	var routes []string
	for _, s := range u.Scopes {
		for i := range s.Policy.Routes {
			r := &s.Policy.Routes[i]
			routes = append(routes, fmt.Sprint(s.Hosts, " ", r.Name, " ", r.At("cache")))
		}
	}
	wantRoutes := []string{
		"[a.example] shared routes.conf:3:8", "[a.example] one Caddyfile:7:10",
		"[b.example] shared routes.conf:3:8", "[b.example] two Caddyfile:7:10",
		"[c.example] file sub/policy.yaml:4:12",
	}
	if !slices.Equal(routes, wantRoutes) {
		t.Errorf("routes %v\nwant %v", routes, wantRoutes)
	}
	for _, file := range []string{"Caddyfile", "routes.conf", "sub/policy.yaml"} {
		if len(u.Files[file]) == 0 {
			t.Errorf("the contents of %s are not there", file)
		}
	}
}

// TestChains: requests are followed as Caddy does, through groups, terminal routes,
// named routes and the server's own.
func TestChains(t *testing.T) {
	inFolder(t, map[string]string{"Caddyfile": `&(app) {
	route {
		encode
		reverse_proxy localhost:1
	}
}
http://a.example:8080 {
	header /h/* X-A b
	forward_auth /members/* localhost:9 {
		uri /check
	}
	cacheward
	handle /one/* {
		header X-One 1
		invoke app
	}
	handle /two/* {
		header X-Two 2
		respond "two"
	}
	handle {
		header X-Rest 3
		reverse_proxy localhost:2
	}
}
`})
	u := command.Load("Caddyfile")
	if len(u.Faults) > 0 {
		t.Fatal(u.Faults)
	}
	var got []string
	for _, c := range u.Site.Servers[0].Chains {
		var modules []string
		for _, h := range c.Handlers {
			s := h.Module
			if h.When != "" {
				s += "(" + h.When + ")"
			}
			modules = append(modules, s)
		}
		got = append(got, fmt.Sprintf("%v%v %s", c.Hosts, c.Paths, strings.Join(modules, " ")))
	}
	before := "headers(path /h/*) forward_auth(path /members/*) cacheward headers "
	want := []string{
		"[a.example][/one/*] " + before + "encode reverse_proxy",
		"[a.example][/two/*] " + before + "static_response",
		"[a.example][] " + before + "reverse_proxy",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestCaddyJSON: the places in a hand-written JSON configuration are its own, those of
// the policies in it too.
func TestCaddyJSON(t *testing.T) {
	inFolder(t, map[string]string{
		"caddy.json": `{"admin": {"listen": ":2019"},
 "apps": {"http": {"servers": {"main": {"listen": [":80"], "routes": [
  {"match": [{"host": ["é.example"]}], "handle": [
   {"handler": "cacheward", "id": "é", "policy": {"routes": [
      {"name": "e", "match": {"paths": ["/a"]}, "cache": "5m"}]},
    "policy_file": "more.json"},
   {"handler": "reverse_proxy", "upstreams": [{"dial": "localhost:1"}]}
 ]}]}}}}}`,
		"more.json": `{"routes": [{"name": "more", "match": {"paths": ["/b"]}, "cache": "1m"}]}`,
	})
	u := command.Load("caddy.json")
	if len(u.Faults) > 0 {
		t.Fatal(u.Faults)
	}
	if got, want := handlersOf(u), []string{"cacheward@caddy.json:4:4", "reverse_proxy@caddy.json:7:4"}; !slices.Equal(got, want) {
		t.Errorf("handlers %v, want %v", got, want)
	}
	s := u.Scopes[0]
	if got := s.Policy.Routes[0].At("cache").String(); got != "caddy.json:5:58" {
		t.Errorf("the inline route's cache is at %s", got)
	}
	if got := s.Policy.Routes[1].At("cache").String(); got != "more.json:1:67" {
		t.Errorf("the file's route's cache is at %s", got)
	}
	if got := u.Site.AdminPos.String(); got != "caddy.json:1:22" || s.Compiled == nil || !slices.Equal(s.Hosts, []string{"é.example"}) {
		t.Errorf("admin at %s, hosts %v", got, s.Hosts)
	}
}

// TestBadInput: what cannot be read is a fault, at its place, and nothing worse.
func TestBadInput(t *testing.T) {
	bomb := ""
	for i := range 40 {
		bomb += fmt.Sprintf("(s%d) {\n\timport s%d\n\timport s%[2]d\n}\n", i, i+1)
	}
	bomb += "(s40) {\n\theader A b\n}\n:80 {\n\timport s0\n}\n"
	inFolder(t, map[string]string{
		"loop.Caddyfile":  "import other.conf\n:80 {\n\timport s\n}\n(s) {\n\tencode\n\timport s\n}\n",
		"other.conf":      "import loop.Caddyfile\n",
		"bomb.Caddyfile":  bomb,
		"gone.Caddyfile":  ":80 {\n\tcacheward {\n\t\tpolicy gone.yaml\n\t}\n}\n",
		"fold.Caddyfile":  ":80 {\n\tcacheward {\n\t\tpolicy folder\n\t}\n}\n",
		"folder/":         "",
		"bad.Caddyfile":   ":80 {\n\tcacheward {\n\t\troute a {\n\t\t\tpath /\n\t\t\tcache 5q\n\t\t}\n\t\troute b {\n\t\t\tpath /b\n\t\t\tcache 5m\n\t\t\tparam strp ref\n\t\t}\n\t}\n}\n",
		"word.Caddyfile":  ":80 {\n\tencode\n\treverse_prox x\n}\n",
		"open.Caddyfile":  ":80 {\n\tencode\n",
		"encod.Caddyfile": ":80 {\n\tencode lzma\n}\n",
		"cut.json":        "{\"apps\":\n {\"http\": ",
		"deep.json":       `{"apps":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + "}",
		"apps.json":       "{\"apps\": {\"http\": {\"servers\": {\"a\": {\"routes\": [{\"handle\": [\n{\"handler\": \"cacheward\", \"policy\": {\"routs\": []}},\n{\"handler\": \"reverse_proxy\"}]}]}}}}}",
		"bad.yaml":        "routes:\n  - name: [\n",
	})
	for _, tt := range []struct {
		file string
		want []string // places and a part of the message
	}{
		{"loop.Caddyfile", []string{"other.conf:1:1 imports itself", "loop.Caddyfile:7:2 imports itself"}},
		{"bomb.Caddyfile", []string{"bomb.Caddyfile:.* unfolds to more than"}},
		{"gone.Caddyfile", []string{"gone.Caddyfile:3:10 no such file"}},
		{"fold.Caddyfile", []string{"fold.Caddyfile:3:10 no regular file"}},
		{"bad.Caddyfile", []string{"bad.Caddyfile:5:10 not a duration", "bad.Caddyfile:10:10 strp"}},
		{"word.Caddyfile", []string{"word.Caddyfile:3 unrecognized directive"}},
		{"open.Caddyfile", []string{"open.Caddyfile:2 "}},
		{"encod.Caddyfile", []string{"encod.Caddyfile:2 lzma"}},
		{"cut.json", []string{"cut.json:2:"}},
		{"deep.json", []string{"deep.json:1:"}},
		{"apps.json", []string{"apps.json:2:37 routs"}},
		{"bad.yaml", []string{"bad.yaml:"}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			u := command.Load(tt.file)
			var got []string
			for _, d := range u.Faults {
				got = append(got, d.Pos.String()+" "+d.Message)
			}
			if len(got) < len(tt.want) {
				t.Fatalf("faults %q, want %q", got, tt.want)
			}
			for i, w := range tt.want {
				place, part, _ := strings.Cut(w, " ")
				place = strings.TrimSuffix(place, ".*")
				if !strings.HasPrefix(got[i], place) || !strings.Contains(got[i], part) {
					t.Errorf("fault %q, want %q", got[i], w)
				}
			}
			lint.Run(u, nil) // and no rule falls over what there is
		})
	}
}

func TestUnreadable(t *testing.T) {
	inFolder(t, map[string]string{"folder/": ""})
	if err := os.WriteFile("long.yaml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate("long.yaml", 16<<20+1); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"gone.yaml": "no such file", "long.yaml": "longer than 16 MiB", "folder": "no regular file"} {
		if u := command.Load(name); len(u.Files) > 0 || len(u.Faults) != 1 || !strings.Contains(u.Faults[0].Message, want) {
			t.Errorf("%s: %v", name, u.Faults)
		}
	}
	if runtime.GOOS == "linux" {
		if u := command.Load("/dev/zero"); len(u.Faults) != 1 {
			t.Error("an endless file was read")
		}
	}
}

func TestDiscover(t *testing.T) {
	inFolder(t, map[string]string{
		".git/":                    "",
		"Caddyfile":                ":80",
		"policies/a.yaml":          "routes:\n",
		"policies/lists.yaml":      "lists:\n",
		"deep/er/still/":           "",
		"all/one.Caddyfile":        ":80",
		"all/Caddyfile.example":    ":80",
		"all/x/site.cacheward.yml": "routes:\n",
		"all/x/other.yaml":         "routes:\n",
		"all/testdata/Caddyfile":   ":80",
		"all/.hidden/Caddyfile":    ":80",
		"all/vendor/Caddyfile":     ":80",
	})
	files, err := command.Find([]string{"all", "all/x/other.yaml", "all/one.Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Name())
	}
	want := []string{"all/Caddyfile.example", "all/one.Caddyfile", "all/x/site.cacheward.yml", "all/x/other.yaml"}
	if !slices.Equal(got, want) {
		t.Errorf("in the folder %q, want %q", got, want)
	}
	top, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("deep/er/still")
	files, err = command.Discover()
	if err != nil {
		t.Fatal(err)
	}
	got = nil
	for _, f := range files {
		rel, _ := filepath.Rel(top, f.Name())
		got = append(got, rel)
	}
	if want := []string{"Caddyfile", "policies/a.yaml"}; !slices.Equal(got, want) {
		t.Errorf("discovered %q, want %q", got, want)
	}
}

// FuzzLoad: whatever a file holds, reading and judging it ends, without a panic.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"../../policies/lint/testdata/CW7*/*.Caddyfile", "../../Caddyfile.example"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatal(pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data, false)
		}
	}
	f.Add([]byte(`{"apps":{"http":{"servers":{"a":{"named_routes":{"x":{"handle":[{"handler":"invoke","name":"x"}]}},"routes":[{"group":"g","match":[{"host":["*"]}],"handle":[{"handler":"cacheward","policy":{"routes":[]}},{"handler":"invoke","name":"x"},{"handler":"reverse_proxy"}]}]}}}}}`), true)
	f.Fuzz(func(t *testing.T, data []byte, asJSON bool) {
		// Files of this machine are none of its business.
		if strings.Contains(string(data), "import") || strings.Contains(string(data), "policy") && !asJSON {
			t.Skip("it may name files of this machine")
		}
		name := "Caddyfile"
		if asJSON {
			name = "caddy.json"
		}
		u := command.LoadData(name, data)
		for _, finding := range lint.Run(u, nil) {
			if finding.Message == "" {
				t.Errorf("a finding of %s says nothing", finding.Rule)
			}
		}
	})
}

// TestSharedPolicy: a policy for several sites is reached if one of them has the host.
func TestSharedPolicy(t *testing.T) {
	inFolder(t, map[string]string{
		"Caddyfile": `(both) {
	cacheward {
		route c {
			host a.example
			path /c
			cache never
		}
		policy both.yaml
	}
	respond ok
}
a.example {
	import both
}
b.example {
	import both
}
`,
		"both.yaml": "routes:\n  - name: a\n    match: {hosts: [a.example]}\n    cache: never\n  - name: x\n    match: {hosts: [x.example]}\n    cache: never\n",
	})
	var got []string
	for _, f := range lint.Run(command.Load("Caddyfile"), func(r lint.Rule) bool { return r.ID == "CW401" }) {
		if !slices.Contains(got, f.Pos.String()) {
			got = append(got, f.Pos.String())
		}
	}
	if want := []string{"both.yaml:6:21"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestMissingPolicy: without its file a policy is not judged.
func TestMissingPolicy(t *testing.T) {
	inFolder(t, map[string]string{"Caddyfile": ":80 {\n\tcacheward {\n\t\tpolicy gone.yaml\n\t}\n}\n"})
	if u := command.Load("Caddyfile"); len(u.Faults) != 1 || len(u.Scopes) != 0 {
		t.Errorf("faults %v, %d policies", u.Faults, len(u.Scopes))
	}
}

func TestDiscoverLinks(t *testing.T) {
	inFolder(t, map[string]string{".git/": "", "data/site": ":80", "folder/": ""})
	for link, to := range map[string]string{"Caddyfile": "data/site", "gone.Caddyfile": "gone", "folder.Caddyfile": "folder"} {
		if err := os.Symlink(to, link); err != nil {
			t.Skip(err)
		}
	}
	for _, look := range []func() ([]command.Found, error){command.Discover, func() ([]command.Found, error) { return command.Find([]string{"."}) }} {
		files, err := look()
		if err != nil || len(files) != 1 || filepath.Base(files[0].Name()) != "Caddyfile" {
			t.Errorf("%v, %v", files, err)
		}
	}
}
