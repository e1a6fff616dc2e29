package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/cacheward/cacheward/caddymodule/command"
)

func registerExplain() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:      "explain",
		Usage:     command.ExplainUsage,
		Short:     command.ExplainShort,
		Long:      command.ExplainLong,
		CobraFunc: command.WireExplain(command.Exit),
	})
}
