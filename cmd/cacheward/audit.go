package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/cacheward/cacheward/caddymodule/command"
)

func registerAudit() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:      "audit",
		Usage:     command.AuditUsage,
		Short:     command.AuditShort,
		Long:      command.AuditLong,
		CobraFunc: command.WireAudit(command.Exit),
	})
}
