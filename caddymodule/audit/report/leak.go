package report

import (
	"regexp"
	"strings"

	"github.com/cacheward/cacheward/caddymodule/audit/inquiry"
)

// leakSteps are what to do about a leak, in this order: as long as a cache in front has the
// page, it gives it to visitors, whatever Cacheward does; and caching that is resumed before
// that is put right leaks again. Commands stand between backticks.
func leakSteps(n *inquiry.Notable) [][]fragment {
	probe := "cacheward probe"
	if url := pastableURL(probed(n)); url != "" {
		probe += " " + url
	}
	return [][]fragment{
		words("Purge the caches in front (the CDN) of this page, or of the whole site: what they have kept they go on giving to visitors until then."),
		words("See to it that they heed Cache-Control and tell visitors apart by what the policy keys; `" + probe + "` says what they do."),
		words("When the probe finds nothing any more, end the trip, if the watch has stopped caching: " + resetCommands(n.Route) + "."),
	}
}

// clearSteps are what may be left to do about a leak that is over.
func clearSteps() [][]fragment {
	return [][]fragment{
		words("If that has not been done since it was found, purge the caches in front (the CDN): pages that no probe asks for may have been kept as well."),
		words("`cacheward status` says whether caching is still stopped, and why; `cacheward reset` ends that."),
	}
}

// resetCommands end the trips of the routes that leaked, of several with commas between. A
// name that could be anything else in a command is in none.
func resetCommands(routes string) string {
	var commands []string
	for route := range strings.SplitSeq(routes, ", ") {
		if !plainRoute.MatchString(route) {
			return "`cacheward reset`; `cacheward status` names the route"
		}
		commands = append(commands, "`cacheward reset --route "+route+" --reason '...'`")
	}
	return strings.Join(commands, " and ")
}

var plainRoute = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)
