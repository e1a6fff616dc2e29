package command_test

import (
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/cacheward/cacheward/caddymodule"
)
