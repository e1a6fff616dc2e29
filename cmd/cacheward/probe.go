package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/cacheward/cacheward/caddymodule/command"
)

func registerProbe() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:      "probe",
		Usage:     command.ProbeUsage,
		Short:     command.ProbeShort,
		Long:      command.ProbeLong,
		CobraFunc: command.WireProbe(command.Exit),
	})
}
