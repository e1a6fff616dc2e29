package policies

import (
	"fmt"
	"slices"
)

// ParseTokens reads a policy in its Caddyfile spelling: the words of the lines in
// a cacheward block that belong to the policy. All mistakes are reported at once,
// as [Diagnostics]. ParseTokens reads the form only; [Policy.Validate] judges the
// content.
//
//	version 1
//	mode enforce|observe
//	default never|origin
//	ambiguous bypass|deny
//	on_leak trip|warn
//	identity {
//		cookie <names...>
//		header <names...>
//	}
//	route <name> {
//		host <hosts...>
//		path <paths...>
//		method <methods...>
//		cache never
//		cache origin|<duration> {
//			stale_while_revalidate <duration>
//			stale_if_error         <duration>
//			status <status> <duration>
//		}
//		param  key|strip|bypass|deny|plain <names...>
//		param  others <verb>
//		cookie key|strip|bypass|deny|plain <names...>
//		cookie others <verb>
//		header key <name> [<values...>]
//		header strip|bypass|deny|vary <names...>
//		header forward <name> <reason>
//		header others <verb>
//		attribution {
//			params  <names...>
//			referer external|external-full
//			model   first|last|last-paid
//			paid    <signs...>
//			carry   cookie|beacon|both
//			window  <duration>
//			encrypt on|off
//			deliver [header|query|form-cookie] <paths...>
//			beacon  <url> {
//				batch <number>
//				every <duration>
//				queue <number>
//				sync  always|interval|never
//			}
//			consent <cookie> [<glob>]
//		}
//		admission  corroborated|once [<reason>]
//		set_cookie refuse|strip [<reason>]
//		downstream origin
//		downstream <duration> {
//			browser <duration>
//			profile <profile>
//		}
//		heuristic on|off
//		error_ttl <duration>
//		targeted <fields...>
//		targeted {
//			field <fields...>
//			order refusal-first|rfc9213
//		}
//		authorization bypass|rfc9111 [<reason>]
//		address       strip|forward [<reason>]
//		request_directives obey|ignore
//		vouch <reason> <fields...>
//		inspect on|off [<reason>]
//		ignore <reason> html|json|header <what> [<matching>]
//		tolerate <reason> <detectors...>
//		recheck <percent>%
//		mode, ambiguous, on_leak, identity as above
//	}
//
// Lines with names, and those of ignore and tolerate, may be repeated and add up; all
// others may be given once.
func ParseTokens(tokens []Token) (*Policy, error) {
	lines := lineReader{tokens: tokens}
	statements := lines.block(nil, 0)
	c := caddyReader{diags: lines.diags}
	root := &node{kind: mapping}
	if len(tokens) > 0 {
		root.pos = tokens[0].position()
	}
	c.policy(statements, root)
	p, diags := decodeNodes(root)
	return finish(p, append(c.diags, diags...))
}

// caddyReader turns statements into the nodes that the same policy has in YAML.
type caddyReader struct {
	diags Diagnostics
	path  string // of the route, for diagnostics
}

// directive is a word that may begin a line, and what the line adds to a mapping.
type directive struct {
	word string
	read func(s statement, into *node)
}

func (c *caddyReader) fault(pos Position, message, fix string) {
	c.diags = append(c.diags, Diagnostic{Pos: pos, Path: c.path, Message: message, Fix: fix})
}

// lines reads the statements of a block.
func (c *caddyReader) lines(block []statement, where string, into *node, directives ...directive) {
	for _, s := range block {
		first := s.words[0]
		i := slices.IndexFunc(directives, func(d directive) bool { return d.word == first.Text })
		if i < 0 {
			known := make([]string, len(directives))
			for i := range directives {
				known[i] = directives[i].word
			}
			c.fault(first.position(), fmt.Sprintf("unknown word %q in %s", first.Text, where), suggest(first.Text, known))
			continue
		}
		directives[i].read(s, into)
	}
}

func (c *caddyReader) policy(block []statement, into *node) {
	c.lines(block, "cacheward", into,
		directive{"version", c.single("version")},
		directive{"mode", c.single("mode")},
		directive{"default", c.single("default")},
		directive{"ambiguous", c.single("ambiguous")},
		directive{"on_leak", c.single("on_leak")},
		directive{"identity", c.identity},
		directive{"downstream", c.cdn},
		directive{"route", c.route},
	)
}

