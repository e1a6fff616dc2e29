package show

// Style says whether colours are used. The zero value has none.
type Style struct {
	// Color turns colours on.
	Color bool
}

// Color is a way to print a text, by what it means. All are told apart and read well on
// dark and on light backgrounds.
type Color uint8

// The palette.
const (
	Plain  Color = iota // the terminal's own
	Strong              // bold: titles, what to look at first
	Dim                 // what is there for completeness
	Good                // green: as it is meant to be
	Warn                // amber: look at it
	Bad                 // red: look at it now
	Info                // blue: names, figures of interest
	Alarm               // white on red: nobody may miss it
)

// sequences are of the 256 colours: of the basic 16, terminals make what they like,
// and yellow on white is none that can be read.
var sequences = [...]string{
	Plain:  "",
	Strong: "\x1b[1m",
	Dim:    "\x1b[38;5;243m",
	Good:   "\x1b[38;5;28m",
	Warn:   "\x1b[38;5;130m",
	Bad:    "\x1b[38;5;196m",
	Info:   "\x1b[38;5;31m",
	Alarm:  "\x1b[1;38;5;231;48;5;160m",
}

const reset = "\x1b[0m"

// Paint is text, made [Safe], in the colour.
func (s Style) Paint(c Color, text string) string {
	text = Safe(text)
	if !s.Color || text == "" || int(c) >= len(sequences) || sequences[c] == "" {
		return text
	}
	return sequences[c] + text + reset
}
