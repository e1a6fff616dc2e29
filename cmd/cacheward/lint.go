package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/cacheward/cacheward/caddymodule/command"
)

func registerLint() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:      "lint",
		Usage:     command.LintUsage,
		Short:     command.LintShort,
		Long:      command.LintLong,
		CobraFunc: command.WireLint(command.Exit),
	})
}