func (c *caddyReader) route(s statement, into *node) {
	if !c.arguments(s, 1, 1, "a name") {
		return
	}
	name := s.words[1]
	if !s.open {
		c.fault(s.position(), fmt.Sprintf("route %q has no block", name.Text), `write "{" behind the name and its lines below`)
		return
	}
	if routeName(name.Text) {
		c.path = "routes." + name.Text
	}
	route := &node{kind: mapping, pos: s.position()}
	c.set(route, "name", s.position(), textNode(name))
	c.lines(s.block, "route", route,
		directive{"host", c.match("hosts")},
		directive{"path", c.match("paths")},
		directive{"method", c.match("methods")},
		directive{"cache", c.cache},
		directive{"param", c.inputs("params", inputVerbs)},
		directive{"cookie", c.inputs("cookies", inputVerbs)},
		directive{"header", c.inputs("headers", headerVerbs)},
		directive{"attribution", c.attribution},
		directive{"admission", c.choice("admission")},
		directive{"set_cookie", c.choice("set_cookie")},
		directive{"downstream", c.downstream},
		directive{"heuristic", c.single("heuristic")},
		directive{"error_ttl", c.single("error_ttl")},
		directive{"targeted", c.targeted},
		directive{"authorization", c.choice("authorization")},
		directive{"address", c.choice("address")},
		directive{"request_directives", c.single("request_directives")},
		directive{"vouch", c.vouch},
		directive{"inspect", c.choice("inspect")},
		directive{"ignore", c.ignore},
		directive{"tolerate", c.tolerate},
		directive{"recheck", c.single("recheck")},
		directive{"mode", c.single("mode")},
		directive{"ambiguous", c.single("ambiguous")},
		directive{"on_leak", c.single("on_leak")},
		directive{"identity", c.identity},
	)
	c.path = ""
	into.child("routes", sequence, s.position()).add(route)
}

func (c *caddyReader) identity(s statement, into *node) {
	if !c.arguments(s, 0, 0, "no arguments") {
		return
	}
	if !s.open {
		c.fault(s.position(), "identity has no block", `write "{" behind it and its lines below`)
		return
	}
	id := &node{kind: mapping, pos: s.position()}
	c.lines(s.block, "identity", id,
		directive{"cookie", c.names("cookies")},
		directive{"header", c.names("headers")},
	)
	c.set(into, "identity", s.position(), id)
}

func (c *caddyReader) cache(s statement, into *node) {
	if !c.arguments(s, 1, 1, "never, origin or a duration") {
		return
	}
	value := textNode(s.words[1])
	if !s.open {
		c.set(into, "cache", s.position(), value)
		return
	}
	if value.text == string(CacheNever) {
		c.fault(s.position(), "cache never takes no block", "give a duration or origin, or leave the block out")
		return
	}
	object := &node{kind: mapping, pos: s.position()}
	c.set(object, "ttl", s.position(), value)
	c.lines(s.block, "cache", object,
		directive{"stale_while_revalidate", c.single("stale_while_revalidate")},
		directive{"stale_if_error", c.single("stale_if_error")},
		directive{"status", c.status},
	)
	c.set(into, "cache", s.position(), object)
}

func (c *caddyReader) status(s statement, into *node) {
	if c.plain(s) && c.arguments(s, 2, 2, "a status and a duration") {
		c.set(into.child("statuses", mapping, s.position()), s.words[1].Text, s.position(), textNode(s.words[2]))
	}
}

func (c *caddyReader) downstream(s statement, into *node) {
	if !c.arguments(s, 1, 1, "origin or a duration") {
		return
	}
	value := textNode(s.words[1])
	if !s.open {
		c.set(into, "downstream", s.position(), value)
		return
	}
	if value.text == ProfileOrigin {
		c.fault(s.position(), "downstream origin takes no block", "give a duration, or leave the block out")
		return
	}
	object := &node{kind: mapping, pos: s.position()}
	c.set(object, "ttl", s.position(), value)
	c.lines(s.block, "downstream", object,
		directive{"browser", c.single("browser")},
		directive{"profile", c.single("profile")},
		directive{"tag_header", c.single("tag_header")},
	)
	c.set(into, "downstream", s.position(), object)
}

// cdn reads the policy's own downstream.
func (c *caddyReader) cdn(s statement, into *node) {
	if !c.arguments(s, 0, 0, "no arguments; for how long is said on a route") {
		return
	}
	if !s.open {
		c.fault(s.position(), "downstream has no block", `write "{" behind it and profile below`)
		return
	}
	object := &node{kind: mapping, pos: s.position()}
	c.lines(s.block, "downstream", object,
		directive{"profile", c.single("profile")},
		directive{"tag_header", c.single("tag_header")},
	)
	c.set(into, "downstream", s.position(), object)
}

// targeted reads the names of fields, or a block with them and their order.
func (c *caddyReader) targeted(s statement, into *node) {
	object := &node{kind: mapping, pos: s.position()}
	if !s.open {
		if c.arguments(s, 1, len(s.words), "one or more names, or a block") {
			c.append(object, "fields", s.words[1:])
			c.set(into, "targeted", s.position(), object)
		}
		return
	}
	if !c.arguments(s, 0, 0, "names or a block, not both") {
		return
	}
	c.lines(s.block, "targeted", object,
		directive{"field", c.names("fields")},
		directive{"order", c.single("order")},
	)
	c.set(into, "targeted", s.position(), object)
}

// vouch reads the reason and the names of fields.
func (c *caddyReader) vouch(s statement, into *node) {
	if !c.plain(s) || !c.arguments(s, 2, len(s.words), "a reason in quotes and one or more names") {
		return
	}
	object := &node{kind: mapping, pos: s.position()}
	c.set(object, "reason", s.position(), textNode(s.words[1]))
	c.append(object, "fields", s.words[2:])
	c.set(into, "vouch", s.position(), object)
}
