package lint

func init() {
	register(Rule{
		ID: "CW004", Name: "suppression-unknown-rule", Severity: Warning,
		Summary: "A comment that names no rule that can be silenced does nothing.",
	})
}
