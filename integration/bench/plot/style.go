package plot

import (
	"fmt"
	"strings"
)

// The colours of series, in a light and in a dark page. They differ in lightness as well,
// for those who see some colours alike, and all have a contrast of 4.5 or more to the page.
var palette = [colours]struct{ light, dark string }{
	{"#0969da", "#58a6ff"},
	{"#b34700", "#f0883e"},
	{"#1a7f37", "#56d364"},
	{"#8250df", "#d2a8ff"},
	{"#bf3989", "#f778ba"},
	{"#0b6e7c", "#39c5cf"},
	{"#7d5600", "#e3b341"},
	{"#24292f", "#f0f6fc"},
}

const colours = 8

// style is the style sheet of every document. The page's colour is behind a chart itself,
// since the page that shows it may not go with the reader's scheme.
var style = func() string {
	var light, dark, uses strings.Builder
	for i, c := range palette {
		fmt.Fprintf(&light, "--s%d:%s;", i, c.light)
		fmt.Fprintf(&dark, "--s%d:%s;", i, c.dark)
		fmt.Fprintf(&uses, ".s%d{--c:var(--s%[1]d)}\n", i)
	}
	return `
svg{--page:#fff;--text:#1f2328;--soft:#57606a;--grid:#e3e6ea;--bar:#cf222e;` + light.String() + `}
@media (prefers-color-scheme:dark){svg{--page:#0d1117;--text:#e6edf3;--soft:#9aa4af;--grid:#272d36;--bar:#ff7b72;` + dark.String() + `}}
text{font:12px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;fill:var(--text)}
` + uses.String() + `.muted{--c:var(--soft)}
.page{fill:var(--page)}
.sheet{font-size:20px;font-weight:600}
.title{font-size:15px;font-weight:600}
.soft{fill:var(--soft)}
.grid{stroke:var(--grid)}
.axis{stroke:var(--soft)}
.line{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round}
.muted.line{stroke-dasharray:5 4}
.spread{stroke:var(--c);stroke-width:1.5;stroke-opacity:.65}
.dot{fill:var(--c);stroke:var(--page);stroke-width:1}
.leader{stroke:var(--c);stroke-opacity:.5}
.name{fill:var(--c);font-weight:600}
.bar{stroke:var(--bar);stroke-width:1.5;stroke-dasharray:2 3}
.over{stroke:var(--page);stroke-width:4;paint-order:stroke;stroke-linejoin:round}
.barname{fill:var(--bar)}
`
}()
