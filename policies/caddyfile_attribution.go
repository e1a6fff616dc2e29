package policies

import "strings"

// attribution reads the block that keeps who sent a visitor.
func (c *caddyReader) attribution(s statement, into *node) {
	if !c.arguments(s, 0, 0, "no arguments") {
		return
	}
	if !s.open {
		c.fault(s.position(), "attribution has no block", `write "{" behind it and its lines below`)
		return
	}
	object := &node{kind: mapping, pos: s.position()}
	c.lines(s.block, "attribution", object,
		directive{"params", c.names("params")},
		directive{"referer", c.single("referer")},
		directive{"model", c.single("model")},
		directive{"paid", c.names("paid")},
		directive{"carry", c.single("carry")},
		directive{"window", c.single("window")},
		directive{"encrypt", c.single("encrypt")},
		directive{"deliver", c.deliver},
		directive{"beacon", c.beacon},
		directive{"consent", c.consent},
	)
	c.set(into, "attribution", s.position(), object)
}

// deliver reads how, which no path is spelled like, and the paths.
func (c *caddyReader) deliver(s statement, into *node) {
	const what = "perhaps header, query or form-cookie, and one or more paths"
	if !c.plain(s) || !c.arguments(s, 1, len(s.words), what) {
		return
	}
	object := &node{kind: mapping, pos: s.position()}
	paths := s.words[1:]
	if as := paths[0]; !strings.ContainsAny(as.Text, "/*") {
		if !c.arguments(s, 2, len(s.words), what) {
			return
		}
		c.set(object, "as", s.position(), textNode(as))
		paths = paths[1:]
	}
	c.append(object, "paths", paths)
	c.set(into, "deliver", s.position(), object)
}

// beacon reads the URL, and the block that it may have.
func (c *caddyReader) beacon(s statement, into *node) {
	if !c.arguments(s, 1, 1, "a URL") {
		return
	}
	object := &node{kind: mapping, pos: s.position()}
	c.set(object, "url", s.position(), textNode(s.words[1]))
	c.lines(s.block, "beacon", object,
		directive{"batch", c.single("batch")},
		directive{"every", c.single("every")},
		directive{"queue", c.single("queue")},
		directive{"sync", c.single("sync")},
	)
	c.set(into, "beacon", s.position(), object)
}

// consent reads the cookie, and the glob that its value must match.
func (c *caddyReader) consent(s statement, into *node) {
	if !c.plain(s) || !c.arguments(s, 1, 2, "the name of a cookie and perhaps a glob") {
		return
	}
	object := &node{kind: mapping, pos: s.position()}
	c.set(object, "cookie", s.position(), textNode(s.words[1]))
	if len(s.words) == 3 {
		c.set(object, "matches", s.position(), textNode(s.words[2]))
	}
	c.set(into, "consent", s.position(), object)
}
