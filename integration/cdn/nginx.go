package cdn

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// NginxConfig is a caching nginx in front of one origin.
type NginxConfig struct {
	// Origin is the address (host:port) that it asks.
	Origin string
	// Rules are more directives of the location: proxy_cache_valid, proxy_cache_key,
	// proxy_ignore_headers …. The cache has the name "cdn" and is on; without rules it
	// obeys the origin, keeps nothing that says nothing, and has $scheme$host$request_uri
	// for a key.
	Rules string
	// Server are more directives of the server, Http of the http block.
	Server, Http string
}

// Nginx is a running one.
type Nginx struct {
	// Address is where it listens.
	Address string

	dir     string
	process *os.Process
}

const nginxConf = `
%[7]sdaemon off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events { worker_connections 2048; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	proxy_cache_path %[1]s/cache keys_zone=cdn:8m inactive=1h;
	default_type application/octet-stream;
%[5]s
	server {
		listen %[2]s;
%[4]s
		location / {
			proxy_pass http://%[3]s;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $http_host;
			proxy_set_header X-Forwarded-For $remote_addr;
			proxy_cache cdn;
			add_header X-Cache $upstream_cache_status always;
%[6]s
		}
	}
}
`

// StartNginx runs nginx on a free port. Its answers tell in X-Cache what its cache did.
func StartNginx(t testing.TB, c NginxConfig) *Nginx {
	t.Helper()
	program := edge.Need(t, "nginx", "nginx-light")
	n := &Nginx{Address: edge.FreeAddresses(t, 1)[0], dir: t.TempDir()}
	n.write(t, c)
	n.process = edge.Start(t, program, n.dir, []string{n.Address}, "-c", n.config(), "-p", n.dir, "-e", filepath.Join(n.dir, "error.log"))
	return n
}

func (n *Nginx) config() string { return filepath.Join(n.dir, "nginx.conf") }

func (n *Nginx) write(t testing.TB, c NginxConfig) {
	t.Helper()
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n" // its workers must be able to write where the test does
	}
	text := fmt.Sprintf(nginxConf, n.dir, n.Address, c.Origin, c.Server, c.Http, rules(c.Rules), user)
	if err := os.WriteFile(n.config(), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// rules has the key, which may be given only once, in any case.
func rules(given string) string {
	if strings.Contains(given, "proxy_cache_key") {
		return given
	}
	return "\t\t\tproxy_cache_key $scheme$http_host$request_uri;\n" + given
}

// Reload has it take another configuration, which is in force soon after.
func (n *Nginx) Reload(t testing.TB, c NginxConfig) {
	t.Helper()
	n.write(t, c)
	if err := n.process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}
