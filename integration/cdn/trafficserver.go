package cdn

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// TrafficServer is a running Apache Traffic Server in front of one origin.
type TrafficServer struct {
	// Address is where it listens.
	Address string
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

// StartTrafficServer runs traffic_server on a free port, in front of the origin
// (host:port). records are more lines of records.config, without the word CONFIG; rules are
// lines of cache.config. Without any it obeys the origin, and keeps nothing that says
// nothing of a lifetime.
func StartTrafficServer(t testing.TB, origin string, records, rules []string) *TrafficServer {
	t.Helper()
	program := edge.Need(t, "traffic_server", "trafficserver")
	address := edge.FreeAddresses(t, 1)[0]
	host, port := edge.SplitPort(t, address)
	dir := t.TempDir()
	records = append([]string{
		fmt.Sprintf("proxy.config.http.server_ports STRING %s:ip-in=%s", port, host),
		"proxy.config.admin.user_id STRING #-1",
		"proxy.config.url_remap.pristine_host_hdr INT 1",
		"proxy.config.log.logging_enabled INT 0",
		"proxy.config.cache.ram_cache.size INT 16777216",
		"proxy.config.http.insert_response_via_str INT 2", // says whether it was a hit
	}, records...)
	for name, text := range map[string]string{
		"runroot.yaml":   fmt.Sprintf(runRoot, dir),
		"records.config": "CONFIG " + strings.Join(records, "\nCONFIG ") + "\n",
		"remap.config":   "map / http://" + origin + "/\n",
		"storage.config": dir + " 64M\n",
		"cache.config":   strings.Join(rules, "\n") + "\n",
		"ip_allow.yaml":  "ip_allow: [{apply: in, ip_addrs: 0/0, action: allow, methods: ALL}]\n",
		"logging.yaml":   "", "plugin.config": "", "hosting.config": "", "volume.config": "", "parent.config": "",
		"ssl_multicert.config": "", "sni.yaml": "", "splitdns.config": "", "socks.config": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	edge.Start(t, program, dir, []string{address}, "--run-root="+filepath.Join(dir, "runroot.yaml"))
	return &TrafficServer{Address: address}
}
