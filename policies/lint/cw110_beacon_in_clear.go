package lint

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW110", Name: "beacon-in-clear", Severity: Warning,
		Summary: "Landings are reported to another host over plain http.",
		check:   beaconInClear,
	})
}

func beaconInClear(p *Pass) {
	eachAttribution(p, func(route *policies.Route, a policies.Attribution) {
		if a.Beacon == nil {
			return
		}
		u, err := url.Parse(a.Beacon.URL)
		if err != nil || u.Scheme != "http" || thisMachine(u.Hostname()) {
			return
		}
		severity := Warning
		if ownNetwork(u.Hostname()) {
			severity = Info
		}
		p.Report(Finding{
			Severity: severity,
			Pos:      route.At("attribution.beacon.url"),
			Route:    route.Name,
			Message: fmt.Sprintf("landings are reported to `%s` over plain http: who came, when, and who sent them can be read, and made up, by whoever is on the way",
				u.Host),
			Suggestion: "write https://, or report to the app on this machine",
		})
	})
}

func thisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// ownNetwork says whether a host is one that only a network of the operator's knows.
func ownNetwork(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsPrivate() || addr.IsLinkLocalUnicast()
	}
	for _, zone := range []string{".internal", ".local", ".lan", ".svc"} { // RFC 6762, RFC 9476 and common use
		if strings.HasSuffix(host, zone) {
			return true
		}
	}
	return !strings.Contains(host, ".")
}
