package lint

func init() {
	register(Rule{
		ID: "CW001", Name: "unreadable", Severity: Error,
		Summary: "What cannot be read is not in force, and cannot be judged.",
	})
}
