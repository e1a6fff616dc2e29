package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
)

// The parts of the page that are ours. Nothing from a log is ever of these types.
var (
	//go:embed report.css
	style string
	//go:embed report.js
	script string
	//go:embed report.html
	layout string
)

// document is escaped by its context everywhere: html/template sees to that.
var document = template.Must(template.New("report").Parse(layout))

// contentPolicy allows the page's own style and script, by their digests, and data: for
// the icon that browsers would else ask a server for. Nothing is fetched, nothing sent.
func contentPolicy() string {
	return "default-src 'none'; style-src " + digestOf(style) + "; script-src " + digestOf(script) +
		"; img-src data:; base-uri 'none'; form-action 'none'"
}

// digestOf is how a policy names a text (CSP Level 3, section 2.3.1).
func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
