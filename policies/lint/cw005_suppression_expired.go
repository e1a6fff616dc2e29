package lint

func init() {
	register(Rule{
		ID: "CW005", Name: "suppression-expired", Severity: Error,
		Summary: "A comment was to silence a rule until a day that is over.",
	})
}
