package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/cacheward/cacheward/caddymodule/command"
)

// registerControl registers the verbs that ask a running proxy.
func registerControl() {
	for _, c := range []caddycmd.Command{
		{Name: "purge", Usage: command.PurgeUsage, Short: command.PurgeShort, Long: command.PurgeLong, CobraFunc: command.WirePurge(command.Exit)},
		{Name: "trip", Usage: command.TripUsage, Short: command.TripShort, Long: command.TripLong, CobraFunc: command.WireTrip(command.Exit)},
		{Name: "reset", Usage: command.ResetUsage, Short: command.ResetShort, Long: command.ResetLong, CobraFunc: command.WireReset(command.Exit)},
		{Name: "status", Usage: command.StatusUsage, Short: command.StatusShort, Long: command.StatusLong, CobraFunc: command.WireStatus(command.Exit)},
		{Name: "objects", Usage: command.ObjectsUsage, Short: command.ObjectsShort, Long: command.ObjectsLong, CobraFunc: command.WireObjects(command.Exit)},
	} {
		caddycmd.RegisterCommand(c)
	}
}
