package lint

func init() {
	register(Rule{
		ID: "CW002", Name: "suppression-without-reason", Severity: Error,
		Summary: "A comment that silences a rule must say why it may.",
	})
}
