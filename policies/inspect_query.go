package policies

import (
	"net/url"
	"strings"
)

// maxParams bounds the work that one query can cause.
const maxParams = 100

// inspectQuery looks for queries that parsers take apart differently (attacks 6).
// What is stripped never reaches the origin, so only the whole query's shape and
// the declared parameters matter.
func (r *Rule) inspectQuery(req *Request, v *Verdict) {
	if req.RawQuery == "" {
		return
	}
	inspectQueryBytes(req.RawQuery, v)
	n := 0
	for rest, more := req.RawQuery, true; more; n++ {
		if n == maxParams {
			v.add(ReasonQueryLong)
			return
		}
		var pair string
		pair, rest, more = strings.Cut(rest, "&")
		name, _, _ := strings.Cut(pair, "=")
		if name == "" {
			v.add(ReasonQueryEmptyPair)
			continue
		}
		folded := foldParam(name)
		if folded == "_method" && req.cacheable() {
			v.add(ReasonMethodOverride)
		}
		if r.aliases(name, folded) {
			v.add(ReasonParamAlias)
		}
	}
}

// plainQuery are the bytes of a query that mean themselves to every parser.
var plainQuery = func() (plain [256]bool) {
	for c := '!'; c < 0x7f; c++ {
		plain[c] = c != ';' && c != '#' && c != '%'
	}
	return plain
}()

func inspectQueryBytes(q string, v *Verdict) {
	for i := 0; i < len(q); i++ {
		switch c := q[i]; {
		case plainQuery[c]:
		case c == ';':
			v.add(ReasonQuerySemicolon)
		case c == ' ':
			// HTTP/2 lets one through. In a request line it ends the target (RFC 9112
			// §3), so not even a bypass could send it on as what it was.
			v.raise(ActDeny, ReasonQueryControl)
		case c < ' ' || c >= 0x7f || c == '#':
			// Clients do not send what stands behind a #; a parser that knows
			// fragments ends the query there.
			v.add(ReasonQueryControl)
		case c == '%':
			if i+2 >= len(q) || !isHex(q[i+1]) || !isHex(q[i+2]) {
				v.add(ReasonQueryInvalidEscape)
			} else if c := unhex(q[i+1])<<4 | unhex(q[i+2]); c < ' ' || c == 0x7f {
				v.add(ReasonQueryControl)
			}
		}
	}
}

// aliases says whether name, which folds to folded, is not itself declared but
// would be taken for a declared, not stripped parameter by an app that folds case,
// decodes names, cuts arrays off or maps . and space to _ as PHP does.
func (r *Rule) aliases(name, folded string) bool {
	if folded == name { // as nearly all are
		if _, exact := r.paramFolds[name]; !exact {
			return false
		}
		_, declared := r.params.find(name)
		return !declared
	}
	if verb, declared := r.params.find(name); declared && verb != Strip {
		return false
	}
	if _, exact := r.paramFolds[folded]; exact {
		return true
	}
	verb, declared := r.params.find(folded)
	return declared && verb != Strip
}

// foldParam reduces a parameter's name to what the most lenient app makes of it.
// Names that are already plain are returned as they are, without allocating.
func foldParam(name string) string {
	plain := true
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			plain = false
			break
		}
	}
	if plain {
		return name
	}
	// Twice: an app behind a second decoder sees through %2572ef as well.
	for range 2 {
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
	}
	name = strings.TrimLeft(name, "[] ") // Node's qs takes [ref] for ref
	if end := strings.IndexAny(name, "[]\x00"); end >= 0 {
		name = name[:end]
	}
	name = strings.ToLower(strings.TrimSpace(name))
	return phpNames.Replace(name)
}

// phpNames are the characters that PHP makes _ of in names of parameters.
var phpNames = strings.NewReplacer(".", "_", " ", "_")
