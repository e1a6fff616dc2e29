package command

import (
	"errors"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// errFindings makes the command exit with 1 without saying anything more.
var errFindings = errors.New("findings")

// Exit makes a cobra command end the process with the code. Caddy's own wrapper is the
// only way to a code above 1, and it turns 1 into 0.
func Exit(cmd *cobra.Command, code int) error {
	switch code {
	case 0:
		return nil
	case 1:
		return errFindings
	}
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return code, nil })(cmd, nil)
}

// Verbs returns the commands below `caddy cacheward`, for people who build Caddy
// themselves: what the cacheward binary has at its top level.
func Verbs() []*cobra.Command {
	var verbs []*cobra.Command
	for _, v := range []struct {
		name, usage, short, long string
		wire                     func(*cobra.Command)
	}{
		{"lint", LintUsage, LintShort, LintLong, WireLint(Exit)},
		{"test", TestUsage, TestShort, TestLong, WireTest(Exit)},
		{"explain", ExplainUsage, ExplainShort, ExplainLong, WireExplain(Exit)},
		{"audit", AuditUsage, AuditShort, AuditLong, WireAudit(Exit)},
		{"probe", ProbeUsage, ProbeShort, ProbeLong, WireProbe(Exit)},
		{"purge", PurgeUsage, PurgeShort, PurgeLong, WirePurge(Exit)},
		{"trip", TripUsage, TripShort, TripLong, WireTrip(Exit)},
		{"reset", ResetUsage, ResetShort, ResetLong, WireReset(Exit)},
		{"status", StatusUsage, StatusShort, StatusLong, WireStatus(Exit)},
		{"objects", ObjectsUsage, ObjectsShort, ObjectsLong, WireObjects(Exit)},
	} {
		c := &cobra.Command{Use: v.name + " " + v.usage, Short: v.short, Long: v.long}
		v.wire(c)
		verbs = append(verbs, c)
	}
	return verbs
}
