// Command cacheward is Caddy with the Cacheward plugin and its verbs.
package main

import (
	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/cacheward/cacheward/caddymodule"
	_ "github.com/cacheward/cacheward/caddymodule/redis"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func main() {
	caddy.CustomBinaryName = "cacheward"
	caddy.CustomLongDescription = `Cacheward is a caching reverse proxy that gives one visitor's response to nobody else.

It is the Caddy web server with one more handler, so all of Caddy's commands and
its Caddyfile are here:

	$ cacheward demo                                    the incident that it prevents
	$ cacheward lint                                    mistakes, before visitors find them
	$ cacheward run --config Caddyfile.example          the proxy, in the foreground
	$ cacheward validate --config Caddyfile.example     is this configuration right?
	$ cacheward reload --config Caddyfile.example       change it without losing a request`
	registerDemo()
	registerLint()
	registerExplain()
	registerTest()
	registerAudit()
	registerProbe()
	registerControl()
	tuneCollector()
	restWhenQuiet()
	caddycmd.Main()
}
