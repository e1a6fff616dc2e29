package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// server is a running cacheward binary, whatever its configuration makes of it.
type server struct {
	*process
	addresses []string // of its sites, in their order
	admin     string   // a socket
	dir       string
	config    string
}

// site is what stands between the braces of a site in a Caddyfile.
type site string

// startEdge runs the binary on the server's core, with one site an address.
func (b *bench) startEdge(name string, env []string, options string, sites ...site) (*server, error) {
	return b.startEdgeOn(serverCore, name, env, options, sites...)
}

func (b *bench) startEdgeOn(cores, name string, env []string, options string, sites ...site) (*server, error) {
	b.started++
	dir := filepath.Join(b.dir, fmt.Sprintf("e%d", b.started))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	e := &server{dir: dir, admin: filepath.Join(dir, "admin")}
	for range sites {
		address, err := freeAddress()
		if err != nil {
			return nil, err
		}
		e.addresses = append(e.addresses, address)
	}
	config, err := e.write(options, sites...)
	if err != nil {
		return nil, err
	}
	e.config = config
	env = append([]string{"XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}, env...)
	e.process, err = b.spawn(name, cores, dir, env, b.binary, "run", "--config", config)
	if err != nil {
		return nil, err
	}
	return e, e.listens(append([]string{e.admin}, e.addresses...)...)
}

// write writes a Caddyfile for the edge and returns its path.
func (e *server) write(options string, sites ...site) (string, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "{\n\tadmin unix/%s\n\tlog default {\n\t\tlevel ERROR\n\t\texclude http.handlers.cacheward.audit\n\t}\n%s\n}\n", e.admin, options)
	for i, s := range sites {
		_, port, err := net.SplitHostPort(e.addresses[i])
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "http://:%s {\n\tbind 127.0.0.1\n%s\n}\n", port, s)
	}
	path := filepath.Join(e.dir, "Caddyfile")
	return path, os.WriteFile(path, []byte(text.String()), 0o600)
}

// The sites.

// responds is Caddy's own respond: the floor.
func responds(body []byte) site { return site("\trespond `" + string(body) + "`") }

// proxies is Caddy's own reverse_proxy.
func (b *bench) proxies() site { return site("\treverse_proxy " + b.origin.address) }

// wards is a cacheward handler before a reverse_proxy.
func (b *bench) wards(lines string) site {
	return site("\tcacheward {\n" + indent(lines, "\t\t") + "\n\t}\n\treverse_proxy " + b.origin.address)
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+by)
}

// startPeers starts those that are installed. The run goes on without the others, and
// says so.
func (b *bench) startPeers() ([]lane, error) {
	var lanes []lane
	for _, p := range []struct {
		program string
		start   func(program, dir, address string) (*process, error)
	}{{"nginx", b.startNginx}, {"varnishd", b.startVarnish}, {"traffic_server", b.startTrafficServer}} {
		version, ok := b.versions[p.program]
		if !ok {
			continue
		}
		dir, err := os.MkdirTemp("", "peer") // of a short name, for sockets
		if err != nil {
			return nil, err
		}
		b.dirs = append(b.dirs, dir)
		address, err := freeAddress()
		if err != nil {
			return nil, err
		}
		proc, err := p.start(p.program, dir, address)
		if err != nil {
			return nil, err
		}
		if err := proc.listens(address); err != nil {
			return nil, err
		}
		lanes = append(lanes, lane{name: version, proc: proc, traffic: traffic{address: address}})
	}
	return lanes, nil
}

const nginxConfig = `daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
	access_log off;
	sendfile on;
	keepalive_requests 1000000000;
	open_file_cache max=20000 inactive=600s;
	client_body_temp_path body;
	proxy_temp_path temp;
	proxy_cache_path cache levels=1:2 keys_zone=z:64m max_size=1g inactive=1h use_temp_path=off;
	server {
		listen %s;
		location / {
			proxy_pass http://%s;
			proxy_http_version 1.1;
			proxy_cache z;
			proxy_cache_key $uri;
		}
	}
}
`

func (b *bench) startNginx(program, dir, address string) (*process, error) {
	config := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(nginxConfig, address, b.origin.address)
	if os.Getuid() == 0 {
		text = "user root;\n" + text // its worker must reach the directory
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return b.spawn(program, serverCore, dir, nil, program, "-e", "stderr", "-p", dir, "-c", config)
}

func (b *bench) startVarnish(program, dir, address string) (*process, error) {
	host, port, err := net.SplitHostPort(b.origin.address)
	if err != nil {
		return nil, err
	}
	vcl := filepath.Join(dir, "v.vcl")
	// What a shop's rules do, as ours: cookies of analytics and click parameters are
	// nobody's page.
	text := fmt.Sprintf("vcl 4.1;\nbackend default { .host = %q; .port = %q; }\n"+
		"sub vcl_recv { unset req.http.Cookie; set req.url = regsub(req.url, \"\\?.*$\", \"\"); }\n", host, port)
	if err := os.WriteFile(vcl, []byte(text), 0o644); err != nil {
		return nil, err
	}
	return b.spawn(program, serverCore, dir, nil, program, "-F", "-n", filepath.Join(dir, "n"), "-a", address,
		"-f", vcl, "-s", "malloc,512m", "-j", "none", "-T", "none")
}

const runRoot = `prefix: /usr
exec_prefix: /usr
bindir: /usr/bin
sbindir: /usr/sbin
sysconfdir: %[1]s
datadir: %[1]s
includedir: /usr/include
libdir: /usr/lib
libexecdir: /usr/lib/trafficserver/modules
localstatedir: %[1]s
runtimedir: %[1]s
logdir: %[1]s
mandir: /usr/share/man
cachedir: %[1]s
`

func (b *bench) startTrafficServer(program, dir, address string) (*process, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	records := []string{
		fmt.Sprintf("proxy.config.http.server_ports STRING %s:ip-in=%s", port, host),
		"proxy.config.admin.user_id STRING #-1",
		"proxy.config.log.logging_enabled INT 0",
		"proxy.config.cache.ram_cache.size INT 268435456",
		"proxy.config.http.cache.cache_responses_to_cookies INT 1",
	}
	for name, text := range map[string]string{
		"runroot.yaml":   fmt.Sprintf(runRoot, dir),
		"records.config": "CONFIG " + strings.Join(records, "\nCONFIG ") + "\n",
		"remap.config":   "map / http://" + b.origin.address + "/\n",
		"storage.config": dir + " 512M\n",
		"ip_allow.yaml":  "ip_allow: [{apply: in, ip_addrs: 0/0, action: allow, methods: ALL}]\n",
		"cache.config":   "", "logging.yaml": "", "plugin.config": "", "hosting.config": "", "volume.config": "",
		"parent.config": "", "ssl_multicert.config": "", "sni.yaml": "", "splitdns.config": "", "socks.config": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return b.spawn(program, serverCore, dir, nil, program, "--run-root="+filepath.Join(dir, "runroot.yaml"))
}
