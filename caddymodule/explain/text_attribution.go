package explain

import "strings"

// writeAttribution says what is taken off the request, and what the app would be told.
func (e *Explanation) writeAttribution(p *printer) {
	if a := e.Attribution; a != nil {
		if taken := a.taken(); taken != "" {
			p.say(0, "", "attribution:", " "+taken+".")
		}
		p.say(0, "", "attribution:", " "+safe(a.Sentence))
	}
	if d := e.Delivery; d != nil {
		p.say(0, "", "delivery:", " "+safe(d.Sentence)+" Route "+d.Route+" says so"+atPlace(d.At)+".")
	}
}

// taken lists what is.
func (a *Attribution) taken() string {
	var parts []string
	for _, v := range a.Taken {
		parts = append(parts, printable(v.Name+"="+v.Value))
	}
	if a.Referer != "" {
		parts = append(parts, "from "+printable(a.Referer))
	}
	if len(parts) == 0 {
		return ""
	}
	text := "takes " + strings.Join(parts, ", ")
	if a.Paid {
		text += ", which counts as a paid visit"
	}
	return text
}

func atPlace(at string) string {
	if at == "" {
		return ""
	}
	return " at " + at
}
