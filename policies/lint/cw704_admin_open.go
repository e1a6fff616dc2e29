package lint

import (
	"fmt"
	"net/netip"
	"strings"
)

func init() {
	register(Rule{
		ID: "CW704", Name: "admin-open", Severity: Error,
		Summary: "Caddy's admin endpoint can be reached from other machines.",
		site:    adminOpen,
	})
}

func adminOpen(p *SitePass) {
	site := p.Unit.Site
	address := site.Admin
	if address == "" || address == "off" || strings.HasPrefix(address, "unix") || strings.HasPrefix(address, "fd") || strings.Contains(address, "{") {
		return
	}
	if _, rest, network := strings.Cut(address, "/"); network {
		address = rest // tcp/0.0.0.0:2019
	}
	host := address
	if i := strings.LastIndexByte(address, ':'); i >= 0 && !strings.HasSuffix(address, "]") {
		host = address[:i]
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if ip, err := netip.ParseAddr(host); host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && ip.IsLoopback() {
		return
	}
	p.Report(Finding{
		Pos: site.AdminPos,
		Message: fmt.Sprintf("the admin endpoint listens on %s, and asks nobody for a password: who can reach it over the network can replace the whole configuration, and so read and change what every visitor gets",
			site.Admin),
		Suggestion: "write admin localhost:2019, or admin unix//run/caddy-admin.sock, or admin off",
	})
}
