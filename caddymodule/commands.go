package caddymodule

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/cacheward/cacheward/caddymodule/command"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "cacheward",
		Usage: "lint|test|explain|audit|probe|purge|trip|reset|status|objects …",
		Short: "Judges, tests and explains cache policies, probes sites, and controls a running proxy",
		Long: `
What the cacheward binary has at its top level, for a Caddy that was built with the plugin:

	$ caddy cacheward lint Caddyfile
	$ caddy cacheward test policies/
	$ caddy cacheward explain 'https://example.com/?ref=A1' --config Caddyfile
	$ caddy cacheward trip --reason 'customers see other customers'
`,
		CobraFunc: func(cmd *cobra.Command) { cmd.AddCommand(command.Verbs()...) },
	})
}
