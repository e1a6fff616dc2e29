package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/cacheward/cacheward/caddymodule/command"
)

func registerTest() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:      "test",
		Usage:     command.TestUsage,
		Short:     command.TestShort,
		Long:      command.TestLong,
		CobraFunc: command.WireTest(command.Exit),
	})
}
