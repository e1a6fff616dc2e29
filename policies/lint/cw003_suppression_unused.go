package lint

func init() {
	register(Rule{
		ID: "CW003", Name: "suppression-unused", Severity: Warning,
		Summary: "A comment that silences nothing today would hide the mistake of tomorrow.",
	})
}
