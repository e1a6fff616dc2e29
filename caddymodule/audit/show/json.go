package show

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// JSON writes v as indented JSON, ended by a newline. Characters that a terminal would
// obey or hide stand as \u escapes, so that reading it gives the same strings.
func JSON(w io.Writer, v any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return err
	}
	// Such characters can only be inside of strings; those below a blank encoding/json
	// escapes itself.
	var out bytes.Buffer
	for _, r := range b.String() {
		switch {
		case r == '\n' || printable(r):
			out.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			r -= 0x10000
			fmt.Fprintf(&out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}
